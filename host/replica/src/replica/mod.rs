//! The core with threads around it.
//!
//! Three plain threads, because storage calls block and must not run on an async worker: the *committer* takes
//! everything that was submitted meanwhile as one group (no window: the write is the window); the *syncer* syncs the log
//! at the interval, or under `fsync` without a pause; the *flusher* moves rows to the engine. They share the core under a
//! mutex that nobody holds over a sync, except at a new segment of the log. What waits for a sync lies in the outbox.

mod committer;
pub(crate) mod files;
mod forget;
mod keeper;
mod outbox;
mod queue;
mod view;

use std::{
    fs::File,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use bytes::Bytes;
use numax_crdt::{Key, Origin, VersionVector};
use numax_store::{Disk, KvBackend};
use tokio::sync::{broadcast, watch};

use crate::{
    applied::Applied,
    config::{Durability, ReplicaConfig},
    core::{self, Clocks, CommitTicket, Core, Health, Ingested, LogPage, Request, Response},
    draft::{LocalBatch, WriterId},
    error::{CommitError, LogError, OpenError},
    log::{LogCursor, LogReader, LogStats},
    meta::HostFacts,
    reader::Reader,
    repair,
    rows::{frozen::FrozenRows, runs},
};
pub(crate) use files::ROWS;
pub use files::{DirLock, engine_of, lock};
use keeper::Signals;
use outbox::{Outbox, Progress};
use queue::Queue;

/// How much is committed at the configured durability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durable {
    /// All batches up to this log position. Only grows.
    pub position: u64,
    /// Why it will not grow any more, if so: what waits for a later position waits in vain.
    pub failed: Option<String>,
}

/// The open datastore of a node. Clones are the same datastore.
#[derive(Clone)]
pub struct Replica {
    inner: Arc<Inner>,
    /// Closes the datastore with the last clone.
    _closer: Arc<Closer>,
}

struct Inner {
    core: Mutex<Core>,
    reader: Reader,
    log: Arc<LogReader>,
    config: ReplicaConfig,
    queue: Queue,
    signals: Signals,
    durable: watch::Sender<Durable>,
    /// What is committed under `fsync`.
    committed: RwLock<VersionVector>,
    outbox: Outbox,
    applied: broadcast::Sender<Arc<Applied>>,
    health: Mutex<Health>,
    /// What came of the orderly end, once it is through.
    closed: watch::Sender<Option<Result<(), String>>>,
}

struct Closer(Arc<Inner>);

impl Drop for Closer {
    fn drop(&mut self) {
        self.0.queue.close();
    }
}

