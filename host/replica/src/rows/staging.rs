//! Rows that a group of batches writes, before its append succeeded. Dropping the staging area undoes all of it.

use std::{cell::RefCell, hash::BuildHasher};

use bytes::Bytes;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use numax_crdt::{Key, Kind, Origin, RowError, Rows};
use numax_store::KvError;

use super::{
    map::HashMap,
    name::NameBuffer,
    origins::{self, Origins},
    overlay::Cell,
    shared::{Shared, row_error},
    view::{Access, Supplied},
};

/// Rows above which the area gives its memory back with the group.
const KEEP_ROWS: usize = 8192;

/// What a group has written so far, and what it has read: an operation reads each row that it writes, most of them
/// twice.
#[derive(Debug, Default)]
pub(crate) struct Staging {
    rows: RefCell<Touched>,
    /// Origins that get a number with this group.
    new_origins: Vec<Origin>,
    /// Numbers that were asked for in this group.
    numbers: HashMap<Origin, u32>,
    /// For names in the making.
    scratch: Vec<u8>,
}

/// Rows in the order in which they were first touched. Only this thread changes committed rows, so what was read of
/// them holds until the group ends.
#[derive(Debug, Default)]
struct Touched {
    rows: Vec<Row>,
    /// Where each is, by its name.
    index: HashTable<usize>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Row {
    name: Bytes,
    cell: Cell,
    written: bool,
}

impl Touched {
    fn find(&self, hash: u64, name: &[u8]) -> Option<usize> {
        let is = |at: &usize| self.rows.get(*at).is_some_and(|row| row.name == name);
        self.index.find(hash, is).copied()
    }

    fn add(&mut self, hash: u64, name: &[u8], cell: Cell, written: bool) {
        let Self { rows, index, hasher } = self;
        let rehash = |at: &usize| rows.get(*at).map_or(0, |row| hasher.hash_one(&row.name[..]));
        index.insert_unique(hash, rows.len(), rehash);
        rows.push(Row { name: Bytes::copy_from_slice(name), cell, written });
    }

    fn clear(&mut self) {
        if self.rows.capacity() > KEEP_ROWS {
            (self.rows, self.index) = (Vec::new(), HashTable::new());
        }
        self.rows.clear();
        self.index.clear();
    }
}

impl Staging {
    pub(crate) fn put(&mut self, name: &[u8], cell: Cell) {
        let touched = self.rows.get_mut();
        let hash = touched.hasher.hash_one(name);
        match touched.find(hash, name).and_then(|at| touched.rows.get_mut(at)) {
            Some(row) => {
                row.cell = cell;
                row.written = true;
            }
            None => touched.add(hash, name, cell, true),
        }
    }

    /// The staged row, or else the committed one; may block.
    pub(crate) fn get(&self, shared: &Shared, name: &[u8]) -> Result<Cell, KvError> {
        let hash = {
            let touched = self.rows.borrow();
            let hash = touched.hasher.hash_one(name);
            if let Some(row) = touched.find(hash, name).and_then(|at| touched.rows.get(at)) {
                return Ok(row.cell.clone());
            }
            hash
        };
        let cell = shared.get_blocking(name)?;
        self.rows.borrow_mut().add(hash, name, cell.clone(), false);
        Ok(cell)
    }

    /// The names of staged rows that start with `prefix`.
    pub(crate) fn names(&self, prefix: &[u8]) -> Vec<Bytes> {
        let touched = self.rows.borrow();
        let named = touched.rows.iter().filter(|row| row.written && row.name.starts_with(prefix));
        named.map(|row| row.name.clone()).collect()
    }

    fn lookup(&self, known: &Origins, origin: &Origin) -> Option<u32> {
        known.lookup(origin).or_else(|| {
            let at = self.new_origins.iter().position(|new| new == origin)?;
            Some(known.next().saturating_add(u32::try_from(at).ok()?))
        })
    }

    fn intern(&mut self, shared: &Shared, origin: &Origin) -> u32 {
        if let Some(number) = self.numbers.get(origin) {
            return *number;
        }
        let (found, next) = {
            let state = shared.state();
            (self.lookup(&state.origins, origin), state.origins.next())
        };
        let number = found.unwrap_or_else(|| {
            let number = next.saturating_add(u32::try_from(self.new_origins.len()).unwrap_or(u32::MAX));
            self.new_origins.push(*origin);
            self.put(&origins::row_name(number), Some(origins::encode(origin)));
            number
        });
        self.numbers.insert(*origin, number);
        number
    }

