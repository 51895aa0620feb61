//! The datastore, opened when it is first needed.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use numax_crdt::NodeId;
use numax_net::NodeKey;
use numax_replica::{CoreConfig, Durability, OpenError, Replica, ReplicaConfig};
use numax_runtime::Deterministic;
use numax_store::Engine;
use tokio::sync::OnceCell;

use crate::NodeError;
use crate::config::{self, NodeConfig};

/// A datastore that may not be open yet.
#[derive(Debug)]
pub(crate) struct Datastore {
    path: PathBuf,
    /// None when nobody said which: then the datastore's own.
    engine: Option<Engine>,
    durability: Durability,
    cache_rows: usize,
    op_log_budget: u64,
    /// What stands for the machine and the node's key in a run that repeats.
    deterministic: Option<Arc<Deterministic>>,
    open: OnceCell<Open>,
    /// What the log says of it already.
    said: Mutex<String>,
}

/// An open datastore.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    pub replica: Replica,
    pub node: NodeId,
}

impl Datastore {
    pub(crate) fn new(config: &NodeConfig, deterministic: Option<Arc<Deterministic>>) -> Arc<Self> {
        Arc::new(Self {
            path: config.datastore.value.clone(),
            engine: config.engine.explicit().then_some(match config.engine.value {
                config::Engine::Sled => Engine::Sled,
                config::Engine::Redb => Engine::Redb,
                config::Engine::Fjall => Engine::Fjall,
            }),
            durability: match config.durability.value {
                config::Durability::Fsync => Durability::Fsync,
                config::Durability::Interval => Durability::Interval(config.interval.value),
                config::Durability::None => Durability::None,
            },
            cache_rows: config.cache_rows.value,
            op_log_budget: config.op_log_budget.value.0,
            deterministic,
            open: OnceCell::new(),
            said: Mutex::default(),
        })
    }

    pub(crate) fn path(&self) -> &PathBuf {
        &self.path
    }

    /// Opens it, or gives what is open. A failure is not remembered: the next call tries again.
    pub(crate) async fn open(&self) -> Result<&Open, NodeError> {
        self.open.get_or_try_init(|| self.open_now()).await
    }

    /// The same for a module, which learns only that there is none: the reasons are the operator's, who gets each of
    /// them once.
    pub(crate) async fn open_for_module(&self) -> Result<&Open, String> {
        self.open().await.map_err(|error| {
            let text = error.to_string();
            let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            if *said != text {
                tracing::error!("modules have no datastore: {text}");
                *said = text;
            }
            "the node's datastore cannot be opened; its log says why".to_owned()
        })
    }

    /// What is open, if anything.
    pub(crate) fn opened(&self) -> Option<&Open> {
        self.open.get()
    }

    async fn open_now(&self) -> Result<Open, NodeError> {
        let path = self.path.clone();
        let (engine, durability, cache_rows) = (self.engine, self.durability, self.cache_rows);
        let op_log_budget = self.op_log_budget;
        let deterministic = self.deterministic.clone();
        // The log goes in segments, so a budget holds some of them.
        let segment_bytes = (op_log_budget / 8).clamp(64 << 10, 64 << 20);
        let opening = tokio::task::spawn_blocking(move || {
            let node = match &deterministic {
                None => NodeKey::load_or_create(&path)?.id(),
                Some(world) => world.node_id(),
            };
            let failed = |source: OpenError| NodeError::Datastore { path: path.clone(), source };
            let engine = match engine {
                Some(engine) => engine,
                None => numax_replica::engine_of(&path).map_err(failed)?.unwrap_or_default(),
            };
            let config = ReplicaConfig {
                engine,
                core: CoreConfig {
                    durability,
                    cache_rows,
                    op_log_budget,
                    segment_bytes,
                    ..CoreConfig::new(node)
                },
                given: deterministic.as_ref().map(Deterministic::given),
                ..ReplicaConfig::new(&path, node)
            };
            let replica = Replica::open(config).map_err(failed)?;
            Ok(Open { replica, node })
        });
        match opening.await {
            Ok(opened) => opened,
            Err(error) => Err(NodeError::Internal(format!("opening the datastore did not end: {error}"))),
        }
    }
}
