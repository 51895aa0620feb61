//! Syncing the log, and moving rows to the engine.
//!
//! The write-ahead rule: the log is synced up to a position before the engine may hold rows of that position, even
//! unsynced ones. Otherwise, after a power cut, the engine could be ahead of the log and dots would be used twice.
//!
//! Both are jobs: made from the core, run anywhere while the core goes on, and handed back.

use std::sync::Arc;

use numax_store::{DiskError, KvError};

use super::{Core, notes::Notes};
use crate::{
    error::LogError,
    log::LogSync,
    rows::{frozen::FrozenRows, overlay::Overlay, shared::Shared},
};
use numax_crdt::NodeId;

/// Where the engine is.
#[derive(Debug)]
pub(crate) struct State {
    /// The position that the engine includes.
    included: u64,
    /// The position that it includes after a power cut.
    durable: u64,
    /// What is on its way to the engine. Stays after a failure, to be tried again.
    plan: Option<Arc<Plan>>,
    /// The position at the last freeze.
    frozen_at: u64,
    /// Why the last flush failed.
    failure: Option<String>,
}

#[derive(Debug)]
struct Plan {
    rows: Arc<Overlay>,
    notes: Notes,
}

impl State {
    /// An engine that includes `included`, and after a power cut `durable`.
    pub(super) fn new(included: u64, durable: u64) -> Self {
        Self { included, durable, plan: None, frozen_at: included, failure: None }
    }

    pub(crate) fn durable(&self) -> u64 {
        self.durable
    }

    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// What is on its way must not get there.
    pub(super) fn give_up(&mut self) {
        self.plan = None;
    }
}

/// A sync of the log that may run beside the core.
pub struct SyncJob(LogSync);

impl SyncJob {
    /// Runs it; blocks. Hand the result to [`Core::finish_sync`].
    ///
    /// # Errors
    /// The disk's.
    pub fn run(&self) -> Result<(), DiskError> {
        self.0.run()
    }
}

/// Rows on their way to the engine, to be written beside the core.
pub struct FlushJob {
    plan: Arc<Plan>,
    log: Option<LogSync>,
    shared: Arc<Shared>,
    node: NodeId,
    sync: bool,
}

/// What came of a [`FlushJob`].
pub struct FlushOutcome {
    /// The log was synced, or not.
    log: Option<Result<(), DiskError>>,
    /// The engine took the rows; an error when it did not, or was not asked to because the log could not be synced.
    engine: Result<(), String>,
    /// The engine was synced.
    synced: Option<Result<(), KvError>>,
}

impl FlushJob {
    /// Runs it; blocks. Hand the result to [`Core::finish_flush`].
    pub fn run(&self) -> FlushOutcome {
        let log = self.log.as_ref().map(LogSync::run);
        if let Some(Err(error)) = &log {
            let engine = Err(format!("the log could not be synced first: {error}"));
            return FlushOutcome { log, engine, synced: None };
        }
        let engine = self.shared.engine();
        let mut side = self.shared.engine_side();
        side.keep(&*engine, &self.plan.rows);
        if let Err(error) = engine.commit(self.plan.notes.batch(&self.plan.rows, self.node)) {
            return FlushOutcome { log, engine: Err(error.to_string()), synced: None };
        }
        side.moved(self.plan.notes.engine_at());
        drop(side);
        self.shared.settle();
        FlushOutcome { log, engine: Ok(()), synced: self.sync.then(|| engine.sync()) }
    }
}

impl Core {
    /// Rows that the engine does not hold yet, without those on their way.
    pub fn unflushed_rows(&self) -> usize {
        self.shared.state().active.len()
    }

    /// Bytes of log since rows were last sent on their way to the engine.
    pub fn unflushed_bytes(&self) -> u64 {
        self.log.end().saturating_sub(self.flush.frozen_at)
    }

    /// The position that the engine includes.
    pub(crate) fn included(&self) -> u64 {
        self.flush.included
    }

    /// Bytes of log that an open after a power cut would replay.
    pub fn lag_bytes(&self) -> u64 {
        self.log.end().saturating_sub(self.flush.durable)
    }

    /// Why rows could not be written to the engine the last time, if so.
    pub fn flush_failure(&self) -> Option<&str> {
        self.flush.failure()
    }

