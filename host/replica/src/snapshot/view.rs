//! An exact view of all rows, as of one log position, read once from the first to the last while commits and flushes go
//! on, in bounded memory however much is written meanwhile.
//!
//! The engine at any moment is the state at one log position, and only flushes change it. So a view begins with what
//! the engine is, and is handed, as [a picture](crate::rows::frozen) is, what a flush is about to overwrite. Unlike a
//! picture it keeps nothing that it has given out already, and what does not fit into memory goes into a scratch engine,
//! in [`Table::Meta`] under names of its own, and is taken out again when the view comes to it. Nothing waits for the
//! view but a flush for the reading of one page; commits wait for neither.
//!
//! Rows alone, each as of its own moment, would not do, even with the log's tail applied over them: heads count the
//! rows of a value, and a count from one moment does not fit elements from another.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use numax_crdt::{NodeId, Origin};
use numax_store::{KvBackend, KvError, Table, WriteBatch};

use super::StateFacts;
use crate::{
    core::notes::Notes,
    error::OpenError,
    rows::{
        frozen::Picture,
        overlay::Cell,
        scan::engine_scan,
        shared::{Shared, table_and_key},
    },
};

/// The tables of a view, in order of their numbers. The engine's notes come as [`StateFacts`].
const TABLES: [Table; 3] = [Table::Rows, Table::Local, Table::Origins];
/// Rows in a page: bounds how long a flush waits, and memory where values are large.
const MAX_PAGE_ROWS: usize = 256;
/// Bytes that a page aims at; the number of rows follows from the pages before.
const PAGE_BYTES: usize = 1 << 20;
/// Bytes of overwritten rows that stay in memory.
const MAX_KEPT_BYTES: usize = 16 << 20;
/// What names in the scratch engine begin with. No note of an engine does.
const SCRATCH: &[u8] = b"kept/";
/// Marks of rows that are kept: there was none, or the value follows.
const ABSENT: u8 = 0;
const PRESENT: u8 = 1;

/// A row: its table, its key there, its value.
pub type Row = (Table, Bytes, Bytes);

/// What one view keeps of rows that were overwritten.
struct Keeper {
    kept: Mutex<Kept>,
    scratch: Arc<dyn KvBackend>,
    max_bytes: usize,
}

#[derive(Default)]
struct Kept {
    /// Everything before this name was given out.
    next: Bytes,
    rows: BTreeMap<Bytes, Cell>,
    bytes: usize,
    /// Some rows are in the scratch engine.
    spilled: bool,
    /// Why a row could not be kept: the view is of no use any more.
    failed: Option<String>,
}

impl Keeper {
    // A poisoned lock means that a call of the scratch engine panicked; then the view fails for a missing row at worst.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spilled(&self, row: &[u8]) -> Result<bool, KvError> {
        Ok(self.scratch.get(Table::Meta, &scratch_name(row))?.is_some())
    }

    fn spill(&self, kept: &mut Kept) -> Result<(), KvError> {
        let mut batch = WriteBatch::new();
        for (row, cell) in std::mem::take(&mut kept.rows) {
            let mut value = vec![if cell.is_some() { PRESENT } else { ABSENT }];
            value.extend_from_slice(cell.as_deref().unwrap_or_default());
            batch.put(Table::Meta, scratch_name(&row), value);
        }
        kept.bytes = 0;
        kept.spilled = true;
        self.scratch.commit(batch)
    }

    /// Takes out what is kept before a name.
    fn take(&self, kept: &mut Kept, next: &Bytes) -> Result<BTreeMap<Bytes, Cell>, KvError> {
        let mut out = BTreeMap::new();
        if kept.spilled {
            self.take_spilled(next, &mut out)?;
        }
        let rest = kept.rows.split_off(next);
        for (row, cell) in std::mem::replace(&mut kept.rows, rest) {
            kept.bytes = kept.bytes.saturating_sub(cost(&row, &cell));
            out.insert(row, cell);
        }
        Ok(out)
    }

    fn take_spilled(&self, next: &Bytes, out: &mut BTreeMap<Bytes, Cell>) -> Result<(), KvError> {
        loop {
            let found = self.scratch.scan(Table::Meta, Bound::Unbounded, SCRATCH, MAX_PAGE_ROWS)?;
            let all = found.len() < MAX_PAGE_ROWS;
            let mut batch = WriteBatch::new();
            let count = found.len();
            for (name, value) in found {
                let row = name.slice(SCRATCH.len()..);
                if row >= *next {
                    break;
                }
                out.insert(row, (value.first() == Some(&PRESENT)).then(|| value.slice(1..)));
                batch.delete(Table::Meta, name);
            }
            let past = batch.len() < count;
            if !batch.is_empty() {
                self.scratch.commit(batch)?;
            }
            if past || all {
                return Ok(());
            }
        }
    }
}

