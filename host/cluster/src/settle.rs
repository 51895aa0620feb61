//! Catching up after an old copy of the datastore was put back.
//!
//! Such a node may lack removals that it has acknowledged before, and that others have forgotten because of that. What
//! it writes is held back (see the replica's `held` module) until it knows all of them. That is the case when it has
//! all that *one* member acknowledges in a message that it sent after it heard of this node's new epoch: whoever forgets
//! a removal needs that member's acknowledgement of it. Either it acknowledged the removal before that message, then
//! the removal is in what has been caught up with. Or it does so later, then it says with it that this node has begun
//! anew, and nobody forgets anything before this node, in its new epoch, has acknowledged it too.
//!
//! A member that has not settled itself acknowledges nothing, so nobody settles by it. When nobody else is there for a
//! while (all nodes of a cluster were put back), nodes settle without: there is nobody left to catch up with.

use crate::Cluster;
use crate::event::{Effect, LinkId, Millis};
use numax_crdt::{NodeId, Origin, VersionVector};
use std::collections::BTreeMap;

/// What a node that holds back waits for.
#[derive(Debug, Default)]
pub(crate) struct Settling {
    /// What the peer of each link acknowledged first.
    targets: BTreeMap<LinkId, VersionVector>,
    /// Since when there are peers of which none has settled.
    since: Option<Millis>,
    /// The replica is at it.
    asked: bool,
}

impl Cluster {
    /// A peer said what it has received itself.
    pub(crate) fn settle_by(&mut self, link: LinkId, peer: NodeId, acks: &[(Origin, VersionVector)]) {
        if let Some(settling) = &mut self.settling
            && let Some((_, vector)) = acks.iter().find(|(member, _)| member.node == peer)
        {
            settling.targets.entry(link).or_insert_with(|| vector.clone());
        }
    }

    /// A link is gone, and with it whom this node would have caught up with.
    pub(crate) fn settle_without(&mut self, link: LinkId) {
        if let Some(settling) = &mut self.settling {
            settling.targets.remove(&link);
        }
    }

    /// Settles when it is time.
    pub(crate) fn look_whether_settled(&mut self, fx: &mut Vec<Effect>) {
        let ready = self.links.values().any(crate::link::Link::ready);
        let (now, patience) = (self.now, self.config.settle_patience_ms);
        let busy = self.transfer.is_some();
        let Some(settling) = &mut self.settling else { return };
        if settling.asked || !settling.targets.is_empty() || !ready {
            settling.since = None;
        } else {
            settling.since.get_or_insert(now);
        }
        let reached = settling.targets.values().any(|target| self.vector.covers_vector(target));
        let given_up = settling.since.is_some_and(|since| since.plus(patience) <= now);
        if !settling.asked && !busy && (reached || given_up) {
            settling.asked = true;
            fx.push(Effect::Settle);
        }
    }

    /// The replica has settled, or could not; then it is asked again.
    pub(crate) fn settled(&mut self, done: bool, fx: &mut Vec<Effect>) {
        let Some(settling) = &mut self.settling else { return };
        settling.asked = false;
        if done {
            self.settling = None;
            // Others may wait for that.
            for link in self.ready_links() {
                self.send_acks(link, fx);
            }
        }
    }
}
