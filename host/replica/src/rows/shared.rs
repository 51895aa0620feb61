//! What readers and the committer share: rows that the engine does not hold yet, caches, and the engine.

use std::{
    ops::Bound,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use numax_crdt::{RowError, VersionVector};
use numax_store::{KvBackend, KvError, KvStats, Table, WriteBatch};

use super::{
    cache::RowCache,
    frozen::EngineSide,
    name,
    origins::Origins,
    overlay::{Cell, Overlay},
    ranges::RangeCache,
    scan::{Page, Want},
};

/// Rows that are moved to the caches under one hold of the lock.
const SETTLE_CHUNK: usize = 256;

/// Committed rows of a datastore.
pub(crate) struct Shared {
    engine: RwLock<Arc<dyn KvBackend>>,
    state: RwLock<State>,
    vector: RwLock<VersionVector>,
    side: Mutex<EngineSide>,
    /// No reader can have seen rows behind this log position. Only grows, unless rows are taken back.
    visible: AtomicU64,
    /// Counts the times that rows were taken back.
    taken_back: AtomicU64,
    /// The operator knows that a row is damaged.
    damage_is_known: AtomicBool,
    /// Texts that are being edited.
    #[cfg(feature = "text")]
    pub(crate) texts: Arc<crate::texts::Texts>,
}

/// What lies in front of the engine.
pub(crate) struct State {
    /// Rows committed since the last freeze.
    pub(crate) active: Overlay,
    /// Rows on their way to the engine.
    pub(crate) frozen: Option<Arc<Overlay>>,
    pub(crate) cache: RowCache,
    pub(crate) ranges: RangeCache,
    pub(crate) origins: Origins,
    /// Counts the times that frozen rows were dropped: what was read from the engine counts only within one epoch,
    /// because only then everything newer is in an overlay.
    pub(crate) epoch: u64,
    /// Frozen rows are being moved to the caches: nothing that a reader loaded may get there now.
    settling: bool,
}

impl State {
    /// The row as far as it is in memory; none when only the engine knows.
    pub(crate) fn get(&self, row: &[u8]) -> Option<Cell> {
        if let Some(cell) = self.active.get(row) {
            return Some(cell.clone());
        }
        if let Some(cell) = self.frozen.as_ref().and_then(|frozen| frozen.get(row)) {
            return Some(cell.clone());
        }
        if let Some(cell) = self.cache.get(row) {
            return Some(cell.clone());
        }
        let prefix = row.get(..name::value_prefix_len(row)?)?;
        self.ranges.get(prefix, row)
    }
}

impl Shared {
    pub(crate) fn new(engine: Arc<dyn KvBackend>, cache_rows: usize, cache_bytes: usize) -> Self {
        let state = State {
            active: Overlay::default(),
            frozen: None,
            cache: RowCache::new(cache_rows, cache_bytes),
            ranges: RangeCache::new(cache_rows),
            origins: Origins::default(),
            epoch: 0,
            settling: false,
        };
        Self {
            engine: RwLock::new(engine),
            state: RwLock::new(state),
            vector: RwLock::default(),
            side: Mutex::default(),
            visible: AtomicU64::new(0),
            taken_back: AtomicU64::new(0),
            damage_is_known: AtomicBool::new(false),
            #[cfg(feature = "text")]
            texts: Arc::default(),
        }
    }

    /// Where the engine is. Hold it while writing the engine's rows; a picture of them is taken under it.
    pub(crate) fn engine_side(&self) -> MutexGuard<'_, EngineSide> {
        self.side.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn engine(&self) -> Arc<dyn KvBackend> {
        self.engine.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a closed engine in the place of the open one, which is handed out: readers may outlive the datastore, and
    /// must not keep its files open.
    pub(crate) fn close_engine(&self) -> Arc<dyn KvBackend> {
        let mut engine = self.engine.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *engine, Arc::new(ClosedEngine))
    }

    // A poisoned lock means that a thread panicked between two whole changes; the state is sound.
    pub(crate) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn vector(&self) -> RwLockReadGuard<'_, VersionVector> {
        self.vector.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn vector_mut(&self) -> RwLockWriteGuard<'_, VersionVector> {
        self.vector.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on readers may see rows up to this log position.
    pub(crate) fn shows(&self, position: u64) {
        self.visible.store(position, Ordering::Release);
    }

    /// The log position behind which no reader can have seen rows.
    pub(crate) fn visible(&self) -> u64 {
        self.visible.load(Ordering::Acquire)
    }

    /// How often rows were taken back.
    pub(crate) fn times_taken_back(&self) -> u64 {
        self.taken_back.load(Ordering::Acquire)
    }

    /// Tells the operator of damage that was met in reading, once. Guests are told each time, and can do nothing.
    fn note(&self, error: &KvError) {
        if matches!(error, KvError::Corrupt { .. }) && self.is_first_damage() {
            tracing::error!(
                "{error}; stop the node: `numax repair` builds the rows anew from the log, or says what else helps (said \
                 of the first damaged row only)"
            );
        }
    }

    /// Whether no damaged row was met before.
    pub(crate) fn is_first_damage(&self) -> bool {
        !self.damage_is_known.swap(true, Ordering::Relaxed)
    }

    /// Goes back to what lay in front of the engine at an earlier log position: what came after it is gone.
    pub(crate) fn take_back(&self, earlier: State, position: u64) {
        let mut state = self.state_mut();
        // What a reader has loaded by now must not get among these rows.
        let epoch = state.epoch + 1;
        *state = State { epoch, ..earlier };
        self.taken_back.fetch_add(1, Ordering::AcqRel);
        self.shows(position);
        #[cfg(feature = "text")]
        self.texts.forget_kept();
    }

    /// What lies in front of the engine, of a datastore that nobody else reads.
    pub(crate) fn into_state(self) -> State {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// The committed row; may block.
    pub(crate) fn get_blocking(&self, row: &[u8]) -> Result<Cell, KvError> {
        let epoch = {
            let state = self.state();
            if let Some(cell) = state.get(row) {
                return Ok(cell);
            }
            state.epoch
        };
        let cell = engine_get(&*self.engine(), row).inspect_err(|error| self.note(error))?;
        Ok(self.admit(row, cell, epoch))
    }

    /// Takes a row that was read from the engine in an epoch, and answers what counts.
    fn admit(&self, row: &[u8], cell: Cell, epoch: u64) -> Cell {
        let mut state = self.state_mut();
        if let Some(newer) = state.get(row) {
            return newer;
        }
        if state.epoch == epoch && !state.settling {
            state.cache.put(&Bytes::copy_from_slice(row), &cell);
        }
        cell
    }

    /// Reads from the engine what a reader wants; blocks. Answers the epoch in which it counts.
    pub(crate) fn load(&self, want: &Want) -> Result<(u64, Page), KvError> {
        let epoch = self.state().epoch;
        let page = want.read(&*self.engine()).inspect_err(|error| self.note(error))?;
        let mut state = self.state_mut();
        if state.epoch == epoch && !state.settling {
            want.keep(&page, &mut state);
        }
        Ok((epoch, page))
    }

    /// Freezes the active overlay, also an empty one, to be written to the engine; none when a frozen one is left.
    pub(crate) fn freeze(&self) -> Option<Arc<Overlay>> {
        let mut state = self.state_mut();
        if state.frozen.is_some() {
            return None;
        }
        let frozen = Arc::new(std::mem::take(&mut state.active));
        state.frozen = Some(frozen.clone());
        Some(frozen)
    }

    /// The frozen overlay is in the engine: its rows move to the caches, in pieces so that nobody waits long.
    pub(crate) fn settle(&self) {
        let frozen = {
            let mut state = self.state_mut();
            state.settling = state.frozen.is_some();
            state.frozen.clone()
        };
        // A flush that is tried again after its rows were settled has nothing left to settle.
        let Some(frozen) = frozen else { return };
        let rows: Vec<(&Bytes, &Cell)> = frozen.iter().collect();
        for chunk in rows.chunks(SETTLE_CHUNK) {
            let mut state = self.state_mut();
            for (row, cell) in chunk {
                if let Some(len) = name::value_prefix_len(row)
                    && let Some(prefix) = row.get(..len)
                {
                    state.ranges.follow(prefix, row, cell);
                }
                if row.first() != Some(&(Table::Origins as u8)) {
                    state.cache.put(row, cell);
                }
            }
        }
        let mut state = self.state_mut();
        state.frozen = None;
        state.settling = false;
        state.epoch += 1;
    }
}

/// The engine of a datastore that was closed.
struct ClosedEngine;

impl KvBackend for ClosedEngine {
    fn name(&self) -> &'static str {
        "closed"
    }

    fn get(&self, _: Table, _: &[u8]) -> Result<Option<Bytes>, KvError> {
        Err(KvError::Closed)
    }

    fn scan(&self, _: Table, _: Bound<&[u8]>, _: &[u8], _: usize) -> Result<Vec<(Bytes, Bytes)>, KvError> {
        Err(KvError::Closed)
    }

    fn commit(&self, _: WriteBatch) -> Result<(), KvError> {
        Err(KvError::Closed)
    }

    fn sync(&self) -> Result<(), KvError> {
        Err(KvError::Closed)
    }

    fn stats(&self) -> KvStats {
        KvStats::default()
    }
}

/// Splits a row's name into table and key.
pub(crate) fn table_and_key(row: &[u8]) -> Option<(Table, &[u8])> {
    let (number, key) = row.split_first()?;
    Table::ALL.into_iter().find(|table| *table as u8 == *number).map(|table| (table, key))
}

/// A row from the engine.
pub(crate) fn engine_get(engine: &dyn KvBackend, row: &[u8]) -> Result<Cell, KvError> {
    match table_and_key(row) {
        Some((table, key)) => engine.get(table, key),
        None => Ok(None),
    }
}

/// An engine's error as a family sees it.
pub(crate) fn row_error(error: &KvError) -> RowError {
    RowError::Unavailable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use numax_store::mem::MemBackend;

    fn flush(shared: &Shared) {
        let frozen = shared.freeze().unwrap();
        let mut batch = WriteBatch::new();
        for (row, cell) in frozen.iter() {
            let (table, key) = table_and_key(row).unwrap();
            batch.put(table, row.slice_ref(key), cell.clone().unwrap());
        }
        shared.engine().commit(batch).unwrap();
        shared.settle();
    }

    #[test]
    fn what_was_read_before_a_flush_is_not_kept_after_it() {
        let shared = Shared::new(Arc::new(MemBackend::new()), 100, 1 << 20);
        let row = Bytes::from(name::local(b"k"));
        let put = |value: &'static str| shared.state_mut().active.put(row.clone(), Some(value.into()));
        put("old");
        flush(&shared);
        // A reader reads "old" from the engine; before it comes back, the row is written and flushed, and pushed
        // out of the cache.
        let (epoch, stale) = (shared.state().epoch, engine_get(&*shared.engine(), &row).unwrap());
        put("new");
        flush(&shared);
        shared.state_mut().cache = RowCache::new(100, 1 << 20);
        shared.admit(&row, stale, epoch);
        assert_eq!(shared.get_blocking(&row).unwrap(), Some("new".into()));
        // Within one epoch the overlay says what counts.
        put("newer");
        let (epoch, stale) = (shared.state().epoch, engine_get(&*shared.engine(), &row).unwrap());
        assert_eq!(shared.admit(&row, stale, epoch), Some("newer".into()));
    }
}