fn cost(row: &[u8], cell: &Cell) -> usize {
    row.len() + cell.as_ref().map_or(0, Bytes::len)
}

fn scratch_name(row: &[u8]) -> Bytes {
    [SCRATCH, row].concat().into()
}

impl Picture for Keeper {
    fn has(&self, row: &[u8]) -> bool {
        let mut kept = self.lock();
        if kept.failed.is_some() || row < &kept.next[..] || kept.rows.contains_key(row) {
            return true;
        }
        kept.spilled
            && self.spilled(row).unwrap_or_else(|error| {
                kept.failed = Some(error.to_string());
                true
            })
    }

    fn keep(&self, row: &Bytes, cell: &Cell) {
        // Of several views only some may want it.
        if self.has(row) {
            return;
        }
        let mut kept = self.lock();
        kept.bytes += cost(row, cell);
        kept.rows.insert(row.clone(), cell.clone());
        if kept.bytes >= self.max_bytes
            && let Err(error) = self.spill(&mut kept)
        {
            kept.failed = Some(error.to_string());
        }
    }

    fn expire(&self) {
        let mut kept = self.lock();
        kept.failed.get_or_insert_with(|| "a row could not be read before it was overwritten".to_string());
        kept.rows.clear();
    }
}

/// All rows of a datastore as of one log position. See the module's text.
///
/// While it lives, flushes do a little more work: drop it as soon as it is read.
pub struct StateView {
    shared: Arc<Shared>,
    keeper: Arc<Keeper>,
    facts: StateFacts,
    page_rows: usize,
    table: usize,
    /// The last row of the table that was given out; empty: none.
    after: Bytes,
}

impl StateView {
    /// A view of what the engine holds now. `scratch` is an engine, not the datastore's, for what does not stay in
    /// memory; nothing is left there when the view was read to its end.
    pub(crate) fn begin(
        shared: &Arc<Shared>,
        node: NodeId,
        origin: Origin,
        scratch: Arc<dyn KvBackend>,
        max_bytes: Option<usize>,
    ) -> Result<Self, OpenError> {
        let max_bytes = max_bytes.unwrap_or(MAX_KEPT_BYTES);
        let keeper = Arc::new(Keeper { kept: Mutex::default(), scratch, max_bytes });
        let mut side = shared.engine_side();
        let notes = Notes::load(&*shared.engine(), node)?;
        side.add(&keeper);
        drop(side);
        let facts = StateFacts::new(origin, notes);
        Ok(Self { shared: shared.clone(), keeper, facts, page_rows: 16, table: 0, after: Bytes::new() })
    }

    /// As of when the rows are.
    pub fn facts(&self) -> &StateFacts {
        &self.facts
    }

    /// The next rows, in order of table and key; none at the end. Blocks.
    ///
    /// # Errors
    /// When rows cannot be read, or could not be kept while the datastore went on: then the view is of no use any
    /// more.
    pub fn page(&mut self) -> Result<Option<Vec<Row>>, KvError> {
        while let Some(table) = TABLES.get(self.table).copied() {
            let rows = self.step(table)?;
            if !rows.is_empty() {
                let bytes: usize = rows.iter().map(|(_, key, value)| key.len() + value.len()).sum();
                let fitting = PAGE_BYTES / (bytes / rows.len()).max(1);
                self.page_rows = fitting.clamp(1, MAX_PAGE_ROWS).min(self.page_rows * 2);
                return Ok(Some(rows));
            }
        }
        Ok(None)
    }

