//! Catching up, after an old copy of the datastore was put back and when a datastore began empty.
//!
//! Such a node may lack removals that others have forgotten: it has acknowledged them before, or nobody waited for it
//! then. What it writes is held back (see the replica's `held` module) until it knows all of them. That is the case
//! when it has all that *one* member acknowledges in a message that it sent after it heard of this node's new epoch:
//! whoever forgets a removal needs that member's acknowledgement of it. Either it acknowledged the removal before that
//! message, then the removal is in what has been caught up with. Or it does so later, then it says with it that this
//! node has begun anew, and nobody forgets anything before this node, in its new epoch, has acknowledged it too.
//!
//! A member that has not settled itself after an old copy was put back acknowledges nothing, so nobody settles by it.
//! When nobody else is there for a while (all nodes of a cluster were put back), nodes settle without: there is nobody
//! left to catch up with.
//!
//! A newcomer acknowledges what it has, but says so in the last place of its message, where nobody takes it for a member
//! that all others wait for. Where only newcomers meet the cluster is a new one: a newcomer settles when it has all that
//! each of its peers acknowledges, or, where some of them do not come, after a shorter while.

use crate::Cluster;
use crate::event::{Effect, LinkId, Millis};
use numax_crdt::{NodeId, Origin, VersionVector};
use std::collections::{BTreeMap, BTreeSet};

/// What the peer of a link acknowledged first.
#[derive(Debug)]
struct Target {
    peer: NodeId,
    vector: VersionVector,
    /// It has settled: everybody waits for it who forgets something that it did not know by then.
    settled: bool,
}

/// What a node that holds back waits for.
#[derive(Debug, Default)]
pub(crate) struct Settling {
    /// For a newcomer: how many peers it is to have.
    newcomer: Option<usize>,
    targets: BTreeMap<LinkId, Target>,
    /// Since when there are peers of which none has settled.
    since: Option<Millis>,
    /// The replica is at it.
    asked: bool,
}

impl Settling {
    pub(crate) fn new(newcomer: Option<usize>) -> Self {
        Self { newcomer, ..Self::default() }
    }

    /// Whether this node has never caught up with anybody.
    pub(crate) fn is_newcomer(&self) -> bool {
        self.newcomer.is_some()
    }

    /// Whether `vector` is all that this node has to know.
    fn reached(&self, vector: &VersionVector) -> bool {
        let mut newcomers = BTreeSet::new();
        for target in self.targets.values().filter(|target| vector.covers_vector(&target.vector)) {
            if target.settled {
                return true;
            }
            newcomers.insert(target.peer);
        }
        self.newcomer.is_some_and(|peers| newcomers.len() >= peers.max(1))
    }
}

impl Cluster {
    /// A peer said what it has received itself.
    pub(crate) fn settle_by(&mut self, link: LinkId, peer: NodeId, acks: &[(Origin, VersionVector)]) {
        let own = self.identity.origin;
        let Some(settling) = &mut self.settling else { return };
        // One that does not know of our epoch yet may acknowledge more before it does.
        if !acks.iter().any(|(member, _)| *member == own) {
            return;
        }
        let by = |said: Option<&(Origin, VersionVector)>| {
            said.filter(|(member, _)| member.node == peer).map(|(_, vector)| vector.clone())
        };
        if let Some(vector) = by(acks.first()) {
            let known = settling.targets.get(&link).is_some_and(|target| target.settled);
            if !known {
                settling.targets.insert(link, Target { peer, vector, settled: true });
            }
        } else if let Some(vector) = by(acks.last()) {
            settling.targets.entry(link).or_insert(Target { peer, vector, settled: false });
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
        let (now, config) = (self.now, &self.config);
        let busy = self.transfer.is_some();
        let Some(settling) = &mut self.settling else { return };
        let patience = match settling.newcomer {
            Some(_) => config.join_patience_ms,
            None => config.settle_patience_ms,
        };
        let settled = settling.targets.values().any(|target| target.settled);
        if settling.asked || settled || !ready {
            settling.since = None;
        } else {
            settling.since.get_or_insert(now);
        }
        let reached = settling.reached(&self.vector);
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
