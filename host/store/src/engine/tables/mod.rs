//! Tables on a flat engine, the same for all of them: a row's key there is the table's number and then the key.
//!
//! **A full disk passes.** Writes stop before the disk is full, see [`Room`]. But somebody else may fill it, and every
//! engine gives up for good when a write finds no space, and also stops reading. So what was committed since the last
//! sync is remembered (it is shared with the row cache, and at most [`MAX_REDO`]), and lies over what is read from then
//! on: the engine's files, where they can be read without it, which takes no room; or the engine, which is opened again
//! at once, with the room of the ballast. For writing, it is opened again once there is space, and gets those batches
//! once more. Any other failure of a write, and of a sync above all, makes the engine read-only until the node is
//! started again.

mod open;
mod reopen;

use std::{
    collections::BTreeMap,
    fs,
    ops::Bound,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;

use self::open::{Open, Over, Source};
use super::{
    Options,
    files::{self, guard, io_failed},
    header,
    raw::{Look, Raw, Writes},
};
use crate::{
    kv::{KvBackend, KvError, KvStats, Table, WriteBatch},
    room::{Room, Use},
};

/// Bytes of batches after which a commit syncs by itself.
const MAX_REDO: usize = 64 << 20;
/// How often a read is tried again on what was opened anew meanwhile.
const MAX_READS: usize = 8;

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
        let mut once = || {
            let open = self.current()?;
            guard(&self.dir, || act(&open))
        };
        for _ in 1..MAX_READS {
            let opened = self.openings.load(Ordering::Acquire);
            match once() {
                Err(error) if self.open_to_read(&error, opened) => {}
                result => return result,
            }
        }
        once()
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
