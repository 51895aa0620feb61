//! A node of one: the real replica on a disk in memory, the runtime over it, and the batches that come of it.

use crate::built;
use crate::guests::Guest;
use crate::held::{Held, Hold};
use crate::logs;
use bytes::Bytes;
use numax_crdt::{Batch, Body, Key, NodeId};
use numax_policy::Policy;
use numax_replica::{Applied, Core, CoreConfig, Draft, HostFacts, Replica, ReplicaConfig, Request};
use numax_runtime::{Backend, Engine, EngineConfig, Module, ModuleOptions, PeerState, PeerView};
use numax_store::{Disk, Faults, MemDisk, mem::MemBackend};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::broadcast::Receiver;

/// A policy that grants what most guests here need.
pub const OPEN: &str = r#"
version = 1
[capabilities]
crdt.gcounter     = ["*"]
crdt.pncounter    = ["*"]
crdt.lww_register = ["*"]
crdt.lww_map      = ["*"]
crdt.orset        = ["*"]
db.read  = ["db", "local*", "absent", "trapped"]
db.write = ["db", "local*", "trapped"]
time = true
network.serve = true
"#;

/// A test that waits this long for something waits for what will never come.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a future comes to, unless it never does.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not come"),
    }
}

/// A policy from its text.
pub fn policy(text: &str) -> Policy {
    Policy::parse(text, "test.policy.toml").unwrap()
}

/// The engine of all tests that need no special one. Compiled code is kept from one run to the next.
pub fn engine() -> Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| new_engine(1000)).clone()
}

/// An engine with few instances.
pub fn new_engine(max_instances: u32) -> Engine {
    let cache_dir = Some(built::cache().join("code"));
    Engine::new(EngineConfig { cache_dir, max_instances, ..EngineConfig::default() }).unwrap()
}

/// A guest as a module with this name and policy.
pub fn load(guest: Guest, name: &str, policy_text: &str) -> Module {
    load_with(&engine(), guest, name, policy_text, ModuleOptions::default())
}

/// The same, with everything that can be chosen.
pub fn load_with(
    engine: &Engine,
    guest: Guest,
    name: &str,
    policy_text: &str,
    options: ModuleOptions,
) -> Module {
    logs::start();
    let options = ModuleOptions { name: name.to_owned(), ..options };
    Module::load(engine, guest.path(), policy(policy_text), options).unwrap()
}

/// The replica and what the runtime is told of the node.
pub struct Node {
    pub replica: Replica,
    feed: Receiver<Arc<Applied>>,
    /// What counters had reached, to show increments and not totals.
    totals: BTreeMap<(Key, bool), u64>,
    fences: u64,
}

/// What the runtime sees of a node.
struct TestBackend(Replica);

#[async_trait::async_trait]
impl Backend for TestBackend {
    async fn replica(&self) -> Result<Replica, String> {
        Ok(self.0.clone())
    }

    async fn node_id(&self) -> Result<NodeId, String> {
        Ok(self.0.origin().node)
    }

    fn peers(&self) -> Vec<PeerView> {
        vec![PeerView {
            id: NodeId([9; 32]),
            name: "neighbour".to_owned(),
            address: "10.0.0.9:1".to_owned(),
            state: PeerState::Suspect,
            rtt: None,
        }]
    }
}

/// The counter by which a test sees that nothing more is on its way.
const FENCE: &str = "test:fence";

impl Node {
    pub fn new() -> Node {
        Node::with(|_| {})
    }

    /// A node with settings changed.
    pub fn with(change: impl FnOnce(&mut ReplicaConfig)) -> Node {
        Node::failing(change).0
    }

    /// A node of another name.
    pub fn elsewhere() -> Node {
        Node::failing_as(2, |_| {}).0
    }

    /// The same with the faults of its hardware: it fails as it is told to.
    pub fn failing(change: impl FnOnce(&mut ReplicaConfig)) -> (Node, Faults) {
        Node::failing_as(1, change)
    }

    fn failing_as(id: u8, change: impl FnOnce(&mut ReplicaConfig)) -> (Node, Faults) {
        logs::start();
        let mut config = ReplicaConfig::new("", NodeId([id; 32]));
        change(&mut config);
        let faults = Faults::default();
        let disk = Arc::new(MemDisk::with_faults(faults.clone()));
        (Node::on(config, disk, &faults), faults)
    }

    /// The same with a hold on its syncs.
    pub fn held(change: impl FnOnce(&mut ReplicaConfig)) -> (Node, Faults, Arc<Hold>) {
        logs::start();
        let mut config = ReplicaConfig::new("", NodeId([1; 32]));
        change(&mut config);
        let (faults, hold) = (Faults::default(), Arc::<Hold>::default());
        let disk: Arc<dyn Disk> = Arc::new(MemDisk::with_faults(faults.clone()));
        (Node::on(config, Arc::new(Held(disk, hold.clone())), &faults), faults, hold)
    }

    fn on(config: ReplicaConfig, disk: Arc<dyn Disk>, faults: &Faults) -> Node {
        let rows = Arc::new(MemBackend::with_faults(faults.clone()));
        let replica = Replica::open_on(config, disk, rows, &facts(1)).unwrap();
        Node { feed: replica.applied(), replica, totals: BTreeMap::new(), fences: 0 }
    }

