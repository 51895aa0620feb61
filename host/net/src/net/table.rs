//! Which of two connections between the same nodes stays.
//!
//! Both sides must come to the same answer without asking each other. The dialler of a connection looks into its table
//! *before* it says READY and gives up if it has a link already, so when an acceptor that has a link hears READY, one of
//! these is true:
//!
//! - the peer was restarted (its instance differs): the old link is dead, the new one stays;
//! - the same side dialled both: it would not have if it still had the first, so the new one stays;
//! - the old link is older than a dial may take: the dialler must have looked after it came to be and did not have it, so
//!   it is dead on that side, and the new one stays;
//! - both dialled at the same time: the one dialled by the smaller node id stays, which both sides see alike.

use std::time::{Duration, Instant};

use numax_crdt::NodeId;

/// What the rule looks at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    /// Who dialled.
    pub(super) dialler: NodeId,
    /// A number that the peer's process drew at its start.
    pub(super) instance: u64,
    /// When the connection became a link here.
    pub(super) since: Instant,
}

/// What happens to the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It becomes the link; the old one, if any, is closed.
    Take,
    /// It is closed.
    Refuse,
}

/// Decides about `new` when `old` is the link. `window` is how long a dial can take at most.
pub(super) fn judge(old: Option<&Facts>, new: &Facts, window: Duration) -> Verdict {
    let Some(old) = old else { return Verdict::Take };
    let simultaneous = new.since.saturating_duration_since(old.since) <= window;
    let restarted = old.instance != new.instance;
    match restarted || old.dialler == new.dialler || !simultaneous || new.dialler < old.dialler {
        true => Verdict::Take,
        false => Verdict::Refuse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(10);

    fn facts(dialler: u8, instance: u64, since: Instant) -> Facts {
        Facts { dialler: NodeId([dialler; 32]), instance, since }
    }

    #[test]
    fn simultaneous_dials_end_alike_on_both_sides_in_any_order() {
        let now = Instant::now();
        let (small, large) = (facts(1, 7, now), facts(2, 7, now));
        for order in [[small, large], [large, small]] {
            let mut link = None;
            for new in order {
                if judge(link.as_ref(), &new, WINDOW) == Verdict::Take {
                    link = Some(new);
                }
            }
            assert_eq!(link.unwrap().dialler, small.dialler);
        }
    }

    #[test]
    fn a_dead_link_does_not_keep_a_new_one_out() {
        let now = Instant::now();
        let old = facts(1, 7, now);
        assert_eq!(judge(Some(&old), &facts(2, 8, now), WINDOW), Verdict::Take, "restarted");
        assert_eq!(judge(Some(&old), &facts(1, 7, now), WINDOW), Verdict::Take, "dialled again");
        assert_eq!(
            judge(Some(&old), &facts(2, 7, now + WINDOW), WINDOW),
            Verdict::Refuse,
            "at the same time"
        );
        let later = now + WINDOW + Duration::from_millis(1);
        assert_eq!(judge(Some(&old), &facts(2, 7, later), WINDOW), Verdict::Take, "lost on the other side");
    }
}
