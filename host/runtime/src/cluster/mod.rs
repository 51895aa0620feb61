//! `numax:runtime/cluster`: who is there.

use crate::backend::{PeerState, PeerView};
use crate::bindings::host::cluster;
use crate::bindings::host::common::Error;
use crate::session::{Session, SessionError};
use numax_policy::Capability;
use wasmtime::Result;
use wasmtime::component::{HasData, Linker};

type Answer<T> = Result<std::result::Result<T, Error>>;

/// What the interface works on.
pub(crate) struct ClusterCtx<'a> {
    pub(crate) session: &'a mut Session,
}

/// How to find [`ClusterCtx`] in a store's data.
pub(crate) trait ClusterView: Send {
    fn cluster(&mut self) -> ClusterCtx<'_>;
}

struct HasCluster;

impl HasData for HasCluster {
    type Data<'a> = ClusterCtx<'a>;
}

/// Links the interface.
pub(crate) fn add_to_linker<T: ClusterView + 'static>(linker: &mut Linker<T>) -> Result<()> {
    cluster::add_to_linker::<T, HasCluster>(linker, T::cluster)
}

impl cluster::Host for ClusterCtx<'_> {
    /// Needs no grant: a module may know where it runs.
    async fn self_id(&mut self) -> Answer<String> {
        let id = self.session.backend().node_id().await;
        Ok(id.map(|id| id.to_string()).map_err(|e| SessionError::Unavailable(e).into()))
    }

    async fn peers(&mut self) -> Answer<Vec<cluster::Peer>> {
        if !self.session.grant().policy().net_peers() {
            return Ok(Err(self.session.denied(Capability::NetPeers, b"").into()));
        }
        Ok(Ok(self.session.backend().peers().into_iter().map(cluster::Peer::from).collect()))
    }
}

impl From<PeerView> for cluster::Peer {
    fn from(peer: PeerView) -> cluster::Peer {
        cluster::Peer {
            id: peer.id.to_string(),
            name: peer.name,
            address: peer.address,
            state: match peer.state {
                PeerState::Alive => cluster::PeerState::Alive,
                PeerState::Suspect => cluster::PeerState::Suspect,
                PeerState::Dead => cluster::PeerState::Dead,
            },
            rtt_micros: peer.rtt.map(|rtt| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX)),
        }
    }
}
