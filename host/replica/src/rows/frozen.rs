//! A still picture of the rows: what the engine held at one log position, readable in order while writing goes on.
//!
//! Engines have no snapshots of their own that we could rely on, but all rows reach them through one door, the flush.
//! So a flush first hands the picture the old content of every row that it is about to change; the picture reads a
//! page of the engine and lays what it was handed over it. Order makes this safe without holding anything up: the old
//! content is kept *before* the engine changes, and the page is read *before* what was kept is looked at. Whatever
//! happens between, a changed row is among the kept ones.
//!
//! A picture costs one read per row that is written while it lives, and the memory of those rows; what is too much for
//! memory goes to files. Beyond its limit it expires, and whoever reads from it begins with a new one.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use bytes::Bytes;
use numax_crdt::{ApplyError, Hlc, Kind, Origin, RowError, Rows, VersionVector};
use numax_store::{Disk, DiskError, KvBackend, KvError};

use super::{
    name::NameBuffer,
    overlay::{Cell, Overlay},
    runs::Runs,
    scan,
    shared::{Shared, engine_get, row_error},
};
use crate::log::LogCursor;

/// What the engine holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct EngineAt {
    /// The log position that its rows include.
    pub position: u64,
    /// Everything applied up to there.
    pub vector: VersionVector,
    /// The node's clock there, or what it knows of the clocks of those that it has rows from: nothing that is forgotten in
    /// the rows is later.
    pub clock: Hlc,
    /// Rows may show what the vector does not know yet: a transfer of state is under way, or brought more than it claims.
    pub ahead: bool,
}

/// Something that wants to know what rows were before they change. Called with the engine's side locked.
pub(crate) trait Picture: Send + Sync {
    /// Whether it knows this row already, or does not want to.
    fn has(&self, row: &[u8]) -> bool;
    /// What the row was.
    fn keep(&self, row: &Bytes, cell: &Cell);
    /// What a row was could not be read.
    fn expire(&self);
}

/// The engine's place in the log, and the pictures that were taken of it. Locked while the engine is written.
#[derive(Debug, Default)]
pub(crate) struct EngineSide {
    at: EngineAt,
    pictures: Vec<Weak<dyn Picture>>,
    /// How many were taken.
    taken: u64,
}

impl EngineSide {
    /// Hands the pictures what these rows are now, before they change.
    pub(crate) fn keep(&mut self, engine: &dyn KvBackend, rows: &Overlay) {
        self.pictures.retain(|picture| picture.strong_count() > 0);
        let pictures: Vec<Arc<dyn Picture>> = self.pictures.iter().filter_map(Weak::upgrade).collect();
        for (row, _) in rows.iter() {
            if pictures.iter().all(|picture| picture.has(row)) {
                continue;
            }
            match engine_get(engine, row) {
                Ok(cell) => pictures.iter().for_each(|picture| picture.keep(row, &cell)),
                Err(_) => pictures.iter().for_each(|picture| picture.expire()),
            }
        }
    }

    /// From now on this one is told.
    pub(crate) fn add(&mut self, picture: &Arc<impl Picture + 'static>) {
        let picture: Arc<dyn Picture> = picture.clone();
        self.pictures.push(Arc::downgrade(&picture));
    }

    /// The engine was written up to here.
    pub(crate) fn moved(&mut self, at: EngineAt) {
        self.at = at;
    }
}

#[derive(Default)]
struct Kept {
    rows: BTreeMap<Bytes, Cell>,
    bytes: usize,
    /// What was kept before and did not fit; what it says of a row was there earlier.
    runs: Option<Runs>,
    expired: bool,
}

/// Rows as they were at one log position. See the module's text.
pub struct FrozenRows {
    shared: Arc<Shared>,
    at: EngineAt,
    kept: Mutex<Kept>,
    max_bytes: usize,
    /// A large page that is being read in parts, by the name that it begins after.
    large: Mutex<Option<(Bytes, Bytes)>>,
}

