//! The engine that holds rows, as a trait: ordered tables of bytes with atomic batches.

use std::{io, ops::Bound};

use bytes::Bytes;

use crate::room::Low;

/// A table of the engine. The number is part of the disk format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// The replica's own notes: the log position its rows include, and the like.
    Meta = 0,
    /// The rows of replicated values.
    Rows = 1,
    /// The node-local key-value store, which never leaves the node.
    Local = 2,
    /// Which origin has which number in rows.
    Origins = 3,
}

impl Table {
    /// Every table, by number.
    pub const ALL: [Self; 4] = [Self::Meta, Self::Rows, Self::Local, Self::Origins];

    /// The version of what the table holds. It grows with every change that an older program would misread.
    pub fn schema(self) -> u16 {
        Schemas::CURRENT.of(self)
    }
}

/// A schema version for each table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schemas([u16; Table::ALL.len()]);

impl Schemas {
    /// Those that this program reads and writes.
    pub const CURRENT: Self = Self::FIRST;

    /// Those of the first release.
    pub const FIRST: Self = Self([1; Table::ALL.len()]);

    /// The version of a table, 0 when it is not there.
    #[must_use]
    pub const fn of(self, table: Table) -> u16 {
        self.0[table as usize]
    }

    /// The same with another version of one table.
    #[must_use]
    pub const fn with(mut self, table: Table, version: u16) -> Self {
        self.0[table as usize] = version;
        self
    }
}

impl Default for Schemas {
    fn default() -> Self {
        Self::CURRENT
    }
}

/// Bytes of one row, key and value together, that every engine takes. The largest rows of the data model are a set's
/// element (1 MiB, in the key) and a register's value (1 MiB) with a key of 8 KiB; this leaves room to spare.
pub const MAX_ROW: usize = 4 << 20;

/// Writes that become visible together, or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteBatch {
    writes: Vec<(Table, Bytes, Option<Bytes>)>,
}

impl WriteBatch {
    /// A batch without writes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a row; of several writes to one key the last counts.
    pub fn put(&mut self, table: Table, key: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.writes.push((table, key.into(), Some(value.into())));
    }

    /// Removes a row; that it is not there is no error.
    pub fn delete(&mut self, table: Table, key: impl Into<Bytes>) {
        self.writes.push((table, key.into(), None));
    }

    /// How many writes there are.
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// The writes in order; a value of none removes.
    pub fn writes(&self) -> &[(Table, Bytes, Option<Bytes>)] {
        &self.writes
    }

    /// The writes, taken out.
    pub fn into_writes(self) -> Vec<(Table, Bytes, Option<Bytes>)> {
        self.writes
    }

    /// Bytes of all keys and values.
    pub fn size(&self) -> usize {
        self.writes.iter().map(size).sum()
    }

    /// Whether every row is within [`MAX_ROW`]. Engines call this first.
    ///
    /// # Errors
    /// [`KvError::TooLarge`].
    pub fn check(&self) -> Result<(), KvError> {
        match self.writes.iter().map(size).max() {
            Some(size) if size > MAX_ROW => Err(KvError::TooLarge { size, limit: MAX_ROW }),
            _ => Ok(()),
        }
    }
}

/// Bytes of a write's key and value.
fn size((_, key, value): &(Table, Bytes, Option<Bytes>)) -> usize {
    key.len() + value.as_ref().map_or(0, Bytes::len)
}

/// What an engine says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KvStats {
    /// Bytes on disk, 0 when there is none.
    pub disk_bytes: u64,
    /// Batches committed since it was opened.
    pub commits: u64,
    /// Calls of [`KvBackend::sync`] that succeeded since it was opened.
    pub syncs: u64,
}

/// An engine of ordered tables. All calls block; none may run on an async worker.
pub trait KvBackend: Send + Sync {
    /// The engine's name, for reports.
    fn name(&self) -> &'static str;

    /// The value of a key.
    ///
    /// # Errors
    /// See [`KvError`], as for every function here.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, KvError>;

