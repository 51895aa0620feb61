//! How origins, batches and times are written for people, and read back.
//!
//! An origin is `NODE/EPOCH/NONCE`, with the node id and the nonce in hexadecimal digits; a batch is `ORIGIN#SEQ`. Data
//! carries whole node ids; on a terminal eight digits stand for one, and arguments take any beginning of it.

use numax_crdt::{Dot, Hlc, NodeId, Origin};

/// An origin with its whole node id.
#[must_use]
pub fn origin(origin: &Origin) -> String {
    format!("{}/{}/{:016x}", origin.node, origin.epoch, origin.nonce)
}

/// A batch's name with the whole node id.
#[must_use]
pub fn dot(dot: &Dot) -> String {
    format!("{}#{}", origin(&dot.origin), dot.seq)
}

/// What [`origin`] wrote.
#[must_use]
pub fn parse_origin(text: &str) -> Option<Origin> {
    let mut parts = text.split('/');
    let (node, epoch, nonce) = (parts.next()?, parts.next()?, parts.next()?);
    let origin = Origin {
        node: node.parse::<NodeId>().ok()?,
        epoch: epoch.parse().ok()?,
        nonce: u64::from_str_radix(nonce, 16).ok()?,
    };
    parts.next().is_none().then_some(origin)
}

/// What [`dot`] wrote.
#[must_use]
pub fn parse_dot(text: &str) -> Option<Dot> {
    let (origin, seq) = text.rsplit_once('#')?;
    Some(Dot { origin: parse_origin(origin)?, seq: seq.parse().ok().filter(|seq| *seq > 0)? })
}

/// A choice of origins: a beginning of what [`origin`] writes, or of what a terminal shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginPattern {
    node: String,
    epoch: Option<u64>,
    nonce: Option<u64>,
}

impl OriginPattern {
    /// Reads `NODE`, `NODE/EPOCH` or `NODE/EPOCH/NONCE`, where the node may be cut.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let node = parts.next()?.to_ascii_lowercase();
        let epoch = parts.next().map(|epoch| epoch.parse().ok());
        let nonce = parts.next().map(|nonce| u64::from_str_radix(nonce, 16).ok());
        let hex = !node.is_empty() && node.len() <= 64 && node.bytes().all(|b| b.is_ascii_hexdigit());
        if !hex || parts.next().is_some() || epoch == Some(None) || nonce == Some(None) {
            return None;
        }
        Some(Self { node, epoch: epoch.flatten(), nonce: nonce.flatten() })
    }

    /// Whether an origin is meant.
    #[must_use]
    pub fn matches(&self, origin: &Origin) -> bool {
        origin.node.to_string().starts_with(&self.node)
            && self.epoch.is_none_or(|epoch| epoch == origin.epoch)
            && self.nonce.is_none_or(|nonce| nonce == origin.nonce)
    }
}

/// A hybrid time as `MILLISECONDS.COUNTER`, read back.
#[must_use]
pub fn parse_hlc(text: &str) -> Option<Hlc> {
    let (ms, counter) = text.split_once('.')?;
    let (ms, counter) = (ms.parse::<u64>().ok()?, counter.parse::<u16>().ok()?);
    let hlc = Hlc::from_parts(ms, counter);
    (hlc.ms() == ms).then_some(hlc)
}

/// Unix milliseconds as a date and time, UTC.
#[must_use]
pub fn time(ms: u64) -> String {
    let (days, of_day) = (ms / 86_400_000, ms % 86_400_000);
    // Days to a date of the Gregorian calendar, in eras of 400 years that begin in March (after Howard Hinnant,
    // "chrono-Compatible Low-Level Date Algorithms").
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", of_day % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back() {
        let name = Origin { node: NodeId([0xab; 32]), epoch: 7, nonce: 0x1f };
        let batch = Dot { origin: name, seq: 12 };
        assert_eq!(parse_origin(&origin(&name)), Some(name));
        assert_eq!(parse_dot(&dot(&batch)), Some(batch));
        for bad in ["", "#1", "ab/7/1f", &format!("{}#0", origin(&name)), &format!("{}/1", origin(&name))] {
            assert_eq!((parse_dot(bad), parse_origin(bad)), (None, None), "{bad}");
        }
        assert_eq!(parse_hlc("1700000000000.3"), Some(Hlc::from_parts(1_700_000_000_000, 3)));
        for bad in ["", "1", "1.", ".1", "1.65536", "281474976710656.0"] {
            assert_eq!(parse_hlc(bad), None, "{bad}");
        }
    }

    #[test]
    fn patterns_take_beginnings() {
        let name = Origin { node: NodeId([0xab; 32]), epoch: 7, nonce: 0x1f };
        let shown = name.to_string();
        for good in ["a", "AB", "abab/7", &shown, &origin(&name)] {
            assert!(OriginPattern::parse(good).unwrap().matches(&name), "{good}");
        }
        for other in ["ac", "ab/8", "ab/7/1e"] {
            assert!(!OriginPattern::parse(other).unwrap().matches(&name), "{other}");
        }
        for bad in ["", "xyz", "ab/x", "ab/7/x", "ab/7/1f/"] {
            assert_eq!(OriginPattern::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_are_dates() {
        let table = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
            (4_102_444_799_999, "2099-12-31T23:59:59.999Z"),
        ];
        for (ms, text) in table {
            assert_eq!(time(ms), text);
        }
        assert!(time(Hlc::MAX.ms()).starts_with("10889-"));
    }
}
