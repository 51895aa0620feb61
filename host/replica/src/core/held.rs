//! Batches that are held back: what is written here while the data may be older than what this node has acknowledged.
//!
//! Others have forgotten removals because this node, in an earlier epoch, said that it has them. After an old copy is
//! put back that is no longer true, and a batch that is written without knowing of such a removal means one thing to
//! who remembers it and another to who does not: an element inserted behind a removed one, a register write that is
//! stamped before its removal. So a node in that state *holds back* what it writes. The batches have their dots, are
//! in the log and in the rows, and readers here see them; but they are not in the vector, and nobody else gets them.
//!
//! A *newcomer*, whose datastore began empty, does the same: others may have forgotten removals without waiting for it.
//!
//! Once the node has caught up with a member (the protocol knows when; see `numax_cluster`), it *settles*: each batch
//! is written anew under the same dot, now saying what means the same whatever one has forgotten
//! ([`OpApplier::settled`](numax_crdt::OpApplier::settled)), and the rows are changed to that. From then on they are
//! batches like all others. A node that meets nobody holds back for ever, and loses nothing by that.
//!
//! The bytes of held batches are kept in node-local rows that guests cannot name, in parts because a row has a limit.
//! A batch in the log whose dot is held is the settled one, live and in a replay.

use std::collections::BTreeMap;

use bytes::Bytes;
use numax_crdt::{Batch, Dot, Hlc, NodeId, Op, Origin, applier};
use numax_store::{KvBackend, KvError, Table};

use super::{Core, group::Group};
use crate::{
    applied::{Applied, Change},
    error::CoreError,
    planted::Planted,
    rows::{
        name,
        shared::Shared,
        staging::{StagedRows, Staging},
    },
    settling::Settling,
};

/// What the local keys of held batches begin with.
pub(crate) const PREFIX: &[u8] = b"__nx/held/";
/// Bytes of a batch in one row.
const PART: usize = 1 << 20;
/// Bytes of batches that are settled in one group.
const SETTLE_BYTES: usize = 1 << 20;

/// The dots that are held back: per origin a run, the older epochs first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Held(BTreeMap<Origin, (u64, u64)>);

