//! The sled engine: all tables in **one** tree, because only a batch on one tree is atomic in sled. A row's key there
//! is the table's number and then the key.
//!
//! What sled 0.34 does not do, and this file does:
//! - `flush` is no barrier against a power cut on Linux (it ends in `sync_file_range`, and values above an eighth of
//!   a megabyte go into files of their own that are never synced): [`SledBackend::sync`] syncs those files and then
//!   `db`, through handles of its own;
//! - all databases of a process share one lock inside sled, with which two of them, or a flush beside a batch, wait for
//!   each other for good: everything that takes it for writing, or waits while it holds it, takes turns ([`TURN`]);
//! - opening damaged files may panic: panics are caught and become [`KvError::Corrupt`];
//! - it creates a database in any directory: what is there is looked at first.

use std::{
    any::Any,
    collections::BTreeSet,
    ffi::OsString,
    fs::{self, File},
    io::{self, ErrorKind},
    ops::Bound,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;

use crate::kv::{KvBackend, KvError, KvStats, Table, WriteBatch};

/// Rows about the rows: under this first byte, which no table has.
const HEADER: u8 = 0xff;
/// The row that says that the tree is ours.
const MAGIC_KEY: &[u8] = &[HEADER];
const MAGIC: &[u8] = b"numax rows 1";
/// A file beside sled's, made once the header is on the disk. Sled recovers from damage by dropping what follows it,
/// at worst everything, and says nothing; this tells a database that lost all from a new one.
const MARK: &str = "numax-rows";

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
pub(crate) struct SledBackend {
    /// Only the end of this takes it out, in its turn.
    db: Option<sled::Db>,
    dir: PathBuf,
    /// Our own handle of sled's main file: syncing acts on the file, whoever wrote to it.
    main_file: File,
    /// Files of large values that are synced already. Also makes syncs wait for each other.
    synced_blobs: Mutex<BTreeSet<OsString>>,
    /// Why no more writes are taken.
    failed: OnceLock<String>,
    commits: AtomicU64,
    syncs: AtomicU64,
}

impl SledBackend {
    /// Opens or creates the database in a directory.
    pub(crate) fn open(dir: &Path) -> Result<Self, KvError> {
        fs::create_dir_all(dir).map_err(io_failed("creating", dir))?;
        let fresh = is_fresh(dir)?;
        let config = sled::Config::new().path(dir).cache_capacity(CACHE_BYTES);
        let opened = {
            let _turn = turn();
            guard(|| config.open())
        };
        let db = Some(opened.map_err(|error| error.into_kv(dir))?);
        let main_path = dir.join("db");
        let main_file = File::open(&main_path).map_err(io_failed("opening", &main_path))?;
        let backend = Self {
            db,
            dir: dir.to_owned(),
            main_file,
            synced_blobs: Mutex::default(),
            failed: OnceLock::new(),
            commits: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
        };
        backend.check_header(fresh)?;
        if fresh {
            backend.establish()?;
        }
        Ok(backend)
    }

    /// Makes a new database durable: sled's own small files, the names of all of them, and the mark at the end.
    fn establish(&self) -> Result<(), KvError> {
        let sync = |name: &str| {
            let path = self.dir.join(name);
            File::open(&path).and_then(|file| file.sync_all()).map_err(io_failed("syncing", &path))
        };
        sync("conf")?;
        self.sync_files()?;
        sync_dir(&self.dir)?;
        let mark = self.dir.join(MARK);
        fs::write(&mark, MAGIC).map_err(io_failed("writing", &mark))?;
        sync(MARK)?;
        sync_dir(&self.dir)?;
        self.dir.parent().map_or(Ok(()), sync_dir)
    }

    /// Checks magic and schema versions; writes them into the empty tree of a fresh database.
    fn check_header(&self, fresh: bool) -> Result<(), KvError> {
        let magic = self.call(|db| db.get(MAGIC_KEY))?;
        let found = self.call(|db| db.scan_prefix([HEADER]).collect::<Result<Vec<_>, _>>())?;
        if magic.is_none() && self.call(|db| db.first())?.is_none() {
            if !fresh {
                let detail = format!("{}: all rows are lost", self.dir.display());
                return Err(KvError::Corrupt { detail });
            }
            let mut batch = sled::Batch::default();
            batch.insert(MAGIC_KEY, MAGIC);
            Table::ALL.iter().for_each(|table| {
                batch.insert(&[HEADER, *table as u8], &table.schema().to_be_bytes());
            });
            return self.apply(batch);
        }
        if magic.is_none_or(|magic| magic != MAGIC) {
            return Err(KvError::Foreign { path: self.dir.display().to_string() });
        }
        let found =
            found.iter().filter_map(|(key, value)| match (&key[..], <[u8; 2]>::try_from(&value[..])) {
                ([HEADER, table], Ok(version)) => Some((*table, u16::from_be_bytes(version))),
                _ => None,
            });
        let found: Vec<(u8, u16)> = found.collect();
        let want: Vec<(u8, u16)> = Table::ALL.iter().map(|table| (*table as u8, table.schema())).collect();
        let version = |all: &[(u8, u16)], table| all.iter().find(|(t, _)| *t == table).map_or(0, |(_, v)| *v);
        for (table, _) in found.iter().chain(&want) {
            let (found, want) = (version(&found, *table), version(&want, *table));
            if found != want {
                return Err(KvError::Schema { table: *table, found, want });
            }
        }
        Ok(())
    }

    /// Calls sled and turns its errors, and panics, into ours.
    fn call<T>(&self, act: impl FnOnce(&sled::Db) -> Result<T, sled::Error>) -> Result<T, KvError> {
        let db = self.db.as_ref().ok_or(KvError::Closed)?;
        guard(|| act(db)).map_err(|error| error.into_kv(&self.dir))
    }

    /// Applies a batch, in its turn.
    fn apply(&self, batch: sled::Batch) -> Result<(), KvError> {
        self.call(|db| {
            let _turn = turn();
            db.apply_batch(batch)
        })
    }

    /// Calls sled for a write: after an error no more are taken.
    fn write<T>(&self, act: impl FnOnce() -> Result<T, KvError>) -> Result<T, KvError> {
        if let Some(reason) = self.failed.get() {
            return Err(KvError::ReadOnly { reason: reason.clone() });
        }
        act().inspect_err(|error| drop(self.failed.set(error.to_string())))
    }

    /// Writes out what sled buffers and syncs all of its files.
    fn sync_files(&self) -> Result<(), KvError> {
        self.call(|db| {
            let _turn = turn();
            db.flush()
        })?;
        // Large values first: `db` must not name files that a power cut could still take away.
        self.sync_blobs()?;
        self.main_file.sync_all().map_err(io_failed("syncing", &self.dir.join("db")))
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
                    result => result.map_err(io_failed("syncing", &entry.path()))?,
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

impl Drop for SledBackend {
    fn drop(&mut self) {
        let _turn = turn();
        drop(self.db.take());
    }
}

impl KvBackend for SledBackend {
    fn name(&self) -> &'static str {
        "sled"
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, KvError> {
        let value = self.call(|db| db.get(full_key(table, key)))?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn scan(
        &self,
        table: Table,
        from: Bound<&[u8]>,
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, KvError> {
        // The later of the two beginnings: the bound, and the prefix itself.
        let start = match from {
            Bound::Included(key) if key > prefix => Bound::Included(full_key(table, key)),
            Bound::Excluded(key) if key >= prefix => Bound::Excluded(full_key(table, key)),
            _ => Bound::Included(full_key(table, prefix)),
        };
        let prefix = full_key(table, prefix);
        self.call(|db| {
            let mut rows = Vec::new();
            for row in db.range((start, Bound::<Vec<u8>>::Unbounded)).take(limit) {
                let (key, value) = row?;
                if !key.starts_with(&prefix) {
                    break;
                }
                let key = key.get(1..).unwrap_or_default();
                rows.push((Bytes::copy_from_slice(key), Bytes::copy_from_slice(&value)));
            }
            Ok(rows)
        })
    }

    fn commit(&self, batch: WriteBatch) -> Result<(), KvError> {
        batch.check()?;
        let mut writes = sled::Batch::default();
        for (table, key, value) in batch.writes() {
            let key = full_key(*table, key);
            match value {
                Some(value) => writes.insert(key, &value[..]),
                None => writes.remove(key),
            }
        }
        self.write(|| self.apply(writes))?;
        self.commits.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn sync(&self) -> Result<(), KvError> {
        self.write(|| self.sync_files())?;
        self.syncs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn stats(&self) -> KvStats {
        KvStats {
            disk_bytes: self.call(|db| db.size_on_disk()).unwrap_or(0),
            commits: self.commits.load(Ordering::Relaxed),
            syncs: self.syncs.load(Ordering::Relaxed),
        }
    }
}

/// A row's key in the tree.
fn full_key(table: Table, key: &[u8]) -> Vec<u8> {
    let mut full = Vec::with_capacity(1 + key.len());
    full.push(table as u8);
    full.extend_from_slice(key);
    full
}

/// Whether a directory holds no whole database yet; refuses one that holds something else. Sled's files may be there
/// when the first opening was cut short.
fn is_fresh(dir: &Path) -> Result<bool, KvError> {
    for entry in fs::read_dir(dir).map_err(io_failed("listing", dir))? {
        let name = entry.map_err(io_failed("listing", dir))?.file_name();
        let name = name.to_string_lossy();
        if !matches!(&*name, MARK | "conf" | "db" | "blobs") && !name.starts_with("snap.") {
            return Err(KvError::Foreign { path: dir.display().to_string() });
        }
    }
    Ok(!dir.join(MARK).exists())
}

fn sync_dir(dir: &Path) -> Result<(), KvError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io_failed("syncing the directory", dir))
}

fn io_failed(what: &str, path: &Path) -> impl FnOnce(io::Error) -> KvError {
    let what = format!("{what} {}", path.display());
    move |source| kv_io(what, source)
}

fn kv_io(what: String, source: io::Error) -> KvError {
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => KvError::NoSpace,
        _ => KvError::Io { what, source },
    }
}

/// How a call of sled ended when not well.
enum SledFailure {
    Error(sled::Error),
    Panic(String),
}

/// Calls sled; a panic inside becomes an error. Its state may be torn then, so callers that write stop writing.
fn guard<T>(act: impl FnOnce() -> Result<T, sled::Error>) -> Result<T, SledFailure> {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(result) => result.map_err(SledFailure::Error),
        Err(panic) => Err(SledFailure::Panic(panic_text(panic.as_ref()))),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panic without a text").to_owned()
}

impl SledFailure {
    fn into_kv(self, dir: &Path) -> KvError {
        let path = dir.display().to_string();
        let error = match self {
            Self::Error(error) => error,
            Self::Panic(text) => return KvError::Corrupt { detail: format!("{path}: {text}") },
        };
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
            sled::Error::Corruption { at, .. } => KvError::Corrupt {
                detail: at.map_or_else(|| path.clone(), |at| format!("{path}, at {at:?}")),
            },
        }
    }
}
