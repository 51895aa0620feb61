//! Nodes in this process, with an authority of their own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use numax_crdt::Key;
use numax_net::ca::{self, CaOptions, IssueOptions};
use numax_node::config::{Inputs, load};
use numax_node::{Node, NodeError};
use numax_replica::{CommitError, Draft, Replica};
use numax_snapshots::AwsVariables;

/// A folder with one authority.
pub struct World {
    folder: tempfile::TempDir,
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        ca::init(&folder.path().join("ca"), &CaOptions::default()).unwrap();
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a node of this world's cluster.
    pub async fn node(&self, name: &str, peers: &[&Running]) -> Running {
        let datastore = self.path(name);
        let options = IssueOptions { names: vec!["localhost".into()], ..IssueOptions::default() };
        ca::issue(&self.path("ca"), &datastore, &options, None).unwrap();
        Running::start(&datastore, peers, &[]).await.unwrap()
    }
}

/// A node that runs.
pub struct Running {
    pub node: Node,
    pub replica: Replica,
}

impl Running {
    pub async fn start(
        datastore: &Path,
        peers: &[&Self],
        flags: &[(&'static str, &str)],
    ) -> Result<Self, NodeError> {
        Self::with_store(datastore, peers, flags, AwsVariables::default()).await
    }

    /// The same with what an object store wants to know.
    pub async fn with_store(
        datastore: &Path,
        peers: &[&Self],
        flags: &[(&'static str, &str)],
        aws: AwsVariables,
    ) -> Result<Self, NodeError> {
        let mut all: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        all.insert("--listen", vec!["127.0.0.1:0".into()]);
        all.insert("--datastore-path", vec![datastore.display().to_string()]);
        all.insert("--peer", peers.iter().map(|peer| peer.address()).collect());
        for (name, value) in flags {
            all.insert(name, vec![(*value).to_owned()]);
        }
        let none = datastore.with_extension("toml");
        std::fs::write(&none, "").unwrap();
        let config = load(&Inputs { file: Some(none), flags: all, aws, ..Inputs::default() }).unwrap();
        let node = Node::start(&config).await?;
        let replica = node.open().await?;
        Ok(Self { node, replica })
    }

    pub fn address(&self) -> String {
        self.node.cluster_address().unwrap().listen.unwrap().to_string()
    }

    /// Increments a counter, in a batch of its own.
    pub async fn increment(&self, key: &str, by: u64) {
        self.try_increment(key, by).await.unwrap();
    }

    /// Sets a register, in a batch of its own.
    pub async fn set(&self, key: &str, value: &str) {
        let (replica, key) = (self.replica.clone(), Key::new(key.as_bytes().to_vec()).unwrap());
        let value = value.to_owned();
        let batch = tokio::task::spawn_blocking(move || {
            let mut draft = Draft::new(replica.reader(), 1);
            draft.load_inline(true);
            draft.register_set(&key, value.into()).unwrap();
            draft.take()
        });
        self.replica.commit(batch.await.unwrap()).await.unwrap();
    }

    /// What a register holds.
    pub async fn get(&self, key: &str) -> Option<String> {
        let (reader, key) = (self.replica.reader(), Key::new(key.as_bytes().to_vec()).unwrap());
        let value = tokio::task::spawn_blocking(move || {
            let mut draft = Draft::new(reader, 1);
            draft.load_inline(true);
            draft.register_get(&key).unwrap()
        });
        value.await.unwrap().map(|value| String::from_utf8(value.to_vec()).unwrap())
    }

    /// The same where it may fail.
    pub async fn try_increment(&self, key: &str, by: u64) -> Result<(), CommitError> {
        let replica = self.replica.clone();
        let key = Key::new(key.as_bytes().to_vec()).unwrap();
        let batch = tokio::task::spawn_blocking(move || {
            let mut draft = Draft::new(replica.reader(), 1);
            draft.load_inline(true);
            draft.g_counter_increment(&key, by).unwrap();
            draft.take()
        });
        self.replica.commit(batch.await.unwrap()).await.map(drop)
    }

    pub async fn value(&self, key: &str) -> u64 {
        let reader = self.replica.reader();
        let key = Key::new(key.as_bytes().to_vec()).unwrap();
        let value = tokio::task::spawn_blocking(move || {
            let mut draft = Draft::new(reader, 1);
            draft.load_inline(true);
            draft.g_counter_value(&key).unwrap()
        });
        value.await.unwrap()
    }

    /// Waits until a counter has a value; fails when it passes it or does not get there.
    pub async fn reaches(&self, key: &str, wanted: u64) {
        let mut applied = self.replica.applied();
        let waiting = async {
            loop {
                let value = self.value(key).await;
                assert!(value <= wanted, "{key} is {value}, beyond {wanted}");
                if value == wanted {
                    return;
                }
                let _ = applied.recv().await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(30), waiting).await.is_err() {
            panic!("{key} is {} and not {wanted}", self.value(key).await);
        }
    }

    pub async fn stop(self) {
        self.node.shutdown().await;
    }
}
