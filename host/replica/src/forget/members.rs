//! Who belongs to the cluster, and what each has certainly received.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use numax_crdt::{
    CodecError, NodeId, Origin, VersionVector,
    codec::{Reader, put_origin, put_varint},
};

/// What a member says that it has received: everything in the vector survives a power cut there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// The member, in its present epoch: a new one has received nothing yet.
    pub member: Origin,
    /// What it has received.
    pub vector: VersionVector,
}

/// The table of members, as forgetting needs it.
pub trait Members: Send {
    /// Takes note of members by configuration, and of how many other nodes there are to be at least. Until that many
    /// are known, nothing is stable: one that was never heard of may have written anything.
    fn configure(&mut self, nodes: &[NodeId], at_least: usize);

    /// A member was heard, writing under this origin. A later epoch than known begins without acknowledgements; an
    /// earlier one is old news.
    fn heard(&mut self, origin: Origin, now_ms: u64);

    /// Takes an acknowledgement, the member's own or passed on by another.
    fn acknowledged(&mut self, ack: &Ack, now_ms: u64);

    /// What every member has received; none while that cannot be said.
    fn stable(&self) -> Option<VersionVector>;

    /// All acknowledgements that are known, for others; empty ones too, because they say in which epoch a member is.
    fn acks(&self) -> Vec<Ack>;

    /// Counts a member no longer, until it is heard again. Answers whether it did before.
    fn evict(&mut self, node: NodeId) -> bool;

    /// Evicts members that were heard once and then not for longer than `horizon_ms`.
    fn evict_unseen(&mut self, now_ms: u64, horizon_ms: u64) -> Vec<NodeId>;

    /// All members, by node.
    fn list(&self) -> Vec<Member>;

    /// Whether somebody is to be waited for at all.
    fn is_alone(&self) -> bool;

    /// Counts changes of who belongs to it, which must survive before anything is forgotten by them.
    fn changes(&self) -> u64;

    /// The table's bytes, for the datastore.
    fn encode(&self) -> Bytes;
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub node: NodeId,
    /// What it writes under; none before it was heard.
    pub origin: Option<Origin>,
    /// What it has received in this epoch.
    pub acked: VersionVector,
    /// When it was heard last, Unix time in milliseconds; 0 for never.
    pub seen_ms: u64,
    /// It is not waited for.
    pub evicted: bool,
}

/// Every node that was configured or ever heard belongs to it, until it is evicted.
#[derive(Debug, Clone, Default)]
pub struct StaticMembers {
    own: NodeId,
    members: BTreeMap<NodeId, Member>,
    at_least: usize,
    changes: u64,
    /// Origins that members were heard to write under no longer: what is still passed on of them is old news.
    former: BTreeSet<Origin>,
}

/// The version of the table's bytes.
const VERSION: u8 = 1;

impl StaticMembers {
    /// A table without others, for the node `own`.
    #[must_use]
    pub fn new(own: NodeId) -> Self {
        Self { own, ..Self::default() }
    }

    /// Reads what [`encode`](Members::encode) gave.
    ///
    /// # Errors
    /// When the bytes are something else.
    pub fn decode(own: NodeId, bytes: Bytes) -> Result<Self, CodecError> {
        const WHAT: &str = "member table";
        let mut reader = Reader::new(bytes);
        match reader.u8(WHAT)? {
            VERSION => {}
            tag => return Err(CodecError::Tag { what: WHAT, tag }),
        }
        let mut table = Self::new(own);
        for _ in 0..reader.count(WHAT, usize::MAX, 40)? {
            let node = NodeId(reader.array(WHAT)?);
            let flags = reader.u8(WHAT)?;
            let origin = (flags & 1 != 0).then(|| reader.origin()).transpose()?;
            let seen_ms = reader.varint(WHAT)?;
            let acked = VersionVector::read(&mut reader)?;
            table.members.insert(node, Member { node, origin, acked, seen_ms, evicted: flags & 2 != 0 });
        }
        reader.finish()?;
        Ok(table)
    }

    fn entry(&mut self, node: NodeId) -> &mut Member {
        let changes = &mut self.changes;
        self.members.entry(node).or_insert_with(|| {
            *changes += 1;
            Member { node, origin: None, acked: VersionVector::new(), seen_ms: 0, evicted: false }
        })
    }

