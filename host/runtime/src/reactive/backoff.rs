//! The pauses between the attempts to start a module again.

use std::time::{Duration, Instant};

/// The first pause.
const FIRST: Duration = Duration::from_millis(100);

/// The longest one.
const LONGEST: Duration = Duration::from_secs(30);

/// An instance that lived this long was healthy: the next failure starts from the first pause.
const HEALTHY: Duration = Duration::from_secs(60);

/// Doubles the pause with every failure.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    started: Instant,
}

impl Backoff {
    pub(super) fn new(now: Instant) -> Backoff {
        Backoff { next: FIRST, started: now }
    }

    /// An instance has started.
    pub(super) fn started(&mut self, now: Instant) {
        self.started = now;
    }

    /// It has failed: how long to wait before the next one.
    pub(super) fn failed(&mut self, now: Instant) -> Duration {
        if now.saturating_duration_since(self.started) >= HEALTHY {
            self.next = FIRST;
        }
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_start_again_after_health() {
        let now = Instant::now();
        let mut b = Backoff::new(now);
        let pauses: Vec<_> = (0..10).map(|_| b.failed(now)).collect();
        assert_eq!(pauses[..3], [FIRST, FIRST * 2, FIRST * 4]);
        assert_eq!(pauses[9], LONGEST);
        assert_eq!(b.failed(now + HEALTHY), FIRST);
    }
}
