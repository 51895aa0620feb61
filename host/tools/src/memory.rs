//! One value's rows in memory: what its operations lead to, apart from any datastore.

use std::{collections::BTreeMap, ops::Bound};

use bytes::Bytes;
use numax_crdt::{Origin, RowError, Rows};

/// The rows of one value.
#[derive(Debug, Default)]
pub(crate) struct MemoryRows {
    pub(crate) rows: BTreeMap<Bytes, Bytes>,
    origins: Vec<Origin>,
}

impl Rows for MemoryRows {
    fn get(&self, sub: &[u8]) -> Result<Option<Bytes>, RowError> {
        Ok(self.rows.get(sub).cloned())
    }

    fn put(&mut self, sub: &[u8], value: Bytes) -> Result<(), RowError> {
        self.rows.insert(Bytes::copy_from_slice(sub), value);
        Ok(())
    }

    fn delete(&mut self, sub: &[u8]) -> Result<(), RowError> {
        self.rows.remove(sub);
        Ok(())
    }

    fn scan(&self, after: Option<&[u8]>, limit: usize) -> Result<Vec<(Bytes, Bytes)>, RowError> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = self.rows.range::<[u8], _>((from, Bound::Unbounded));
        Ok(rows.take(limit).map(|(sub, row)| (sub.clone(), row.clone())).collect())
    }

    fn intern(&mut self, origin: &Origin) -> Result<u32, RowError> {
        if let Some(number) = self.lookup(origin)? {
            return Ok(number);
        }
        self.origins.push(*origin);
        Ok(u32::try_from(self.origins.len() - 1).unwrap_or(u32::MAX))
    }

    fn lookup(&self, origin: &Origin) -> Result<Option<u32>, RowError> {
        let at = self.origins.iter().position(|known| known == origin);
        Ok(at.and_then(|at| u32::try_from(at).ok()))
    }

    fn origin(&self, id: u32) -> Result<Origin, RowError> {
        self.origins.get(id as usize).copied().ok_or(RowError::UnknownOrigin(id))
    }
}
