//! Snapshots that a running node makes: when it is asked, and by itself at an interval.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use numax_crdt::NodeId;
use numax_net::{Credentials, TlsFiles};
use numax_snapshots::{CreateOptions, Folder, Manifest, quiet};

use crate::NodeError;
use crate::config::NodeConfig;
use crate::datastore::Datastore;

/// The folder's name in a datastore, when nobody names another.
const FOLDER: &str = "snapshots";

/// Makes snapshots of the node's datastore.
pub(crate) struct Snapshots {
    datastore: Arc<Datastore>,
    folder: Folder,
    keep: usize,
    cluster: Option<String>,
    /// The task that makes them at an interval.
    task: std::sync::OnceLock<tokio::task::AbortHandle>,
}

impl NodeConfig {
    /// Where snapshots go.
    #[must_use]
    pub fn snapshots(&self) -> PathBuf {
        self.snapshot_dir.value.clone().unwrap_or_else(|| self.datastore.value.join(FOLDER))
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
    pub(crate) fn start(config: &NodeConfig, datastore: Arc<Datastore>) -> Arc<Self> {
        let this = Arc::new(Self {
            datastore,
            folder: Folder::new(config.snapshots()),
            keep: config.snapshot_keep.value.max(1),
            cluster: cluster_of(config),
            task: std::sync::OnceLock::new(),
        });
        if let Some(interval) = config.snapshot_interval.value {
            let task = tokio::spawn(this.clone().at_interval(interval.max(Duration::from_secs(1))));
            let _ = this.task.set(task.abort_handle());
        }
        this
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
                Ok(_) => self.prune().await,
                Err(error) => tracing::error!("no snapshot was made: {error}"),
            }
        }
    }

    /// Makes one now.
    pub(crate) async fn create(&self) -> Result<Manifest, NodeError> {
        let replica = self.datastore.open().await?.replica.clone();
        let folder = self.folder.clone();
        let options = CreateOptions { cluster: self.cluster.clone(), ..CreateOptions::default() };
        let made = tokio::task::spawn_blocking(move || folder.create(&replica, &options, &quiet));
        match made.await {
            Ok(made) => Ok(made?.manifest().clone()),
            Err(error) => Err(NodeError::Internal(format!("the snapshot did not end: {error}"))),
        }
    }

    async fn prune(&self) {
        let (folder, keep) = (self.folder.clone(), self.keep);
        match tokio::task::spawn_blocking(move || folder.prune(keep)).await {
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
