//! The clock of a run that repeats.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What reading the clock costs: a guest that reads it until a time has come must get there.
const READ_NS: u64 = 1_000;

/// Nanoseconds since the beginning, moved by those who read and wait.
#[derive(Debug)]
pub(super) struct Clock {
    start_ms: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    now_ns: u64,
    /// Who waits, by deadline and number.
    waiting: BTreeSet<(u64, u64)>,
    last: u64,
}

impl Clock {
    pub(super) fn new(start_ms: u64) -> Self {
        Self { start_ms, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the clock without moving it.
    pub(super) fn now_ns(&self) -> u64 {
        self.state().now_ns
    }

    /// The same in Unix milliseconds.
    pub(super) fn now_ms(&self) -> u64 {
        self.start_ms + self.now_ns() / 1_000_000
    }

    /// Reads the clock, which moves it.
    #[cfg(feature = "components")]
    pub(super) fn read_ns(&self) -> u64 {
        let mut state = self.state();
        state.now_ns = state.now_ns.saturating_add(READ_NS);
        state.now_ns
    }

    pub(super) fn advance_to(&self, ns: u64) {
        let mut state = self.state();
        state.now_ns = state.now_ns.max(ns);
    }

    /// Somebody begins to wait; answers a number to ask and to end with.
    pub(super) fn wait(&self, deadline_ns: u64) -> u64 {
        let mut state = self.state();
        // Also for whoever only asks whether a time has come, again and again.
        state.now_ns = state.now_ns.saturating_add(READ_NS);
        state.last += 1;
        let number = state.last;
        state.waiting.insert((deadline_ns, number));
        number
    }

    /// Whether a deadline has come. When all are waiting (`idle`) and this is the next one, it has: the clock goes there.
    pub(super) fn come(&self, deadline_ns: u64, number: u64, idle: bool) -> bool {
        let mut state = self.state();
        if idle && state.waiting.first() == Some(&(deadline_ns, number)) {
            state.now_ns = state.now_ns.max(deadline_ns);
        }
        state.now_ns >= deadline_ns
    }

    /// Somebody does not wait any more.
    pub(super) fn end(&self, deadline_ns: u64, number: u64) {
        self.state().waiting.remove(&(deadline_ns, number));
    }
}

/// `wasi:clocks/monotonic-clock`.
#[cfg(feature = "components")]
pub(crate) struct GuestMonotonic(pub(super) std::sync::Arc<super::Deterministic>);

#[cfg(feature = "components")]
impl wasmtime_wasi::HostMonotonicClock for GuestMonotonic {
    fn resolution(&self) -> u64 {
        READ_NS
    }

    fn now(&self) -> u64 {
        self.0.clock.read_ns()
    }
}

/// `wasi:clocks/wall-clock`.
#[cfg(feature = "components")]
pub(crate) struct GuestWall(pub(super) std::sync::Arc<super::Deterministic>);

#[cfg(feature = "components")]
impl wasmtime_wasi::HostWallClock for GuestWall {
    fn resolution(&self) -> std::time::Duration {
        std::time::Duration::from_nanos(READ_NS)
    }

    fn now(&self) -> std::time::Duration {
        let clock = &self.0.clock;
        std::time::Duration::from_millis(clock.start_ms) + std::time::Duration::from_nanos(clock.read_ns())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_goes_to_the_next_deadline_only_when_all_wait() {
        let clock = Clock::new(1000);
        let (late, soon) = (clock.wait(5_000_000), clock.wait(2_000_000));
        assert!(!clock.come(2_000_000, soon, false));
        assert!(!clock.come(5_000_000, late, true), "another comes first");
        assert!(clock.come(2_000_000, soon, true));
        assert_eq!(clock.now_ms(), 1002);
        clock.end(2_000_000, soon);
        assert!(clock.come(5_000_000, late, true));
        assert_eq!(clock.now_ns(), 5_000_000);
    }
}
