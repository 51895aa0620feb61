//! Nodes to look at: real datastores, written by the real replica and stopped.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use numax_crdt::{Key, Kind, NodeId};
use numax_replica::{Draft, Engine, IdSeed, Replica, ReplicaConfig};
use numax_store::{Table, WriteBatch};
use numax_tools::store::Store;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

pub fn key(name: &str) -> Key {
    Key::new(name.to_string()).unwrap()
}

/// A stopped node in a directory.
pub struct Node {
    pub dir: PathBuf,
    pub config: ReplicaConfig,
}

impl Node {
    pub fn new(within: &TempDir, name: &str, id: u8, engine: Engine) -> Self {
        let dir = within.path().join(name);
        let config = ReplicaConfig { engine, ..ReplicaConfig::new(&dir, NodeId([id; 32])) };
        Self { dir, config }
    }

    /// Opens the datastore, works on it, and stops in order.
    pub fn run<T>(&self, work: impl AsyncFnOnce(&Replica) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let replica = Replica::open(self.config.clone()).unwrap();
        let done = runtime.block_on(work(&replica));
        runtime.block_on(replica.shutdown()).unwrap();
        done
    }

    /// Commits a batch.
    pub fn commit(&self, write: impl FnOnce(&mut Draft)) {
        self.run(async |replica| commit(replica, write).await);
    }

    pub fn store(&self) -> Store {
        Store::open(&self.dir, None).unwrap()
    }

    /// Changes the bytes of the first row of a value whose subkey is wanted, in the engine and behind the log's back.
    pub fn alter(
        &self,
        kind: Kind,
        name: &str,
        wanted: impl Fn(&[u8]) -> bool,
        change: impl FnOnce(&mut Vec<u8>),
    ) {
        let engine = numax_store::open(self.config.engine, &self.dir.join("rows")).unwrap();
        let prefix = [&[kind as u8], name.as_bytes(), &[0, 1]].concat();
        let rows = engine.scan(Table::Rows, std::ops::Bound::Unbounded, &prefix, 1000).unwrap();
        let (row, value) =
            rows.into_iter().find(|(row, _)| wanted(&row[prefix.len()..])).expect("no such row");
        let mut value = value.to_vec();
        change(&mut value);
        let mut batch = WriteBatch::new();
        batch.put(Table::Rows, row, value);
        engine.commit(batch).unwrap();
        engine.sync().unwrap();
    }
}

pub async fn commit(replica: &Replica, write: impl FnOnce(&mut Draft)) {
    let mut draft = Draft::new(replica.reader(), 7);
    draft.load_inline(true);
    write(&mut draft);
    let batch = draft.take();
    replica.commit(batch).await.unwrap();
}

/// What `to` lacks of `from` goes there.
pub fn send(from: &Node, to: &Node) {
    let known = to.run(async |replica| replica.reader().vector());
    let pages = from.run(async |replica| {
        let (mut pages, mut cursor) = (Vec::<Vec<Bytes>>::new(), None);
        loop {
            let page = replica.batches_after(&known, cursor, 8 << 10).unwrap();
            pages.push(page.batches);
            match page.next {
                Some(next) => cursor = Some(next),
                None => return pages,
            }
        }
    });
    to.run(async |replica| {
        for batches in pages {
            let done = replica.ingest(batches).await.unwrap();
            assert_eq!((done.rejected, done.pending), (0, 0));
        }
    });
}

/// Something of every family, with removals.
pub fn write_all(node: &Node) {
    node.run(async |replica| {
        commit(replica, |draft| {
            draft.g_counter_increment(&key("visits"), 2).unwrap();
            draft.pn_counter_increment(&key("stock"), 5).unwrap();
            draft.pn_counter_decrement(&key("stock"), 1).unwrap();
            draft.register_set(&key("title"), Bytes::from_static(b"gr\xc3\xb6\xc3\x9fe \\ \xff")).unwrap();
            draft.register_set(&key("gone"), Bytes::from_static(b"x")).unwrap();
            draft.map_set(&key("visits"), b"name", "Ada".into()).unwrap();
            draft.map_set(&key("visits"), b"old", "1".into()).unwrap();
            draft.set_add(&key("tags"), "red".into()).unwrap();
            draft.set_add(&key("tags"), "blue".into()).unwrap();
            draft.kv_set(b"mine", "local".into()).unwrap();
        })
        .await;
        commit(replica, |draft| {
            draft.g_counter_increment(&key("visits"), 1).unwrap();
            draft.register_clear(&key("gone")).unwrap();
            draft.map_remove(&key("visits"), b"old").unwrap();
            draft.set_remove(&key("tags"), b"red").unwrap();
            let seed = |random| IdSeed { now_ms: 1_700_000_000_000, random };
            let first = draft.list_push(&key("todo"), "write".into(), seed(1)).unwrap();
            draft.list_push(&key("todo"), "test".into(), seed(2)).unwrap();
            draft.list_insert(&key("todo"), Some(first), "read".into(), seed(3)).unwrap();
        })
        .await;
        commit(replica, |draft| {
            let first = draft.list_entries(&key("todo"), None, 1).unwrap().items.remove(0).0;
            draft.list_remove(&key("todo"), first).unwrap();
            #[cfg(feature = "text")]
            draft.text_insert(&key("page"), 0, "Hello, wörld").unwrap();
        })
        .await;
    });
}

/// A digest of every file below a directory, with its name.
pub fn hash(dir: &Path) -> String {
    let mut hash = Sha256::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            hash.update(path.strip_prefix(dir).unwrap().display().to_string());
            match path.is_dir() {
                true => folders.push(path),
                false => hash.update(Sha256::digest(fs::read(path).unwrap())),
            }
        }
    }
    format!("{:x}", hash.finalize())
}

pub fn copy(from: &Path, to: &Path) {
    numax_store::copy_dir(from, to).unwrap();
}
