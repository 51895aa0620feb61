//! Rows in memory, with their own origin numbers, and a state that two stores can be compared by.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use numax_crdt::{Batch, Key, Kind, OpKind, Origin, RowError, Rows, applier, family::Sum};

type Sub = Vec<u8>;

/// The name under which the order of a list is exported.
pub const ORDER: Bytes = Bytes::from_static(b"order");

/// All rows of one replica.
#[derive(Debug, Clone, Default)]
pub struct Store {
    rows: BTreeMap<(Kind, Key), BTreeMap<Sub, Bytes>>,
    origins: Vec<Origin>,
    /// Rows touched since it was last taken.
    pub counts: Cell<Counts>,
}

/// How many rows were asked for and how many written or deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub reads: usize,
    pub writes: usize,
}

/// The rows of one value.
pub struct View<'a> {
    store: &'a mut Store,
    name: (Kind, Key),
}

impl Store {
    pub fn view(&mut self, kind: Kind, key: &Key) -> View<'_> {
        View { store: self, name: (kind, key.clone()) }
    }

    /// Applies a batch and answers what watchers are told.
    pub fn apply(&mut self, batch: &Batch) -> Vec<Option<OpKind>> {
        let apply = |op: &numax_crdt::Op| {
            let kind = op.body.kind();
            let family = applier(kind).unwrap();
            family.apply(&mut self.view(kind, &op.key), batch.dot(), &op.body).unwrap()
        };
        batch.ops.iter().map(apply).collect()
    }

    /// Everything that is stored, in a form that is the same on every replica.
    pub fn export(&mut self) -> BTreeMap<(Kind, Key, Bytes), Bytes> {
        let mut out = BTreeMap::new();
        for ((kind, key), rows) in self.rows.clone() {
            let family = applier(kind).unwrap();
            let mut sum = Sum::default();
            for (sub, row) in &rows {
                sum.add(&family.describe(&self.view(kind, &key), sub, row).unwrap());
            }
            assert!(sum.fits(), "{kind} {key}: {sum:?}");
            for (sub, row) in rows {
                let view = self.view(kind, &key);
                match family.export(&view, &sub, &row).unwrap() {
                    Some((sub, row)) => assert_eq!(out.insert((kind, key.clone(), sub), row), None),
                    // Sums and counts name no origin, so they can be compared as they are.
                    // So does the order of a list, which each replica cuts into other rows.
                    None if kind == Kind::Rga => {
                        let order = Bytes::from(crate::lists::order(&view).concat());
                        out.insert((kind, key.clone(), ORDER), order);
                    }
                    // Texts are folded at different times; their head is exported with all of them.
                    None if kind == Kind::Text => {}
                    None => assert_eq!(out.insert((kind, key.clone(), sub.into()), row), None),
                }
            }
        }
        out
    }
}

impl View<'_> {
    fn count(&self, reads: usize, writes: usize) {
        let Counts { reads: r, writes: w } = self.store.counts.get();
        self.store.counts.set(Counts { reads: r + reads, writes: w + writes });
    }

    fn rows(&self) -> Option<&BTreeMap<Sub, Bytes>> {
        self.store.rows.get(&self.name)
    }
}

impl Rows for View<'_> {
    fn get(&self, sub: &[u8]) -> Result<Option<Bytes>, RowError> {
        self.count(1, 0);
        Ok(self.rows().and_then(|rows| rows.get(sub)).cloned())
    }

    fn put(&mut self, sub: &[u8], value: Bytes) -> Result<(), RowError> {
        self.count(0, 1);
        self.store.rows.entry(self.name.clone()).or_default().insert(sub.to_vec(), value);
        Ok(())
    }

    fn delete(&mut self, sub: &[u8]) -> Result<(), RowError> {
        self.count(0, 1);
        if let Some(rows) = self.store.rows.get_mut(&self.name) {
            rows.remove(sub);
        }
        Ok(())
    }

    fn scan(&self, after: Option<&[u8]>, limit: usize) -> Result<Vec<(Bytes, Bytes)>, RowError> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = self.rows().into_iter().flat_map(|rows| rows.range::<[u8], _>((from, Bound::Unbounded)));
        let found: Vec<_> =
            range.take(limit).map(|(sub, row)| (Bytes::copy_from_slice(sub), row.clone())).collect();
        self.count(found.len(), 0);
        Ok(found)
    }

    fn intern(&mut self, origin: &Origin) -> Result<u32, RowError> {
        if let Some(number) = self.lookup(origin)? {
            return Ok(number);
        }
        self.store.origins.push(*origin);
        Ok(self.store.origins.len() as u32 - 1)
    }

    fn lookup(&self, origin: &Origin) -> Result<Option<u32>, RowError> {
        Ok(self.store.origins.iter().position(|known| known == origin).map(|number| number as u32))
    }

    fn origin(&self, id: u32) -> Result<Origin, RowError> {
        self.store.origins.get(id as usize).copied().ok_or(RowError::UnknownOrigin(id))
    }
}
