//! Tombstones that go.
//!
//! A removal at time *t* stays remembered because a write that was made without knowledge of it, with an earlier time,
//! may still arrive. It may go when no such write can: when every member has acknowledged the removal, and this node
//! has applied everything in the acknowledgements that say so. For a member's writes before its acknowledgement are in
//! it (its own log holds them in front of the removal), so they have been applied and have lost; and its writes
//! after it know the removal and are stamped later.
//!
//! Acknowledgements are taken all at one moment and used when this node has caught up with them, because under load
//! there may never be a moment in which it has caught up with the newest.
//!
//! A node's own later writes must win against a removal that others still remember. So a removal goes only when the
//! own clock is past its time; whoever gets rows by a transfer gets the sender's clock with them and stamps new rows
//! later (`floor`).

use bytes::Bytes;
use numax_crdt::{ApplyError, Rows, VersionVector, applier};
use numax_store::Table;

use crate::{
    Core,
    planted::Planted,
    rows::{
        name,
        staging::{StagedRows, Staging},
        view::{Access, Supplied},
    },
};

/// Where collection is.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    /// Acknowledgements of one moment: what all of them cover, and all that any of them covers.
    pinned: Option<(VersionVector, VersionVector)>,
    /// What the running pass may collect, and the last row it looked at.
    pass: Option<(VersionVector, Bytes)>,
    /// What the last pass collected.
    done: VersionVector,
    /// Changes of the member table when the acknowledgements were taken.
    changes: u64,
}

impl Core {
    /// Looks at up to `max_rows` rows and removes tombstones among them that nobody needs; answers how many.
    ///
    /// # Errors
    /// When rows cannot be read or are damaged.
    pub fn collect_step(&mut self, max_rows: usize) -> Result<usize, ApplyError> {
        let Some((stable, after)) = self.collectable() else { return Ok(0) };
        let supplied = Supplied::default();
        let access = Access::new(&self.shared, &supplied, true);
        let (rows, next) = access.rows(&[Table::Rows as u8], &after, max_rows, false)?;
        let mut gone = 0;
        // Apart from what a group may have staged: this reads and changes committed rows only.
        let mut staging = Staging::default();
        for (row, _) in &rows {
            let Some((kind, key, sub)) = name::parse(row) else { continue };
            let Some(family) = applier(kind) else { continue };
            let mut rows = StagedRows::new(&self.shared, &mut staging, kind, &key);
            if let Some(content) = rows.get(sub)? {
                gone +=
                    usize::from(family.collect(&mut rows, sub, &content, &stable, self.tip.clock.last())?);
            }
        }
        staging.publish(&self.shared, self.log.end());
        match next {
            Some(next) => self.collector.pass = Some((stable, next)),
            None => {
                self.collector.done = stable;
                self.collector.pass = None;
            }
        }
        Ok(gone)
    }

    /// What may be collected, and where to go on; begins a pass when there is reason for one.
    fn collectable(&mut self) -> Option<(VersionVector, Bytes)> {
        if self.members_saved != self.members.changes() {
            // Who belongs to the cluster must not be forgotten before what depends on it.
            self.collector.pinned = None;
            self.collector.pass = None;
            return None;
        }
        if std::mem::replace(&mut self.collector.changes, self.members.changes()) != self.members.changes() {
            self.collector.pinned = None;
            self.collector.pass = None;
        }
        // In the middle of a transfer rows are ahead of the vector.
        if self.tip.place.incoming.is_some() {
            return None;
        }
        if self.collector.pass.is_none() {
            let stable = self.agreed()?;
            if self.collector.done.covers_vector(&stable) {
                return None;
            }
            self.collector.pass = Some((stable, Bytes::new()));
        }
        self.collector.pass.clone()
    }

    /// What every member has acknowledged, once this node has applied all of what they acknowledged.
    fn agreed(&mut self) -> Option<VersionVector> {
        if self.members.is_alone() {
            // Whoever comes later gets rows, or batches from here on; none of them brings such a removal back.
            return Some(self.log.first_vector());
        }
        if self.collector.pinned.is_none() {
            let stable = self.members.stable()?;
            let mut all = VersionVector::new();
            self.members.acks().iter().for_each(|ack| all.merge(&ack.vector));
            self.collector.pinned = Some((stable, all));
        }
        let (_, all) = self.collector.pinned.as_ref()?;
        if !self.tip.vector.covers_vector(all) && !self.config.has_bug(Planted::EarlyCollection) {
            return None;
        }
        let (stable, _) = self.collector.pinned.clone()?;
        // Who catches up with what this node acknowledges must learn of all that it has forgotten.
        if !self.told().is_some_and(|told| told.covers_vector(&stable)) {
            return None;
        }
        self.collector.pinned = None;
        Some(stable)
    }
}
