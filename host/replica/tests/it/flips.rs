//! One flipped bit in the files of a real datastore, at the head, in the middle and at the tail of each: it does no harm,
//! or it is noticed and made good, or refused with what to do. Never is there another value.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use numax_crdt::{BatchHeader, Dot, NodeId};
use numax_replica::{Draft, Durability, Engine, OpenError, Replica, ReplicaConfig, repair::repair};
use tempfile::TempDir;

use crate::common::{bytes, key};

fn config(dir: &Path, engine: Engine) -> ReplicaConfig {
    let mut config = ReplicaConfig { engine, ..ReplicaConfig::new(dir, NodeId([1; 32])) };
    config.core.durability = Durability::Fsync;
    config.core.segment_bytes = 8 << 10;
    config
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// A datastore that was stopped in order, what it held, and all that its log has.
struct Stopped {
    dir: TempDir,
    engine: Engine,
    hash: [u8; 32],
    batches: BTreeMap<Dot, Bytes>,
}

fn batches(replica: &Replica) -> Result<BTreeMap<Dot, Bytes>, numax_replica::LogError> {
    let (mut all, mut cursor) = (BTreeMap::new(), None);
    loop {
        let page = replica.batches_after(&Default::default(), cursor, 1 << 20)?;
        all.extend(page.batches.into_iter().map(|batch| (BatchHeader::peek(&batch).unwrap().dot(), batch)));
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(all),
        }
    }
}

impl Stopped {
    fn new(engine: Engine) -> Self {
        let dir = TempDir::new().unwrap();
        let replica = Replica::open(config(&dir.path().join("data"), engine)).unwrap();
        for n in 0..100_u32 {
            let mut draft = Draft::new(replica.reader(), 1);
            draft.load_inline(true);
            draft.g_counter_increment(&key("n"), 1).unwrap();
            draft.set_add(&key("set"), bytes(&format!("element {n}"))).unwrap();
            draft.register_set(&key(&format!("r{n}")), Bytes::from(vec![n as u8; 400])).unwrap();
            let ticket = run(replica.commit(draft.take())).unwrap();
            run(replica.durable().wait_for(|durable| durable.position >= ticket.position)).unwrap();
        }
        let (hash, batches) = (replica.state_hash().unwrap(), batches(&replica).unwrap());
        run(replica.shutdown()).unwrap();
        Self { dir, engine, hash, batches }
    }

    /// A copy of it in which one bit of one file differs. Whether there is such a bit.
    fn flipped(&self, file: &Path, at: usize, of: usize) -> Option<PathBuf> {
        let copy = self.dir.path().join("copy");
        let _ = fs::remove_dir_all(&copy);
        copy_dir(&self.dir.path().join("data"), &copy);
        let path = copy.join(file);
        let mut all = fs::read(&path).unwrap();
        let last = all.len().checked_sub(1)?;
        all[last * at / of] ^= 1 << (at % 8);
        fs::write(&path, all).unwrap();
        Some(copy)
    }

    fn files(&self, below: &str) -> Vec<PathBuf> {
        let root = self.dir.path().join("data");
        let mut found = files(&root.join(below));
        found.iter_mut().for_each(|path| *path = path.strip_prefix(&root).unwrap().to_owned());
        found
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_dir(&entry.path(), &target);
        } else if entry.file_name() != "ballast" {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn in_the_rows_it_is_made_good_from_the_log() {
    for engine in Engine::ALL {
        let stopped = Stopped::new(engine);
        let mut noticed = 0;
        for file in stopped.files("rows") {
            for at in 0..=6 {
                let Some(dir) = stopped.flipped(&file, at, 6) else { continue };
                let what = format!("{engine}, {} at {at}/6", file.display());
                let replica =
                    Replica::open(config(&dir, engine)).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert!(replica.state_hash().unwrap() == stopped.hash, "{what}");
                noticed += u32::from(dir.join("rows.damaged-1").exists());
                run(replica.shutdown()).unwrap();
            }
        }
        assert!(noticed > 0, "{engine}");
    }
}

#[test]
fn in_the_log_it_is_never_sent_and_repair_tells_it() {
    let stopped = Stopped::new(Engine::Redb);
    let segments = stopped.files("log");
    assert!(segments.len() > 5);
    for file in &segments {
        for at in [0, 1, 3, 5, 6] {
            let dir = stopped.flipped(file, at, 6).unwrap();
            let what = format!("{} at {at}/6", file.display());
            match Replica::open(config(&dir, stopped.engine)) {
                Ok(replica) => {
                    assert!(replica.state_hash().unwrap() == stopped.hash, "{what}: rows are whole");
                    if let Ok(found) = batches(&replica) {
                        assert!(
                            found.iter().all(|(dot, batch)| stopped.batches.get(dot) == Some(batch)),
                            "{what}"
                        );
                    }
                    run(replica.shutdown()).unwrap();
                }
                Err(error) => assert!(error.to_string().contains("numax repair"), "{what}: {error}"),
            }
            match repair(&config(&dir, stopped.engine), false, |_| ()) {
                Ok(report) => assert!(!report.done.is_empty(), "{what}: nothing was noticed"),
                Err(error) => assert!(matches!(error, OpenError::WouldLose { .. }), "{what}: {error}"),
            }
        }
    }
}

#[test]
fn in_a_log_that_is_needed_it_is_refused_with_what_to_do() {
    let stopped = Stopped::new(Engine::Sled);
    for file in stopped.files("log") {
        for at in [0, 1, 3, 5, 6] {
            let dir = stopped.flipped(&file, at, 6).unwrap();
            fs::remove_dir_all(dir.join("rows")).unwrap();
            let what = format!("{} at {at}/6", file.display());
            let refused = match Replica::open(config(&dir, stopped.engine)) {
                Ok(replica) => {
                    assert!(replica.state_hash().unwrap() == stopped.hash, "{what}");
                    run(replica.shutdown()).unwrap();
                    continue;
                }
                Err(error) => error.to_string(),
            };
            assert!(refused.contains("numax repair") || refused.contains("newer one"), "{what}: {refused}");
        }
    }
}
