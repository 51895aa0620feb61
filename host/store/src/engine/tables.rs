//! Tables on a flat engine, the same for all of them: a row's key there is the table's number and then the key.
//!
//! **A full disk passes.** Writes stop before the disk is full, see [`Room`]. But somebody else may fill it, and every
//! engine gives up for good when a write finds no space, and also stops reading. So what was committed since the last
//! sync is remembered (it is shared with the row cache, and at most [`MAX_REDO`]). For reading, the engine is opened
//! again at once, with the room of the ballast, and what it may have lost lies over it in memory. For writing, it is
//! opened again once there is space, and gets those batches once more. Any other failure of a write, and of a sync above
//! all, makes the engine read-only until the node is started again.

use std::{
    collections::BTreeMap,
    fs,
    ops::Bound,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    Options,
    files::{self, guard, io_failed},
    header,
    raw::{Raw, Writes},
};
use crate::{
    kv::{KvBackend, KvError, KvStats, Table, WriteBatch},
    room::{Room, Use},
};

/// Bytes of batches after which a commit syncs by itself.
const MAX_REDO: usize = 64 << 20;
/// How often an engine that gave up is opened again to be read.
const OPEN_EVERY: Duration = Duration::from_secs(1);

/// An open engine with tables.
pub(super) struct Tables<R> {
    /// None after it found no space, and could not be opened again yet.
    open: RwLock<Option<Open<R>>>,
    dir: PathBuf,
    room: Option<Arc<Room>>,
    /// Commits and syncs one at a time; what was committed since the last sync.
    redo: Mutex<Redo>,
    /// How often the engine was opened.
    openings: AtomicU64,
    /// Why no more writes are taken.
    failed: OnceLock<String>,
    commits: AtomicU64,
    syncs: AtomicU64,
}

/// An engine, and rows that it does not have for certain.
struct Open<R> {
    raw: R,
    over: BTreeMap<Vec<u8>, Option<Bytes>>,
}

#[derive(Default)]
struct Redo {
    batches: Vec<Writes>,
    bytes: usize,
    /// The engine found no space: it has to be opened again before it is written.
    broken: bool,
    /// When it was opened again to be read.
    opened: Option<Instant>,
    /// It is open for reading only.
    quiet: bool,
}

impl<R: Raw> Open<R> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, KvError> {
        match self.over.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.raw.get(key),
        }
    }

    fn scan(&self, from: Bound<Vec<u8>>, visit: &mut dyn FnMut(&[u8], Bytes) -> bool) -> Result<(), KvError> {
        if self.over.is_empty() {
            return self.raw.scan(from, visit);
        }
        let mut over = self.over.range((from.clone(), Bound::Unbounded)).peekable();
        let mut go_on = true;
        self.raw.scan(from, &mut |key, value| {
            while let Some((before, value)) = over.next_if(|(over, _)| over.as_slice() < key) {
                go_on = value.clone().is_none_or(|value| visit(before, value));
                if !go_on {
                    return false;
                }
            }
            let value = match over.next_if(|(over, _)| over.as_slice() == key) {
                Some((_, over)) => over.clone(),
                None => Some(value),
            };
            go_on = value.is_none_or(|value| visit(key, value));
            go_on
        })?;
        while go_on && let Some((key, value)) = over.next() {
            go_on = value.clone().is_none_or(|value| visit(key, value));
        }
        Ok(())
    }
}

impl Redo {
    /// What its batches leave.
    fn over(&self) -> BTreeMap<Vec<u8>, Option<Bytes>> {
        self.batches.iter().flatten().cloned().collect()
    }
}

impl<R: Raw> Tables<R> {
    /// Opens or creates the database in a directory.
    pub(super) fn open(dir: &Path, options: &Options) -> Result<Self, KvError> {
        fs::create_dir_all(dir).map_err(io_failed("creating", dir))?;
        let fresh = files::is_fresh(dir, R::ENGINE)?;
        files::check_torn(dir)?;
        let full = options.room.as_ref().is_some_and(|room| room.check(Use::Rows, 0).is_err());
        let quietly = if full && !fresh { guard(dir, || R::open_quietly(dir).transpose())? } else { None };
        let redo = Redo { broken: quietly.is_some(), quiet: quietly.is_some(), ..Redo::default() };
        let raw = match quietly {
            Some(raw) => raw,
            None => guard(dir, || R::open(dir))?,
        };
        guard(dir, || header::check(&raw, dir, fresh, options.schemas))?;
        if fresh {
            raw.establish()?;
            files::set_mark(dir, R::ENGINE)?;
        }
        Ok(Self {
            open: RwLock::new(Some(Open { raw, over: BTreeMap::new() })),
            dir: dir.to_owned(),
            room: options.room.clone(),
            redo: Mutex::new(redo),
            openings: AtomicU64::new(0),
            failed: OnceLock::new(),
            commits: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
        })
    }