    /// The entry of a member in this epoch; none when a later one is known.
    fn epoch(&mut self, origin: Origin) -> Option<&mut Member> {
        if origin.node == self.own {
            return None;
        }
        self.entry(origin.node);
        let (changes, member) = (&mut self.changes, self.members.get_mut(&origin.node)?);
        match member.origin {
            Some(known) if known == origin => {}
            Some(known) if known.epoch > origin.epoch || self.former.contains(&origin) => return None,
            // A later epoch, or another of two clones that began apart: neither has acknowledged anything.
            _ => {
                *changes += 1;
                member.origin = Some(origin);
                member.acked = VersionVector::new();
            }
        }
        Some(member)
    }

    fn counting(&self) -> impl Iterator<Item = &Member> {
        self.members.values().filter(|member| !member.evicted)
    }
}

impl Members for StaticMembers {
    fn configure(&mut self, nodes: &[NodeId], at_least: usize) {
        for node in nodes.iter().filter(|node| **node != self.own).copied().collect::<Vec<_>>() {
            self.entry(node);
        }
        self.at_least = at_least;
    }

    fn heard(&mut self, origin: Origin, now_ms: u64) {
        // It says itself what it writes under. Not always a later epoch: a datastore that was lost begins at the first.
        if origin.node != self.own
            && let Some(member) = self.members.get_mut(&origin.node)
            && let Some(known) = member.origin.filter(|known| *known != origin)
        {
            self.former.insert(known);
            member.origin = None;
        }
        self.former.remove(&origin);
        let Some(member) = self.epoch(origin) else { return };
        member.seen_ms = member.seen_ms.max(now_ms);
        if std::mem::take(&mut member.evicted) {
            self.changes += 1;
        }
    }

    fn acknowledged(&mut self, ack: &Ack, now_ms: u64) {
        let Some(member) = self.epoch(ack.member) else { return };
        if !member.acked.covers_vector(&ack.vector) {
            member.acked.merge(&ack.vector);
            member.seen_ms = member.seen_ms.max(now_ms);
        }
    }

    fn stable(&self) -> Option<VersionVector> {
        if self.counting().count() < self.at_least {
            return None;
        }
        let mut members = self.counting();
        let mut stable = members.next()?.acked.clone();
        for member in members {
            stable =
                stable.iter().map(|(origin, seq)| (*origin, seq.min(member.acked.get(origin)))).collect();
        }
        Some(stable)
    }

    fn acks(&self) -> Vec<Ack> {
        self.counting()
            .filter_map(|member| Some(Ack { member: member.origin?, vector: member.acked.clone() }))
            .collect()
    }

    fn evict(&mut self, node: NodeId) -> bool {
        let Some(member) = self.members.get_mut(&node) else { return false };
        let counted = !std::mem::replace(&mut member.evicted, true);
        // What it said it has received says nothing about what it will have when it comes back.
        member.acked = VersionVector::new();
        self.changes += u64::from(counted);
        counted
    }

    fn evict_unseen(&mut self, now_ms: u64, horizon_ms: u64) -> Vec<NodeId> {
        // Who was configured and never heard has no time to count from; evicting it is the operator's.
        let unseen =
            |member: &&Member| member.origin.is_some() && now_ms.saturating_sub(member.seen_ms) > horizon_ms;
        let gone: Vec<NodeId> = self.counting().filter(unseen).map(|member| member.node).collect();
        for node in &gone {
            self.evict(*node);
        }
        gone
    }

    fn list(&self) -> Vec<Member> {
        self.members.values().cloned().collect()
    }

    fn is_alone(&self) -> bool {
        self.counting().next().is_none() && self.at_least == 0
    }

    fn changes(&self) -> u64 {
        self.changes
    }