    pub fn backend(&self) -> Arc<dyn Backend> {
        Arc::new(TestBackend(self.replica.clone()))
    }

    /// A draft of the test's own, to read and to write with.
    pub fn draft(&self) -> Draft {
        let mut draft = Draft::new(self.replica.reader(), u64::MAX);
        draft.load_inline(true);
        draft
    }

    /// A counter's committed value.
    pub fn counter(&self, key: &str) -> u64 {
        self.draft().g_counter_value(&self::key(key)).unwrap()
    }

    /// Commits a write of the test's own.
    pub async fn write(&self, write: impl FnOnce(&mut Draft)) {
        let mut draft = self.draft();
        write(&mut draft);
        let batch = draft.take();
        self.replica.commit(batch).await.unwrap();
    }

    /// The next batch that is applied, with its bytes.
    pub async fn applied(&mut self) -> Arc<Applied> {
        soon("a batch", self.feed.recv()).await.unwrap()
    }

    /// The next batch, one string an operation.
    pub async fn next_batch(&mut self) -> Vec<String> {
        let applied = self.applied().await;
        self.show(&applied.bytes)
    }

    /// Waits for so many batches, and makes sure that there are no more.
    pub async fn batches(&mut self, count: usize) -> Vec<Vec<String>> {
        let mut batches = Vec::new();
        for _ in 0..count {
            batches.push(self.next_batch().await);
        }
        let more = self.pending().await;
        assert!(more.is_empty(), "after {batches:?} came {more:?}");
        batches
    }

    /// The batches that are committed by now and have not been looked at.
    pub async fn pending(&mut self) -> Vec<Vec<String>> {
        self.fences += 1;
        self.write(|draft| draft.g_counter_increment(&key(FENCE), 1).unwrap()).await;
        let mut batches = Vec::new();
        loop {
            let batch = self.next_batch().await;
            if batch == [format!("{FENCE}+1")] {
                return batches;
            }
            batches.push(batch);
        }
    }

    fn show(&mut self, bytes: &Bytes) -> Vec<String> {
        let batch = Batch::decode(bytes.clone()).unwrap();
        batch.ops.iter().map(|op| self.show_op(op.key.clone(), &op.body)).collect()
    }

    fn show_op(&mut self, key: Key, body: &Body) -> String {
        let mut gained = |total: u64, up: bool| {
            let before = self.totals.insert((key.clone(), up), total).unwrap_or(0);
            total - before
        };
        match body {
            Body::GCounter { total } => format!("{}+{}", text(key.as_bytes()), gained(*total, true)),
            Body::PnCounter { up, down } => {
                let (up, down) = (gained(*up, true), gained(*down, false));
                format!("{}+{up}-{down}", text(key.as_bytes()))
            }
            Body::Register { value, .. } => format!("{}={}", text(key.as_bytes()), shown(value.as_ref())),
            Body::MapField { field, value, .. } => {
                format!("{}[{}]={}", text(key.as_bytes()), text(field), shown(value.as_ref()))
            }
            Body::SetAdd { element, .. } => format!("{}+{}", text(key.as_bytes()), text(element)),
            Body::SetRemove { element, .. } => format!("{}-{}", text(key.as_bytes()), text(element)),
            Body::ListInsert { value, .. } => format!("{}+{}", text(key.as_bytes()), text(value)),
            Body::ListRemove { .. } => format!("{}-", text(key.as_bytes())),
            Body::Text { .. } => format!("{}~", text(key.as_bytes())),
        }
    }
}

/// What a simulated machine says of itself.
fn facts(nonce: u64) -> HostFacts {
    HostFacts { boot_id: "boot".to_owned(), disk_id: "disk".to_owned(), nonce }
}

/// Another node, all in memory: for batches that come from elsewhere.
pub struct Elsewhere(Core);

impl Elsewhere {
    pub fn new() -> Elsewhere {
        let (disk, rows) = (Arc::new(MemDisk::new()), Arc::new(MemBackend::new()));
        Elsewhere(
            Core::open(CoreConfig::new(NodeId([2; 32])), disk, rows, &facts(2), 1_700_000_000_000).unwrap(),
        )
    }

    /// Writes there and brings the batch to a node.
    pub async fn write(&mut self, to: &Node, write: impl FnOnce(&mut Draft)) {
        let mut draft = Draft::new(self.0.reader(), 1);
        draft.load_inline(true);
        write(&mut draft);
        let group = self.0.run_group(vec![Request::Commit(draft.take())], 1_700_000_000_000);
        let batches: Vec<_> = group.applied.iter().map(|applied| applied.bytes.clone()).collect();
        let ingested = to.replica.ingest(batches).await.unwrap();
        assert_eq!(ingested.applied, 1, "{ingested:?}");
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn shown(value: Option<&Bytes>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |value| text(value))
}

/// A key from text.
pub fn key(name: &str) -> Key {
    Key::new(name.to_owned()).unwrap()
}
