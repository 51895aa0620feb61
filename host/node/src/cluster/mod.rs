//! The cluster's protocol, carried out.
//!
//! One task owns the sans-IO [`numax_cluster::Cluster`]. Everything that happens — links and
//! frames from the network, batches applied by the replica, answers of work it started, time —
//! comes to it as an event, and it carries out the effects. It never waits for a disk or a peer:
//! log reads and ingests run beside it and come back as events.

mod driver;
mod net;
mod work;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use numax_cluster::{Cluster, Config, Identity};
use numax_net::{Net, NetConfig};
use numax_runtime::PeerView;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::NodeError;
use crate::config::NodeConfig;
use crate::datastore::Datastore;
use crate::identity::{Others, credentials};
use crate::node::ClusterAddress;
use driver::Driver;

/// What others may see of the peers.
pub(super) type Peers = Arc<Mutex<Vec<PeerView>>>;

/// A running cluster.
pub(crate) struct ClusterHandle {
    address: ClusterAddress,
    peers: Peers,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    task: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

impl ClusterHandle {
    /// Opens the datastore and the sockets and starts the task.
    pub(crate) async fn start(config: &NodeConfig, datastore: &Arc<Datastore>) -> Result<Self, NodeError> {
        let others = Others::parse(config)?;
        let open = datastore.open().await?.clone();
        let (config_of_task, path) = (config.clone(), datastore.path().clone());
        let choosing = tokio::task::spawn_blocking(move || {
            let credentials = credentials(&config_of_task, &path, &others)?;
            Ok::<_, NodeError>((credentials, others))
        });
        let (credentials, others) = match choosing.await {
            Ok(chosen) => chosen?,
            Err(error) => {
                return Err(NodeError::Internal(format!("choosing certificates did not end: {error}")));
            }
        };
        let cluster_id = credentials.cluster_id();
        let listen: Option<SocketAddr> = config.listen.value.map(Into::into);
        // Who is configured belongs to the cluster, heard of or not.
        let named: Vec<_> = others.peers.iter().filter_map(|peer| peer.node).collect();
        let configured = others.peers.len();
        open.replica.configure_members(&named, configured);
        let (net, events) = Net::start(NetConfig {
            listen,
            peers: others.peers,
            allowed: others.allowed,
            ..NetConfig::new(credentials)
        })?;
        let listen = net.local_addr();
        let identity = Identity {
            node: open.node,
            origin: open.replica.origin(),
            cluster_id,
            name: config.node_name.value.clone().unwrap_or_default(),
            listen: listen.map(|address| address.to_string()),
        };
        let cluster = Cluster::new(Config::default(), identity, rand::random());
        let peers = Peers::default();
        let (stop, stopped) = oneshot::channel();
        let driver = Driver::new(cluster, open.replica, net, peers.clone(), configured);
        let task = tokio::spawn(driver.run(events, stopped));
        Ok(Self {
            address: ClusterAddress { listen, node: open.node },
            peers,
            stop: Mutex::new(Some(stop)),
            task: tokio::sync::Mutex::new(Some(task)),
        })
    }

    pub(crate) fn address(&self) -> ClusterAddress {
        self.address
    }

    pub(crate) fn peers(&self) -> Vec<PeerView> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says goodbye to the peers and ends the task. Later calls wait for the first.
    pub(crate) async fn shutdown(&self) {
        let stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(stop) = stop {
            // A task that has ended by itself needs no word.
            let _ = stop.send(());
        }
        if let Some(task) = self.task.lock().await.take()
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the cluster's task did not end in order");
        }
    }
}
