//! Reading committed rows of one value without blocking: what is not in memory is noted, to be loaded elsewhere.

use std::cell::RefCell;

use bytes::Bytes;
use numax_crdt::{Key, Kind, Origin, RowError, Rows};

use super::{
    map::HashMap,
    name::{self, NameBuffer},
    overlay::Cell,
    scan::{self, Page, Part, Want},
    shared::{Shared, State, row_error},
};

/// Pages that a reader was given, each with the epoch in which it counts.
pub(crate) type Supplied = HashMap<Want, (u64, Page)>;

/// How a read reaches the engine.
pub(crate) struct Access<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) supplied: &'a Supplied,
    /// Whether reads may block; otherwise they end with [`RowError::Miss`].
    pub(crate) inline: bool,
    /// What was missed.
    pub(crate) missed: RefCell<Vec<Want>>,
}

impl<'a> Access<'a> {
    pub(crate) fn new(shared: &'a Shared, supplied: &'a Supplied, inline: bool) -> Self {
        Self { shared, supplied, inline, missed: RefCell::default() }
    }

    /// One row.
    pub(crate) fn row(&self, row: &[u8]) -> Result<Cell, RowError> {
        let want = {
            let state = self.shared.state();
            if let Some(cell) = state.get(row) {
                return Ok(cell);
            }
            let want = Want::Row(Bytes::copy_from_slice(row));
            if let Some(page) = self.supplied(&state, &want) {
                return Ok(page.rows.first().map(|(_, value)| value.clone()));
            }
            want
        };
        if self.inline {
            return self.shared.get_blocking(row).map_err(|error| row_error(&error));
        }
        self.missed.borrow_mut().push(want);
        Err(RowError::Miss)
    }

    fn supplied(&self, state: &State, want: &Want) -> Option<&'a Page> {
        self.supplied.get(want).filter(|(epoch, _)| *epoch == state.epoch).map(|(_, page)| page)
    }

    /// Up to `limit` rows that start with `prefix`, after the name `after` (empty: from the first), and the name to
    /// go on after, none at the end. With `heads`, head rows only.
    pub(crate) fn rows(
        &self,
        prefix: &[u8],
        after: &[u8],
        limit: usize,
        heads: bool,
    ) -> Result<Part, RowError> {
        let limit = limit.max(1);
        let mut out: Vec<(Bytes, Bytes)> = Vec::new();
        let mut after = Bytes::copy_from_slice(after);
        loop {
            let left = limit - out.len();
            let (rows, next) = self.step(prefix, &after, left, heads)?;
            out.extend(rows);
            match next {
                Some(next) if out.len() < limit => after = next,
                next => return Ok((out, next)),
            }
        }
    }

    fn step(&self, prefix: &[u8], after: &Bytes, limit: usize, heads: bool) -> Result<Part, RowError> {
        let keep = |row: &[u8]| !heads || name::value_prefix_len(row) == Some(row.len());
        let prefix_bytes = Bytes::copy_from_slice(prefix);
        let want = if heads {
            Want::Heads { prefix: prefix_bytes, after: after.clone(), limit }
        } else {
            Want::Rows { prefix: prefix_bytes, after: after.clone(), limit }
        };
        {
            let state = self.shared.state();
            if !heads && let Some(page) = whole(&state, prefix, after, limit) {
                return Ok(scan::merge(&state, prefix, after, &page, limit, keep));
            }
            if let Some(page) = self.supplied(&state, &want) {
                return Ok(scan::merge(&state, prefix, after, page, limit, keep));
            }
        }
        if !self.inline {
            self.missed.borrow_mut().push(want);
            return Err(RowError::Miss);
        }
        loop {
            let (epoch, page) = self.shared.load(&want).map_err(|error| row_error(&error))?;
            let state = self.shared.state();
            if state.epoch == epoch {
                return Ok(scan::merge(&state, prefix, after, &page, limit, keep));
            }
        }
    }
}

/// A page out of a value that is kept whole.
fn whole(state: &State, prefix: &[u8], after: &[u8], limit: usize) -> Option<Page> {
    let want = limit.saturating_add(1).max(64);
    let from =
        if after < prefix { std::ops::Bound::Included(prefix) } else { std::ops::Bound::Excluded(after) };
    let rows = state.ranges.scan(prefix, from, want)?;
    Some(Page { last: rows.len() < want, rows })
}

/// The rows of one value, for a family to read.
pub(crate) struct View<'a> {
    access: &'a Access<'a>,
    name: NameBuffer,
}

impl<'a> View<'a> {
    pub(crate) fn new(access: &'a Access<'a>, kind: Kind, key: &Key) -> Self {
        Self { access, name: NameBuffer::new(kind, key) }
    }
}

impl Rows for View<'_> {
    fn get(&self, sub: &[u8]) -> Result<Option<Bytes>, RowError> {
        self.name.with(sub, |row| self.access.row(row))
    }

    fn put(&mut self, _sub: &[u8], _value: Bytes) -> Result<(), RowError> {
        Err(read_only())
    }

    fn delete(&mut self, _sub: &[u8]) -> Result<(), RowError> {
        Err(read_only())
    }

    fn scan(&self, after: Option<&[u8]>, limit: usize) -> Result<Vec<(Bytes, Bytes)>, RowError> {
        let after = after.map_or(Vec::new(), |sub| self.name.with(sub, <[u8]>::to_vec));
        let prefix = self.name.with(b"", <[u8]>::to_vec);
        let (rows, _) = self.access.rows(&prefix, &after, limit, false)?;
        Ok(rows.into_iter().map(|(row, value)| (row.slice(prefix.len()..), value)).collect())
    }

    fn intern(&mut self, origin: &Origin) -> Result<u32, RowError> {
        self.lookup(origin)?.ok_or_else(read_only)
    }

    fn lookup(&self, origin: &Origin) -> Result<Option<u32>, RowError> {
        Ok(self.access.shared.state().origins.lookup(origin))
    }

    fn origin(&self, id: u32) -> Result<Origin, RowError> {
        self.access.shared.state().origins.origin(id).ok_or(RowError::UnknownOrigin(id))
    }
}

fn read_only() -> RowError {
    RowError::Unavailable("a read tried to write; this is a fault of numax".to_string())
}