/// Why a picture cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FrozenError {
    /// Too much was written while it lived.
    #[error("too much was written while the rows were read; begin again")]
    Expired,
    /// They show more than the vector knows.
    #[error("this node is taking over rows itself and cannot say yet what they include")]
    Ahead,
    /// There is something in the rows that nobody else may get yet.
    #[error(
        "this node holds back what it wrote since it was restored, until it has caught up with the cluster"
    )]
    HeldBack,
    /// Whoever reads asks for what is not there.
    #[error("the peer asks for a page of rows at a place that is none")]
    Cursor,
    /// One value is too large to be handed on.
    #[error(
        "a text takes {size} bytes, more than the {limit} that can be transferred to another node; write its content to a \
         new one"
    )]
    TooLarge {
        /// Its bytes.
        size: usize,
        /// What is possible.
        limit: usize,
    },
    /// The engine cannot be read.
    #[error(transparent)]
    Engine(#[from] KvError),
    /// What was kept of overwritten rows cannot be read.
    #[error(transparent)]
    Kept(#[from] DiskError),
    /// A row cannot be read.
    #[error(transparent)]
    Row(#[from] ApplyError),
}

/// Rows with their whole names (table number, then the key in the table), in order.
pub type FrozenPage = Vec<(Bytes, Bytes)>;

impl FrozenRows {
    /// What an entry costs besides its bytes.
    const ENTRY_COST: usize = 128;

    /// Whether the rows may show what [`as_of`](Self::as_of) does not know.
    #[must_use]
    pub fn is_ahead(&self) -> bool {
        self.at.ahead
    }

    /// How often what is in memory may go to a file.
    const RUNS: usize = 16;

    /// `max_bytes` of overwritten rows may be in memory, and sixteen times as many on `disk`.
    pub(crate) fn take(shared: &Arc<Shared>, disk: Arc<dyn Disk>, max_bytes: usize) -> Arc<Self> {
        let mut side = shared.engine_side();
        side.taken += 1;
        let kept = Kept { runs: Some(Runs::new(disk, side.taken)), ..Kept::default() };
        let (kept, large) = (Mutex::new(kept), Mutex::default());
        let picture = Arc::new(Self { shared: shared.clone(), at: side.at.clone(), kept, max_bytes, large });
        side.add(&picture);
        picture
    }

    /// Exactly what the rows include. All of it is synced, in the log or in the engine.
    pub fn as_of(&self) -> &VersionVector {
        &self.at.vector
    }

    /// The log position that the rows include: where the log goes on from them.
    pub fn position(&self) -> LogCursor {
        LogCursor(self.at.position)
    }

    /// A time that nothing which is forgotten in the rows is after: that of the node's clock at that position, or a later one
    /// that came with rows of others.
    pub fn clock(&self) -> Hlc {
        self.at.clock
    }

    /// Up to `limit` rows that start with `prefix` (a table's number and on), after the name `after` (empty: from the
    /// first), and the name to go on after, none at the end. A page may be empty and not the last. Blocks.
    ///
    /// # Errors
    /// [`FrozenError::Expired`] when too much was written since the picture was taken.
    pub fn rows(
        &self,
        prefix: &[u8],
        after: &[u8],
        limit: usize,
    ) -> Result<(FrozenPage, Option<Bytes>), FrozenError> {
        let engine = self.shared.engine();
        let page = scan::engine_scan(&*engine, prefix, after, limit.max(1))?;
        let horizon = if page.last { None } else { page.rows.last().map(|(row, _)| row.clone()) };
        let kept = self.kept();
        if kept.expired {
            return Err(FrozenError::Expired);
        }
        let from = if after < prefix { Bound::Included(prefix) } else { Bound::Excluded(after) };
        let mut rows: BTreeMap<Bytes, Bytes> = page.rows.into_iter().collect();
        let laid = kept.rows.range::<[u8], _>((from, Bound::Unbounded)).take_while(|(row, _)| {
            row.starts_with(prefix) && horizon.as_ref().is_none_or(|horizon| *row <= horizon)
        });
        let mut laid: BTreeMap<Bytes, Cell> = laid.map(|(row, cell)| (row.clone(), cell.clone())).collect();
        if let Some(runs) = &kept.runs {
            runs.range(prefix, after, horizon.as_deref(), &mut laid)?;
        }
        for (row, cell) in laid {
            match cell {
                Some(value) => rows.insert(row, value),
                None => rows.remove(&row),
            };
        }
        Ok((rows.into_iter().collect(), horizon))
    }

    /// The rows of one value, for a family to read.
    pub(crate) fn value(&self, kind: Kind, key: &numax_crdt::Key) -> FrozenValue<'_> {
        FrozenValue { picture: self, name: NameBuffer::new(kind, key) }
    }

    fn row(&self, row: &[u8]) -> Result<Cell, RowError> {
        let now = engine_get(&*self.shared.engine(), row).map_err(|error| row_error(&error))?;
        let kept = self.kept();
        let older = kept.runs.as_ref().map(|runs| runs.get(row)).transpose();
        let older = older.map_err(|error| RowError::Unavailable(error.to_string()))?.flatten();
        Ok(older.or_else(|| kept.rows.get(row).cloned()).unwrap_or(now))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The page after a name, if it is the one that is being read in parts.
    pub(crate) fn large_page(&self, from: &Bytes) -> Option<Bytes> {
        let large = self.large.lock().unwrap_or_else(PoisonError::into_inner);
        large.as_ref().filter(|(name, _)| name == from).map(|(_, page)| page.clone())
    }

    /// Takes note of a page that is being read in parts.
    pub(crate) fn keep_large_page(&self, page: Option<(Bytes, Bytes)>) {
        *self.large.lock().unwrap_or_else(PoisonError::into_inner) = page;
    }

    /// Whether it can no longer be read.
    pub fn expired(&self) -> bool {
        self.kept().expired
    }
}

impl Picture for FrozenRows {
    fn has(&self, row: &[u8]) -> bool {
        let kept = self.kept();
        kept.expired || kept.rows.contains_key(row)
    }

    fn keep(&self, row: &Bytes, cell: &Cell) {
        let mut kept = self.kept();
        if kept.expired || kept.rows.contains_key(row) {
            return;
        }
        kept.bytes += row.len() + cell.as_ref().map_or(0, Bytes::len) + Self::ENTRY_COST;
        kept.rows.insert(row.clone(), cell.clone());
        if kept.bytes > self.max_bytes && !kept.spill() {
            drop(kept);
            self.expire();
        }
    }

    fn expire(&self) {
        let mut kept = self.kept();
        kept.expired = true;
        kept.rows.clear();
        kept.runs = None;
    }
}

impl Kept {
    /// Writes what is in memory to a file; `false` when that cannot be.
    fn spill(&mut self) -> bool {
        let Some(runs) = self.runs.as_mut().filter(|runs| runs.len() < FrozenRows::RUNS) else {
            return false;
        };
        if let Err(error) = runs.add(&self.rows) {
            tracing::warn!(%error, "a picture of the rows ends early, because what it keeps cannot be written");
            return false;
        }
        self.rows.clear();
        self.bytes = 0;
        true
    }
}

impl std::fmt::Debug for FrozenRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrozenRows").field("position", &self.at.position).finish_non_exhaustive()
    }
}