impl Held {
    /// What the engine has.
    pub(super) fn load(engine: &dyn KvBackend, node: NodeId) -> Result<Self, KvError> {
        const STEP: usize = 16;
        let mut held = Self::default();
        let mut after: Option<Bytes> = None;
        loop {
            let from = after.as_deref().map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
            let rows = engine.scan(Table::Local, from, PREFIX, STEP)?;
            rows.iter().filter_map(|(key, _)| parse(node, key)).for_each(|dot| held.add(dot));
            if rows.len() < STEP {
                return Ok(held);
            }
            after = rows.last().map(|(key, _)| key.clone());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many batches.
    pub(super) fn len(&self) -> u64 {
        self.0.values().map(|(first, last)| last + 1 - first).sum()
    }

    pub(super) fn contains(&self, dot: Dot) -> bool {
        self.0.get(&dot.origin).is_some_and(|(first, last)| (*first..=*last).contains(&dot.seq))
    }

    pub(super) fn add(&mut self, dot: Dot) {
        let run = self.0.entry(dot.origin).or_insert((dot.seq, dot.seq));
        *run = (run.0.min(dot.seq), run.1.max(dot.seq));
    }

    /// All of them.
    fn dots(&self) -> impl Iterator<Item = Dot> {
        let run = |(origin, (first, last)): (&Origin, &(u64, u64))| {
            let origin = *origin;
            (*first..=*last).map(move |seq| Dot { origin, seq })
        };
        self.0.iter().flat_map(run)
    }

    /// The number of the next batch of an origin, of which `known` are no longer held back.
    fn next(&self, origin: &Origin, known: u64) -> u64 {
        self.0.get(origin).map_or(known, |(_, last)| *last) + 1
    }

    /// The one that is settled next.
    fn first(&self) -> Option<Dot> {
        self.0.iter().next().map(|(origin, (first, _))| Dot { origin: *origin, seq: *first })
    }

    /// Holds back this one and those before it no longer.
    pub(super) fn remove(&mut self, dot: Dot) {
        match self.0.get_mut(&dot.origin) {
            Some((first, last)) if dot.seq < *last => *first = (*first).max(dot.seq + 1),
            _ => drop(self.0.remove(&dot.origin)),
        }
    }
}

/// The local key of a part of a held batch.
fn key(dot: Dot, part: u8) -> Vec<u8> {
    let mut key = PREFIX.to_vec();
    key.extend_from_slice(&dot.origin.epoch.to_be_bytes());
    key.extend_from_slice(&dot.origin.nonce.to_be_bytes());
    key.extend_from_slice(&dot.seq.to_be_bytes());
    key.push(part);
    key
}

/// The batch that a local key is a part of.
pub(super) fn parse(node: NodeId, key: &[u8]) -> Option<Dot> {
    let (epoch, rest) = key.strip_prefix(PREFIX)?.split_first_chunk::<8>()?;
    let (nonce, rest) = rest.split_first_chunk::<8>()?;
    let (seq, _) = rest.split_first_chunk::<8>()?;
    let origin = Origin { node, epoch: u64::from_be_bytes(*epoch), nonce: u64::from_be_bytes(*nonce) };
    Some(Dot { origin, seq: u64::from_be_bytes(*seq) })
}

/// Keeps a held batch in rows.
pub(super) fn keep(staging: &mut Staging, dot: Dot, bytes: &Bytes) {
    for (number, start) in (0..bytes.len()).step_by(PART).enumerate() {
        let part = bytes.slice(start..bytes.len().min(start + PART));
        let number = u8::try_from(number).unwrap_or(u8::MAX);
        staging.put(&name::local(&key(dot, number)), Some(part));
    }
}

/// Takes a held batch out of the rows, and reads it; the keys of its parts with it.
fn take(shared: &Shared, staging: &mut Staging, dot: Dot) -> Result<(Batch, Vec<Bytes>), CoreError> {
    let mut bytes = Vec::new();
    let mut keys = Vec::new();
    for number in 0..=u8::MAX {
        let key = key(dot, number);
        let row = name::local(&key);
        let Some(part) = staging.get(shared, &row)? else { break };
        bytes.extend_from_slice(&part);
        staging.put(&row, None);
        keys.push(Bytes::from(key));
    }
    Ok((Batch::decode(bytes.into())?, keys))
}

/// Changes rows from what a held batch made of them to what `after`, which was made of it, says. Answers what changed
/// for a reader.
pub(super) fn resettle(
    shared: &Shared,
    staging: &mut Staging,
    dot: Dot,
    after: &[Op],
) -> Result<Vec<Change>, CoreError> {
    let (before, _) = take(shared, staging, dot)?;
    let mut changes = Vec::new();
    for op in &before.ops {
        let Some(family) = applier(op.body.kind()) else { continue };
        let now = after.iter().find(|now| now.key == op.key && now.body.same_row(&op.body));
        let mut rows = StagedRows::new(shared, staging, op.body.kind(), &op.key);
        if family.resettle(&mut rows, dot, &op.body, now.map(|now| &now.body))? {
            changes.push(change(op));
        }
    }
    Ok(changes)
}

fn change(op: &Op) -> Change {
    Change { kind: op.body.kind(), key: op.key.clone(), op: op.body.op_kind() }
}

impl Core {
    /// Whether what is written here is held back, because this node's data may be older than what it has acknowledged
    /// and it has not caught up since. A node that knows of no other holds nothing back.
    pub fn holds_back(&self) -> bool {
        let free = match self.settling() {
            Settling::Settled => true,
            Settling::Newcomer => self.config.has_bug(Planted::NewcomerWrites),
            Settling::Restored => self.config.has_bug(Planted::RestoredWrites),
        };
        !free && (!self.members.is_alone() || !self.held.is_empty())
    }

    /// How this datastore stands to the rest of its cluster.
    pub fn settling(&self) -> Settling {
        self.meta.settling.state()
    }

    /// Whether this node has yet to catch up with the cluster.
    pub fn is_unsettled(&self) -> bool {
        self.settling().waits()
    }

    /// How many batches are held back.
    pub fn held_back(&self) -> u64 {
        self.held.len()
    }

    /// The names of what is held back, the oldest first.
    pub fn held_dots(&self) -> Vec<Dot> {
        self.held.dots().collect()
    }

    /// Whether the engine's rows, or those on their way there, hold something that is not in the vector.
    pub(crate) fn rows_held_back(&self) -> bool {
        !self.held.is_empty() || self.included() < self.settled_at
    }

    /// The number that the next batch written here gets.
    pub(super) fn next_seq(&self) -> u64 {
        self.held.next(&self.origin, self.tip.vector.get(&self.origin))
    }

    /// Settles some of the batches that are held back, the oldest first. With the last one nothing is held back any
    /// more.
    pub(super) fn settle(&mut self, group: &mut Group, now_ms: u64) -> Result<(), CoreError> {
        group.keep_held(&self.held);
        group.settles = true;
        let mut bytes = 0;
        while bytes < SETTLE_BYTES
            && let Some(dot) = self.held.first()
        {
            let (before, keys) = take(&self.shared, &mut self.staging, dot)?;
            if self.tip.vector.covers(dot) {
                // It had left in an earlier life of this datastore, and has come back from others with their rows.
                let writes: Vec<_> = keys.into_iter().map(|key| (key, None)).collect();
                group.push(None, false, &writes)?;
                self.held.remove(dot);
                continue;
            }
            bytes += self.settle_one(group, before, now_ms)?;
        }
        Ok(())
    }

    /// Writes a batch anew that is held back; answers its bytes.
    fn settle_one(&mut self, group: &mut Group, before: Batch, now_ms: u64) -> Result<usize, CoreError> {
        let dot = before.dot();
        let hlc = self.tip.clock.tick(now_ms);
        let floor = Some(self.tip.place.floor).filter(|floor| *floor > Hlc::ZERO);
        let (mut ops, mut changes) = (Vec::with_capacity(before.ops.len()), Vec::new());
        for op in before.ops {
            let Some(family) = applier(op.body.kind()) else { continue };
            let mut rows = StagedRows::new(&self.shared, &mut self.staging, op.body.kind(), &op.key);
            let after = family.settled(&rows, dot, &op.body, hlc.after(floor))?;
            if family.resettle(&mut rows, dot, &op.body, after.as_ref())? {
                changes.push(change(&op));
            }
            ops.extend(after.map(|body| Op { key: op.key, body }));
        }
        let own = dot.origin == self.origin;
        // Whoever gets it must know what this node knew when it wrote it anew.
        let deps: Vec<(Origin, u64)> = match own {
            true => self.tip.deps.iter().map(|(origin, seq)| (*origin, *seq)).collect(),
            false => {
                let others = self.tip.vector.iter().filter(|(origin, _)| **origin != dot.origin);
                others.map(|(origin, seq)| (*origin, seq)).collect()
            }
        };
        let bytes = Batch { origin: dot.origin, seq: dot.seq, deps, hlc, ops }.encode();
        let position = group.push(Some(&bytes), false, &[])?;
        group.advance(&mut self.tip, dot);
        match own {
            true => self.tip.deps.clear(),
            false => drop(self.tip.deps.insert(dot.origin, dot.seq)),
        }
        self.held.remove(dot);
        let size = bytes.len();
        group.applied.push(Applied {
            position,
            dot,
            bytes,
            for_peers: true,
            remote: false,
            writer: None,
            changes,
        });
        Ok(size)
    }

    /// Nothing is held back any more, if so.
    pub(super) fn settled(&mut self) {
        if !self.held.is_empty() || !self.is_unsettled() {
            return;
        }
        // Were the power to take what it has caught up with, it would not be caught up any more.
        if let Err(error) = self.log.sync_now() {
            tracing::warn!(%error, "what the datastore has caught up with cannot be synced");
            return;
        }
        // No other sync has to come for what waited for one.
        self.expose();
        self.meta.settling = Settling::Settled.into();
        self.settled_at = self.log.end();
        tracing::info!(
            "the datastore has caught up with the cluster; what is written here is no longer held back"
        );
        self.caught_up_with.clone_from(&self.tip.vector);
        if let Err(error) = self.meta.store(&*self.disk) {
            // Then the next start holds back again until it has caught up, which does no harm.
            tracing::warn!(%error, "that the datastore has caught up cannot be noted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(epoch: u64, seq: u64) -> Dot {
        Dot { origin: Origin { node: NodeId([7; 32]), epoch, nonce: 3 }, seq }
    }

    #[test]
    fn keys_lead_back_and_cannot_be_a_guests() {
        let key = key(dot(2, 9), 1);
        assert_eq!(parse(NodeId([7; 32]), &key), Some(dot(2, 9)));
        assert_eq!(parse(NodeId([7; 32]), &key[..20]), None);
        assert!(key.starts_with(numax_crdt::limits::RESERVED_PREFIX.as_bytes()));
    }

    #[test]
    fn runs_begin_with_the_oldest_epoch_and_end_one_by_one() {
        let mut held = Held::default();
        for dot in [dot(3, 1), dot(3, 2), dot(2, 5)] {
            held.add(dot);
        }
        assert_eq!((held.len(), held.first()), (3, Some(dot(2, 5))));
        assert_eq!((held.next(&dot(3, 0).origin, 0), held.next(&dot(4, 0).origin, 8)), (3, 9));
        held.remove(dot(2, 5));
        assert_eq!(held.first(), Some(dot(3, 1)));
        held.remove(dot(3, 1));
        assert!(!held.contains(dot(3, 1)) && held.contains(dot(3, 2)));
        held.remove(dot(3, 2));
        assert!(held.is_empty());
    }
}
