//! The sled engine: one tree, because only a batch on one tree is atomic in sled.
//!
//! What sled 0.34 does not do, and this file does:
//! - `flush` is no barrier against a power cut on Linux (it ends in `sync_file_range`, and values above an eighth of
//!   a megabyte go into files of their own that are never synced): [`Raw::sync`] syncs those files and then `db`,
//!   through handles of its own;
//! - all databases of a process share one lock inside sled, with which two of them, or a flush beside a batch, wait for
//!   each other for good: everything that takes it for writing, or waits while it holds it, takes turns ([`TURN`]).
//!
//! Sled takes damage for the end of its log, drops what follows and says nothing: rows then go back to an earlier
//! position, which the replica notices, because the position is a row, too.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs::{self, File},
    io::ErrorKind,
    ops::Bound,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;

use super::{
    files::{io_failed, kv_io, sync_dir, sync_failed},
    raw::{Raw, Writes},
};
use crate::{Engine, kv::KvError};

/// Memory for sled's page cache. The replica caches rows itself; this is for pages on the way to and from the disk.
const CACHE_BYTES: u64 = 64 << 20;

/// Whoever holds this may apply a batch, flush, open or close a database. A flush and the end of a database hold sled's
/// process-wide lock shared while they wait for that database's own flusher, which wants it shared, too; a batch wants
/// it alone, and the lock lets no reader pass a waiting writer. Reads wait for nobody and need no turn.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An open sled database.
pub(super) struct Sled {
    /// Only the end of this takes it out, in its turn.
    db: Option<sled::Db>,
    dir: PathBuf,
    /// Our own handle of sled's main file: syncing acts on the file, whoever wrote to it.
    main_file: File,
    /// Files of large values that are synced already.
    synced_blobs: Mutex<BTreeSet<OsString>>,
}

impl Sled {
    /// Calls sled and turns its errors into ours.
    fn call<T>(&self, act: impl FnOnce(&sled::Db) -> Result<T, sled::Error>) -> Result<T, KvError> {
        let db = self.db.as_ref().ok_or(KvError::Closed)?;
        act(db).map_err(|error| failed(&self.dir, error))
    }

    /// Syncs files of large values that are new since the last call.
    fn sync_blobs(&self) -> Result<(), KvError> {
        let dir = self.dir.join("blobs");
        let mut synced = self.synced_blobs.lock().unwrap_or_else(PoisonError::into_inner);
        let mut present = BTreeSet::new();
        let entries = fs::read_dir(&dir).map_err(io_failed("listing", &dir))?;
        for entry in entries {
            let entry = entry.map_err(io_failed("listing", &dir))?;
            let name = entry.file_name();
            if !synced.contains(&name) {
                match File::open(entry.path()).and_then(|blob| blob.sync_all()) {
                    // Sled may remove files while this runs; then nothing refers to them any more.
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    result => result.map_err(sync_failed("syncing", &entry.path()))?,
                }
            }
            present.insert(name);
        }
        if !present.is_subset(&synced) {
            sync_dir(&dir)?;
        }
        *synced = present;
        Ok(())
    }
}

impl Drop for Sled {
    fn drop(&mut self) {
        let _turn = turn();
        drop(self.db.take());
    }
}

impl Raw for Sled {
    const ENGINE: Engine = Engine::Sled;

    fn open(dir: &Path) -> Result<Self, KvError> {
        let config = sled::Config::new().path(dir).cache_capacity(CACHE_BYTES);
        let db = {
            let _turn = turn();
            config.open().map_err(|error| failed(dir, error))?
        };
        let main_path = dir.join("db");
        let main_file = File::open(&main_path).map_err(io_failed("opening", &main_path))?;
        Ok(Self { db: Some(db), dir: dir.to_owned(), main_file, synced_blobs: Mutex::default() })
    }

    /// Also sled's own small files, and the names of all.
    fn establish(&self) -> Result<(), KvError> {
        let conf = self.dir.join("conf");
        File::open(&conf).and_then(|file| file.sync_all()).map_err(sync_failed("syncing", &conf))?;
        self.sync()?;
        sync_dir(&self.dir)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, KvError> {
        Ok(self.call(|db| db.get(key))?.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn scan(&self, from: Bound<Vec<u8>>, visit: &mut dyn FnMut(&[u8], Bytes) -> bool) -> Result<(), KvError> {
        self.call(|db| {
            for row in db.range((from, Bound::<Vec<u8>>::Unbounded)) {
                let (key, value) = row?;
                if !visit(&key, Bytes::copy_from_slice(&value)) {
                    break;
                }
            }
            Ok(())
        })
    }

    fn apply(&self, writes: Writes) -> Result<(), KvError> {
        let mut batch = sled::Batch::default();
        for (key, value) in writes {
            match value {
                Some(value) => batch.insert(key, &value[..]),
                None => batch.remove(key),
            }
        }
        self.call(|db| {
            let _turn = turn();
            db.apply_batch(batch)
        })
    }

    fn sync(&self) -> Result<(), KvError> {
        self.call(|db| {
            let _turn = turn();
            db.flush()
        })?;
        // Large values first: `db` must not name files that a power cut could still take away.
        self.sync_blobs()?;
        self.main_file.sync_all().map_err(sync_failed("syncing", &self.dir.join("db")))
    }

    fn disk_bytes(&self) -> u64 {
        self.call(|db| db.size_on_disk()).unwrap_or(0)
    }
}

fn failed(dir: &Path, error: sled::Error) -> KvError {
    let path = dir.display().to_string();
    match error {
        // Sled tells a held lock only by its text.
        sled::Error::Io(source) if source.to_string().contains("could not acquire lock") => {
            KvError::Locked { path }
        }
        sled::Error::Io(source) => kv_io(format!("using the datastore in {path}"), source),
        sled::Error::CollectionNotFound(_) => KvError::Closed,
        sled::Error::Unsupported(text) | sled::Error::ReportableBug(text) => {
            KvError::Corrupt { detail: format!("{path}: {text}") }
        }
        sled::Error::Corruption { at, .. } => {
            KvError::Corrupt { detail: at.map_or_else(|| path.clone(), |at| format!("{path}, at {at:?}")) }
        }
    }
}
