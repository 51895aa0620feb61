//! Reading rows in order: pages of the engine's rows with the overlays laid over them.

use std::ops::Bound;

use bytes::Bytes;
use numax_store::{KvBackend, KvError};

use super::{
    name,
    overlay::{Cell, Overlay},
    ranges::WHOLE_ROWS,
    shared::{State, engine_get, table_and_key},
};

/// Something that a reader needs from the engine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Want {
    /// One row.
    Row(Bytes),
    /// Up to `limit` rows after `after` (a whole name; empty for the very first) that start with `prefix`.
    Rows { prefix: Bytes, after: Bytes, limit: usize },
    /// Up to `limit` head rows after `after`, of values whose names start with `prefix`.
    Heads { prefix: Bytes, after: Bytes, limit: usize },
}

/// Rows in order, and the name to go on after, none at the end.
pub(crate) type Part = (Vec<(Bytes, Bytes)>, Option<Bytes>);

/// What was found. Rows in order; for one row either that row or nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Page {
    pub rows: Vec<(Bytes, Bytes)>,
    /// There are no rows after these.
    pub last: bool,
}

impl Want {
    /// Reads it; blocks.
    pub(crate) fn read(&self, engine: &dyn KvBackend) -> Result<Page, KvError> {
        match self {
            Self::Row(row) => {
                let value = engine_get(engine, row)?;
                Ok(Page { rows: value.map(|value| (row.clone(), value)).into_iter().collect(), last: true })
            }
            Self::Rows { prefix, after, limit } => {
                // A value read from its beginning is read as a whole if it is small, to be kept.
                let whole = after.is_empty() && name::value_prefix_len(prefix) == Some(prefix.len());
                let limit = if whole { (*limit).max(WHOLE_ROWS + 1) } else { *limit };
                engine_scan(engine, prefix, after, limit)
            }
            Self::Heads { prefix, after, limit } => scan_heads(engine, prefix, after, *limit),
        }
    }

    /// Keeps in the caches what is worth it.
    pub(crate) fn keep(&self, page: &Page, state: &mut State) {
        match self {
            Self::Row(row) => {
                if state.get(row).is_none() {
                    state.cache.put(row, &page.rows.first().map(|(_, value)| value.clone()));
                }
            }
            Self::Rows { prefix, after, .. } => {
                if page.last && after.is_empty() && name::value_prefix_len(prefix) == Some(prefix.len()) {
                    state.ranges.put(prefix, &page.rows);
                }
            }
            Self::Heads { .. } => {}
        }
    }
}

/// Up to `limit` rows of the engine after `after` that start with `prefix`, with their whole names.
pub(crate) fn engine_scan(
    engine: &dyn KvBackend,
    prefix: &[u8],
    after: &[u8],
    limit: usize,
) -> Result<Page, KvError> {
    let Some((table, key_prefix)) = table_and_key(prefix) else {
        return Ok(Page { last: true, ..Page::default() });
    };
    let from = match after.get(1..) {
        Some(after) => Bound::Excluded(after),
        None => Bound::Unbounded,
    };
    let rows = engine.scan(table, from, key_prefix, limit)?;
    let last = rows.len() < limit;
    let rows = rows.into_iter().map(|(key, value)| {
        let mut row = Vec::with_capacity(key.len() + 1);
        row.push(table as u8);
        row.extend_from_slice(&key);
        (Bytes::from(row), value)
    });
    Ok(Page { rows: rows.collect(), last })
}

/// Head rows only: goes on behind a value as soon as its rows fill a whole step, so that large values cost one step.
fn scan_heads(engine: &dyn KvBackend, prefix: &[u8], after: &[u8], limit: usize) -> Result<Page, KvError> {
    const STEP: usize = 32;
    let mut page = Page::default();
    let mut after = after.to_vec();
    while page.rows.len() < limit {
        let step = engine_scan(engine, prefix, &after, STEP)?;
        let mut last_value = None;
        for (row, value) in &step.rows {
            let Some(len) = name::value_prefix_len(row) else { continue };
            if len == row.len() && page.rows.len() < limit {
                page.rows.push((row.clone(), value.clone()));
            }
            last_value = row.get(..len);
        }
        if step.last && page.rows.len() < limit {
            page.last = true;
            return Ok(page);
        }
        match last_value {
            Some(value) => after = name::past_value(value),
            None => match step.rows.last() {
                Some((row, _)) => after = row.to_vec(),
                None => page.last = true,
            },
        }
        if page.last {
            break;
        }
    }
    Ok(page)
}

/// Where a scan begins that goes on after a name.
fn bound(after: &[u8]) -> Bound<&[u8]> {
    if after.is_empty() { Bound::Unbounded } else { Bound::Excluded(after) }
}

/// The engine's page with the overlays over it: up to `limit` rows, and the name to go on after, none at the end.
/// `keep` chooses rows by name (heads).
pub(crate) fn merge(
    state: &State,
    prefix: &[u8],
    after: &[u8],
    page: &Page,
    limit: usize,
    keep: impl Fn(&[u8]) -> bool,
) -> Part {
    // Behind the engine's page, unless it was the last, there may be engine rows that are not known here.
    let horizon = if page.last { None } else { page.rows.last().map(|(row, _)| row.clone()) };
    let within = |row: &[u8]| horizon.as_ref().is_none_or(|horizon| row <= &horizon[..]);
    let empty = Overlay::default();
    let frozen = state.frozen.as_deref().unwrap_or(&empty);
    let from = if after < prefix { Bound::Included(prefix) } else { bound(after) };
    let mut layers = [
        Layer::new(state.active.range(from, prefix).map(|(row, cell)| (row, cell.as_ref()))),
        Layer::new(frozen.range(from, prefix).map(|(row, cell)| (row, cell.as_ref()))),
        Layer::new(
            page.rows.iter().filter(|(row, _)| &row[..] > after).map(|(row, value)| (row, Some(value))),
        ),
    ];
    let mut out: Vec<(Bytes, Bytes)> = Vec::new();
    loop {
        let next = layers.iter().filter_map(Layer::name).min().cloned();
        let Some(row) = next.filter(|row| within(row)) else {
            return (out, horizon);
        };
        // The first layer that has the row says what it is; all of them move on.
        let mut content: Option<Option<Bytes>> = None;
        for layer in &mut layers {
            if layer.name() == Some(&row) {
                let found = layer.advance();
                content = content.or(found);
            }
        }
        if let Some(Some(value)) = content
            && keep(&row)
        {
            if out.len() == limit {
                let next = out.last().map(|(row, _)| row.clone());
                return (out, next);
            }
            out.push((row, value));
        }
    }
}

/// One source of rows in a merge.
struct Layer<'a> {
    rows: Box<dyn Iterator<Item = (&'a Bytes, Option<&'a Bytes>)> + 'a>,
    next: Option<(&'a Bytes, Option<&'a Bytes>)>,
}

impl<'a> Layer<'a> {
    fn new(mut rows: impl Iterator<Item = (&'a Bytes, Option<&'a Bytes>)> + 'a) -> Self {
        let next = rows.next();
        Self { rows: Box::new(rows), next }
    }

    fn name(&self) -> Option<&'a Bytes> {
        self.next.map(|(row, _)| row)
    }

    /// The row's content: a value, or none for a deleted row.
    fn advance(&mut self) -> Option<Cell> {
        let content = self.next.map(|(_, value)| value.cloned());
        self.next = self.rows.next();
        content
    }
}
