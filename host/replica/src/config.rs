//! What can be set.

use std::{path::PathBuf, sync::Arc, time::Duration};

use numax_crdt::NodeId;
use numax_store::{Engine, Reserve};

use crate::schema::Chain;

use crate::{meta::HostFacts, replica::files};

/// When a commit counts as committed: what outside effects wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// When its group was synced to the disk. A power cut loses nothing that was answered.
    Fsync,
    /// When the operating system has it, which syncs at this interval. The end of the process loses nothing; a power
    /// cut loses at most the interval, and then the node goes on in a new epoch. The default, at 100 ms.
    Interval(Duration),
    /// When it is in memory. The end of the process may lose the last second.
    None,
}

impl Default for Durability {
    fn default() -> Self {
        Self::Interval(Duration::from_millis(100))
    }
}

impl Durability {
    /// The name in configuration files.
    pub fn config_name(self) -> &'static str {
        match self {
            Self::Fsync => "fsync",
            Self::Interval(_) => "interval",
            Self::None => "none",
        }
    }
}

/// Settings of a [`Core`](crate::Core).
#[derive(Debug, Clone)]
pub struct CoreConfig {
    /// The node whose datastore it is.
    pub node: NodeId,
    /// When a commit counts.
    pub durability: Durability,
    /// Rows kept in memory beside those that the engine does not hold yet. 0 keeps none: everything works and every
    /// read goes to the engine.
    pub cache_rows: usize,
    /// Bytes of rows kept in memory.
    pub cache_bytes: usize,
    /// Bytes after which the log starts a new segment. A segment is the unit in which the log is given back.
    pub segment_bytes: u64,
    /// How far ahead of the own clock a remote time may be and still be adopted, in milliseconds.
    pub max_skew_ms: u64,
    /// Bytes of remote batches that wait in memory for batches before them.
    pub pending_bytes: usize,
    /// Bytes of recent batches that are kept in memory, to compare and to answer with.
    pub recent_bytes: usize,
    /// Bytes of log that the engine may lag behind. Beyond, commits wait: it bounds memory and the time to open.
    pub max_lag_bytes: u64,
    /// Bytes of log that may be kept for peers that lack batches. Beyond, they get a transfer of state instead. What
    /// every member has goes earlier.
    pub op_log_budget: u64,
    /// The schemas that there were, up to the one that is read and written. Another than the program's own is for tests.
    pub schemas: Chain,
    /// A bug to have.
    #[cfg(feature = "planted-bugs")]
    pub planted: Option<crate::Planted>,
}

impl CoreConfig {
    /// The defaults for a node.
    pub fn new(node: NodeId) -> Self {
        Self {
            node,
            durability: Durability::default(),
            cache_rows: 65_536,
            cache_bytes: 64 << 20,
            segment_bytes: 64 << 20,
            max_skew_ms: 60_000,
            pending_bytes: 16 << 20,
            recent_bytes: 8 << 20,
            max_lag_bytes: 256 << 20,
            op_log_budget: 1 << 30,
            schemas: Chain::CURRENT,
            #[cfg(feature = "planted-bugs")]
            planted: None,
        }
    }
}

/// Settings of a [`Replica`](crate::Replica).
#[derive(Debug, Clone)]
pub struct ReplicaConfig {
    /// The datastore's directory; made if it does not exist.
    pub dir: PathBuf,
    /// The engine for rows.
    pub engine: Engine,
    /// What is kept free on the datastore's disk: below it no writes are taken, so that everything stays readable and
    /// the node goes on by itself once there is space.
    pub reserve: Reserve,
    /// The core's settings.
    pub core: CoreConfig,
    /// Bytes of submitted batches that may wait for the committer; submitting waits beyond.
    pub queue_bytes: usize,
    /// The longest time that committed rows stay out of the engine.
    pub flush_interval: Duration,
    /// Rows after which they go to the engine at once.
    pub flush_rows: usize,
    /// Change notices that a slow receiver may be behind before it loses some.
    pub notice_capacity: usize,
    /// What would be read from the machine, for a run that repeats; none reads it from the machine.
    pub given: Option<Given>,
}

/// What a [`Replica`](crate::Replica) reads from the machine, given by the caller. Then nothing is forgotten in the
/// background either, because when that happens is a matter of chance.
#[derive(Clone)]
pub struct Given {
    /// Unix time in milliseconds, asked for at each commit.
    pub now_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// What the machine is.
    pub facts: HostFacts,
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Given").field("facts", &self.facts).finish_non_exhaustive()
    }
}

impl ReplicaConfig {
    /// The defaults for a datastore at `dir`.
    pub fn new(dir: impl Into<PathBuf>, node: NodeId) -> Self {
        Self {
            dir: dir.into(),
            engine: Engine::default(),
            reserve: Reserve::default(),
            core: CoreConfig::new(node),
            queue_bytes: 32 << 20,
            flush_interval: Duration::from_secs(1),
            flush_rows: 65_536,
            notice_capacity: 16_384,
            given: None,
        }
    }

    /// Unix time in milliseconds.
    pub(crate) fn now_ms(&self) -> u64 {
        self.given.as_ref().map_or_else(files::now_ms, |given| (given.now_ms)())
    }
}
