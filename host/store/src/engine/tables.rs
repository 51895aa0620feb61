//! Tables on a flat engine, the same for all of them: a row's key there is the table's number and then the key.
//!
//! **A full disk passes.** Writes stop before the disk is full, see [`Room`]. But somebody else may fill it, and every
//! engine gives up for good when a write finds no space, and also stops reading. So what was committed since the last
//! sync is remembered (it is shared with the row cache, and at most [`MAX_REDO`]), and lies over what is read from then
//! on: the engine's files, where they can be read without it, which takes no room; or the engine, which is opened again
//! at once, with the room of the ballast. For writing, it is opened again once there is space, and gets those batches
//! once more. Any other failure of a write, and of a sync above all, makes the engine read-only until the node is
//! started again.

use std::{
    collections::BTreeMap,
    fs, mem,
    ops::Bound,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    Options,
    files::{self, guard, io_failed},
    header,
    opened::{Open, Over, Source},
    raw::{Look, Raw, Writes},
};
use crate::{
    kv::{KvBackend, KvError, KvStats, Table, WriteBatch},
    room::{Room, Use},
};

/// Bytes of batches after which a commit syncs by itself.
const MAX_REDO: usize = 64 << 20;
/// How often an engine that gave up is opened again to be read.
const OPEN_EVERY: Duration = Duration::from_secs(1);
/// How long to wait for reads to end, and for a lock of a process that ends, before files are opened again.
const ENDS: Duration = Duration::from_secs(5);

/// An open engine with tables.
pub(super) struct Tables<R> {
    /// None after it found no space, and could not be opened again yet.
    open: RwLock<Option<Arc<Open<R>>>>,
    dir: PathBuf,
    room: Option<Arc<Room>>,
    /// Commits and syncs one at a time; what was committed since the last sync.
    redo: Mutex<Redo<R>>,
    /// How often the engine was opened.
    openings: AtomicU64,
    /// Why no more writes are taken.
    failed: OnceLock<String>,
    commits: AtomicU64,
    syncs: AtomicU64,
}

struct Redo<R> {
    batches: Vec<Writes>,
    bytes: usize,
    /// The engine found no space: it has to be opened again before it is written.
    broken: bool,
    /// When it was opened again to be read.
    opened: Option<Instant>,
    /// Engines that gave up, and have to be closed before their files are opened again.
    aside: Vec<Arc<R>>,
    /// One of them could not be closed.
    held: bool,
}

impl<R> Default for Redo<R> {
    fn default() -> Self {
        Self { batches: Vec::new(), bytes: 0, broken: false, opened: None, aside: Vec::new(), held: false }
    }
}

impl<R> Redo<R> {
    /// What its batches leave.
    fn over(&self) -> Over {
        self.batches.iter().flatten().cloned().collect()
    }
}

impl<R: Raw> Tables<R> {
    /// Opens or creates the database in a directory.
    pub(super) fn open(dir: &Path, options: &Options) -> Result<Self, KvError> {
        fs::create_dir_all(dir).map_err(io_failed("creating", dir))?;
        let fresh = files::is_fresh(dir, R::ENGINE)?;
        files::check_torn(dir)?;
        let raw = guard(dir, || R::open(dir))?;
        guard(dir, || header::check(&raw, dir, fresh, options.schemas))?;
        if fresh {
            raw.establish()?;
            files::set_mark(dir, R::ENGINE)?;
        }
        Ok(Self {
            open: RwLock::new(Some(Arc::new(Open {
                source: Source::Engine(Arc::new(raw)),
                over: Over::new(),
            }))),
            dir: dir.to_owned(),
            room: options.room.clone(),
            redo: Mutex::default(),
            openings: AtomicU64::new(0),
            failed: OnceLock::new(),
            commits: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
        })
    }

