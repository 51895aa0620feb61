//! The fjall engine: one keyspace, so that what a crash leaves is a prefix of the batches.
//!
//! A batch goes to fjall's journal, which the system has when [`Raw::apply`] returns; [`Raw::sync`] syncs it. Blocks
//! carry checksums that are checked when they are read. After a failed flush in the background fjall takes no more
//! writes and does not say why: if the disk is full then, that was it.

use std::{
    ops::Bound,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError, RwLock},
};

use bytes::Bytes;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::{
    files::{disk_bytes, kv_io, sync_dir},
    long_keys,
    raw::{Look, Raw, Writes},
};
use crate::{Engine, kv::KvError};

/// Memory for fjall's block cache. The replica caches rows itself; this is for blocks on the way from the disk.
const CACHE_BYTES: u64 = 64 << 20;
/// Memory for rows that are not in tables yet. The journal is as long, and read at open.
const MEMTABLE_BYTES: u64 = 16 << 20;
const JOURNAL_BYTES: u64 = 64 << 20;
/// With less room than this on the disk, a failure that says nothing is taken for a lack of it.
const FULL_BYTES: u64 = 16 << 20;

/// An open fjall database.
pub(super) struct Fjall {
    db: Database,
    rows: Keyspace,
    dir: PathBuf,
    /// Reads of the keyspace would show parts of a batch. Those of a snapshot do not, but each of them keeps older rows
    /// from being dropped until ten thousand have been taken.
    whole: RwLock<()>,
    /// The next number for a long key.
    next_long: Mutex<u64>,
}

impl Fjall {
    fn failed(&self, error: fjall::Error) -> KvError {
        failed(&self.dir, error)
    }

    fn read(&self, key: &[u8]) -> Result<Option<Bytes>, KvError> {
        let value = self.rows.get(key).map_err(|error| self.failed(error))?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }
}

fn failed(dir: &Path, error: fjall::Error) -> KvError {
    let path = dir.display().to_string();
    let what = format!("using the datastore in {path}");
    let source = match error {
        fjall::Error::Locked => return KvError::Locked { path },
        fjall::Error::Io(source) | fjall::Error::Storage(fjall::LsmError::Io(source)) => source,
        fjall::Error::Poisoned if is_full(dir) => return KvError::NoSpace { what },
        fjall::Error::Poisoned => {
            return KvError::ReadOnly { reason: "the engine failed in the background".to_owned() };
        }
        other => return KvError::Corrupt { detail: format!("{path}: {other}") },
    };
    match source.kind() {
        // What the manifest names is not there.
        std::io::ErrorKind::NotFound => KvError::Corrupt { detail: format!("{path}: {source}") },
        _ => kv_io(what, source),
    }
}

fn is_full(dir: &Path) -> bool {
    crate::free_bytes(dir).is_ok_and(|free| free < FULL_BYTES)
}

impl Look for Fjall {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, KvError> {
        let _whole = self.whole.read().unwrap_or_else(PoisonError::into_inner);
        match long_keys::split(key) {
            None => self.read(key),
            Some((index, rest)) => long_keys::get(&index, rest, &|key| self.read(key)),
        }
    }

    fn scan(&self, from: Bound<Vec<u8>>, visit: &mut dyn FnMut(&[u8], Bytes) -> bool) -> Result<(), KvError> {
        let after = |key: &[u8]| match &from {
            Bound::Included(from) => key >= &from[..],
            Bound::Excluded(from) => key > &from[..],
            Bound::Unbounded => true,
        };
        // A long key's index row sorts where its first part does.
        let start = match &from {
            Bound::Included(key) | Bound::Excluded(key) => match long_keys::split(key) {
                Some((index, _)) => Bound::Included(index),
                None => from.clone(),
            },
            Bound::Unbounded => Bound::Unbounded,
        };
        let _whole = self.whole.read().unwrap_or_else(PoisonError::into_inner);
        for row in self.rows.range((start, Bound::<Vec<u8>>::Unbounded)) {
            let (key, value) = row.into_inner().map_err(|error| self.failed(error))?;
            let Some(head) = long_keys::is_index(&key) else {
                if !visit(&key, Bytes::copy_from_slice(&value)) {
                    return Ok(());
                }
                continue;
            };
            for number in long_keys::numbers(&value) {
                let (rest, value) = long_keys::rest(number, &|key| self.read(key))?;
                let key = [head, &rest].concat();
                if after(&key) && !visit(&key, value) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

impl Raw for Fjall {
    const ENGINE: Engine = Engine::Fjall;

    fn open(dir: &Path) -> Result<Self, KvError> {
        let db = Database::builder(dir)
            .cache_size(CACHE_BYTES)
            .worker_threads(1)
            .max_journaling_size(JOURNAL_BYTES)
            .open()
            .map_err(|error| failed(dir, error))?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
        let rows = db.keyspace("rows", options).map_err(|error| failed(dir, error))?;
        let mut next = 0;
        if let Some(last) = rows.prefix([long_keys::REST]).next_back() {
            let key = last.key().map_err(|error| failed(dir, error))?;
            next = long_keys::number_of(&key).map_or(0, |number| number + 1);
        }
        Ok(Self { db, rows, dir: dir.to_owned(), whole: RwLock::default(), next_long: Mutex::new(next) })
    }

    fn establish(&self) -> Result<(), KvError> {
        self.sync()?;
        sync_dir(&self.dir)
    }

    fn apply(&self, writes: Writes) -> Result<(), KvError> {
        let mut next = self.next_long.lock().unwrap_or_else(PoisonError::into_inner);
        let writes = long_keys::translate(writes, &mut next, &|key| self.read(key))?;
        // Otherwise a part of the journal would wait in this process.
        let mut batch = self.db.batch().durability(Some(PersistMode::Buffer));
        for (key, value) in writes {
            match value {
                Some(value) => batch.insert(&self.rows, key, &value[..]),
                None => batch.remove(&self.rows, key),
            }
        }
        let _whole = self.whole.write().unwrap_or_else(PoisonError::into_inner);
        batch.commit().map_err(|error| self.failed(error))
    }

    fn sync(&self) -> Result<(), KvError> {
        self.db.persist(PersistMode::SyncAll).map_err(|error| self.failed(error))
    }

    fn disk_bytes(&self) -> u64 {
        disk_bytes(&self.dir)
    }
}
