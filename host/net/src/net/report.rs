//! What an operator is told, and how often.

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use numax_crdt::NodeId;

use crate::{close::Closed, tls::Refusal};

/// Who dialled whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Somebody dialled us.
    Incoming,
    /// We dialled.
    Outgoing,
}

/// Something an operator should know. Its text is one line and says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Who dialled.
    pub direction: Direction,
    /// The peer's address as it was configured, or as it is known.
    pub target: String,
    /// The address it was resolved to, or came from.
    pub addr: Option<SocketAddr>,
    /// Who the peer is, as far as that is known.
    pub peer: Option<NodeId>,
    /// What is wrong.
    pub problem: Problem,
    /// How often the same was seen since it was last reported.
    pub repeats: u64,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// One of the two does not want the other.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Nobody answers.
    #[error("{0}; dialling goes on")]
    Unreachable(String),
    /// The name has no address.
    #[error("its name cannot be resolved: {0}; dialling goes on")]
    Unresolved(String),
    /// Handshakes are turned away.
    #[error("turned away: too many handshakes are unfinished, from this address or in all")]
    Overloaded,
    /// A link ended because the peer does not keep to the protocol, or ended before it was one.
    #[error("{0}")]
    Link(Closed),
    /// Our own certificate ends soon.
    #[error("this node's certificate ends {}: renew it with `numax ca issue` and restart the node", ends(*days))]
    CertificateEnds {
        /// How many days are left.
        days: u64,
    },
}

fn ends(days: u64) -> String {
    match days {
        0 => "within a day".to_owned(),
        1 => "in a day".to_owned(),
        days => format!("in {days} days"),
    }
}

impl Problem {
    fn kind(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.kind(),
            Self::Unreachable(_) => "unreachable",
            Self::Unresolved(_) => "unresolved",
            Self::Overloaded => "overloaded",
            Self::Link(_) => "link",
            Self::CertificateEnds { .. } => "certificate-ends",
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.direction {
            Direction::Incoming => write!(f, "peer from {}", self.target)?,
            Direction::Outgoing => write!(f, "peer {}", self.target)?,
        }
        match self.addr.map(|addr| addr.to_string()).filter(|addr| !self.target.ends_with(addr.as_str())) {
            Some(addr) => write!(f, " ({addr}): ")?,
            None => f.write_str(": ")?,
        }
        write!(f, "{}", self.problem)?;
        match self.repeats {
            0 => Ok(()),
            n => write!(f, " (and {n} times since the last report)"),
        }
    }
}

/// Peers and problems that are remembered; a flood of strangers must not become a flood of memory.
const REMEMBERED: usize = 1024;

/// Lets the same failure with the same peer through once per interval, and counts the others.
#[derive(Debug)]
pub(super) struct Reporter {
    interval: Duration,
    seen: Mutex<BTreeMap<(Direction, String, &'static str), Seen>>,
}

#[derive(Debug)]
struct Seen {
    last: Instant,
    repeats: u64,
}

impl Reporter {
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, seen: Mutex::default() }
    }

    /// The report to make now, if any.
    pub(super) fn admit(&self, mut report: Report, now: Instant) -> Option<Report> {
        // Incoming connections come from a new port every time; the address is who it is.
        let who = match (report.direction, report.addr) {
            (Direction::Incoming, Some(addr)) => addr.ip().to_string(),
            _ => report.target.clone(),
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = (report.direction, who, report.problem.kind());
        if seen.len() >= REMEMBERED && !seen.contains_key(&key) {
            seen.retain(|_, seen| now.saturating_duration_since(seen.last) < self.interval);
            if seen.len() >= REMEMBERED {
                // Too many strangers: from here on they share one place per problem.
                key.1 = String::new();
            }
        }
        match seen.get_mut(&key) {
            Some(before) if now.saturating_duration_since(before.last) < self.interval => {
                before.repeats += 1;
                None
            }
            Some(before) => {
                report.repeats = before.repeats;
                *before = Seen { last: now, repeats: 0 };
                Some(report)
            }
            None => {
                seen.insert(key, Seen { last: now, repeats: 0 });
                Some(report)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(last_byte: u8, port: u16, problem: Problem) -> Report {
        let addr = SocketAddr::from(([10, 0, 0, last_byte], port));
        Report {
            direction: Direction::Incoming,
            target: addr.to_string(),
            addr: Some(addr),
            peer: None,
            problem,
            repeats: 0,
        }
    }

    #[test]
    fn the_same_failure_is_reported_once_and_then_at_intervals_with_its_count() {
        let (reporter, start) = (Reporter::new(Duration::from_secs(60)), Instant::now());
        let expired = || Problem::Refused(Refusal::Expired);
        assert!(reporter.admit(report(1, 1, expired()), start).is_some());
        for port in 2..10 {
            assert!(reporter.admit(report(1, port, expired()), start + Duration::from_secs(5)).is_none());
        }
        assert!(reporter.admit(report(1, 10, Problem::Overloaded), start).is_some(), "another problem");
        assert!(reporter.admit(report(2, 10, expired()), start).is_some(), "another peer");
        let again = reporter.admit(report(1, 11, expired()), start + Duration::from_secs(61)).unwrap();
        assert_eq!(again.repeats, 8);
        assert!(again.to_string().contains("10.0.0.1:11: its certificate has expired"), "{again}");
        assert!(again.to_string().ends_with("(and 8 times since the last report)"), "{again}");
    }

    #[test]
    fn a_flood_of_strangers_stays_within_bounds() {
        let (reporter, now) = (Reporter::new(Duration::from_secs(60)), Instant::now());
        let mut reports = 0;
        for n in 0..10_000u32 {
            let [_, b, c, d] = n.to_be_bytes();
            let mut one = report(1, 1, Problem::Overloaded);
            one.addr = Some(SocketAddr::from(([10, b, c, d], 1)));
            reports += u32::from(reporter.admit(one, now).is_some());
        }
        assert!(reporter.seen.lock().unwrap().len() <= REMEMBERED + 1);
        assert!(reports <= u32::try_from(REMEMBERED).unwrap() + 1);
    }
}
