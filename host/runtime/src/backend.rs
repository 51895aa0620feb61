//! What the runtime needs of the node around it.

use numax_crdt::NodeId;
use numax_replica::{IdSeed, Replica};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The node, as modules see it. Implemented by the node; tests have a small one of their own.
#[async_trait::async_trait]
pub trait Backend: Send + Sync + 'static {
    /// The replica, opened when it is first asked for. Later calls are cheap.
    ///
    /// # Errors
    /// Why there is no datastore, in words for the guest's developer.
    async fn replica(&self) -> Result<Replica, String>;

    /// This node's id. It needs the identity that lives beside the datastore, so it may open that.
    ///
    /// # Errors
    /// As for [`Backend::replica`].
    async fn node_id(&self) -> Result<NodeId, String>;

    /// The members of the cluster that this node knows, itself left out.
    fn peers(&self) -> Vec<PeerView>;

    /// What the id of a new list element is made of. By the system's clock and random numbers if the node does not say
    /// otherwise.
    fn id_seed(&self) -> IdSeed {
        id_seed_of_machine()
    }
}

/// An id from the system's clock and random numbers.
pub fn id_seed_of_machine() -> IdSeed {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    IdSeed { now_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX), random: random() }
}

#[cfg(feature = "components")]
fn random() -> u64 {
    rand::random()
}

/// Without components no guest makes ids, and the generator that only they bring is not there.
#[cfg(not(feature = "components"))]
fn random() -> u64 {
    rand::TryRng::try_next_u64(&mut rand::rngs::SysRng).unwrap_or_default()
}

/// A member of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerView {
    /// Its id.
    pub id: NodeId,
    /// Its configured name; empty if it has none.
    pub name: String,
    /// Where it is reached.
    pub address: String,
    /// How it seems to be.
    pub state: PeerState,
    /// Round trip to it, if it was measured.
    pub rtt: Option<Duration>,
}

/// How a member of the cluster seems to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerState {
    /// It answers.
    Alive,
    /// It has been silent for a while.
    Suspect,
    /// It is taken for gone. Nothing of it is forgotten for that.
    Dead,
}
