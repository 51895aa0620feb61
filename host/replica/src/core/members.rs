//! The member table, and what this node acknowledges.

use numax_crdt::{NodeId, Origin, VersionVector};

use super::Core;
use crate::{
    forget::{Ack, Member},
    settling::Settling,
};

impl Core {
    /// What this node has received for certain: all of it survives a power cut here.
    pub fn received(&mut self) -> &VersionVector {
        self.receipts.durable(self.log.synced(), self.log.end(), &self.tip.vector)
    }

    /// What this node acknowledges. Not more than when the table of members was safe from power cuts the last time:
    /// with the table it would forget which members had begun anew when it acknowledged this. Nothing before that: never less
    /// than what it acknowledged before it was started.
    pub(crate) fn told(&mut self) -> Option<&VersionVector> {
        if self.members_saved == self.members.changes() {
            self.acked = Some(self.received().clone());
        }
        self.acked.as_ref()
    }

    /// What this node and those it knows of have received for certain, its own first: to be told to others. About
    /// `max_bytes` of them; of the others it is said only in which epoch they are, and they take turns.
    ///
    /// That all epochs are told matters: who learns from this message what a member has received must also learn which
    /// members were known here by then to have begun anew, because they may not have it any more.
    ///
    /// As long as this node has not settled after an old copy was put back it says nothing of itself: it may lack what
    /// it has acknowledged before. A newcomer says what it has *last*: it is true, but who wants to catch up must know
    /// that there may be removals of which it has never heard.
    pub fn acks(&mut self, max_bytes: usize) -> Vec<Ack> {
        /// What an entry of a vector takes at most, about.
        const ENTRY: usize = 64;
        let (newcomer, silent) =
            (self.settling() == Settling::Newcomer, self.settling() == Settling::Restored);
        let caught_up_with = std::mem::take(&mut self.caught_up_with);
        let own = self.told().filter(|told| !silent && told.covers_vector(&caught_up_with)).cloned();
        self.caught_up_with = caught_up_with;
        let own = own.map(|vector| Ack { member: self.origin, vector });
        let others = self.members.acks();
        let size = |ack: &Ack| ack.vector.len() * ENTRY;
        let mut room =
            max_bytes.saturating_sub((others.len() + 1) * ENTRY).saturating_sub(own.as_ref().map_or(0, size));
        let mut acks = Vec::with_capacity(1 + others.len());
        let (first_of_all, last_of_all) = if newcomer { (None, own) } else { (own, None) };
        acks.extend(first_of_all);
        let first = if others.is_empty() { 0 } else { self.ack_turn % others.len() };
        let mut full = false;
        for ack in others.iter().cycle().skip(first).take(others.len()) {
            let left = room.checked_sub(size(ack)).filter(|_| !full);
            full = left.is_none();
            let vector = left.map_or_else(VersionVector::new, |_| ack.vector.clone());
            acks.push(Ack { member: ack.member, vector });
            room = left.unwrap_or(room);
            self.ack_turn = self.ack_turn.wrapping_add(usize::from(!full));
        }
        acks.extend(last_of_all);
        acks
    }

    /// Takes acknowledgements from a peer, its own and those that it passes on.
    pub fn acknowledged(&mut self, acks: &[Ack], now_ms: u64) {
        acks.iter().for_each(|ack| self.members.acknowledged(ack, now_ms));
    }

    /// A node of the cluster was heard, writing under this origin.
    pub fn heard_of(&mut self, origin: Origin, now_ms: u64) {
        self.members.heard(origin, now_ms);
    }

    /// Tells which nodes belong to the cluster by configuration, and how many others there are to be at least: until
    /// so many are known, no tombstone goes.
    pub fn configure_members(&mut self, nodes: &[NodeId], at_least: usize) {
        self.members.configure(nodes, at_least);
    }

    /// Counts a node no longer, until it is heard again; answers whether it counted. Forgetting goes on without it. When
    /// it comes back it gets a transfer of state.
    pub fn evict_member(&mut self, node: NodeId) -> bool {
        self.members.evict(node)
    }

    /// Evicts nodes that were not heard for longer than a time.
    pub fn evict_unseen(&mut self, now_ms: u64, horizon_ms: u64) -> Vec<NodeId> {
        self.members.evict_unseen(now_ms, horizon_ms)
    }

    /// All other nodes that were ever known of.
    pub fn members(&self) -> Vec<Member> {
        self.members.list()
    }
}
