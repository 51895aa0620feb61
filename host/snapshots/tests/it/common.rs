//! A real datastore, and what the tests write into it.

use std::path::Path;

use numax_crdt::{Key, NodeId};
use numax_replica::{Draft, Replica, ReplicaConfig};
use numax_snapshots::{CreateOptions, Folder, RestoreOptions, Snapshot, quiet};
use numax_store::Engine;

pub fn key(name: &str) -> Key {
    Key::new(name.to_string()).unwrap()
}

pub fn node(node: u8) -> NodeId {
    NodeId([node; 32])
}

/// An open datastore, with the runtime that its calls need.
pub struct Open {
    pub replica: Replica,
    runtime: tokio::runtime::Runtime,
}

impl Open {
    /// With the engine that it was made with, or the default one.
    pub fn new(dir: &Path, of: u8) -> Self {
        Self::with(dir, of, numax_replica::engine_of(dir).unwrap().unwrap_or_default())
    }

    pub fn with(dir: &Path, of: u8, engine: Engine) -> Self {
        Self::with_config(ReplicaConfig { engine, ..ReplicaConfig::new(dir, node(of)) })
    }

    pub fn with_config(config: ReplicaConfig) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Self { replica: Replica::open(config).unwrap(), runtime }
    }

    pub fn write(&self, write: impl FnOnce(&mut Draft)) {
        let mut draft = self.draft();
        write(&mut draft);
        self.runtime.block_on(self.replica.commit(draft.take())).unwrap();
    }

    /// One batch that touches every kind of row: a counter, a set, a register and the node-local store.
    pub fn turn(&self, number: u64) {
        self.write(|draft| {
            draft.g_counter_increment(&key("turns"), 1).unwrap();
            draft.set_add(&key("set"), format!("element {number}").into()).unwrap();
            if number.is_multiple_of(3) {
                draft.set_remove(&key("set"), format!("element {}", number / 3).as_bytes()).unwrap();
            }
            draft.register_set(&key(&format!("register {}", number % 50)), vec![7; 2000].into()).unwrap();
            draft.kv_set(b"turn", number.to_string().into()).unwrap();
        });
    }

    pub fn turns(&self, numbers: std::ops::Range<u64>) {
        numbers.for_each(|number| self.turn(number));
    }

    pub fn draft(&self) -> Draft {
        let mut draft = Draft::new(self.replica.reader(), 7);
        draft.load_inline(true);
        draft
    }

    /// What the turns left: the counter, the set's size as counted and as listed, the local value.
    pub fn state(&self) -> State {
        let mut draft = self.draft();
        State {
            turns: draft.g_counter_value(&key("turns")).unwrap(),
            size: draft.set_size(&key("set")).unwrap(),
            listed: draft.set_elements(&key("set"), None, 100_000).unwrap().items.len() as u64,
            local: draft.kv_get(b"turn").unwrap().map(|value| String::from_utf8(value.to_vec()).unwrap()),
        }
    }

    /// Takes from another all that this one lacks.
    pub fn pull(&self, from: &Self) {
        let (vector, mut cursor) = (self.replica.vector(), None);
        loop {
            let page = from.replica.batches_after(&vector, cursor, 1 << 20).unwrap();
            self.runtime.block_on(self.replica.ingest(page.batches)).unwrap();
            match page.next {
                Some(next) => cursor = Some(next),
                None => return,
            }
        }
    }

    pub fn close(self) {
        self.runtime.block_on(self.replica.shutdown()).unwrap();
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    pub turns: u64,
    pub size: u64,
    pub listed: u64,
    pub local: Option<String>,
}

pub fn create(folder: &Folder, open: &Open) -> Snapshot {
    folder.create(&open.replica, &CreateOptions::default(), &quiet).unwrap()
}

pub fn options(of: u8) -> RestoreOptions {
    RestoreOptions { node: node(of), engine: None, cluster: None, other_cluster: false }
}
