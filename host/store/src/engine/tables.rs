//! Tables on a flat engine, the same for all of them: a row's key there is the table's number and then the key. Rows
//! about the rows, under a first byte that no table has, say whose they are and of which schema.
//!
//! **A full disk passes.** Every engine gives up for good when a write finds no space, and also stops reading. So what
//! was committed since the last sync is remembered (it is shared with the row cache, and at most [`MAX_REDO`]), and
//! once there is space, the engine is opened again and gets those batches once more. Any other failure of a write, and
//! of a sync above all, makes the engine read-only until the node is started again.

use std::{
    collections::BTreeMap,
    fs,
    ops::Bound,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;

use super::{
    files::{self, guard, io_failed},
    raw::{Raw, Writes},
};
use crate::kv::{KvBackend, KvError, KvStats, Table, WriteBatch};

/// Rows about the rows: under this first byte, which no table has.
const HEADER: u8 = 0xff;
/// The row that says that the rows are ours.
const MAGIC_KEY: &[u8] = &[HEADER];
/// Bytes of batches after which a commit syncs by itself.
const MAX_REDO: usize = 64 << 20;

/// An open engine with tables.
pub(super) struct Tables<R> {
    /// None after it found no space, and could not be opened again yet.
    raw: RwLock<Option<R>>,
    dir: PathBuf,
    /// Commits and syncs one at a time; what was committed since the last sync.
    redo: Mutex<Redo>,
    /// Why no more writes are taken.
    failed: OnceLock<String>,
    commits: AtomicU64,
    syncs: AtomicU64,
}

#[derive(Default)]
struct Redo {
    batches: Vec<Writes>,
    bytes: usize,
    /// The engine found no space: it has to be opened again.
    broken: bool,
}

impl<R: Raw> Tables<R> {
    /// Opens or creates the database in a directory.
    pub(super) fn open(dir: &Path) -> Result<Self, KvError> {
        fs::create_dir_all(dir).map_err(io_failed("creating", dir))?;
        let fresh = files::is_fresh(dir, R::ENGINE)?;
        let raw = guard(dir, || R::open(dir))?;
        guard(dir, || check_header(&raw, dir, fresh))?;
        if fresh {
            raw.establish()?;
            files::set_mark(dir, R::ENGINE)?;
        }
        Ok(Self {
            raw: RwLock::new(Some(raw)),
            dir: dir.to_owned(),
            redo: Mutex::default(),
            failed: OnceLock::new(),
            commits: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
        })
    }

    /// Calls the engine, if it is open.
    fn call<T>(&self, act: impl FnOnce(&R) -> Result<T, KvError>) -> Result<T, KvError> {
        let raw = self.raw.read().unwrap_or_else(PoisonError::into_inner);
        let raw = raw.as_ref().ok_or_else(|| self.no_space())?;
        guard(&self.dir, || act(raw))
    }

    fn no_space(&self) -> KvError {
        KvError::NoSpace { what: format!("using the datastore in {}", self.dir.display()) }
    }

    /// Calls the engine for a write: after an error other than a full disk no more are taken.
    fn write<T>(
        &self,
        act: impl FnOnce(&Self, &mut MutexGuard<'_, Redo>) -> Result<T, KvError>,
    ) -> Result<T, KvError> {
        let mut redo = self.redo.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = self.failed.get() {
            return Err(KvError::ReadOnly { reason: reason.clone() });
        }
        let healed = if redo.broken { self.heal(&mut redo) } else { Ok(()) };
        healed.and_then(|()| act(self, &mut redo)).inspect_err(|error| match error {
            KvError::NoSpace { .. } => redo.broken = true,
            KvError::TooLarge { .. } => {}
            other => drop(self.failed.set(other.to_string())),
        })
    }

    /// Opens the engine again after it found no space, and gives it what it may have lost.
    fn heal(&self, redo: &mut Redo) -> Result<(), KvError> {
        let mut raw = self.raw.write().unwrap_or_else(PoisonError::into_inner);
        // Its files belong to one handle at a time.
        drop(raw.take());
        let again = guard(&self.dir, || {
            let again = R::open(&self.dir)?;
            redo.batches.iter().try_for_each(|batch| again.apply(batch.clone()))?;
            again.sync()?;
            Ok(again)
        })?;
        *raw = Some(again);
        *redo = Redo::default();
        Ok(())
    }

    fn sync_now(&self, redo: &mut Redo) -> Result<(), KvError> {
        self.call(R::sync)?;
        *redo = Redo::default();
        Ok(())
    }
}

/// Checks magic and schema versions; writes them into a fresh database that is empty.
fn check_header<R: Raw>(raw: &R, dir: &Path, fresh: bool) -> Result<(), KvError> {
    let magic = raw.get(MAGIC_KEY)?;
    let mut found: Vec<(u8, u16)> = Vec::new();
    raw.scan(Bound::Included(vec![HEADER]), &mut |key, value| {
        if let ([HEADER, table], Ok(version)) = (key, <[u8; 2]>::try_from(&value[..])) {
            found.push((*table, u16::from_be_bytes(version)));
        }
        true
    })?;
    let mut empty = true;
    if magic.is_none() {
        raw.scan(Bound::Unbounded, &mut |_, _| {
            empty = false;
            false
        })?;
        if empty {
            if !fresh {
                let detail = format!("{}: all rows are lost", dir.display());
                return Err(KvError::Corrupt { detail });
            }
            let versions = Table::ALL.iter().map(|table| {
                let version = table.schema().to_be_bytes();
                (vec![HEADER, *table as u8], Some(Bytes::copy_from_slice(&version)))
            });
            let magic = (MAGIC_KEY.to_vec(), Some(Bytes::from_static(files::MAGIC.as_bytes())));
            return raw.apply(versions.chain([magic]).collect());
        }
        if !fresh {
            // The mark says that it was there.
            let detail = format!("{}: the header is lost", dir.display());
            return Err(KvError::Corrupt { detail });
        }
    }
    if magic.is_none_or(|magic| magic != files::MAGIC) {
        return Err(KvError::Foreign { path: dir.display().to_string() });
    }
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

impl<R: Raw> KvBackend for Tables<R> {
    fn name(&self) -> &'static str {
        R::ENGINE.name()
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, KvError> {
        self.call(|raw| raw.get(&full_key(table, key)))
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
        let mut rows = Vec::new();
        if limit > 0 {
            self.call(|raw| {
                raw.scan(start, &mut |key, value| {
                    if !key.starts_with(&prefix) {
                        return false;
                    }
                    rows.push((Bytes::copy_from_slice(key.get(1..).unwrap_or_default()), value));
                    rows.len() < limit
                })
            })?;
        }
        Ok(rows)
    }

    fn commit(&self, batch: WriteBatch) -> Result<(), KvError> {
        batch.check()?;
        let bytes = batch.size();
        // One write for a key: what engines do with two of one batch differs.
        let writes = batch.into_writes().into_iter();
        let writes: BTreeMap<_, _> =
            writes.map(|(table, key, value)| (full_key(table, &key), value)).collect();
        let writes: Writes = writes.into_iter().collect();
        self.write(|tables, redo| {
            tables.call(|raw| raw.apply(writes.clone()))?;
            redo.batches.push(writes);
            redo.bytes += bytes;
            if redo.bytes > MAX_REDO { tables.sync_now(redo) } else { Ok(()) }
        })?;
        self.commits.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn sync(&self) -> Result<(), KvError> {
        self.write(|tables, redo| tables.sync_now(redo))?;
        self.syncs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn stats(&self) -> KvStats {
        KvStats {
            disk_bytes: self.call(|raw| Ok(raw.disk_bytes())).unwrap_or(0),
            commits: self.commits.load(Ordering::Relaxed),
            syncs: self.syncs.load(Ordering::Relaxed),
        }
    }
}

/// A row's key in the engine.
fn full_key(table: Table, key: &[u8]) -> Vec<u8> {
    let mut full = Vec::with_capacity(1 + key.len());
    full.push(table as u8);
    full.extend_from_slice(key);
    full
}
