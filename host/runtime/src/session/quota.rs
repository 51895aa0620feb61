//! Token buckets for what a module may write per second, shared by all its instances on this node.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A bucket that holds one second's worth and refills evenly.
///
/// One that takes more than the bucket holds needs it full and overdraws it, and the next ones wait until the debt is
/// paid: so a value larger than a second's worth can still be written, and the average holds.
#[derive(Debug)]
pub(crate) struct Bucket {
    per_second: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Millionths of a token, so that slow rates refill evenly too.
    micro: i128,
    at: Instant,
}

const MICRO: i128 = 1_000_000;

impl Bucket {
    /// A full bucket.
    pub(crate) fn new(per_second: u64, now: Instant) -> Bucket {
        Bucket { per_second, state: Mutex::new(State { micro: i128::from(per_second) * MICRO, at: now }) }
    }

    /// Takes that many tokens if they are there.
    ///
    /// # Errors
    /// How long until it is worth another try.
    pub(crate) fn take(&self, tokens: u64, now: Instant) -> Result<(), Duration> {
        let mut s = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let full = i128::from(self.per_second) * MICRO;
        let passed = i128::try_from(now.saturating_duration_since(s.at).as_micros()).unwrap_or(i128::MAX / 2);
        s.micro = s.micro.saturating_add(passed.saturating_mul(i128::from(self.per_second))).min(full);
        s.at = s.at.max(now);
        // All of it, or a full bucket if it is more than that.
        let enough = i128::from(tokens.min(self.per_second)) * MICRO;
        if self.per_second == 0 || s.micro < enough {
            let missing = enough - s.micro;
            let rate = i128::from(self.per_second.max(1));
            let micros = (missing + rate - 1) / rate;
            return Err(Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)));
        }
        s.micro -= i128::from(tokens) * MICRO;
        Ok(())
    }

    /// Tokens a second.
    pub(crate) fn per_second(&self) -> u64 {
        self.per_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_s_worth_goes_at_once_and_then_the_rate_holds() {
        let start = Instant::now();
        let bucket = Bucket::new(10, start);
        for _ in 0..10 {
            bucket.take(1, start).unwrap();
        }
        let wait = bucket.take(1, start).unwrap_err();
        assert!(wait <= Duration::from_millis(100), "{wait:?}");
        bucket.take(1, start + Duration::from_millis(101)).unwrap();
        bucket.take(1, start + Duration::from_millis(102)).unwrap_err();
    }

    #[test]
    fn a_large_take_is_let_through_and_paid_for_afterwards() {
        let start = Instant::now();
        let bucket = Bucket::new(10, start);
        bucket.take(30, start).unwrap();
        bucket.take(1, start + Duration::from_secs(1)).unwrap_err();
        bucket.take(1, start + Duration::from_millis(2_101)).unwrap();
    }

    #[test]
    fn nothing_a_second_is_nothing() {
        let start = Instant::now();
        let bucket = Bucket::new(0, start);
        bucket.take(1, start + Duration::from_secs(100)).unwrap_err();
    }

    #[test]
    fn a_clock_that_steps_back_takes_nothing_away() {
        let start = Instant::now();
        let later = start + Duration::from_secs(5);
        let bucket = Bucket::new(1, later);
        bucket.take(1, start).unwrap();
        bucket.take(1, start).unwrap_err();
    }
}