    /// What is open.
    fn current(&self) -> Result<Arc<Open<R>>, KvError> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.clone().ok_or_else(|| self.no_space())
    }

    fn no_space(&self) -> KvError {
        KvError::NoSpace { what: format!("using the datastore in {}", self.dir.display()) }
    }

    /// Calls the engine, if it is open.
    fn call<T>(&self, act: impl FnOnce(&R) -> Result<T, KvError>) -> Result<T, KvError> {
        match &self.current()?.source {
            Source::Engine(raw) => guard(&self.dir, || act(raw)),
            Source::Files(_) => Err(self.no_space()),
        }
    }

    /// Reads; an engine that gave up for want of space is opened again.
    fn read<T>(&self, mut act: impl FnMut(&Open<R>) -> Result<T, KvError>) -> Result<T, KvError> {
        let opened = self.openings.load(Ordering::Acquire);
        let mut once = || {
            let open = self.current()?;
            guard(&self.dir, || act(&open))
        };
        match once() {
            Err(error) if self.open_to_read(&error, opened) => once(),
            result => result,
        }
    }

    /// Puts something else in the place of what is open.
    fn swap(&self, open: Option<Open<R>>) -> Option<Arc<Open<R>>> {
        let opens = u64::from(open.is_some());
        let mut place = self.open.write().unwrap_or_else(PoisonError::into_inner);
        let old = mem::replace(&mut *place, open.map(Arc::new));
        self.openings.fetch_add(opens, Ordering::AcqRel);
        old
    }

    /// The same, and what was open has to be closed before its files are opened again.
    fn put_aside(&self, open: Option<Open<R>>, redo: &mut Redo<R>) {
        if let Some(old) = self.swap(open)
            && let Source::Engine(raw) = &old.source
        {
            redo.aside.push(raw.clone());
        }
    }

    /// Opens the engine again for readers, after one of them got this error in its `opened`-th opening. Whether it is
    /// open now.
    fn open_to_read(&self, error: &KvError, opened: u64) -> bool {
        let files = self.current().is_ok_and(|open| matches!(open.source, Source::Files(_)));
        // redb says that it is read-only of everything behind the failure. Files may have been written over meanwhile.
        if !files && !matches!(error, KvError::NoSpace { .. } | KvError::ReadOnly { .. }) {
            return false;
        }
        let mut redo = self.redo.lock().unwrap_or_else(PoisonError::into_inner);
        if self.openings.load(Ordering::Acquire) != opened {
            return true;
        }
        redo.broken |= matches!(error, KvError::NoSpace { .. });
        if redo.opened.is_some_and(|at| at.elapsed() < OPEN_EVERY) {
            return false;
        }
        redo.opened = files.then(Instant::now);
        if self.look(&mut redo) {
            return true;
        }
        if !redo.broken || self.failed.get().is_some() {
            return false;
        }
        redo.opened = Some(Instant::now());
        self.give_up_ballast();
        let over = redo.over();
        self.open_again(&mut redo, R::open, |_| Ok(over)).is_ok()
    }

    /// Lets readers read the files as they stand, if that can be done without the engine, and puts the engine aside.
    /// Whether that was done.
    fn look(&self, redo: &mut Redo<R>) -> bool {
        let Ok(Some(files)) = guard(&self.dir, || R::look(&self.dir).transpose()) else { return false };
        self.put_aside(Some(Open { source: Source::Files(files), over: redo.over() }), redo);
        redo.broken = true;
        true
    }

    /// The same, if it was not done yet.
    fn look_now(&self, redo: &mut Redo<R>) {
        if self.current().is_ok_and(|open| matches!(open.source, Source::Engine(_))) {
            self.look(redo);
        }
    }

    /// Closes engines that gave up, and frees their files.
    fn close_aside(&self, redo: &mut Redo<R>) -> Result<(), KvError> {
        let deadline = Instant::now() + ENDS;
        for mut raw in mem::take(&mut redo.aside) {
            let owned = loop {
                match Arc::try_unwrap(raw) {
                    Ok(owned) => break Some(owned),
                    Err(_) if Instant::now() > deadline => break None,
                    Err(shared) => raw = shared,
                }
                thread::sleep(Duration::from_millis(1));
            };
            redo.held |= !owned.is_some_and(|raw| guard(&self.dir, || Ok(raw.close())).unwrap_or(false));
        }
        if redo.held {
            let old = guard(&self.dir, || R::free_files(&self.dir))?;
            redo.held = false;
            if self.look(redo) {
                // It is held until the process ends, and so is its room.
                let _ = old.set_len(0);
            }
        }
        Ok(())
    }

    /// Opens files that were closed just now: whoever still writes to them holds their lock until that is done.
    fn open_freed(&self, open: impl Fn(&Path) -> Result<R, KvError>) -> Result<R, KvError> {
        let deadline = Instant::now() + ENDS;
        loop {
            match guard(&self.dir, || open(&self.dir)) {
                Err(KvError::Locked { .. }) if Instant::now() < deadline => {
                    thread::sleep(Duration::from_millis(5));
                }
                result => return result,
            }
        }
    }

    /// Opens the engine again; `prepare` answers what is to lie over it. Where readers can have the files meanwhile,
    /// they do, and in the other case they wait.
    fn open_again(
        &self,
        redo: &mut Redo<R>,
        open_raw: impl Fn(&Path) -> Result<R, KvError>,
        prepare: impl FnOnce(&R) -> Result<Over, KvError>,
    ) -> Result<(), KvError> {
        let looked = self.look(redo);
        if !looked {
            // Its files belong to one handle at a time.
            self.put_aside(None, redo);
        }
        self.close_aside(redo)?;
        let prepared = self.open_freed(open_raw).and_then(|raw| {
            let prepared = guard(&self.dir, || prepare(&raw));
            let raw = Arc::new(raw);
            if prepared.is_err() {
                redo.aside.push(raw.clone());
            }
            Ok(Open { source: Source::Engine(raw), over: prepared? })
        });
        match prepared {
            Ok(open) => {
                self.swap(Some(open));
                Ok(())
            }
            Err(error) => {
                if looked {
                    self.look(redo);
                }
                Err(error)
            }
        }
    }

    fn give_up_ballast(&self) {
        if let Some(room) = &self.room {
            room.give_up_ballast();
        }
    }

    /// Applies a batch. When that fails, some of its rows may be there; so it counts as committed from then on, and the
    /// engine as damaged until it was applied anew.
    fn apply(&self, writes: Writes, bytes: usize, redo: &mut Redo<R>) -> Result<(), KvError> {
        let applied = self.call(|raw| raw.apply(writes.clone()));
        if let Err(KvError::TooLarge { .. } | KvError::Low { .. }) = &applied {
            return applied;
        }
        redo.batches.push(writes);
        redo.bytes += bytes;
        if applied.is_err() {
            // Readers see all of it.
            if !self.look(redo)
                && let Source::Engine(raw) = &self.current()?.source
            {
                self.swap(Some(Open { source: Source::Engine(raw.clone()), over: redo.over() }));
            }
            self.give_up_ballast();
            files::set_torn(&self.dir)?;
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
        act: impl FnOnce(&Self, &mut MutexGuard<'_, Redo<R>>) -> Result<T, KvError>,
    ) -> Result<T, KvError> {
        let mut redo = self.redo.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = self.failed.get() {
            return Err(KvError::ReadOnly { reason: reason.clone() });
        }
        let healed = if redo.broken { self.heal(&mut redo) } else { Ok(()) };
        healed.and_then(|()| act(self, &mut redo)).inspect_err(|error| match error {
            KvError::TooLarge { .. } | KvError::Low { .. } => {}
            KvError::NoSpace { .. } => {
                redo.broken = true;
                self.look_now(&mut redo);
            }
            other => {
                // What waits for ever must not be read.
                if matches!(other, KvError::ReadOnly { .. }) {
                    self.look_now(&mut redo);
                }
                let _ = self.failed.set(other.to_string());
            }
        })
    }

    /// Opens the engine again after it found no space, and gives it what it may have lost.
    fn heal(&self, redo: &mut Redo<R>) -> Result<(), KvError> {
        self.check_room(redo.bytes)?;
        let batches = redo.batches.clone();
        let healed = self.open_again(redo, R::open, |raw| {
            let applied = batches.into_iter().try_for_each(|batch| raw.apply(batch));
            applied.inspect_err(|_| drop(files::set_torn(&self.dir)))?;
            raw.sync()?;
            Ok(Over::new())
        });
        if healed.is_err() && self.current().is_err() {
            // Not yet, then; readers go on.
            let over = redo.over();
            let _ = self.open_again(redo, R::open, |_| Ok(over));
        }
        healed?;
        files::clear_torn(&self.dir)?;
        *redo = Redo::default();
        Ok(())
    }

    fn sync_now(&self, redo: &mut Redo<R>) -> Result<(), KvError> {
        self.call(R::sync)?;
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
