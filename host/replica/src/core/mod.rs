//! The core: one datastore as a deterministic, synchronous machine. Time, randomness and I/O come in from outside, so
//! that the simulator runs what the node runs.
//!
//! A *group* of requests is worked off at once: totals, dots and times are given, rows are staged, all records go to
//! the log in one write, and only then rows and vector become visible. A failed append drops the staged rows and leaves
//! no trace. Under `fsync` a group is *committed* by a sync that follows, while the next group is already appended;
//! until then it does not leave the node, and if the sync fails it is taken back.

mod clocks;
mod durable;
pub(crate) mod flush;
mod group;
pub(crate) mod held;
mod ingest;
mod inspect;
mod local;
mod low;
mod members;
pub(crate) mod notes;
mod open;
mod pending;
mod recent;
mod replay;
mod transfer;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use numax_crdt::{Dot, HlcClock, Origin, VersionVector};
use numax_store::{Disk, KvBackend};

pub use clocks::Clocks;
pub use flush::{FlushJob, FlushOutcome, SyncJob};
pub use group::{GroupOutcome, Request, Response};
pub use ingest::Ingested;
pub(crate) use inspect::state_hash;
pub(crate) use notes::{Notes, POSITION, load_origins};
pub(crate) use pending::missing;

use crate::{
    config::{CoreConfig, Durability},
    error::{CommitError, LogError, OpenError},
    forget::{Collector, Members, Receipts},
    log::{Log, LogCursor, LogReader, LogStats},
    meta::Meta,
    planted::Planted,
    reader::Reader,
    rows::{shared::Shared, staging::Staging},
    snapshot::StateView,
    transfer::{Pictures, Place},
};

/// What is said of an origin from which nothing is taken.
const QUARANTINE: &str = "two different batches came under one number, so nothing more is taken from this origin: its node \
     was copied, or went on from an old copy behind the program's back. Let it begin a new epoch (stop it, `numax repair \
     --new-epoch`); if this node is to take what else came from the old one, stop it and use `numax repair \
     --lift-quarantine`";

/// How a datastore is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// All is well.
    Ok,
    /// It takes no writes until the node is started again, for this reason. Reads go on.
    ReadOnly(String),
    /// Another node writes under this node's origin. Local writes are refused; reads and replication go on.
    DuplicateOrigin,
}

/// A committed batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitTicket {
    /// The log position behind it: compare with [`Durable`](crate::Durable).
    pub position: u64,
    /// Its name; none when it wrote nothing that is replicated.
    pub dot: Option<Dot>,
}

/// A part of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage {
    /// Encoded batches in the order in which they were applied here.
    pub batches: Vec<Bytes>,
    /// Where to go on; none at the end.
    pub next: Option<LogCursor>,
    /// After these batches the log has nothing that leads further: the rest can be had by a transfer of state only.
    pub behind: bool,
}

/// What the log's end stands for, committed or being committed.
#[derive(Debug, Clone)]
pub(crate) struct Tip {
    /// Everything applied.
    pub(crate) vector: VersionVector,
    /// How the vector advanced by others since our last batch: the dependencies of the next.
    deps: BTreeMap<Origin, u64>,
    pub(crate) clock: HlcClock,
    /// Of transfers of state.
    pub(crate) place: Place,
}

impl Tip {
    /// Where the engine is.
    fn of(notes: &Notes) -> Self {
        Self {
            vector: notes.vector.clone(),
            deps: notes.deps.clone(),
            clock: HlcClock::starting_after(notes.clock),
            place: notes.place.clone(),
        }
    }
}

/// One datastore. See the module's text.
pub struct Core {
    pub(crate) config: CoreConfig,
    disk: Arc<dyn Disk>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) log: Log,
    meta: Meta,
    origin: Origin,
    new_epoch: Option<&'static str>,
    pub(crate) tip: Tip,
    staging: Staging,
    held: held::Held,
    /// The position behind the last batch that was settled: before it rows are ahead of the vector.
    settled_at: u64,
    /// What was known when this node settled: it acknowledges nothing less.
    caught_up_with: VersionVector,
    pending: pending::Pending,
    recent: recent::Recent,
    /// Origins under whose dots two different batches were seen: nothing more is taken from them.
    quarantined: BTreeSet<Origin>,
    duplicate_origin: bool,
    /// Both are on the disk as they are here.
    remembered: bool,
    /// What was not committed when the log failed is not shown any more.
    taken_back: bool,
    clocks: Clocks,
    pub(crate) flush: flush::State,
    pub(crate) members: Box<dyn Members>,
    /// The changes of the member table that the engine has.
    pub(crate) members_saved: u64,
    receipts: Receipts,
    /// What this node has acknowledged since it was started.
    acked: Option<VersionVector>,
    /// Whose acknowledgement is passed on next.
    ack_turn: usize,
    pub(crate) collector: Collector,
    /// There may be staged pages of transfers that were given up.
    pub(crate) stale_pages: bool,
    /// Where to look for them next.
    pub(crate) stale_after: Bytes,
    pub(crate) pictures: Pictures,
    low: low::LowSpace,
}

impl Core {
    /// Committed rows.
    pub fn reader(&self) -> Reader {
        Reader { shared: self.shared.clone(), origin: self.origin }
    }