    fn step(&mut self, table: Table) -> Result<Vec<Row>, KvError> {
        let prefix = [table as u8];
        // With the engine's side locked no flush gets between the engine's rows and what was kept of them.
        let side = self.shared.engine_side();
        let mut kept = self.keeper.lock();
        if let Some(reason) = &kept.failed {
            let source = std::io::Error::other(reason.clone());
            return Err(KvError::Io { what: "keeping a row for a snapshot".to_string(), source });
        }
        let page = engine_scan(&*self.shared.engine(), &prefix, &self.after, self.page_rows)?;
        let next = match page.rows.last().filter(|_| !page.last) {
            Some((row, _)) => {
                self.after = row.clone();
                // The first name after this one.
                Bytes::from([&row[..], &[0]].concat())
            }
            None => {
                self.table += 1;
                self.after = Bytes::new();
                // The first name of the next table.
                Bytes::from(vec![table as u8 + 1])
            }
        };
        let mut merged = self.keeper.take(&mut kept, &next)?;
        kept.next = next;
        drop(kept);
        drop(side);
        for (row, value) in page.rows {
            merged.entry(row).or_insert(Some(value));
        }
        let rows = merged.into_iter().filter_map(|(row, cell)| {
            let (table, key) = table_and_key(&row)?;
            Some((table, row.slice_ref(key), cell?))
        });
        Ok(rows.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::overlay::Overlay;
    use numax_store::mem::MemBackend;
    use proptest::prelude::*;

    fn all(engine: &dyn KvBackend) -> Vec<Row> {
        let rows = TABLES.into_iter().flat_map(|table| {
            let rows = engine.scan(table, Bound::Unbounded, b"", usize::MAX).unwrap();
            rows.into_iter().map(move |(key, value)| (table, key, value))
        });
        rows.collect()
    }

    /// Writes of one flush: table, key, value or none.
    fn flush() -> impl Strategy<Value = Vec<(usize, u8, Option<u8>)>> {
        proptest::collection::vec((0..TABLES.len(), any::<u8>(), any::<Option<u8>>()), 0..40)
    }

    /// What a flush does.
    fn commit(shared: &Shared, writes: &[(usize, u8, Option<u8>)]) {
        let (mut rows, mut batch) = (Overlay::default(), WriteBatch::new());
        for (table, key, value) in writes {
            let table = TABLES[*table];
            // Now and then the empty key.
            let key = Bytes::from(vec![*key; usize::from(*key) % 4]);
            let value = value.map(|value| Bytes::from(vec![value; 40]));
            rows.put([&[table as u8], &key[..]].concat().into(), value.clone());
            match value {
                Some(value) => batch.put(table, key, value),
                None => batch.delete(table, key),
            }
        }
        let engine = shared.engine();
        let mut side = shared.engine_side();
        side.keep(&*engine, &rows);
        engine.commit(batch).unwrap();
    }

    proptest! {
        #[test]
        fn a_view_is_what_was_there_when_it_began(
            before in proptest::collection::vec(flush(), 1..12),
            during in proptest::collection::vec(flush(), 0..30),
            max_bytes in prop_oneof![Just(1_usize), Just(500), Just(1 << 20)],
        ) {
            let shared = Arc::new(Shared::new(Arc::new(MemBackend::new()), 0, 0));
            let commit = |writes: &[_]| commit(&shared, writes);
            before.iter().for_each(|writes| commit(writes));
            let want = all(&*shared.engine());
            let scratch = Arc::new(MemBackend::new());
            let (node, origin) = (NodeId([1; 32]), Origin::default());
            let mut view = StateView::begin(&shared, node, origin, scratch.clone(), Some(max_bytes)).unwrap();
            view.page_rows = 3;
            let (mut got, mut during) = (Vec::new(), during.iter());
            loop {
                if let Some(writes) = during.next() {
                    commit(writes);
                }
                match view.page().unwrap() {
                    Some(rows) => got.extend(rows),
                    None => break,
                }
                view.page_rows = view.page_rows.min(5);
            }
            prop_assert_eq!(got, want);
            let left = scratch.scan(Table::Meta, Bound::Unbounded, b"", 10).unwrap();
            prop_assert_eq!(left.len(), 0, "scratch rows are left");
        }
    }

    #[test]
    fn a_row_that_cannot_be_kept_ends_the_view_and_not_the_flush() {
        let engine = Arc::new(MemBackend::new());
        let shared = Arc::new(Shared::new(engine, 0, 0));
        let scratch = MemBackend::new();
        drop(scratch.crash(numax_store::Survives::Everything));
        let mut view =
            StateView::begin(&shared, NodeId([1; 32]), Origin::default(), Arc::new(scratch), Some(1))
                .unwrap();
        commit(&shared, &[(0, 7, Some(7))]);
        assert!(view.page().unwrap_err().to_string().contains("keeping a row for a snapshot"));
        assert_eq!(all(&*shared.engine()).len(), 1);
    }
}