    /// Up to `limit` rows whose keys begin with `prefix`, in key order, from the bound on. The bound is a whole key,
    /// prefix included; it may lie before the prefix. Fewer than `limit` rows mean that there are no more.
    ///
    /// # Errors
    /// See [`KvError`].
    fn scan(
        &self,
        table: Table,
        from: Bound<&[u8]>,
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, KvError>;

    /// Commits a batch: visible at once, and after a crash there as a whole or not at all. After a crash a batch is
    /// there only if all batches before it are. Not necessarily durable, see [`sync`](Self::sync).
    ///
    /// # Errors
    /// See [`KvError`]; nothing of the batch is visible then, except after [`KvError::NoSpace`]: then all of it is, or
    /// nothing. It is to be committed again, before any other.
    fn commit(&self, batch: WriteBatch) -> Result<(), KvError>;

    /// Returns when everything committed before survives a power cut.
    ///
    /// # Errors
    /// See [`KvError`]. After an error nobody knows what reached the disk, so the engine takes no more writes
    /// ([`KvError::ReadOnly`]) until it is opened anew.
    fn sync(&self) -> Result<(), KvError>;

    /// Figures for reports. May be stale.
    fn stats(&self) -> KvStats;
}

/// Why an engine could not do something.
#[derive(Debug, thiserror::Error)]
pub enum KvError {
    /// The disk is full. Passes by itself once there is space.
    #[error("no space left on the disk while {what}; free some space: a node that runs goes on by itself")]
    NoSpace {
        /// What was being done, with the path.
        what: String,
    },
    /// The disk is nearly full: nothing more is written, so that what is there stays readable. Passes by itself once
    /// there is space.
    #[error("{low}; free some space on the disk of {path}: a node that runs goes on by itself")]
    Low {
        /// How much there is.
        low: Low,
        /// The engine's directory.
        path: String,
    },
    /// The operating system refused.
    #[error("{what} failed: {source}; check the disk and the permissions of the datastore directory")]
    Io {
        /// What was being done, with the path.
        what: String,
        /// The operating system's word.
        source: io::Error,
    },
    /// The files are damaged.
    #[error("the rows of the datastore are damaged ({detail})")]
    Corrupt {
        /// What is wrong, and where.
        detail: String,
    },
    /// The files are another engine's.
    #[error(
        "{path} was made with the engine {found}, and the settings say {want}; set `[storage] engine = \"{found}\"`, \
         or convert the datastore with `numax migrate --to {want}`"
    )]
    OtherEngine {
        /// The directory.
        path: String,
        /// The engine that made it.
        found: &'static str,
        /// The engine wanted.
        want: &'static str,
    },
    /// This program was built without the engine.
    #[error("this program was built without the engine {engine}; use another build of numax")]
    NotBuilt {
        /// The engine.
        engine: &'static str,
    },
    /// The files are of another schema version.
    #[error(
        "the datastore has schema version {found} of table {table}, this program reads {want}; \
         use the program that wrote it, or a newer one"
    )]
    Schema {
        /// The table's number.
        table: u8,
        /// The version found, 0 when the table is not there.
        found: u16,
        /// The version wanted, 0 when this program knows no such table.
        want: u16,
    },
    /// The files are not ours.
    #[error("{path} holds files that numax did not write; choose an empty directory for the datastore")]
    Foreign {
        /// The directory.
        path: String,
    },
    /// A write or sync failed before, so no more writes are taken.
    #[error("the rows take no more writes ({reason}); fix the disk and restart the node")]
    ReadOnly {
        /// What failed.
        reason: String,
    },
    /// Another process has the datastore open.
    #[error(
        "{path} is in use by another process; a datastore belongs to one at a time: stop that node first"
    )]
    Locked {
        /// The directory.
        path: String,
    },
    /// The engine was closed, or crashed by a test.
    #[error("the datastore is closed")]
    Closed,
    /// A row is beyond what engines take.
    #[error("a row of {size} bytes is too large for the datastore, the limit is {limit}")]
    TooLarge {
        /// Bytes of key and value.
        size: usize,
        /// What engines take, [`MAX_ROW`].
        limit: usize,
    },
}
