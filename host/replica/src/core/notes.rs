//! What the engine keeps beside the rows: the log position that they include, and what was known there.

use std::{collections::BTreeMap, ops::Bound};

use bytes::Bytes;
use numax_crdt::{Hlc, NodeId, Origin, VersionVector};
use numax_store::{KvBackend, KvError, Table, WriteBatch};

use crate::{
    error::OpenError,
    rows::{
        frozen::EngineAt,
        origins::{self, Origins},
        overlay::Overlay,
        shared::table_and_key,
    },
    transfer::Place,
};

/// The row of the log position that the rows include.
pub(crate) const POSITION: &[u8] = b"position";
const VECTOR: &[u8] = b"vector";
const DEPS: &[u8] = b"deps";
const CLOCK: &[u8] = b"clock";
const NODE: &[u8] = b"node";
const PLACE: &[u8] = b"transfer";
pub(crate) const MEMBERS: &[u8] = b"members";

/// The notes at one log position.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Notes {
    pub position: u64,
    pub vector: VersionVector,
    pub deps: BTreeMap<Origin, u64>,
    pub clock: Hlc,
    pub place: Place,
    /// The member table, after so many changes.
    pub members: Option<(u64, Bytes)>,
}

impl Notes {
    /// The notes as the engine has them; those of position 0 when it is new.
    pub(crate) fn load(engine: &dyn KvBackend, node: NodeId) -> Result<Self, OpenError> {
        let get = |key: &[u8]| engine.get(Table::Meta, key);
        if let Some(found) = get(NODE)?
            && found[..] != node.0
        {
            return Err(OpenError::Foreign {
                path: "rows".to_string(),
                detail: "the engine's rows belong to another node".to_string(),
            });
        }
        let number = |key: &[u8]| match get(key)? {
            None => Ok(0),
            Some(bytes) => bytes[..].try_into().map(u64::from_be_bytes).map_err(|_| damaged()),
        };
        let vector = |key: &[u8]| match get(key)? {
            None => Ok(VersionVector::new()),
            Some(bytes) => VersionVector::decode(bytes).map_err(|_| damaged()),
        };
        Ok(Self {
            position: number(POSITION)?,
            vector: vector(VECTOR)?,
            deps: vector(DEPS)?.iter().map(|(origin, seq)| (*origin, seq)).collect(),
            clock: Hlc::from_u64(number(CLOCK)?),
            place: match get(PLACE)? {
                None => Place::default(),
                Some(bytes) => Place::decode(bytes).map_err(|_| damaged())?,
            },
            members: get(MEMBERS)?.map(|bytes| (0, bytes)),
        })
    }

    /// Where an engine is that has these notes.
    pub(super) fn engine_at(&self) -> EngineAt {
        let ahead = !self.vector.covers_vector(&self.place.ahead);
        // What others had forgotten of the rows that came from them may be later than the own clock.
        let clock = self.clock.max(self.place.floor);
        EngineAt { position: self.position, vector: self.vector.clone(), clock, ahead }
    }

    /// The engine's batch: rows and the notes that go with them.
    pub(super) fn batch(&self, rows: &Overlay, node: NodeId) -> WriteBatch {
        let mut batch = self.plain();
        for (row, cell) in rows.iter() {
            let Some((table, key)) = table_and_key(row) else { continue };
            let key = row.slice_ref(key);
            match cell {
                Some(value) => batch.put(table, key, value.clone()),
                None => batch.delete(table, key),
            }
        }
        batch.put(Table::Meta, NODE, Bytes::copy_from_slice(&node.0));
        batch
    }

    /// The notes alone, of no node yet.
    pub(crate) fn plain(&self) -> WriteBatch {
        let mut batch = WriteBatch::new();
        let deps: VersionVector = self.deps.iter().map(|(origin, seq)| (*origin, *seq)).collect();
        let number = |number: u64| Bytes::copy_from_slice(&number.to_be_bytes());
        batch.put(Table::Meta, POSITION, number(self.position));
        batch.put(Table::Meta, VECTOR, self.vector.encode());
        batch.put(Table::Meta, DEPS, deps.encode());
        batch.put(Table::Meta, CLOCK, number(self.clock.as_u64()));
        if self.place != Place::default() {
            batch.put(Table::Meta, PLACE, self.place.encode());
        }
        if let Some((_, members)) = &self.members {
            batch.put(Table::Meta, MEMBERS, members.clone());
        }
        batch
    }
}

/// The origins that have numbers.
pub(crate) fn load_origins(engine: &dyn KvBackend) -> Result<Origins, OpenError> {
    const STEP: usize = 1024;
    let mut out = Origins::default();
    let mut after: Option<Bytes> = None;
    loop {
        let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let rows = engine.scan(Table::Origins, from, b"", STEP)?;
        for (key, value) in &rows {
            let number: [u8; 4] = key[..].try_into().map_err(|_| damaged())?;
            let origin = origins::decode(value).ok_or_else(damaged)?;
            if u32::from_be_bytes(number) != out.next() {
                return Err(damaged());
            }
            out.push(origin);
        }
        if rows.len() < STEP {
            return Ok(out);
        }
        after = rows.last().map(|(key, _)| key.clone());
    }
}

pub(super) fn damaged() -> OpenError {
    OpenError::Store(KvError::Corrupt { detail: "the engine's notes cannot be read".to_string() })
}