    /// The origin under which this datastore writes.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Why opening began a new epoch, if it did.
    pub fn new_epoch(&self) -> Option<&'static str> {
        self.new_epoch
    }

    /// Everything applied.
    pub fn vector(&self) -> &VersionVector {
        &self.tip.vector
    }

    /// The log position behind the last batch.
    pub fn position(&self) -> u64 {
        self.log.end()
    }

    /// The log position up to which a power cut loses nothing. A sync that has run counts, also before it was handed
    /// back.
    pub fn synced_position(&self) -> u64 {
        self.log.synced()
    }

    /// What was written to the log since the datastore was opened.
    pub fn log_stats(&self) -> LogStats {
        self.log.stats()
    }

    /// How the datastore is.
    pub fn health(&self) -> Health {
        match self.log.broken() {
            Some(reason) => Health::ReadOnly(reason.to_string()),
            None if self.duplicate_origin => Health::DuplicateOrigin,
            None => Health::Ok,
        }
    }

    /// Which clocks are known to be wrong, and by how much.
    pub fn clocks(&self) -> &Clocks {
        &self.clocks
    }

    /// Stops local writes because a live peer says that it writes under this origin. They stay stopped until the datastore
    /// was closed and marked for a new epoch.
    pub fn stop_for_duplicate(&mut self) {
        if !self.duplicate_origin && !self.config.has_bug(Planted::TwinWrites) {
            tracing::error!(origin = %self.origin, "{}", CommitError::DuplicateOrigin);
            self.duplicate_origin = true;
            self.remembered = false;
        }
        self.remember();
    }

    /// Nothing more is taken from an origin.
    fn quarantine_origin(&mut self, origin: Origin) {
        tracing::error!(%origin, "{QUARANTINE}");
        self.quarantined.insert(origin);
        self.remembered = false;
    }

    /// Writes down whom not to trust, if that is not yet on the disk: a restart must not forget it. What cannot be written
    /// now is tried again later.
    pub(super) fn remember(&mut self) {
        if self.remembered {
            return;
        }
        self.meta.duplicate_origin = self.duplicate_origin;
        self.meta.quarantine(&self.quarantined);
        match self.meta.store(&*self.disk) {
            Ok(()) => self.remembered = true,
            Err(error) => tracing::error!(%error, "who is not to be trusted could not be written down"),
        }
    }

    /// Whether the log takes no more writes.
    pub(crate) fn is_broken(&self) -> bool {
        self.log.broken().is_some()
    }

    /// Origins from which nothing is taken any more, because two different batches came under one of their dots.
    pub fn quarantined(&self) -> &BTreeSet<Origin> {
        &self.quarantined
    }

    /// Remote batches that wait for batches before them.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// What they take in memory, in bytes: at most [`CoreConfig::pending_bytes`].
    pub fn pending_bytes(&self) -> usize {
        self.pending.bytes()
    }

    /// A batch that was applied not long ago.
    pub fn recent(&self, dot: Dot) -> Option<Bytes> {
        self.recent.get(&dot).cloned()
    }

    /// Batches that `vector` lacks, in the order in which they were applied here, about `max_bytes` of them at once.
    /// A page may be empty and still have a next one.
    ///
    /// # Errors
    /// [`LogError::Behind`] when the log no longer reaches back that far.
    pub fn batches_after(
        &mut self,
        vector: &VersionVector,
        cursor: Option<LogCursor>,
        max_bytes: usize,
    ) -> Result<LogPage, LogError> {
        self.expose_buffer()?;
        page(self.log.reader(), vector, cursor, max_bytes)
    }

    /// All batches that the log still has, from a place on (none: from its start), and where to go on: for whoever looks
    /// at the log itself.
    ///
    /// # Errors
    /// When it cannot be read, or what was asked for is gone.
    pub fn log_page(&mut self, cursor: Option<LogCursor>, max_bytes: usize) -> Result<LogPage, LogError> {
        self.expose_buffer()?;
        let (batches, next) = self.log.reader().batches_from(cursor, max_bytes)?;
        Ok(LogPage { batches, next, behind: false })
    }

    /// What had been applied before the first batch that the log still has.
    pub fn log_start_vector(&self) -> VersionVector {
        self.log.first_vector()
    }

    /// Whether state was transferred here: then the log alone does not lead to what the rows are.
    pub fn had_transfer(&self) -> bool {
        self.tip.place.base.is_some() || self.tip.place.merges()
    }

    /// Whether rows may show what the vector does not have: batches that are held back, or state that was merged and brought
    /// more than it claims.
    pub(crate) fn rows_are_ahead(&self) -> bool {
        !self.held.is_empty() || !self.tip.vector.covers_vector(&self.tip.place.ahead)
    }

    /// Starts a new segment of the log, so that all before it may go. Nothing may wait to be committed.
    pub(crate) fn begin_segment(&mut self) -> Result<(), LogError> {
        self.log.begin_segment(&self.tip.vector)
    }

    /// Lets readers of the log see what waits in memory.
    pub(crate) fn expose_buffer(&mut self) -> Result<(), LogError> {
        // Otherwise nothing waits there, and what a failed sync left in the file must not be shown.
        if self.config.durability == Durability::None && self.log.broken().is_none() {
            self.log.write_buffer()?;
            self.expose();
        }
        Ok(())
    }

    /// A view of all rows as of the last flush; see [`StateView`]. `scratch` is another engine, for what the view has to
    /// keep and does not fit into memory.
    ///
    /// # Errors
    /// When the engine cannot be read.
    pub fn view(&self, scratch: Arc<dyn KvBackend>) -> Result<StateView, OpenError> {
        StateView::begin(&self.shared, self.config.node, self.origin, scratch, None)
    }

    /// Takes the engine away from readers; see [`Shared::close_engine`].
    pub(crate) fn close_engine(&self) -> Arc<dyn KvBackend> {
        self.shared.close_engine()
    }

    pub(crate) fn log_reader(&self) -> Arc<LogReader> {
        self.log.reader().clone()
    }
}

pub(crate) fn page(
    reader: &LogReader,
    vector: &VersionVector,
    cursor: Option<LogCursor>,
    max_bytes: usize,
) -> Result<LogPage, LogError> {
    reader.batches_after(vector, cursor, max_bytes)
}