    fn encode(&self) -> Bytes {
        let mut out = vec![VERSION];
        put_varint(&mut out, self.members.len() as u64);
        for member in self.members.values() {
            out.extend_from_slice(&member.node.0);
            out.push(u8::from(member.origin.is_some()) | if member.evicted { 2 } else { 0 });
            if let Some(origin) = &member.origin {
                put_origin(&mut out, origin);
            }
            put_varint(&mut out, member.seen_ms);
            member.acked.encode_into(&mut out);
        }
        out.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(node: u8, epoch: u64) -> Origin {
        Origin { node: NodeId([node; 32]), epoch, nonce: epoch }
    }

    fn ack(node: u8, epoch: u64, seen: &[(u8, u64)]) -> Ack {
        let vector = seen.iter().map(|(node, seq)| (origin(*node, 0), *seq)).collect();
        Ack { member: origin(node, epoch), vector }
    }

    fn table() -> StaticMembers {
        let mut table = StaticMembers::new(NodeId([1; 32]));
        for node in 1..4 {
            table.heard(origin(node, 0), 10);
        }
        table
    }

    #[test]
    fn stable_is_what_everybody_has_and_nobody_counts_oneself() {
        let mut table = table();
        assert_eq!(table.list().len(), 2);
        table.acknowledged(&ack(2, 0, &[(1, 5), (2, 9)]), 20);
        assert_eq!(table.stable(), Some(VersionVector::new()), "one has said nothing");
        table.acknowledged(&ack(3, 0, &[(1, 7), (3, 1)]), 20);
        assert_eq!(table.stable(), Some(ack(0, 0, &[(1, 5)]).vector));
        table.acknowledged(&ack(3, 0, &[(1, 6)]), 20);
        assert_eq!(table.acks()[1].vector, ack(3, 0, &[(1, 7), (3, 1)]).vector, "nothing is taken back");
        assert_eq!(StaticMembers::new(NodeId([1; 32])).stable(), None);
    }

    #[test]
    fn a_new_epoch_starts_from_nothing_and_an_old_one_says_nothing() {
        let mut table = table();
        table.acknowledged(&ack(2, 0, &[(1, 5)]), 20);
        table.acknowledged(&ack(3, 0, &[(1, 5)]), 20);
        let before = table.changes();
        table.acknowledged(&ack(2, 1, &[(1, 2)]), 30);
        assert!(table.changes() > before);
        assert_eq!(table.stable(), Some(ack(0, 0, &[(1, 2)]).vector));
        table.acknowledged(&ack(2, 0, &[(1, 9)]), 40);
        assert_eq!(table.stable(), Some(ack(0, 0, &[(1, 2)]).vector));
        // Two clones of one epoch: none of them counts for the other.
        // One that lost its datastore begins at the first epoch, and what is passed on of the last is old news.
        let lost = Origin { nonce: 78, ..origin(2, 0) };
        table.heard(lost, 45);
        assert_eq!(table.stable(), Some(VersionVector::new()));
        table.acknowledged(&ack(2, 1, &[(1, 2)]), 46);
        assert_eq!(table.stable(), Some(VersionVector::new()));
        let clone = Origin { nonce: 77, ..origin(2, 1) };
        table.heard(clone, 50);
        assert_eq!(table.stable(), Some(VersionVector::new()));
    }

    #[test]
    fn an_unknown_member_that_is_configured_is_waited_for() {
        let mut table = table();
        table.configure(&[], 3);
        for node in 2..4 {
            table.acknowledged(&ack(node, 0, &[(1, 5)]), 20);
        }
        assert_eq!(table.stable(), None);
        table.configure(&[NodeId([4; 32])], 3);
        assert_eq!(table.stable(), Some(VersionVector::new()));
        table.acknowledged(&ack(4, 0, &[(1, 5)]), 20);
        assert_eq!(table.stable(), Some(ack(0, 0, &[(1, 5)]).vector));
    }

    #[test]
    fn who_is_evicted_is_not_waited_for_until_it_is_heard_again() {
        let mut table = table();
        table.acknowledged(&ack(2, 0, &[(1, 5)]), 1_000);
        assert_eq!(table.evict_unseen(1_500, 1_000), [NodeId([3; 32])]);
        assert_eq!(table.stable(), Some(ack(0, 0, &[(1, 5)]).vector));
        assert!(!table.evict(NodeId([3; 32])) && !table.evict(NodeId([9; 32])));
        table.heard(origin(3, 1), 2_000);
        assert_eq!(table.stable(), Some(VersionVector::new()));
        assert!(table.evict(NodeId([3; 32])) && table.evict(NodeId([2; 32])) && table.is_alone());
    }

    #[test]
    fn the_table_leads_back_and_its_bytes_are_frozen() {
        let mut table = table();
        table.acknowledged(&ack(2, 0, &[(1, 5)]), 20);
        table.evict(NodeId([3; 32]));
        table.configure(&[NodeId([4; 32])], 0);
        let bytes = table.encode();
        let back = StaticMembers::decode(NodeId([1; 32]), bytes.clone()).unwrap();
        assert_eq!(back.list(), table.list());
        let mut small = StaticMembers::new(NodeId([1; 32]));
        small.heard(Origin { node: NodeId([2; 32]), epoch: 1, nonce: 3 }, 5);
        let want = [&[1, 1][..], &[2; 32], &[1], &[2; 32], &[1, 0, 0, 0, 0, 0, 0, 0, 3, 5, 0]].concat();
        assert_eq!(small.encode(), want);
        for cut in 0..bytes.len() {
            assert!(StaticMembers::decode(NodeId([1; 32]), bytes.slice(..cut)).is_err());
        }
    }
}