impl Inner {
    // A poisoned lock means that a group or flush panicked; the core's own state changes are whole.
    fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Replica {
    /// Opens a datastore, or makes it. Blocks: not for an async worker.
    ///
    /// # Errors
    /// When another process has it open, when it is another node's or a newer program's, when the system refuses, and
    /// when it is damaged: damaged rows are built anew if the log reaches back to the beginning, a damaged log is left
    /// to [`repair`](crate::repair::repair).
    pub fn open(config: ReplicaConfig) -> Result<Self, OpenError> {
        let held = files::hold(&config.dir, config.reserve)?;
        runs::remove_left(&*held.disk)?;
        let core = repair::open_core(&config, &held)?;
        Self::start(config, core, Some(held.lock))
    }

    /// The same on a given disk and engine, for tests with simulated hardware and its faults: `config.dir` and
    /// `config.engine` are not looked at, and nothing keeps another one from opening the same at once. Blocks.
    ///
    /// # Errors
    /// When the datastore is damaged, another node's or a newer program's, or when disk or engine refuse.
    pub fn open_on(
        config: ReplicaConfig,
        disk: Arc<dyn Disk>,
        engine: Arc<dyn KvBackend>,
        facts: &HostFacts,
    ) -> Result<Self, OpenError> {
        let core = Core::open(config.core.clone(), disk, engine, facts, files::now_ms())?;
        Self::start(config, core, None)
    }

    fn start(config: ReplicaConfig, core: Core, lock: Option<File>) -> Result<Self, OpenError> {
        // Opening syncs what it finds.
        let durable = Durable { position: core.position(), failed: None };
        let inner = Arc::new(Inner {
            reader: core.reader(),
            log: core.log_reader(),
            queue: Queue::new(config.queue_bytes),
            signals: Signals::default(),
            durable: watch::Sender::new(durable),
            committed: RwLock::new(core.vector().clone()),
            outbox: Outbox::default(),
            applied: broadcast::Sender::new(config.notice_capacity.max(1)),
            health: Mutex::new(core.health()),
            closed: watch::Sender::new(None),
            core: Mutex::new(core),
            config,
        });
        committer::start(inner.clone(), lock)?;
        Ok(Self { _closer: Arc::new(Closer(inner.clone())), inner })
    }

    /// Committed rows, for drafts to read.
    pub fn reader(&self) -> Reader {
        self.inner.reader.clone()
    }

    /// The origin under which this datastore writes.
    pub fn origin(&self) -> Origin {
        self.inner.reader.origin()
    }

    /// Everything that is applied and committed at the configured durability: what others may be told of. Readers may see
    /// a little more.
    pub fn vector(&self) -> VersionVector {
        match self.inner.config.core.durability {
            Durability::Fsync => self.inner.committed.read().unwrap_or_else(PoisonError::into_inner).clone(),
            Durability::Interval(_) | Durability::None => self.inner.reader.vector(),
        }
    }

    /// How the datastore is.
    pub fn health(&self) -> Health {
        self.inner.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Which clocks are known to be wrong, and by how much. Blocks for a moment.
    pub fn clocks(&self) -> Clocks {
        self.inner.core().clocks().clone()
    }

    /// Commits a turn's batch. Answers when it has its place in the log and readers see it; what leaves the node waits until
    /// [`durable`](Self::durable) has reached the ticket's position. If it never does, the batch is taken back. A future that is dropped after the batch was
    /// submitted does not take it back.
    ///
    /// # Errors
    /// See [`CommitError`]; nothing of the batch is visible then.
    pub async fn commit(&self, batch: LocalBatch) -> Result<CommitTicket, CommitError> {
        if batch.is_empty() {
            return Ok(CommitTicket { position: self.inner.durable.borrow().position, dot: None });
        }
        let bytes = batch.bytes();
        match self.inner.queue.submit(Request::Commit(batch), bytes).await? {
            Response::Committed(ticket) => Ok(ticket),
            other => Err(unexpected(&other)),
        }
    }

    /// Writes a register if it holds what is expected; compares inside the committer, so it is atomic on this node.
    /// Answers whether it did, and a ticket as of [`commit`](Self::commit).
    ///
    /// # Errors
    /// See [`CommitError`].
    pub async fn compare_and_set(
        &self,
        key: Key,
        expected: Option<Bytes>,
        value: Bytes,
        writer: WriterId,
    ) -> Result<(bool, CommitTicket), CommitError> {
        let bytes = value.len();
        let request = Request::CompareAndSet { key, expected, value, writer };
        match self.inner.queue.submit(request, bytes).await? {
            Response::Compared(held, ticket) => Ok((held, ticket)),
            other => Err(unexpected(&other)),
        }
    }

    /// How much is committed at the configured durability.
    pub fn durable(&self) -> watch::Receiver<Durable> {
        self.inner.durable.subscribe()
    }

    /// Applies encoded batches that came from a peer: each exactly once, in causal order. Answers when they are committed
    /// at the configured durability.
    ///
    /// # Errors
    /// See [`CommitError`]; none of them was applied then.
    pub async fn ingest(&self, batches: Vec<Bytes>) -> Result<Ingested, CommitError> {
        let bytes = batches.iter().map(Bytes::len).sum();
        match self.inner.queue.submit(Request::Ingest(batches), bytes).await? {
            Response::Ingested(ingested) => Ok(ingested),
            other => Err(unexpected(&other)),
        }
    }

    /// Batches that `vector` lacks, in the order in which they were applied here, about `max_bytes` of them at once.
    /// A page may be empty and still have a next one. Blocks: not for an async worker.
    ///
    /// # Errors
    /// [`LogError::Behind`] when the log no longer reaches back that far.
    pub fn batches_after(
        &self,
        vector: &VersionVector,
        cursor: Option<LogCursor>,
        max_bytes: usize,
    ) -> Result<LogPage, LogError> {
        if self.inner.config.core.durability == Durability::None {
            self.inner.core().expose_buffer()?;
        }
        core::page(&self.inner.log, vector, cursor, max_bytes)
    }

    /// What is applied from now on, in the order of the log, each when it is committed at the configured durability.
    /// A receiver that falls too far behind is told how many notices it lost.
    pub fn applied(&self) -> broadcast::Receiver<Arc<Applied>> {
        self.inner.applied.subscribe()
    }

    /// Stops local writes because a live peer says that it writes under this origin. Reads and replication go on.
    /// Blocks.
    pub fn stop_for_duplicate(&self) {
        let progress = {
            let mut core = self.inner.core();
            core.stop_for_duplicate();
            Progress::of(&mut core)
        };
        self.inner.progress(progress);
    }

    /// What was written to the log since the datastore was opened. Blocks.
    pub fn log_stats(&self) -> LogStats {
        self.inner.core().log_stats()
    }

    /// A digest of the replicated state: equal for replicas that have applied the same batches. Reads everything and
    /// blocks.
    ///
    /// # Errors
    /// When rows cannot be read.
    pub fn state_hash(&self) -> Result<[u8; 32], crate::DraftError> {
        core::state_hash(&self.inner.reader.shared)
    }

    /// A still picture of the rows, of a moment not long before the call; see [`FrozenRows`]. `max_bytes` of what
    /// is overwritten while it lives stay in memory. Blocks until what is committed now is in the engine, or a
    /// second.
    pub fn freeze_rows(&self, max_bytes: usize) -> Arc<FrozenRows> {
        if self.inner.core().unflushed_rows() > 0 {
            self.inner.signals.flush_and_wait();
        }
        self.inner.core().freeze_rows(max_bytes)
    }

    /// The orderly end: what was submitted is committed, the log synced, rows moved to the engine, the lock released.
    /// Later calls answer the same.
    ///
    /// # Errors
    /// What could not be written. The next open then goes on from the log.
    pub async fn shutdown(&self) -> Result<(), String> {
        self.inner.queue.close();
        let mut closed = self.inner.closed.subscribe();
        match closed.wait_for(Option::is_some).await {
            Ok(result) => result.clone().unwrap_or(Ok(())),
            Err(_) => Err("the committer is gone".to_string()),
        }
    }
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replica").field("dir", &self.inner.config.dir).finish_non_exhaustive()
    }
}

fn unexpected(response: &Response) -> CommitError {
    CommitError::Unavailable(format!(
        "the committer answered something else ({response:?}); this is a fault of numax"
    ))
}
