//! Counters.

use super::raw;
use crate::Result;

value! {
    "counter",
    /// A counter that only grows. Its value is the sum of what every node added.
    GCounter
}

impl GCounter {
    /// Adds `by`.
    ///
    /// # Errors
    /// `Invalid` when this node's share of the sum would pass `u64::MAX`; `Denied`, `Quota`, `Unavailable`.
    pub fn increment(&self, by: u64) -> Result<()> {
        Ok(self.0.increment(by)?)
    }

    /// The sum, this turn's own increments included; `u64::MAX` if it is beyond that.
    ///
    /// # Errors
    /// `Denied`, `Unavailable`.
    pub fn value(&self) -> Result<u64> {
        Ok(self.0.value()?)
    }
}

value! {
    "counter",
    /// A counter that goes both ways.
    PnCounter
}

impl PnCounter {
    /// Adds `by`, or takes it away if it is negative.
    ///
    /// # Errors
    /// `Invalid` when this node's share would pass `u64::MAX` in that direction; `Denied`, `Quota`, `Unavailable`.
    pub fn add(&self, by: i64) -> Result<()> {
        if by < 0 { self.decrement(by.unsigned_abs()) } else { self.increment(by.unsigned_abs()) }
    }

    /// Adds `by`.
    ///
    /// # Errors
    /// As [`PnCounter::add`].
    pub fn increment(&self, by: u64) -> Result<()> {
        Ok(self.0.increment(by)?)
    }

    /// Takes `by` away.
    ///
    /// # Errors
    /// As [`PnCounter::add`].
    pub fn decrement(&self, by: u64) -> Result<()> {
        Ok(self.0.decrement(by)?)
    }

    /// The difference of all increments and decrements; the nearest limit of `i64` if it is beyond that.
    ///
    /// # Errors
    /// `Denied`, `Unavailable`.
    pub fn value(&self) -> Result<i64> {
        Ok(self.0.value()?)
    }
}
