//! Hybrid logical time: wall-clock milliseconds with a counter, so that what was caused is later than its cause.
//!
//! After Kulkarni et al., "Logical Physical Clocks" (2014), with two rules of our own. A remote time too far ahead is
//! merged as it is but never adopted, so one node with a wrong clock cannot drag the others along. And a local write
//! is stamped above the row that it overwrites ([`Hlc::after`]) without feeding the clock, so that a local write
//! always wins locally, whatever a peer's clock said.

use std::fmt;

/// A point in hybrid time: 48 bits of Unix milliseconds, then 16 bits of counter; the order is that of the number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hlc(u64);

impl Hlc {
    /// The earliest time; no write carries it.
    pub const ZERO: Self = Self(0);
    /// The latest time (in the year 10889).
    pub const MAX: Self = Self(u64::MAX);

    const COUNTER_BITS: u32 = 16;
    const MAX_MS: u64 = u64::MAX >> Self::COUNTER_BITS;

    /// From milliseconds and counter; milliseconds beyond 48 bits become the last that fit.
    pub fn from_parts(ms: u64, counter: u16) -> Self {
        Self((ms.min(Self::MAX_MS) << Self::COUNTER_BITS) | u64::from(counter))
    }

    /// From its number, as [`as_u64`](Self::as_u64) gave it.
    pub fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// The number that is stored and sent.
    pub fn as_u64(self) -> u64 {
        self.0
    }

    /// Unix milliseconds.
    pub fn ms(self) -> u64 {
        self.0 >> Self::COUNTER_BITS
    }

    /// The counter within the millisecond.
    pub fn counter(self) -> u16 {
        (self.0 & u64::from(u16::MAX)) as u16
    }

    /// The next time. The counter carries into the milliseconds; the last time stays the last.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The time for a local write at clock time `self` that overwrites a row written at `row`: the later of the
    /// clock and the row's time + 1. It does not feed the clock.
    ///
    /// A row that carries [`Hlc::MAX`] cannot be stamped above; such a write loses or wins by origin alone.
    #[must_use]
    pub fn after(self, row: Option<Self>) -> Self {
        row.map_or(self, |row| self.max(row.next()))
    }
}

impl fmt::Display for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.ms(), self.counter())
    }
}

impl fmt::Debug for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hlc({self})")
    }
}

/// What [`HlcClock::observe`] found out about a remote time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkewReport {
    /// Within bounds; the clock is now at least there.
    Adopted,
    /// Too far ahead; the clock did not follow. To be reported to the operator.
    Ahead {
        /// Milliseconds between the wall clock and the remote time.
        by_ms: u64,
    },
}

/// A node's hybrid clock. It owns no time source: the wall clock comes in as `now_ms`, Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HlcClock {
    last: Hlc,
}

impl HlcClock {
    /// A clock that continues after `last`, as found on disk.
    pub fn starting_after(last: Hlc) -> Self {
        Self { last }
    }

    /// The last time that was given out or adopted.
    pub fn last(&self) -> Hlc {
        self.last
    }

    /// A time for a local batch, later than every one before, also when the wall clock was set back.
    pub fn tick(&mut self, now_ms: u64) -> Hlc {
        self.last = Hlc::from_parts(now_ms, 0).max(self.last.next());
        self.last
    }

    /// Takes note of a remote batch's time. It is adopted unless it lies more than `max_skew_ms` ahead of `now_ms`.
    pub fn observe(&mut self, remote: Hlc, now_ms: u64, max_skew_ms: u64) -> SkewReport {
        let by_ms = remote.ms().saturating_sub(now_ms);
        if by_ms > max_skew_ms {
            return SkewReport::Ahead { by_ms };
        }
        self.last = self.last.max(remote);
        SkewReport::Adopted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_grow_also_when_the_wall_clock_is_set_back() {
        let mut clock = HlcClock::default();
        let times = [clock.tick(1000), clock.tick(1000), clock.tick(1001), clock.tick(500), clock.tick(2000)];
        assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
        assert_eq!(times[0], Hlc::from_parts(1000, 0));
        assert_eq!(times[1], Hlc::from_parts(1000, 1));
        assert_eq!(times[3], Hlc::from_parts(1001, 1));
        assert_eq!(times[4], Hlc::from_parts(2000, 0));
    }

    #[test]
    fn the_counter_carries_into_the_milliseconds() {
        let mut clock = HlcClock::starting_after(Hlc::from_parts(7, u16::MAX));
        assert_eq!(clock.tick(7), Hlc::from_parts(8, 0));
        assert_eq!(Hlc::MAX.next(), Hlc::MAX);
    }

    #[test]
    fn a_remote_time_is_adopted_up_to_the_allowed_skew_and_no_further() {
        let mut clock = HlcClock::default();
        assert_eq!(clock.observe(Hlc::from_parts(61_000, 3), 1000, 60_000), SkewReport::Adopted);
        assert_eq!(clock.tick(1000), Hlc::from_parts(61_000, 4));
        assert_eq!(
            clock.observe(Hlc::from_parts(61_001, 0), 1000, 60_000),
            SkewReport::Ahead { by_ms: 60_001 }
        );
        assert_eq!(clock.tick(1000), Hlc::from_parts(61_000, 5));
        assert_eq!(clock.observe(Hlc::from_parts(5, 0), 1000, 60_000), SkewReport::Adopted);
        assert_eq!(clock.tick(1000), Hlc::from_parts(61_000, 6));
    }

    #[test]
    fn a_local_write_is_later_than_its_row_and_leaves_the_clock_alone() {
        let mut clock = HlcClock::default();
        let year_ahead = Hlc::from_parts(32_000_000_000, 9);
        let stamp = clock.tick(1000).after(Some(year_ahead));
        assert_eq!(stamp, Hlc::from_parts(32_000_000_000, 10));
        assert_eq!(clock.tick(1000), Hlc::from_parts(1000, 1));
        assert_eq!(clock.last().after(Some(Hlc::from_parts(3, 0))), clock.last());
        assert_eq!(clock.last().after(None), clock.last());
    }
}
