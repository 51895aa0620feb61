//! Waiting longer after every failure, never in step with others.

use std::time::Duration;

use rand::{TryRng, rngs::SysRng};

/// Exponential back-off with jitter: each wait is between half and all of a bound that doubles up to a limit.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    limit: Duration,
    bound: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, limit: Duration) -> Self {
        Self { first, limit, bound: first }
    }

    /// How long to wait now.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let bound = self.bound;
        self.bound = (bound * 2).min(self.limit);
        // Half is kept so that a crowd that lost the same node spreads out without hammering it at once.
        bound / 2 + (bound / 2).mul_f64(f64::from(random_u32()) / f64::from(u32::MAX))
    }

    pub(crate) fn reset(&mut self) {
        self.bound = self.first;
    }
}

/// From the operating system; without any, waits are merely not jittered.
fn random_u32() -> u32 {
    SysRng.try_next_u32().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_the_limit_and_begin_again() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(200), ms(10_000));
        for bound in [200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000] {
            let wait = backoff.next_wait();
            assert!((ms(bound / 2)..=ms(bound)).contains(&wait), "{wait:?} for {bound}");
        }
        backoff.reset();
        assert!(backoff.next_wait() <= ms(200));
    }
}
