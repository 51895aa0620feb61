//! Rows that a group of batches writes, before its append succeeded. Dropping the staging area undoes all of it.

use std::collections::HashMap;

use bytes::Bytes;
use numax_crdt::{Key, Kind, Origin, RowError, Rows};
use numax_store::KvError;

use super::{
    name::NameBuffer,
    origins::{self, Origins},
    overlay::Cell,
    shared::{Shared, row_error},
    view::{Access, Supplied},
};

/// What a group has written so far.
#[derive(Debug, Default)]
pub(crate) struct Staging {
    rows: HashMap<Bytes, Cell>,
    /// Names in order of first write.
    order: Vec<Bytes>,
    /// Origins that get a number with this group.
    new_origins: Vec<Origin>,
}

impl Staging {
    pub(crate) fn put(&mut self, row: &[u8], cell: Cell) {
        if let Some(old) = self.rows.get_mut(row) {
            *old = cell;
        } else {
            let row = Bytes::copy_from_slice(row);
            self.order.push(row.clone());
            self.rows.insert(row, cell);
        }
    }

    /// The staged row, or else the committed one; may block.
    fn get(&self, shared: &Shared, row: &[u8]) -> Result<Cell, KvError> {
        match self.rows.get(row) {
            Some(cell) => Ok(cell.clone()),
            None => shared.get_blocking(row),
        }
    }

    fn lookup(&self, known: &Origins, origin: &Origin) -> Option<u32> {
        known.lookup(origin).or_else(|| {
            let at = self.new_origins.iter().position(|new| new == origin)?;
            Some(known.next().saturating_add(u32::try_from(at).ok()?))
        })
    }

    fn intern(&mut self, shared: &Shared, origin: &Origin) -> u32 {
        let number = {
            let state = shared.state();
            if let Some(number) = self.lookup(&state.origins, origin) {
                return number;
            }
            state.origins.next().saturating_add(u32::try_from(self.new_origins.len()).unwrap_or(u32::MAX))
        };
        self.new_origins.push(*origin);
        self.put(&origins::row_name(number), Some(origins::encode(origin)));
        number
    }

    fn origin(&self, shared: &Shared, number: u32) -> Option<Origin> {
        let state = shared.state();
        state.origins.origin(number).or_else(|| {
            let at = number.checked_sub(state.origins.next())?;
            self.new_origins.get(at as usize).copied()
        })
    }

    /// Makes the rows visible to readers, and leaves the area empty.
    pub(crate) fn publish(&mut self, shared: &Shared) {
        let mut state = shared.state_mut();
        for origin in self.new_origins.drain(..) {
            state.origins.push(origin);
        }
        for row in self.order.drain(..) {
            if let Some(cell) = self.rows.remove(&row) {
                state.active.put(row, cell);
            }
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.order.clear();
        self.new_origins.clear();
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
        Self { shared, staging, name: NameBuffer::new(kind, key) }
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
        let mut staged: Vec<&Bytes> =
            self.staging.order.iter().filter(|row| row.starts_with(&prefix)).collect();
        staged.sort_unstable();
        let supplied = Supplied::new();
        let access = Access::new(self.shared, &supplied, true);
        let want = limit.saturating_add(staged.len());
        let (mut rows, _) = access.rows(&prefix, &after, want, false)?;
        rows.retain(|(row, _)| !self.staging.rows.contains_key(row));
        for row in staged.into_iter().filter(|row| row[..] > after[..]) {
            if let Some(Some(value)) = self.staging.rows.get(row) {
                rows.push((row.clone(), value.clone()));
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
        Ok(self.staging.lookup(&self.shared.state().origins, origin))
    }

    fn origin(&self, id: u32) -> Result<Origin, RowError> {
        self.staging.origin(self.shared, id).ok_or(RowError::UnknownOrigin(id))
    }
}
