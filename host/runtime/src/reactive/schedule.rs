//! When which tick is due.

use numax_policy::EveryEvent;
use std::time::{Duration, Instant};

/// Periodic ticks, each counted from the end of its last one.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    ticks: Vec<Tick>,
}

#[derive(Debug)]
struct Tick {
    name: String,
    period: Duration,
    due: Instant,
}

impl Schedule {
    pub(super) fn new(every: &[EveryEvent], now: Instant) -> Schedule {
        let tick = |e: &EveryEvent| Tick { name: e.name.clone(), period: e.period, due: now + e.period };
        Schedule { ticks: every.iter().map(tick).collect() }
    }

    /// The tick that is due first, and when.
    pub(super) fn next(&self) -> Option<(usize, Instant)> {
        self.ticks.iter().enumerate().map(|(i, t)| (i, t.due)).min_by_key(|(_, due)| *due)
    }

    /// The name of a tick.
    pub(super) fn name(&self, tick: usize) -> &str {
        self.ticks.get(tick).map_or("", |t| t.name.as_str())
    }

    /// A tick's handler has ended.
    pub(super) fn done(&mut self, tick: usize, now: Instant) {
        if let Some(t) = self.ticks.get_mut(tick) {
            t.due = now + t.period;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first_and_counts_from_its_end() {
        let now = Instant::now();
        let every = |name: &str, ms| EveryEvent { name: name.into(), period: Duration::from_millis(ms) };
        let mut s = Schedule::new(&[every("slow", 50), every("fast", 20)], now);
        assert_eq!(s.next(), Some((1, now + Duration::from_millis(20))));
        s.done(1, now + Duration::from_millis(45));
        assert_eq!(s.next(), Some((0, now + Duration::from_millis(50))));
        assert_eq!(s.name(0), "slow");
        assert_eq!(Schedule::default().next(), None);
    }
}
