//! Planned faults of simulated storage, and what is found after a crash.
//!
//! One [`Faults`] may be shared by a node's disk and engine: then "crash at operation 17" counts the operations of
//! both, and both lose power together. Only operations that change something count; a crash while reading is a crash
//! before the next change.
//!
//! | fault | how |
//! |---|---|
//! | lost un-synced writes, torn batches, holes | [`MemDisk::crash`](crate::MemDisk::crash), [`MemBackend::crash`](crate::mem::MemBackend::crash) with what [`Survives`] |
//! | a full disk | [`FaultPlan::space_left`] |
//! | an I/O error of a sync | [`FaultPlan::fail_sync`] |
//! | a slow sync | [`Faults::hold_syncs`] |
//! | a bit that is stored wrong | [`FaultPlan::flip_append`] |
//! | a bit that flips at rest | [`MemDisk::flip_bit`](crate::MemDisk::flip_bit), [`MemBackend::damage`](crate::mem::MemBackend::damage) |

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::rng::Rng;

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
    /// Of an append to a file, the n-th from now, from 0, one bit gets to the disk wrong, and nobody is told. Which one
    /// follows from the operation's number.
    pub flip_append: Option<u64>,
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
pub struct Faults(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Syncs go on, or power is lost.
    released: Condvar,
}

#[derive(Debug, Default)]
struct State {
    plan: FaultPlan,
    operations: u64,
    dead: bool,
    /// Syncs wait.
    held: bool,
    /// Syncs that wait now.
    waiting: usize,
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
        let faults = Self::default();
        faults.set_plan(plan);
        faults
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
        self.0.released.notify_all();
    }

    /// Lets every sync wait from now on, until [`release_syncs`](Self::release_syncs) or the end of the power: a slow
    /// disk, for tests with threads. What runs on one thread would wait for itself.
    pub fn hold_syncs(&self) {
        self.state().held = true;
    }

    /// Lets syncs go on that wait.
    pub fn release_syncs(&self) {
        self.state().held = false;
        self.0.released.notify_all();
    }

    /// How many syncs wait now.
    pub fn waiting_syncs(&self) -> usize {
        self.state().waiting
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
            self.0.released.notify_all();
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

    /// Waits as long as syncs are held. Nothing else of the disk may be locked meanwhile.
    pub(crate) fn wait_for_sync(&self) {
        let mut state = self.state();
        if state.held && !state.dead {
            state.waiting += 1;
            let waits = |state: &mut State| state.held && !state.dead;
            state = self.0.released.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
    }

    /// The bit of these bytes to get wrong with this append, if it is the one.
    pub(crate) fn flip(&self, bytes: usize) -> Option<usize> {
        let mut state = self.state();
        let flips = state.plan.flip_append == Some(0) && bytes > 0;
        if bytes > 0 {
            state.plan.flip_append = state.plan.flip_append.and_then(|n| n.checked_sub(1));
        }
        flips.then(|| Rng::new(state.operations).up_to(bytes * 8 - 1))
    }

    /// Whether this sync is the one to fail.
    pub(crate) fn sync_fails(&self) -> bool {
        let mut state = self.state();
        let fails = state.plan.fail_sync == Some(0);
        state.plan.fail_sync = state.plan.fail_sync.and_then(|n| n.checked_sub(1));
        fails
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
