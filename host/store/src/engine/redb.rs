//! The redb engine: one file, one table.
//!
//! - A commit is not durable by itself ([`Durability::None`]); the empty commit of [`Raw::sync`] makes it and all
//!   before it so. A killed process loses commits that were not synced, from the end.
//! - redb checks the sums of its pages only after a crash, and when it is asked to. Files up to [`CHECK_BYTES`] are
//!   checked whole at every open. Of larger ones damaged values are still noticed when they are read, by a checksum
//!   behind each; damaged inner pages are not, until `numax repair` looks.
//! - A write that failed and a sync that failed look the same from outside, and mean different things: [`Watched`]
//!   tells them apart.

use std::{
    io,
    ops::Bound,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use redb::{
    Builder, Database, Durability, ReadableDatabase, StorageBackend, TableDefinition, TableError,
    backends::FileBackend,
};

use super::{
    files::{io_failed, kv_io, sync_dir},
    raw::{Look, Raw, Writes},
};
use crate::{Engine, kv::KvError};

const FILE: &str = "rows.redb";
const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");
/// Memory for redb's page cache. The replica caches rows itself; this is for pages on the way to and from the disk.
const CACHE_BYTES: usize = 64 << 20;
/// Larger files are not read whole at every open.
const CHECK_BYTES: u64 = 256 << 20;
/// Bytes of the checksum behind a value.
const SUM: usize = 4;

/// An open redb database.
pub(super) struct Redb {
    db: Database,
    dir: PathBuf,
    sync_failed: Arc<AtomicBool>,
}

/// The file, and whether a sync of it ever failed.
#[derive(Debug)]
struct Watched {
    file: FileBackend,
    sync_failed: Arc<AtomicBool>,
}

impl StorageBackend for Watched {
    fn len(&self) -> Result<u64, io::Error> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.file.sync_data().inspect_err(|_| self.sync_failed.store(true, Ordering::Release))
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.file.write(offset, data)
    }

    fn close(&self) -> Result<(), io::Error> {
        self.file.close()
    }
}

impl Redb {
    fn failed(&self, error: impl Into<redb::Error>) -> KvError {
        let error = failed(&self.dir, error);
        match error {
            KvError::NoSpace { what } if self.sync_failed.load(Ordering::Acquire) => {
                KvError::Io { what, source: io::Error::other("a sync failed for want of space") }
            }
            other => other,
        }
    }

    /// Checks the sum behind a value and takes it off.
    fn value(&self, key: &[u8], stored: &[u8]) -> Result<Bytes, KvError> {
        let (value, sum) = stored.split_at_checked(stored.len().saturating_sub(SUM)).unwrap_or((stored, &[]));
        if sum != checksum(key, value).to_le_bytes() {
            let path = self.dir.display();
            return Err(KvError::Corrupt { detail: format!("{path}: a row's checksum does not match") });
        }
        Ok(Bytes::copy_from_slice(value))
    }
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(key), value)
}

fn failed(dir: &Path, error: impl Into<redb::Error>) -> KvError {
    let path = dir.display().to_string();
    match error.into() {
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => KvError::Locked { path },
        redb::Error::Io(source) => kv_io(format!("using the datastore in {path}"), source),
        redb::Error::DatabaseClosed => KvError::Closed,
        redb::Error::PreviousIo => KvError::ReadOnly { reason: "an I/O error before".to_owned() },
        redb::Error::ValueTooLarge(size) => KvError::TooLarge { size, limit: crate::MAX_ROW },
        other => KvError::Corrupt { detail: format!("{path}: {other}") },
    }
}

impl Look for Redb {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, KvError> {
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let table = match read.open_table(TABLE) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            table => table.map_err(|error| self.failed(error))?,
        };
        let found = table.get(key).map_err(|error| self.failed(error))?;
        found.map(|found| self.value(key, found.value())).transpose()
    }

    fn scan(&self, from: Bound<Vec<u8>>, visit: &mut dyn FnMut(&[u8], Bytes) -> bool) -> Result<(), KvError> {
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let table = match read.open_table(TABLE) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(()),
            table => table.map_err(|error| self.failed(error))?,
        };
        let from = from.as_ref().map(Vec::as_slice);
        let rows = table.range::<&[u8]>((from, Bound::Unbounded)).map_err(|error| self.failed(error))?;
        for row in rows {
            let (key, value) = row.map_err(|error| self.failed(error))?;
            if !visit(key.value(), self.value(key.value(), value.value())?) {
                break;
            }
        }
        Ok(())
    }
}

impl Raw for Redb {
    const ENGINE: Engine = Engine::Redb;

    fn open(dir: &Path) -> Result<Self, KvError> {
        let path = dir.join(FILE);
        let file = std::fs::File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io_failed("opening", &path))?;
        // redb's own lock would do; but a database handed over as a backend is not locked by it.
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(KvError::Locked { path: dir.display().to_string() });
            }
            Err(error) => return Err(io_failed("locking", &path)(error.into())),
        }
        let bytes = file.metadata().map_err(io_failed("reading", &path))?.len();
        let sync_failed = Arc::<AtomicBool>::default();
        let backend = Watched {
            file: FileBackend::new(file).map_err(|error| failed(dir, error))?,
            sync_failed: sync_failed.clone(),
        };
        let db = Builder::new()
            .set_cache_size(CACHE_BYTES)
            .set_check_integrity_on_open(bytes > 0 && bytes <= CHECK_BYTES)
            .create_with_backend(backend)
            .map_err(|error| failed(dir, error))?;
        Ok(Self { db, dir: dir.to_owned(), sync_failed })
    }

    fn establish(&self) -> Result<(), KvError> {
        self.sync()?;
        sync_dir(&self.dir)
    }

    fn apply(&self, writes: Writes) -> Result<(), KvError> {
        let mut write = self.db.begin_write().map_err(|error| self.failed(error))?;
        write.set_durability(Durability::None).map_err(|error| self.failed(error))?;
        {
            let mut table = write.open_table(TABLE).map_err(|error| self.failed(error))?;
            let mut stored = Vec::new();
            for (key, value) in writes {
                match value {
                    None => drop(table.remove(&key[..]).map_err(|error| self.failed(error))?),
                    Some(value) => {
                        stored.clear();
                        stored.extend_from_slice(&value);
                        stored.extend_from_slice(&checksum(&key, &value).to_le_bytes());
                        table.insert(&key[..], &stored[..]).map_err(|error| self.failed(error))?;
                    }
                }
            }
        }
        write.commit().map_err(|error| self.failed(error))
    }

    fn sync(&self) -> Result<(), KvError> {
        let mut write = self.db.begin_write().map_err(|error| self.failed(error))?;
        write.set_durability(Durability::Immediate).map_err(|error| self.failed(error))?;
        write.commit().map_err(|error| self.failed(error))
    }

    fn disk_bytes(&self) -> u64 {
        std::fs::metadata(self.dir.join(FILE)).map_or(0, |data| data.len())
    }
}
