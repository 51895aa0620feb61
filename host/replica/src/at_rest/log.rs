//! Reading a log that nobody writes.

use std::{fs::File, path::Path, sync::Arc};

use bytes::Bytes;
use numax_crdt::VersionVector;
use numax_store::ViewDisk;

use super::{RestError, lock::lock_to_read};
use crate::{
    error::{CoreError, LogError, OpenError},
    log::{self, End, LogReader},
    meta,
    snapshot::swap,
};

/// Bytes of a new segment; none is made here.
const SEGMENT: u64 = 64 << 20;

/// One record of a log: what one turn wrote, or what came from a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// The log position behind it.
    pub end: u64,
    /// The encoded batch.
    pub batch: Option<Bytes>,
    /// Whether the batch came from a peer.
    pub remote: bool,
    /// Writes to the node-local store in the same turn: key, and value or none to delete.
    pub local: Vec<(Bytes, Option<Bytes>)>,
    /// A page of transferred state.
    pub page: Option<Bytes>,
}

/// A log, to be read.
pub struct LogAtRest {
    reader: Arc<LogReader>,
    /// Keeps a node from starting meanwhile.
    _lock: Option<File>,
}

impl LogAtRest {
    pub(super) fn new(reader: Arc<LogReader>, lock: Option<File>) -> Self {
        Self { reader, _lock: lock }
    }

    /// Reads a log without changing it: a datastore's, or the segments of a directory, which may be a copy. Blocks.
    ///
    /// # Errors
    /// When the directory holds no log, a running node has it, or it holds files that are not ours, a newer program's or
    /// damaged.
    pub fn open(dir: &Path) -> Result<Self, RestError> {
        let is_datastore = swap::place(dir, meta::FILE).exists();
        let lock = if is_datastore { lock_to_read(dir)? } else { None };
        let log = if is_datastore { swap::place(dir, log::DIR) } else { dir.to_path_buf() };
        let failed = |source| RestError::Open { path: dir.display().to_string(), source };
        match Self::open_segments(&log).map_err(failed)? {
            Some(reader) => Ok(Self::new(reader, lock)),
            None => Err(RestError::NoLog { path: dir.display().to_string() }),
        }
    }

    fn open_segments(dir: &Path) -> Result<Option<Arc<LogReader>>, OpenError> {
        let disk = Arc::new(ViewDisk::new(dir).with_place(log::DIR, dir));
        let Some(start) = log::first_position(&*disk)? else { return Ok(None) };
        let (log, _) = log::open(disk, SEGMENT, start, End::AtRest, |_| Ok::<_, CoreError>(()))?;
        log.expose(false);
        Ok(Some(log.reader().clone()))
    }

    /// The position where it begins, and what had been applied before: nothing, unless its older segments are gone.
    pub fn start(&self) -> (u64, VersionVector) {
        self.reader.first().unwrap_or_default()
    }

    /// Whether everything that was ever applied is in it.
    pub fn is_complete(&self) -> bool {
        self.start().1.is_empty()
    }

    /// Reads records from a position on (none: from the first), until `visit` answers `false`.
    ///
    /// # Errors
    /// When the log is damaged, or the position is not in it. Those of `visit`.
    pub fn read<E: From<LogError>>(
        &self,
        from: Option<u64>,
        mut visit: impl FnMut(LogRecord) -> Result<bool, E>,
    ) -> Result<(), E> {
        let mut failed = None;
        self.reader.read(from.unwrap_or(self.start().0), |end, record| {
            // What was held back comes again when it is settled, in the form in which it counts.
            let log::Record { batch, remote, local, page, held: _ } = record;
            match visit(LogRecord { end, batch, remote, local, page }) {
                Ok(go_on) => go_on,
                Err(error) => {
                    failed = Some(error);
                    false
                }
            }
        })?;
        failed.map_or(Ok(()), Err)
    }
}

impl std::fmt::Debug for LogAtRest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogAtRest").field("start", &self.start().0).finish_non_exhaustive()
    }
}
