//! The first words on a link: is the peer one of us, and can we talk?

use crate::Cluster;
use crate::event::{Effect, LinkId, Report};
use crate::link::Link;
use numax_crdt::NodeId;
use numax_wire::{Hello, Message, WireError, negotiate};

impl Cluster {
    pub(crate) fn link_up(&mut self, link: LinkId, peer: NodeId, dialed: bool, fx: &mut Vec<Effect>) {
        if self.links.contains_key(&link) {
            return;
        }
        self.links.insert(link, Link::new(peer, dialed, self.now));
        let hello = Hello {
            protocol: self.config.protocol,
            cluster_id: self.identity.cluster_id,
            node: self.identity.node,
            origin: self.identity.origin,
            instance: self.instance,
            name: self.identity.name.clone(),
            listen: self.identity.listen.clone(),
            features: numax_wire::FORGETTING,
        };
        fx.push(Effect::Send { link, message: Message::Hello(hello) });
    }

    pub(crate) fn hello(&mut self, link: LinkId, hello: Hello, fx: &mut Vec<Effect>) {
        let Some(state) = self.links.get(&link) else { return };
        if hello.instance == self.instance && hello.origin == self.identity.origin {
            fx.push(Effect::Report(Report::SelfLink { link }));
            fx.push(Effect::Close { link, error: None });
            self.forget(link, fx);
            return;
        }
        if let Err(error) = self.admit(&hello, state.peer) {
            if error == WireError::DuplicateOrigin {
                fx.push(Effect::Report(Report::DuplicateOrigin { origin: hello.origin }));
            }
            self.refuse(link, error, fx);
            return;
        }
        let protocol = match negotiate(self.config.protocol, hello.protocol) {
            Ok(protocol) => protocol,
            Err(error) => return self.refuse(link, error, fx),
        };
        let Some(state) = self.links.get_mut(&link) else { return };
        state.protocol = protocol;
        state.hello = Some(hello.clone());
        fx.push(Effect::PeerReady { link, node: state.peer, hello });
        self.send_digest(link, fx);
        self.send_acks(link, fx);
    }

    /// The order matters: without a common version the other fields mean nothing, and who is of another cluster learns
    /// nothing about our nodes.
    fn admit(&self, hello: &Hello, authenticated: NodeId) -> Result<(), WireError> {
        negotiate(self.config.protocol, hello.protocol)?;
        if hello.cluster_id != self.identity.cluster_id {
            return Err(WireError::ClusterMismatch);
        }
        if hello.node != authenticated {
            return Err(WireError::NotAuthorized {
                detail: format!(
                    "the peer calls itself {}, its certificate says {}",
                    hello.node.short(),
                    authenticated.short()
                ),
            });
        }
        if hello.origin.node != hello.node {
            return Err(WireError::NotAuthorized {
                detail: format!(
                    "the peer {} writes under the origin of {}",
                    hello.node.short(),
                    hello.origin.node.short()
                ),
            });
        }
        if hello.origin == self.identity.origin {
            return Err(WireError::DuplicateOrigin);
        }
        if hello.node == self.identity.node {
            return Err(WireError::NotAuthorized {
                detail:
                    "the peer has this node's own key: two datastores were made from one; stop one of them \
                         and give it a datastore of its own"
                        .into(),
            });
        }
        Ok(())
    }
}