/// One value's rows in a picture.
pub(crate) struct FrozenValue<'a> {
    picture: &'a FrozenRows,
    name: NameBuffer,
}

impl Rows for FrozenValue<'_> {
    fn get(&self, sub: &[u8]) -> Result<Option<Bytes>, RowError> {
        self.name.with(sub, |row| self.picture.row(row))
    }

    fn put(&mut self, _sub: &[u8], _value: Bytes) -> Result<(), RowError> {
        Err(read_only())
    }

    fn delete(&mut self, _sub: &[u8]) -> Result<(), RowError> {
        Err(read_only())
    }

    fn scan(&self, after: Option<&[u8]>, limit: usize) -> Result<Vec<(Bytes, Bytes)>, RowError> {
        let prefix = self.name.with(b"", <[u8]>::to_vec);
        let mut after = after.map_or(Bytes::new(), |sub| self.name.with(sub, Bytes::copy_from_slice));
        let mut out = Vec::new();
        while out.len() < limit {
            let (rows, next) = self
                .picture
                .rows(&prefix, &after, limit - out.len())
                .map_err(|error| RowError::Unavailable(error.to_string()))?;
            out.extend(rows.into_iter().map(|(row, value)| (row.slice(prefix.len()..), value)));
            match next {
                Some(next) => after = next,
                None => break,
            }
        }
        out.truncate(limit);
        Ok(out)
    }

    fn intern(&mut self, origin: &Origin) -> Result<u32, RowError> {
        self.lookup(origin)?.ok_or_else(read_only)
    }

    fn lookup(&self, origin: &Origin) -> Result<Option<u32>, RowError> {
        Ok(self.picture.shared.state().origins.lookup(origin))
    }

    fn origin(&self, id: u32) -> Result<Origin, RowError> {
        self.picture.shared.state().origins.origin(id).ok_or(RowError::UnknownOrigin(id))
    }
}

fn read_only() -> RowError {
    RowError::Unavailable("a read tried to write; this is a fault of numax".to_string())
}
