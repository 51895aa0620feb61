//! The threads beside the committer: one syncs the log at the interval, one moves rows to the engine.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{Inner, files, outbox::Progress};

/// The shortest time between two syncs of the engine: it shares the disk with the log.
const ENGINE_SYNC_EVERY: Duration = Duration::from_secs(1);
/// How long somebody waits for a sync before looking again.
const SYNC_PATIENCE: Duration = Duration::from_secs(1);
/// How long after a failed flush the next one is tried.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Bytes of log after which rows go to the engine at once.
pub(super) const FLUSH_BYTES: u64 = 16 << 20;

/// What the threads tell each other.
#[derive(Default)]
pub(super) struct Signals {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Something was written since the last sync was begun.
    unsynced: bool,
    /// Something was written since everything was in the engine, durably.
    unflushed: bool,
    /// The flush must not wait for its time.
    urgent: bool,
    stopping: bool,
    /// Counts flushes, failed ones included.
    flushes: u64,
    /// Counts syncs, failed ones included.
    syncs: u64,
}

impl Signals {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was written.
    pub(super) fn written(&self, urgent: bool) {
        let mut state = self.state();
        let news = !state.unsynced || !state.unflushed || (urgent && !state.urgent);
        state.unsynced = true;
        state.unflushed = true;
        state.urgent |= urgent;
        if news {
            self.changed.notify_all();
        }
    }

    /// Asks for a flush at once and waits until one is through, or a while.
    pub(super) fn flush_and_wait(&self) {
        let mut state = self.state();
        let before = state.flushes;
        state.urgent = true;
        state.unflushed = true;
        self.changed.notify_all();
        let waited =
            self.changed.wait_timeout_while(state, ENGINE_SYNC_EVERY, |state| state.flushes == before);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Waits until a sync is through, or a while.
    pub(super) fn wait_for_sync(&self) {
        let state = self.state();
        let before = state.syncs;
        let waiting = |state: &mut State| state.syncs == before;
        drop(self.changed.wait_timeout_while(state, SYNC_PATIENCE, waiting));
    }

    pub(super) fn stop(&self) {
        self.state().stopping = true;
        self.changed.notify_all();
    }

    /// Sleeps until `ready`; `false` when the threads are to stop.
    fn wait(&self, ready: impl Fn(&State) -> bool) -> bool {
        let state = self.state();
        let waiting = |state: &mut State| !state.stopping && !ready(state);
        let state = self.changed.wait_while(state, waiting).unwrap_or_else(PoisonError::into_inner);
        !state.stopping
    }

    /// Sleeps for a time, or until `early`; `false` when the threads are to stop.
    fn pause(&self, time: Duration, early: impl Fn(&State) -> bool) -> bool {
        let state = self.state();
        let waiting = |state: &mut State| !state.stopping && !early(state);
        let (state, _) =
            self.changed.wait_timeout_while(state, time, waiting).unwrap_or_else(PoisonError::into_inner);
        !state.stopping
    }
}

/// Syncs the log as long as something is written, each time after a pause in which more may come. Without one the sync
/// itself is the time in which the next gathers.
pub(super) fn sync_loop(inner: &Inner, pause: Duration) {
    while inner.signals.wait(|state| state.unsynced) {
        if !pause.is_zero() && !inner.signals.pause(pause, |_| false) {
            return;
        }
        inner.signals.state().unsynced = false;
        let job = inner.core().begin_sync();
        let progress = match job {
            Some(job) => {
                let result = job.run();
                let mut core = inner.core();
                core.finish_sync(&result);
                Progress::of(&mut core)
            }
            // Somebody else has synced meanwhile.
            None => Progress::of(&mut inner.core()),
        };
        inner.progress(progress);
        inner.signals.state().syncs += 1;
        inner.signals.changed.notify_all();
    }
}

/// Rows that are looked at for forgetting with each flush: some thousand a second, so that a million rows are looked
/// through in minutes.
const FORGET_ROWS: usize = 2048;

/// One step of forgetting.
fn forget(inner: &Inner) {
    if inner.config.given.is_some() {
        return;
    }
    match inner.core().forget_step(FORGET_ROWS, files::now_ms()) {
        Ok(done) if done.segments > 0 => {
            tracing::debug!(segments = done.segments, "segments of the log went");
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(error, "nothing can be forgotten for now"),
    }
}

/// Moves rows to the engine when enough of them or enough time has passed.
pub(super) fn flush_loop(inner: &Inner) {
    let mut synced_at: Option<Instant> = None;
    let mut pause = inner.config.flush_interval;
    while inner.signals.wait(|state| state.unflushed) {
        if !inner.signals.pause(pause, |state| state.urgent) {
            return;
        }
        inner.signals.state().urgent = false;
        pause = inner.config.flush_interval;
        let sync = synced_at.is_none_or(|at| at.elapsed() >= ENGINE_SYNC_EVERY);
        let job = inner.core().begin_flush(sync);
        if let Some(job) = job {
            let outcome = job.run();
            let mut core = inner.core();
            let finished = core.finish_flush(&job, outcome);
            let progress = Progress::of(&mut core);
            drop(core);
            match finished {
                Ok(()) if sync => synced_at = Some(Instant::now()),
                Ok(()) => {}
                Err(error) => {
                    tracing::error!(
                        error,
                        "rows cannot be written to the engine; they stay in memory and in the log"
                    );
                    pause = RETRY_AFTER;
                }
            }
            inner.progress(progress);
        }
        forget(inner);
        let lag = inner.core().lag_bytes();
        let mut state = inner.signals.state();
        state.unflushed = lag > 0;
        state.flushes += 1;
        drop(state);
        inner.signals.changed.notify_all();
        if inner.core().health() != crate::Health::Ok && lag > 0 {
            // A log that takes no more writes lets no rows through either.
            pause = RETRY_AFTER;
        }
    }
}
