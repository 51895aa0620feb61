//! A node: what its modules see, and how it ends.

use std::net::SocketAddr;
use std::sync::Arc;

use numax_crdt::NodeId;
use numax_replica::{IdSeed, Replica};
use numax_runtime::{Backend, Deterministic, PeerView};
use numax_snapshots::Manifest;

use crate::NodeError;
use crate::cluster::ClusterHandle;
use crate::config::NodeConfig;
use crate::datastore::Datastore;
use crate::snapshots::Snapshots;

/// A running node. Clones are the same node.
#[derive(Clone)]
pub struct Node {
    datastore: Arc<Datastore>,
    cluster: Option<Arc<ClusterHandle>>,
    snapshots: Arc<Snapshots>,
    deterministic: Option<Arc<Deterministic>>,
}

/// Where other nodes reach this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterAddress {
    /// None for a node that only dials.
    pub listen: Option<SocketAddr>,
    /// This node.
    pub node: NodeId,
}

impl Node {
    /// Starts a node: its cluster if the configuration says `listen` or `peers`, else nothing yet.
    ///
    /// # Errors
    /// A datastore that cannot be opened, a place of snapshots that cannot be one, certificates that are missing or do
    /// not fit, an address that cannot be listened on.
    pub async fn start(config: &NodeConfig) -> Result<Self, NodeError> {
        let datastore = Datastore::new(config, None);
        let snapshots = Snapshots::start(config, datastore.clone())?;
        let clustered = config.listen.value.is_some() || !config.peers.value.is_empty();
        let cluster = match clustered {
            true => Some(Arc::new(ClusterHandle::start(config, &datastore).await?)),
            false => None,
        };
        Ok(Self { datastore, cluster, snapshots, deterministic: None })
    }

    /// A node for a run that repeats: alone, with the identity, clock and ids of a seed. Of the configuration only the
    /// datastore and its storage count.
    ///
    /// # Errors
    /// A place of snapshots that cannot be one.
    pub fn deterministic(config: &NodeConfig, world: Arc<Deterministic>) -> Result<Self, NodeError> {
        let datastore = Datastore::new(config, Some(world.clone()));
        let snapshots = Snapshots::start(config, datastore.clone())?;
        Ok(Self { datastore, cluster: None, snapshots, deterministic: Some(world) })
    }

    /// Opens the datastore now, for who cannot do without it.
    ///
    /// # Errors
    /// Why it cannot be opened.
    pub async fn open(&self) -> Result<Replica, NodeError> {
        Ok(self.datastore.open().await?.replica.clone())
    }

    /// Makes a snapshot of the datastore where they are configured to go. The node goes on meanwhile.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn snapshot(&self) -> Result<Manifest, NodeError> {
        self.snapshots.create().await
    }

    /// Where the cluster listens, if there is one.
    #[must_use]
    pub fn cluster_address(&self) -> Option<ClusterAddress> {
        self.cluster.as_ref().map(|cluster| cluster.address())
    }

    /// Ends the node: tells the peers, ends the links, then closes the datastore with everything
    /// on the disk. Modules must have ended before.
    pub async fn shutdown(&self) {
        self.snapshots.stop();
        if let Some(cluster) = &self.cluster {
            cluster.shutdown().await;
        }
        if let Some(open) = self.datastore.opened()
            && let Err(error) = open.replica.shutdown().await
        {
            tracing::error!("the datastore did not close in order; it will go on from its log: {error}");
        }
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("datastore", self.datastore.path()).finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl Backend for Node {
    async fn replica(&self) -> Result<Replica, String> {
        self.datastore.open_for_module().await.map(|open| open.replica.clone())
    }

    async fn node_id(&self) -> Result<NodeId, String> {
        self.datastore.open_for_module().await.map(|open| open.node)
    }

    fn peers(&self) -> Vec<PeerView> {
        self.cluster.as_ref().map(|cluster| cluster.peers()).unwrap_or_default()
    }

    fn id_seed(&self) -> IdSeed {
        match &self.deterministic {
            Some(world) => world.id_seed(),
            None => numax_runtime::id_seed_of_machine(),
        }
    }
}