    fn origin(&self, shared: &Shared, number: u32) -> Option<Origin> {
        let state = shared.state();
        state.origins.origin(number).or_else(|| {
            let at = number.checked_sub(state.origins.next())?;
            self.new_origins.get(at as usize).copied()
        })
    }

    /// Makes the rows visible to readers, of whom none can see more than what lies before `position` in the log, and leaves
    /// the area empty.
    pub(crate) fn publish(&mut self, shared: &Shared, position: u64) {
        let mut state = shared.state_mut();
        shared.shows(position);
        for origin in self.new_origins.drain(..) {
            state.origins.push(origin);
        }
        for row in self.rows.get_mut().rows.drain(..).filter(|row| row.written) {
            state.active.put(row.name, row.cell);
        }
        drop(state);
        self.clear();
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.rows.get_mut().clear();
        self.new_origins.clear();
        self.numbers.clear();
    }
}

/// The rows of one value, for a family to change within a group. Reads may block.
pub(crate) struct StagedRows<'a> {
    shared: &'a Shared,
    staging: &'a mut Staging,
    name: NameBuffer,
}

impl<'a> StagedRows<'a> {
    pub(crate) fn new(shared: &'a Shared, staging: &'a mut Staging, kind: Kind, key: &Key) -> Self {
        let name = NameBuffer::within(std::mem::take(&mut staging.scratch), kind, key);
        Self { shared, staging, name }
    }
}

impl Drop for StagedRows<'_> {
    fn drop(&mut self) {
        self.staging.scratch = self.name.take();
    }
}

impl Rows for StagedRows<'_> {
    fn get(&self, sub: &[u8]) -> Result<Option<Bytes>, RowError> {
        self.name.with(sub, |row| self.staging.get(self.shared, row)).map_err(|error| row_error(&error))
    }

    fn put(&mut self, sub: &[u8], value: Bytes) -> Result<(), RowError> {
        self.name.with(sub, |row| self.staging.put(row, Some(value)));
        Ok(())
    }

    fn delete(&mut self, sub: &[u8]) -> Result<(), RowError> {
        self.name.with(sub, |row| self.staging.put(row, None));
        Ok(())
    }

    fn scan(&self, after: Option<&[u8]>, limit: usize) -> Result<Vec<(Bytes, Bytes)>, RowError> {
        // No family scans when it applies an operation, so this may be plain: committed rows page by page, with
        // the group's own over them.
        let after = after.map_or(Vec::new(), |sub| self.name.with(sub, <[u8]>::to_vec));
        let prefix = self.name.with(b"", <[u8]>::to_vec);
        let touched = self.staging.rows.borrow();
        let mut staged: Vec<&Row> =
            touched.rows.iter().filter(|row| row.written && row.name.starts_with(&prefix)).collect();
        staged.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let supplied = Supplied::default();
        let access = Access::new(self.shared, &supplied, true);
        let want = limit.saturating_add(staged.len());
        let (mut rows, _) = access.rows(&prefix, &after, want, false)?;
        rows.retain(|(row, _)| staged.binary_search_by(|own| own.name.cmp(row)).is_err());
        for row in staged.into_iter().filter(|row| row.name[..] > after[..]) {
            if let Some(value) = &row.cell {
                rows.push((row.name.clone(), value.clone()));
            }
        }
        rows.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        rows.truncate(limit);
        Ok(rows.into_iter().map(|(row, value)| (row.slice(prefix.len()..), value)).collect())
    }

    fn intern(&mut self, origin: &Origin) -> Result<u32, RowError> {
        Ok(self.staging.intern(self.shared, origin))
    }

    fn lookup(&self, origin: &Origin) -> Result<Option<u32>, RowError> {
        match self.staging.numbers.get(origin) {
            Some(number) => Ok(Some(*number)),
            None => Ok(self.staging.lookup(&self.shared.state().origins, origin)),
        }
    }

    fn origin(&self, id: u32) -> Result<Origin, RowError> {
        self.staging.origin(self.shared, id).ok_or(RowError::UnknownOrigin(id))
    }
}
