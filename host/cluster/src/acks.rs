//! Acknowledgements: what members have received for certain, passed on with anti-entropy.
//!
//! The core does not know them; it decides when to whom they are told, which bounds their rate: with each round to the
//! partner of the round, and when a link becomes ready. What comes more often is not looked at.

use crate::Cluster;
use crate::event::{Effect, LinkId};
use numax_crdt::{Origin, VersionVector};
use numax_replica::Ack;

impl Cluster {
    pub(crate) fn send_acks(&mut self, link: LinkId, fx: &mut Vec<Effect>) {
        if self.links.get(&link).is_some_and(crate::link::Link::forgets) {
            fx.push(Effect::SendAcks { link });
        }
    }

    pub(crate) fn peer_acks(
        &mut self,
        link: LinkId,
        acks: Vec<(Origin, VersionVector)>,
        fx: &mut Vec<Effect>,
    ) {
        let pause = self.config.sync_interval_ms / 4;
        let now = self.now;
        if let Some(peer) = self.links.get(&link).map(|state| state.peer) {
            self.settle_by(link, peer, &acks);
        }
        let Some(state) = self.links.get_mut(&link) else { return };
        if state.acks_heard.is_some_and(|last| last.plus(pause) > now) {
            return;
        }
        state.acks_heard = Some(now);
        let Some(from) = state.hello.as_ref().map(|hello| hello.origin) else { return };
        // A peer says what it has received itself, and may pass on what others have. It says nothing of us.
        let own = self.identity.node;
        let acks = acks.into_iter().filter(|(member, _)| member.node != own);
        let acks: Vec<Ack> = acks.map(|(member, vector)| Ack { member, vector }).collect();
        if !acks.is_empty() {
            fx.push(Effect::Acknowledged { link, from, acks });
        }
    }
}
