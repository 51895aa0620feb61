//! What snapshots are made of: an exact view of all rows while commits go on ([`StateView`]), the writing of a
//! datastore from rows ([`Seeder`]), and the exchange of a datastore's data for a restored one ([`swap`]).
//!
//! Where snapshots lie, how they are hashed, packed and carried is not known here.

pub mod seed;
pub mod swap;
pub mod view;

use std::{collections::BTreeMap, ops::Bound};

use bytes::Bytes;
use numax_crdt::{Hlc, NodeId, Origin, VersionVector};
use numax_store::{KvBackend, KvError, Table, WriteBatch};

use crate::{
    core::notes::{MEMBERS, Notes},
    error::OpenError,
    transfer::{Place, StagedPart},
};

pub use seed::Seeder;
pub use view::{Row, StateView};

/// Rows that are removed at once.
const STEP: usize = 256;

/// What belongs to a set of rows: as of when they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateFacts {
    /// Whose datastore they come from, and the origin under which it wrote.
    pub origin: Origin,
    /// The position in that datastore's log up to which the rows include everything.
    pub position: u64,
    /// Everything that is in the rows.
    pub vector: VersionVector,
    /// How the vector advanced by others since the datastore's own last batch.
    pub deps: BTreeMap<Origin, u64>,
    /// The datastore's clock.
    pub clock: Hlc,
    /// A transfer of state that was under way: rows of it are ahead of the vector, and it goes on from where it was.
    /// Opaque.
    pub transfer: Bytes,
    /// The datastore's table of members: what must not be forgotten yet. Opaque, and of use to the same node only.
    pub members: Bytes,
}

impl StateFacts {
    fn new(origin: Origin, notes: Notes) -> Self {
        let Notes { position, vector, deps, clock, place, members } = notes;
        // The log of whatever is made of this begins at the vector, so nothing lies before a transfer there.
        let transfer = Place { base: None, ..place }.encode();
        let members = members.map(|(_, bytes)| bytes).unwrap_or_default();
        Self { origin, position, vector, deps, clock, transfer, members }
    }

    /// The notes for an engine whose datastore's log begins at `position`.
    fn notes(&self, position: u64) -> Result<Notes, OpenError> {
        let wrong =
            |_| OpenError::Corrupt { detail: "the note of a transfer of state cannot be read".to_string() };
        Ok(Notes {
            position,
            vector: self.vector.clone(),
            deps: self.deps.clone(),
            clock: self.clock,
            place: Place::decode(self.transfer.clone()).map_err(wrong)?,
            members: (!self.members.is_empty()).then(|| (0, self.members.clone())),
        })
    }
}

/// Takes out of an engine what is its node's alone, for data that goes to another node: node-local rows and the table of
/// members. A transfer of state that was under way goes with the data.
///
/// # Errors
/// The engine's.
pub fn remove_local(engine: &dyn KvBackend) -> Result<(), KvError> {
    let mut members = WriteBatch::new();
    members.delete(Table::Meta, MEMBERS);
    engine.commit(members)?;
    let mut after: Option<Bytes> = None;
    loop {
        let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let rows = engine.scan(Table::Local, from, b"", STEP)?;
        let Some((last, _)) = rows.last() else { return engine.sync() };
        after = Some(last.clone());
        let mut batch = WriteBatch::new();
        for (key, _) in rows.into_iter().filter(|(key, _)| StagedPart::parse(key).is_none()) {
            batch.delete(Table::Local, key);
        }
        engine.commit(batch)?;
    }
}

/// The node whose datastore lies on a disk, and the epoch in which it is; none when there is no datastore yet.
///
/// # Errors
/// When `meta.json` cannot be read or is a newer program's.
pub fn owner(disk: &dyn numax_store::Disk) -> Result<Option<(NodeId, u64)>, OpenError> {
    let Some(meta) = crate::meta::Meta::load(disk, Default::default())? else { return Ok(None) };
    let node = meta.node.parse().map_err(|_| OpenError::Foreign {
        path: "meta.json".to_string(),
        detail: format!("{:?} is no node id", meta.node),
    })?;
    Ok(Some((node, meta.epoch)))
}