    /// Calls the engine, if it is open.
    fn call<T>(&self, act: impl FnOnce(&Open<R>) -> Result<T, KvError>) -> Result<T, KvError> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let no_space = || KvError::NoSpace { what: format!("using the datastore in {}", self.dir.display()) };
        let open = open.as_ref().ok_or_else(no_space)?;
        guard(&self.dir, || act(open))
    }

    /// Calls the engine for a read; one that gave up for want of space is opened again.
    fn read<T>(&self, mut act: impl FnMut(&Open<R>) -> Result<T, KvError>) -> Result<T, KvError> {
        let opened = self.openings.load(Ordering::Acquire);
        match self.call(&mut act) {
            Err(error) if self.open_to_read(&error, opened) => self.call(act),
            result => result,
        }
    }

    /// Opens the engine again for readers, after one of them got this error in its `opened`-th opening. Whether it is
    /// open now.
    fn open_to_read(&self, error: &KvError, opened: u64) -> bool {
        // redb says so of everything behind the failure.
        if !matches!(error, KvError::NoSpace { .. } | KvError::ReadOnly { .. }) {
            return false;
        }
        let mut redo = self.redo.lock().unwrap_or_else(PoisonError::into_inner);
        if self.openings.load(Ordering::Acquire) != opened {
            return true;
        }
        redo.broken |= matches!(error, KvError::NoSpace { .. });
        if !redo.broken
            || self.failed.get().is_some()
            || redo.opened.is_some_and(|at| at.elapsed() < OPEN_EVERY)
        {
            return false;
        }
        redo.opened = Some(Instant::now());
        self.give_up_ballast();
        redo.quiet = true;
        let over = redo.over();
        self.open_again(|dir| R::open_quietly(dir).unwrap_or_else(|| R::open(dir)), |_| Ok(over)).is_ok()
    }

    /// The disk is nearly full: an engine that writes in the background is opened for reading only, while there is still
    /// room for it to be closed.
    fn rest(&self, redo: &mut Redo) -> Result<(), KvError> {
        let Some(room) = &self.room else { return Ok(()) };
        if redo.quiet || redo.broken || !self.call(|open| Ok(open.raw.writes_by_itself()))? {
            return Ok(());
        }
        if !room.has_left() {
            room.give_up_ballast();
            if !room.has_left() {
                // Somebody was faster. It cannot be opened again, and as it is it can be read.
                return Ok(());
            }
        }
        redo.quiet = true;
        redo.broken = true;
        let over = redo.over();
        self.open_again(|dir| R::open_quietly(dir).unwrap_or_else(|| R::open(dir)), |_| Ok(over))
    }

    /// Opens the engine again; `prepare` answers what is to lie over it.
    fn open_again(
        &self,
        open_raw: impl FnOnce(&Path) -> Result<R, KvError>,
        prepare: impl FnOnce(&R) -> Result<BTreeMap<Vec<u8>, Option<Bytes>>, KvError>,
    ) -> Result<(), KvError> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        // Its files belong to one handle at a time.
        drop(open.take());
        *open = Some(guard(&self.dir, || {
            let raw = open_raw(&self.dir)?;
            let over = prepare(&raw)?;
            Ok(Open { raw, over })
        })?);
        self.openings.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    fn give_up_ballast(&self) {
        if let Some(room) = &self.room {
            room.give_up_ballast();
        }
    }

    /// Applies a batch. When that fails, some of its rows may be there; so it counts as committed from then on, and the
    /// engine as damaged until it was applied anew.
    fn apply(&self, writes: Writes, bytes: usize, redo: &mut Redo) -> Result<(), KvError> {
        let applied = self.call(|open| open.raw.apply(writes.clone()));
        if let Err(KvError::TooLarge { .. } | KvError::Low { .. }) = &applied {
            return applied;
        }
        redo.batches.push(writes);
        redo.bytes += bytes;
        if applied.is_err() {
            self.give_up_ballast();
            files::set_torn(&self.dir)?;
            if let Some(open) = self.open.write().unwrap_or_else(PoisonError::into_inner).as_mut() {
                // Readers see all of it.
                open.over = redo.over();
            }
        }
        applied
    }

    fn check_room(&self, bytes: usize) -> Result<(), KvError> {
        let low = self.room.as_ref().and_then(|room| room.check(Use::Rows, bytes as u64).err());
        low.map_or(Ok(()), |low| Err(KvError::Low { low, path: self.dir.display().to_string() }))
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
            // That it cannot rest shows when it is read.
            KvError::Low { .. } => drop(self.rest(&mut redo)),
            other => drop(self.failed.set(other.to_string())),
        })
    }

    /// Opens the engine again after it found no space, and gives it what it may have lost.
    fn heal(&self, redo: &mut Redo) -> Result<(), KvError> {
        self.check_room(redo.bytes)?;
        let healed = self.open_again(R::open, |raw| {
            redo.batches.iter().try_for_each(|batch| raw.apply(batch.clone()))?;
            raw.sync()?;
            Ok(BTreeMap::new())
        });
        if healed.is_err() {
            // Not yet, then; readers go on.
            let over = redo.over();
            let _ = self.open_again(|dir| R::open_quietly(dir).unwrap_or_else(|| R::open(dir)), |_| Ok(over));
        }
        healed?;
        files::clear_torn(&self.dir)?;
        *redo = Redo::default();
        Ok(())
    }

    fn sync_now(&self, redo: &mut Redo) -> Result<(), KvError> {
        self.call(|open| open.raw.sync())?;
        *redo = Redo::default();
        Ok(())
    }
}

impl<R: Raw> KvBackend for Tables<R> {
    fn name(&self) -> &'static str {
        R::ENGINE.name()
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, KvError> {
        self.read(|open| open.get(&full_key(table, key)))
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
            self.read(|open| {
                rows.clear();
                open.scan(start.clone(), &mut |key, value| {
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
            tables.check_room(bytes)?;
            tables.apply(writes, bytes, redo)?;
            if redo.bytes > MAX_REDO { tables.sync_now(redo) } else { Ok(()) }
        })?;
        self.commits.fetch_add(1, Ordering::Relaxed);
        if let Some(room) = &self.room {
            room.restore_ballast();
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), KvError> {
        self.write(|tables, redo| tables.sync_now(redo))?;
        self.syncs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn stats(&self) -> KvStats {
        KvStats {
            disk_bytes: self.call(|open| Ok(open.raw.disk_bytes())).unwrap_or(0),
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
