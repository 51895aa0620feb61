//! Opening a datastore without changing it.

use std::{cell::RefCell, fs::File, path::Path, sync::Arc};

use bytes::Bytes;
use numax_crdt::{Key, Kind, NodeId, Origin, RowError, Rows, VersionVector};
use numax_store::{Disk, DiskError, Engine, KvError, ViewDisk, copy_dir};

use super::{lock::lock_to_read, log::LogAtRest};
use crate::{
    config::CoreConfig,
    core::Core,
    error::OpenError,
    log,
    meta::{self, Meta},
    migrate,
    reader::Reader,
    replica::{ROWS, files},
    rows::{
        name,
        view::{Access, Supplied, View},
    },
    schema::Chain,
    snapshot::swap,
};

/// Rows read at once.
const STEP: usize = 1024;

/// Why a datastore cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum RestError {
    /// There is none.
    #[error("{path} holds no datastore")]
    NoDatastore {
        /// The directory.
        path: String,
    },
    /// There is no log.
    #[error("{path} holds neither a datastore nor segments of a log; name the directory of one")]
    NoLog {
        /// The directory.
        path: String,
    },
    /// A running node has it.
    #[error("{path} is open in a running node; stop it first, or look at a copy of the directory")]
    InUse {
        /// The directory.
        path: String,
    },
    /// The engine's files could not be copied for reading.
    #[error(
        "the rows have to be copied for reading, and that failed: {source}; there must be room for all of {rows} in \
         the scratch directory, choose another one"
    )]
    Scratch {
        /// The engine's directory.
        rows: String,
        /// What went wrong.
        source: DiskError,
    },
    /// It is damaged, a newer program's, or cannot be read.
    #[error("{path}: {source}")]
    Open {
        /// The directory.
        path: String,
        /// What is wrong.
        #[source]
        source: OpenError,
    },
}

/// A datastore that nobody has open, to be read. See the module's text.
pub struct AtRest {
    core: Core,
    reader: Reader,
    log: LogAtRest,
    node: NodeId,
    /// The origin of the last epoch in which it was open.
    origin: Origin,
    engine: Engine,
    /// Keeps a node from starting meanwhile.
    _lock: Option<File>,
}

impl AtRest {
    /// Reads the datastore at `dir`. Its rows are copied into `scratch`, an empty directory of the caller's, who
    /// removes it afterwards. Blocks, long.
    ///
    /// # Errors
    /// See [`RestError`].
    pub fn open(dir: &Path, scratch: &Path) -> Result<Self, RestError> {
        let path = || dir.display().to_string();
        let failed = |source: OpenError| RestError::Open { path: path(), source };
        let lock = lock_to_read(dir)?;
        let log_dir = swap::place(dir, log::DIR);
        let disk = ViewDisk::new(dir)
            .with_place(meta::FILE, swap::place(dir, meta::FILE))
            .with_place(log::DIR, &log_dir);
        let Some(meta) = Meta::load(&disk, Chain::CURRENT).map_err(failed)? else {
            return Err(RestError::NoDatastore { path: path() });
        };
        let node: NodeId = meta.node.parse().map_err(|_| {
            let detail = format!("{:?} is no node id", meta.node);
            failed(OpenError::Foreign { path: meta::FILE.to_string(), detail })
        })?;
        let origin = meta.origin(node).map_err(failed)?;
        let rows = migrate::rows(dir);
        let engine = numax_store::engine_of(&rows).map_err(|error| failed(error.into()))?;
        let copy = scratch.join(ROWS);
        if rows.exists() {
            copy_dir(&rows, &copy)
                .map_err(|source| RestError::Scratch { rows: rows.display().to_string(), source })?;
        }
        // Without rows everything is in the log.
        let engine = engine.unwrap_or_default();
        let open = || {
            let backend = numax_store::open(engine, &copy).map_err(|error| match error {
                KvError::Foreign { .. } => KvError::Foreign { path: rows.display().to_string() },
                other => other,
            })?;
            let disk: Arc<dyn Disk> = Arc::new(disk);
            Core::open(CoreConfig::new(node), disk, backend, &files::facts(&log_dir)?, files::now_ms())
        };
        let core = open().map_err(failed)?;
        let (reader, log) = (core.reader(), LogAtRest::new(core.log_reader(), None));
        Ok(Self { core, reader, log, node, origin, engine, _lock: lock })
    }

    /// Whose datastore it is.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// The origin under which it wrote last.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The engine of its rows.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Everything applied.
    pub fn vector(&self) -> &VersionVector {
        self.core.vector()
    }

    /// Whether state was transferred here: then the log alone does not lead to what the rows are.
    pub fn had_transfer(&self) -> bool {
        self.core.had_transfer()
    }

    /// Whether rows may show what the vector does not have: a transfer of state is under way or brought more than it
    /// claims, or this node holds back what it wrote.
    pub fn is_ahead(&self) -> bool {
        self.core.rows_are_ahead()
    }

    /// Its log.
    pub fn log(&self) -> &LogAtRest {
        &self.log
    }

    /// Its rows, for a [`Draft`](crate::Draft) that loads inline.
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// See [`Core::state_hash`].
    ///
    /// # Errors
    /// When rows cannot be read or are damaged.
    pub fn state_hash(&self) -> Result<[u8; 32], crate::DraftError> {
        self.core.state_hash()
    }

    /// The first key behind `after` (none: of all) that begins with `prefix` and has a row of this kind, be it only a
    /// tombstone; none at the end.
    ///
    /// # Errors
    /// When rows cannot be read.
    pub fn next_key(&self, kind: Kind, prefix: &[u8], after: Option<&Key>) -> Result<Option<Key>, RowError> {
        self.with_access(|access| {
            let all = name::key_prefix(kind, prefix);
            let past = |key: &Key| name::past_value(&name::value_prefix(kind, key.as_bytes()));
            let mut after = Bytes::from(after.map_or(Vec::new(), past));
            loop {
                let (rows, _) = access.rows(&all, &after, 1, false)?;
                match rows.first() {
                    None => return Ok(None),
                    Some((row, _)) => match name::parse(row) {
                        Some((_, key, _)) => return Ok(Some(key)),
                        // No name that this program gives.
                        None => after = row.clone(),
                    },
                }
            }
        })
    }

    /// The rows of one value, tombstones included, in order of their subkeys, for as long as `read` reads.
    pub fn value<T>(&self, kind: Kind, key: &Key, read: impl FnOnce(&dyn Rows) -> T) -> T {
        self.with_access(|access| read(&View::new(access, kind, key)))
    }

    /// Every row of one value. In memory, all at once.
    ///
    /// # Errors
    /// When rows cannot be read.
    pub fn rows(&self, kind: Kind, key: &Key) -> Result<Vec<(Bytes, Bytes)>, RowError> {
        self.value(kind, key, |rows| {
            let mut all: Vec<(Bytes, Bytes)> = Vec::new();
            loop {
                let after = all.last().map(|(sub, _)| sub.clone());
                let page = rows.scan(after.as_deref(), STEP)?;
                let last = page.len() < STEP;
                all.extend(page);
                if last {
                    return Ok(all);
                }
            }
        })
    }

    fn with_access<T>(&self, read: impl FnOnce(&Access<'_>) -> T) -> T {
        let supplied = Supplied::default();
        let access = Access {
            shared: &self.reader.shared,
            supplied: &supplied,
            inline: true,
            missed: RefCell::default(),
        };
        read(&access)
    }
}

impl std::fmt::Debug for AtRest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AtRest").field("node", &self.node).finish_non_exhaustive()
    }
}
