//! Planned faults of simulated storage, and what is found after a crash.
//!
//! One [`Faults`] may be shared by a node's disk and engine: then "crash at operation 17" counts the operations of
//! both, and both lose power together. Only operations that change something count; a crash while reading is a crash
//! before the next change.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is to go wrong. The default is nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FaultPlan {
    /// Lose power at the operation with this number, counted from 0 over the whole life of the [`Faults`]. That
    /// operation and all after it fail; an append or commit may yet have got to the disk in part.
    pub crash_at: Option<u64>,
    /// After this many more bytes the disk is full.
    pub space_left: Option<u64>,
    /// Fail a sync with an I/O error: the n-th from now, from 0. As on Linux, what it should have written is then
    /// never written, also not by a later sync that reports success, unless it is written anew.
    pub fail_sync: Option<u64>,
}

/// What a crash leaves of the changes that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survives {
    /// A power cut that loses all of them.
    SyncedOnly,
    /// A power cut that loses what this seed chooses: changes from the end, and a torn tail of a file.
    Chosen(u64),
    /// Only the process ended (SIGKILL): the system still has everything, though still not synced.
    Everything,
}

/// Counts operations and lets the planned ones fail. Clones share their state.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    plan: FaultPlan,
    operations: u64,
    dead: bool,
}

/// Why an operation must fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Power went during this operation.
    PowerGoes,
    /// Power went before.
    PowerLost,
}

impl Faults {
    /// Faults by a plan.
    pub fn new(plan: FaultPlan) -> Self {
        Self(Arc::new(Mutex::new(State { plan, ..State::default() })))
    }

    /// Replaces the plan, for example by the default: then nothing more goes wrong (but lost power stays lost).
    pub fn set_plan(&self, plan: FaultPlan) {
        self.state().plan = plan;
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Whether power was lost.
    pub fn power_lost(&self) -> bool {
        self.state().dead
    }

    /// Cuts the power now.
    pub fn cut_power(&self) {
        self.state().dead = true;
    }

    /// Begins an operation that changes something.
    pub(crate) fn begin(&self) -> Result<(), Fault> {
        let mut state = self.state();
        if state.dead {
            return Err(Fault::PowerLost);
        }
        let number = state.operations;
        state.operations += 1;
        if state.plan.crash_at.is_some_and(|at| number >= at) {
            state.dead = true;
            return Err(Fault::PowerGoes);
        }
        Ok(())
    }

    /// Takes room for `bytes`; answers how many of them fit.
    pub(crate) fn take_space(&self, bytes: usize) -> usize {
        let mut state = self.state();
        let Some(left) = &mut state.plan.space_left else { return bytes };
        let fit = bytes.min(usize::try_from(*left).unwrap_or(usize::MAX));
        *left -= fit as u64;
        fit
    }

    /// Whether this sync is the one to fail.
    pub(crate) fn sync_fails(&self) -> bool {
        let mut state = self.state();
        let fails = state.plan.fail_sync == Some(0);
        state.plan.fail_sync = state.plan.fail_sync.and_then(|n| n.checked_sub(1));
        fails
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