    /// Begins to sync the log; none when all of it is synced or it takes no writes.
    pub fn begin_sync(&mut self) -> Option<SyncJob> {
        if self.log.broken().is_some() || self.expose_buffer().is_err() || self.log.synced() == self.log.end()
        {
            return None;
        }
        self.receipts.mark(self.log.end(), &self.tip.vector);
        Some(SyncJob(self.log.sync_job()))
    }

    /// Takes note of what came of a sync. After an error the datastore is read-only.
    pub fn finish_sync(&mut self, result: &Result<(), DiskError>) {
        self.log.sync_done(result);
        self.synced();
    }

    /// A sync has ended.
    fn synced(&mut self) {
        self.expose();
        self.take_back();
    }

    /// Syncs the log, here and now.
    ///
    /// # Errors
    /// When it failed: then the datastore is read-only.
    pub fn sync(&mut self) -> Result<(), LogError> {
        self.receipts.mark(self.log.end(), &self.tip.vector);
        let result = self.log.sync_now();
        self.synced();
        result
    }

    /// Begins to move rows to the engine; with `sync` so that they survive a power cut. None when there is nothing to
    /// do. Only one job at a time.
    pub fn begin_flush(&mut self, sync: bool) -> Option<FlushJob> {
        if self.log.broken().is_some() || self.expose_buffer().is_err() {
            return None;
        }
        if self.flush.plan.is_none() {
            let behind = if sync { self.flush.durable } else { self.flush.included };
            let saved = self.members_saved == self.members.changes();
            if behind == self.log.end() && saved && self.shared.state().active.len() == 0 {
                return None;
            }
            let rows = self.shared.freeze()?;
            let notes = Notes {
                position: self.log.end(),
                vector: self.tip.vector.clone(),
                deps: self.tip.deps.clone(),
                clock: self.tip.clock.last(),
                place: self.tip.place.clone(),
                members: Some((self.members.changes(), self.members.encode())),
            };
            self.flush.frozen_at = notes.position;
            self.flush.plan = Some(Arc::new(Plan { rows, notes }));
        }
        let plan = self.flush.plan.clone()?;
        let log = (self.log.synced() < plan.notes.position).then(|| {
            self.receipts.mark(self.log.end(), &self.tip.vector);
            self.log.sync_job()
        });
        Some(FlushJob { plan, log, shared: self.shared.clone(), node: self.config.node, sync })
    }

    /// Takes note of what came of a flush.
    ///
    /// # Errors
    /// When rows could not be written or synced. They stay in memory and go with the next flush.
    pub fn finish_flush(&mut self, job: &FlushJob, outcome: FlushOutcome) -> Result<(), String> {
        self.remember();
        if let Some(result) = &outcome.log {
            self.log.sync_done(result);
            self.synced();
        }
        let result = outcome.engine.and_then(|()| {
            self.flush.included = job.plan.notes.position;
            self.flush.plan = None;
            match outcome.synced {
                Some(Ok(())) => {
                    self.flush.durable = self.flush.included;
                    if let Some((changes, _)) = &job.plan.notes.members {
                        self.members_saved = *changes;
                    }
                }
                Some(Err(error)) => return Err(error.to_string()),
                None => {}
            }
            Ok(())
        });
        self.flush.failure = result.as_ref().err().cloned();
        result
    }

    /// A still picture of the rows that the engine holds; see [`FrozenRows`]. It keeps up to `max_bytes` of rows that
    /// are overwritten while it lives in memory, and expires when they are seventeen times as many.
    pub fn freeze_rows(&self, max_bytes: usize) -> Arc<FrozenRows> {
        FrozenRows::take(&self.shared, self.disk.clone(), max_bytes)
    }

    /// Moves rows to the engine, here and now.
    ///
    /// # Errors
    /// See [`finish_flush`](Self::finish_flush).
    pub fn flush(&mut self, sync: bool) -> Result<(), String> {
        let Some(job) = self.begin_flush(sync) else { return Ok(()) };
        let outcome = job.run();
        self.finish_flush(&job, outcome)
    }

    /// The orderly end: everything to log and engine, synced, and a mark that says so.
    ///
    /// # Errors
    /// When something of that failed; the next open then goes on from the log.
    pub fn close(&mut self) -> Result<(), String> {
        if let Some(reason) = self.log.broken() {
            return Err(reason.to_string());
        }
        self.sync().map_err(|error| error.to_string())?;
        self.flush(true)?;
        self.remember();
        let mut meta = self.meta.clone();
        meta.clean_end = Some(self.log.end());
        meta.store(&*self.disk).map_err(|error| error.to_string())
    }
}
