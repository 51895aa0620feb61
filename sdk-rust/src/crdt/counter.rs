//! Counters.

use super::raw;
use crate::Result;

/// A counter that only grows. Its value is the sum of what every node added.
#[derive(Debug)]
pub struct GCounter(raw::GCounter);

impl GCounter {
    /// A handle on the counter of this key.
    ///
    /// # Errors
    /// `Denied` when the policy grants nothing under this key, `Invalid` when the key is too long.
    pub fn open(key: impl AsRef<str>) -> Result<Self> {
        Ok(Self(raw::GCounter::open(key.as_ref())?))
    }

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

/// A counter that goes both ways.
#[derive(Debug)]
pub struct PnCounter(raw::PnCounter);

impl PnCounter {
    /// A handle on the counter of this key.
    ///
    /// # Errors
    /// `Denied` when the policy grants nothing under this key, `Invalid` when the key is too long.
    pub fn open(key: impl AsRef<str>) -> Result<Self> {
        Ok(Self(raw::PnCounter::open(key.as_ref())?))
    }

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
