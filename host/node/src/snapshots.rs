//! Snapshots that a running node makes: when it is asked, and by itself at an interval.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use numax_crdt::NodeId;
use numax_net::{Credentials, TlsFiles};
use numax_snapshots::{CreateOptions, Location, Manifest, Repository, SnapshotError, quiet};

use crate::NodeError;
use crate::config::NodeConfig;
use crate::datastore::Datastore;

/// The folder's name in a datastore, when nobody names another.
const FOLDER: &str = "snapshots";

/// Makes snapshots of the node's datastore.
pub(crate) struct Snapshots {
    datastore: Arc<Datastore>,
    repository: Repository,
    keep: usize,
    cluster: Option<String>,
    /// Held while one is made: two wishes at once are done one after the other.
    turn: tokio::sync::Mutex<()>,
    /// The task that makes them at an interval.
    task: std::sync::OnceLock<tokio::task::AbortHandle>,
}

impl NodeConfig {
    /// Where snapshots go.
    ///
    /// # Errors
    /// What is wrong with the place, or with the variables that say how it is reached.
    pub fn snapshots(&self) -> Result<Repository, SnapshotError> {
        self.snapshots_at(&self.snapshot_location())
    }

    /// Snapshots at another place, reached as those of this node are.
    ///
    /// # Errors
    /// See [`snapshots`](Self::snapshots).
    pub fn snapshots_at(&self, location: &Location) -> Result<Repository, SnapshotError> {
        Repository::open(location, &self.aws, &self.snapshot_scratch())
    }

    /// Where snapshots go, as it was written.
    #[must_use]
    pub fn snapshot_location(&self) -> Location {
        let default = || Location::Folder(self.datastore.value.join(FOLDER));
        self.snapshot_dir.value.clone().unwrap_or_else(default)
    }

    /// A folder of the datastore with room for a snapshot that is on its way.
    #[must_use]
    pub fn snapshot_scratch(&self) -> PathBuf {
        self.datastore.value.join(FOLDER)
    }
}

/// The cluster that a node's certificate belongs to, if it has one by an authority of its own. Reads files.
#[must_use]
pub fn cluster_of(config: &NodeConfig) -> Option<String> {
    let files = TlsFiles {
        certificate: config.tls_cert.value.clone(),
        key: config.tls_key.value.clone(),
        authority: config.tls_ca.value.clone(),
    };
    let datastore = &config.datastore.value;
    if files.certificate.is_none() && !Credentials::present(datastore) {
        return None;
    }
    let credentials = Credentials::from_files(datastore, &files).ok()?;
    Some(NodeId(credentials.cluster_id()).to_string())
}

impl Snapshots {
    /// Begins to make them at the interval, if one is set. Within a tokio runtime.
    ///
    /// # Errors
    /// When the place of snapshots cannot be one. Whether it can be reached shows when one is made.
    pub(crate) fn start(config: &NodeConfig, datastore: Arc<Datastore>) -> Result<Arc<Self>, SnapshotError> {
        let this = Arc::new(Self {
            datastore,
            repository: config.snapshots()?,
            keep: config.snapshot_keep.value.max(1),
            cluster: cluster_of(config),
            turn: tokio::sync::Mutex::default(),
            task: std::sync::OnceLock::new(),
        });
        if let Some(interval) = config.snapshot_interval.value {
            let task = tokio::spawn(this.clone().at_interval(interval.max(Duration::from_secs(1))));
            let _ = this.task.set(task.abort_handle());
        }
        Ok(this)
    }

    async fn at_interval(self: Arc<Self>, interval: Duration) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // The first tick is at once.
        ticks.tick().await;
        loop {
            ticks.tick().await;
            // A datastore that nobody has opened has nothing new.
            if self.datastore.opened().is_none() {
                continue;
            }
            match self.create().await {
                Ok(made) => self.prune(&made.node).await,
                Err(error) => tracing::error!("no snapshot was made: {error}"),
            }
        }
    }

    /// Makes one, when the one that is being made is done.
    pub(crate) async fn create(&self) -> Result<Manifest, NodeError> {
        let _turn = self.turn.lock().await;
        let replica = self.datastore.open().await?.replica.clone();
        let repository = self.repository.clone();
        let options = CreateOptions { cluster: self.cluster.clone(), ..CreateOptions::default() };
        let made = tokio::task::spawn_blocking(move || repository.create(&replica, &options, &quiet));
        match made.await {
            Ok(made) => Ok(made?.manifest().clone()),
            Err(error) => Err(NodeError::Internal(format!("the snapshot did not end: {error}"))),
        }
    }

    /// Removes this node's oldest: the place may be shared, and what was imported was not made by it.
    async fn prune(&self, node: &str) {
        // One that is asked for meanwhile waits: the folder takes one writer at a time.
        let _turn = self.turn.lock().await;
        let (repository, keep, node) = (self.repository.clone(), self.keep, node.to_owned());
        match tokio::task::spawn_blocking(move || repository.prune(keep, Some(&node))).await {
            Ok(Ok(removed)) => {
                removed.iter().for_each(|id| tracing::info!(id, "an old snapshot was removed"))
            }
            Ok(Err(error)) => tracing::warn!("old snapshots cannot be removed: {error}"),
            Err(error) => tracing::warn!("old snapshots cannot be removed: {error}"),
        }
    }

    /// No more at the interval. One that is being made ends with the datastore, and leaves nothing.
    pub(crate) fn stop(&self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}
