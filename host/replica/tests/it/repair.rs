//! Damaged files of a real datastore: rows are built anew by themselves, the log only where nothing can be lost, or with
//! consent.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use numax_crdt::{Batch, Body, Hlc, NodeId, Op, Origin, VersionVector};
use numax_replica::{
    Draft, Durability, OpenError, Replica, ReplicaConfig, engine_of,
    repair::{lift_quarantine, new_epoch, repair, repair_from, rows_are_whole},
    snapshot::Seeder,
};
use numax_store::Engine;
use tempfile::TempDir;

use crate::common::{bytes, key};

const BATCHES: u64 = 120;

struct Node {
    dir: TempDir,
    config: ReplicaConfig,
}

impl Node {
    fn new(number: u8, engine: Engine) -> Self {
        let dir = TempDir::new().unwrap();
        let mut config = ReplicaConfig::new(dir.path(), NodeId([number; 32]));
        config.engine = engine;
        config.core.durability = Durability::Fsync;
        config.core.segment_bytes = 4 << 10;
        Self { dir, config }
    }

    fn open(&self) -> Replica {
        Replica::open(self.config.clone()).unwrap()
    }

    fn refusal(&self) -> OpenError {
        Replica::open(self.config.clone()).map(|_| ()).unwrap_err()
    }

    /// Opens, writes, and stops in order.
    fn write(&self, batches: u64) {
        let replica = self.open();
        write(&replica, batches);
        stop(&replica);
    }

    fn segments(&self) -> Vec<PathBuf> {
        files(&self.dir.path().join("log"))
    }

    fn aside(&self, name: &str) -> bool {
        self.dir.path().join(name).exists()
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn write(replica: &Replica, batches: u64) {
    for n in 0..batches {
        let mut draft = Draft::new(replica.reader(), 1);
        draft.load_inline(true);
        draft.g_counter_increment(&key("n"), 1).unwrap();
        draft.set_add(&key("set"), bytes(&format!("element {n} of {batches}"))).unwrap();
        draft.register_set(&key(&format!("r{}", n % 7)), Bytes::from(vec![n as u8; 300])).unwrap();
        draft.kv_set(b"last", bytes(&n.to_string())).unwrap();
        let ticket = run(replica.commit(draft.take())).unwrap();
        let mut durable = replica.durable();
        run(durable.wait_for(|durable| durable.position >= ticket.position)).unwrap();
    }
}

fn stop(replica: &Replica) {
    run(replica.shutdown()).unwrap();
}

fn counted(replica: &Replica) -> u64 {
    let mut draft = Draft::new(replica.reader(), 1);
    draft.load_inline(true);
    draft.g_counter_value(&key("n")).unwrap()
}

fn local(replica: &Replica) -> Option<Bytes> {
    let mut draft = Draft::new(replica.reader(), 1);
    draft.load_inline(true);
    draft.kv_get(b"last").unwrap()
}

/// Gives one replica everything that the other has and it lacks.
fn send(from: &Replica, to: &Replica) {
    let mut cursor = None;
    let vector = to.vector();
    loop {
        let page = from.batches_after(&vector, cursor, 1 << 20).unwrap();
        run(to.ingest(page.batches)).unwrap();
        match page.next {
            Some(next) => cursor = Some(next),
            None => return,
        }
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

fn flip(path: &Path, at: impl FnOnce(usize) -> usize) {
    let mut all = fs::read(path).unwrap();
    let at = at(all.len());
    all[at] ^= 0x10;
    fs::write(path, all).unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn damaged_rows_are_built_anew_from_the_log() {
    for engine in Engine::ALL {
        let node = Node::new(1, engine);
        node.write(BATCHES);
        let replica = node.open();
        let hash = replica.state_hash().unwrap();
        stop(&replica);
        drop(replica);
        let (rows, good) = (node.dir.path().join("rows"), node.dir.path().join("good"));
        copy(&rows, &good);
        let mut rebuilt = 0;
        for file in files(&good) {
            let name = file.strip_prefix(&good).unwrap();
            for hurt in 0..6 {
                fs::remove_dir_all(&rows).unwrap();
                copy(&good, &rows);
                let path = rows.join(name);
                let len = fs::metadata(&path).unwrap().len() as usize;
                match hurt {
                    0 => fs::remove_file(&path).unwrap(),
                    1 => {
                        fs::File::options().write(true).open(&path).unwrap().set_len(len as u64 / 2).unwrap()
                    }
                    _ if len == 0 => continue,
                    2 => flip(&path, |len| len / 3),
                    5 => fs::write(&path, b"").unwrap(),
                    3 => flip(&path, |len| len - 1),
                    _ => {
                        let mut all = fs::read(&path).unwrap();
                        all[len / 4..len * 3 / 4].fill(0);
                        fs::write(&path, all).unwrap();
                    }
                }
                let what = format!("{engine}, {}, damage {hurt}", name.display());
                let engine = engine_of(node.dir.path()).unwrap().unwrap_or(engine);
                let config = ReplicaConfig { engine, ..node.config.clone() };
                let replica = Replica::open(config).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(replica.state_hash().unwrap(), hash, "{what}");
                assert_eq!(local(&replica), Some(bytes(&(BATCHES - 1).to_string())), "{what}");
                assert_eq!(replica.origin().epoch, 0, "nothing was lost: {what}");
                stop(&replica);
                drop(replica);
                if node.aside("rows.damaged-1") {
                    rebuilt += 1;
                    fs::remove_dir_all(node.dir.path().join("rows.damaged-1")).unwrap();
                }
            }
        }
        assert!(rebuilt > 0, "{engine}: nothing was noticed");
        assert_eq!(engine_of(node.dir.path()).unwrap(), Some(engine));
    }
}

#[test]
fn rows_that_only_reading_everything_finds_damaged_are_repaired_on_request() {
    let node = Node::new(1, Engine::Sled);
    node.write(BATCHES);
    let report = repair(&node.config, false, |_| ()).unwrap();
    assert_eq!((report.done.len(), report.brought_back), (0, 0), "{report:?}");
    assert!(report.found.len() > 3, "{report:?}");
    // As if the engine had dropped a part of itself.
    fs::remove_dir_all(node.dir.path().join("rows")).unwrap();
    let report = repair(&node.config, false, |_| ()).unwrap();
    assert_eq!(counted(&node.open()), BATCHES, "{report:?}");
}

#[test]
fn a_damaged_log_is_not_opened_and_peers_bring_back_what_was_lost() {
    let (node, peer) = (Node::new(1, Engine::Sled), Node::new(2, Engine::Redb));
    let (a, b) = (node.open(), peer.open());
    write(&a, BATCHES);
    write(&b, 5);
    send(&b, &a);
    send(&a, &b);
    let (hash, old) = (a.state_hash().unwrap(), a.origin());
    stop(&a);
    drop(a);
    // The rows are gone, too, so that the log is needed from the beginning.
    fs::remove_dir_all(node.dir.path().join("rows")).unwrap();
    flip(&node.segments()[2], |len| len / 2);

    let refused = node.refusal().to_string();
    assert!(refused.contains("numax repair") && refused.contains("at byte"), "{refused}");
    let Err(OpenError::WouldLose { detail }) = repair(&node.config, false, |_| ()) else {
        panic!("no consent")
    };
    assert!(detail.contains(".seg at byte"), "{detail}");
    assert!(!node.aside("log.damaged-1"), "nothing was changed");

    let report = repair(&node.config, true, |_| ()).unwrap();
    assert!(node.aside("log.damaged-1") && report.left_out > 0, "{report:?}");
    let a = node.open();
    assert_eq!(a.origin().epoch, old.epoch + 1);
    assert!(counted(&a) > 0 && counted(&a) < BATCHES + 5, "{}", counted(&a));
    write(&a, 3);
    send(&b, &a);
    send(&a, &b);
    assert_eq!(counted(&a), BATCHES + 5 + 3);
    assert_eq!(a.state_hash().unwrap(), b.state_hash().unwrap());
    assert_ne!(a.state_hash().unwrap(), hash);
    stop(&a);
}

#[test]
fn damage_before_the_position_of_the_rows_costs_only_history() {
    let node = Node::new(1, Engine::Fjall);
    node.write(BATCHES);
    let segments = node.segments().len();
    flip(&node.segments()[1], |len| len / 2);
    let report = repair(&node.config, false, |_| ()).unwrap();
    assert!(node.aside("log.damaged-1") && report.done.len() == 1, "{report:?}");
    assert!(segments > 5 && node.segments().len() == 1);
    let replica = node.open();
    assert_eq!((counted(&replica), replica.origin().epoch), (BATCHES, 0));
    write(&replica, 2);
    let after = VersionVector::from_iter([(replica.origin(), BATCHES)]);
    assert_eq!(replica.batches_after(&after, None, 1 << 20).unwrap().batches.len(), 2);
    stop(&replica);
    assert_eq!(repair(&node.config, false, |_| ()).unwrap().done.len(), 0);
}

#[test]
fn rows_outlive_the_log() {
    let (node, peer) = (Node::new(1, Engine::Redb), Node::new(2, Engine::Redb));
    node.write(BATCHES);
    let (a, b) = (node.open(), peer.open());
    send(&a, &b);
    let hash = a.state_hash().unwrap();
    stop(&a);
    drop(a);
    node.segments().iter().for_each(|file| fs::remove_file(file).unwrap());
    let refused = node.refusal().to_string();
    assert!(refused.contains("numax repair"), "{refused}");
    assert!(matches!(repair(&node.config, false, |_| ()), Err(OpenError::WouldLose { .. })));
    repair(&node.config, true, |_| ()).unwrap();
    let a = node.open();
    assert_eq!((a.state_hash().unwrap(), a.origin().epoch), (hash, 1));
    // What a peer has and the log had is no news.
    send(&b, &a);
    write(&a, 1);
    let page = a.batches_after(&b.vector(), None, 1 << 20).unwrap();
    run(b.ingest(page.batches)).unwrap();
    assert_eq!(a.state_hash().unwrap(), b.state_hash().unwrap());
    stop(&a);
}

#[test]
fn when_nothing_can_be_built_from_it_begins_anew_with_consent() {
    let (node, peer) = (Node::new(1, Engine::Sled), Node::new(2, Engine::Sled));
    node.write(BATCHES);
    let (a, b) = (node.open(), peer.open());
    send(&a, &b);
    stop(&a);
    drop(a);
    fs::remove_file(&node.segments()[0]).unwrap();
    fs::remove_dir_all(node.dir.path().join("rows")).unwrap();
    assert!(matches!(node.refusal(), OpenError::RowsLost { .. }), "{}", node.refusal());
    assert!(node.refusal().to_string().contains("numax repair --accept-loss"));
    assert!(matches!(repair(&node.config, false, |_| ()), Err(OpenError::WouldLose { .. })));
    let report = repair(&node.config, true, |_| ()).unwrap();
    assert!(report.left_out > 0, "{report:?}");
    let a = node.open();
    assert_eq!((counted(&a), a.origin().epoch), (0, 1));
    send(&b, &a);
    assert_eq!(counted(&a), BATCHES);
    assert_eq!(a.state_hash().unwrap(), b.state_hash().unwrap());
    stop(&a);
}

#[test]
fn a_flipped_bit_in_the_last_record_is_no_torn_end_while_the_system_ran_on() {
    let node = Node::new(1, Engine::Sled);
    let replica = node.open();
    write(&replica, 10);
    // A copy of the files under the same names is what a killed process leaves.
    let log = node.dir.path().join("log");
    let kept = node.dir.path().join("kept");
    copy(&log, &kept);
    stop(&replica);
    drop(replica);
    for (what, hurt) in [("flipped", true), ("cut off", false)] {
        let other = Node::new(1, Engine::Sled);
        stop(&other.open());
        fs::remove_dir_all(other.dir.path().join("rows")).unwrap();
        for file in files(&log) {
            fs::copy(
                kept.join(file.file_name().unwrap()),
                other.dir.path().join("log").join(file.file_name().unwrap()),
            )
            .unwrap();
        }
        let meta = other.dir.path().join("meta.json");
        let mut text: serde_json::Value = serde_json::from_slice(&fs::read(&meta).unwrap()).unwrap();
        text["clean_end"] = serde_json::Value::Null;
        fs::write(&meta, text.to_string()).unwrap();
        let last = other.segments().pop().unwrap();
        if hurt {
            flip(&last, |len| len - 1);
            let refused = other.refusal();
            assert!(matches!(refused, OpenError::Log(_)), "{what}: {refused}");
        } else {
            let len = fs::metadata(&last).unwrap().len();
            fs::File::options().write(true).open(&last).unwrap().set_len(len - 1).unwrap();
            assert_eq!(counted(&other.open()), 9, "{what}");
        }
    }
}

#[test]
fn a_quarantine_lasts_until_it_is_lifted_by_hand() {
    let node = Node::new(1, Engine::Sled);
    let theirs = |seq, value: &str| {
        let origin = Origin { node: NodeId([9; 32]), epoch: 0, nonce: 5 };
        let body = Body::Register { hlc: Hlc::from_parts(seq, 0), value: Some(bytes(value)) };
        let ops = vec![Op { key: key("r"), body }];
        Batch { origin, seq, deps: Vec::new(), hlc: Hlc::from_parts(seq, 0), ops }.encode()
    };
    let replica = node.open();
    assert_eq!(run(replica.ingest(vec![theirs(1, "a")])).unwrap().applied, 1);
    assert_eq!(run(replica.ingest(vec![theirs(1, "b")])).unwrap().quarantined.len(), 1);
    assert!(matches!(lift_quarantine(node.dir.path()), Err(OpenError::Locked { .. })));
    stop(&replica);
    drop(replica);
    let replica = node.open();
    assert_eq!(run(replica.ingest(vec![theirs(2, "c")])).unwrap().rejected, 1);
    stop(&replica);
    drop(replica);
    assert_eq!(lift_quarantine(node.dir.path()).unwrap().len(), 1);
    let replica = node.open();
    assert_eq!(replica.origin().epoch, 0);
    assert_eq!(run(replica.ingest(vec![theirs(2, "c")])).unwrap().applied, 1);
    stop(&replica);
    drop(replica);
    new_epoch(node.dir.path()).unwrap();
    let replica = node.open();
    assert_eq!(replica.origin().epoch, 1);
    stop(&replica);
}

/// The rows of a datastore as a snapshot has them: an engine of its own.
fn rows_of(replica: &Replica, engine: Engine, dir: &Path) -> PathBuf {
    let mut seeder = Seeder::create(dir, engine).unwrap();
    let mut view = replica.view(seeder.engine()).unwrap();
    while let Some(rows) = view.page().unwrap() {
        rows.into_iter().for_each(|row| seeder.put(row).unwrap());
    }
    let facts = view.facts().clone();
    drop(view);
    seeder.finish_rows(&facts).unwrap();
    dir.join("rows")
}

#[test]
fn damaged_rows_are_built_from_a_snapshot_and_the_log_behind_it() {
    for engine in Engine::ALL {
        let mut node = Node::new(1, engine);
        node.config.core.op_log_budget = 24 << 10;
        let (scratch, other) = (TempDir::new().unwrap(), Node::new(1, engine));
        let replica = node.open();
        write(&replica, 90);
        let base = rows_of(&replica, engine, &scratch.path().join("good"));
        write(&replica, 20);
        let (hash, origin) = (replica.state_hash().unwrap(), replica.origin());
        stop(&replica);
        drop(replica);
        // Of another datastore of the same node, as far on.
        let replica = other.open();
        write(&replica, 90);
        let foreign = rows_of(&replica, engine, &scratch.path().join("foreign"));
        stop(&replica);

        assert!(rows_are_whole(&node.config).unwrap());
        let rows = node.dir.path().join("rows");
        let hurt = files(&rows).into_iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
        flip(&hurt, |len| len / 3);
        fs::write(&hurt, &fs::read(&hurt).unwrap()[..1000]).unwrap();
        assert!(matches!(node.refusal(), OpenError::RowsLost { .. }), "{engine}: {}", node.refusal());
        assert!(!rows_are_whole(&node.config).unwrap());

        let refused = repair_from(&node.config, &foreign).unwrap_err();
        assert!(!node.aside("rows.damaged-1") && rows.exists(), "{engine}: {refused}: nothing was changed");
        let report = repair_from(&node.config, &base).unwrap();
        assert!(report.done[0].contains("from a snapshot"), "{report:?}");
        let replica = node.open();
        assert_eq!(replica.state_hash().unwrap(), hash, "{engine}");
        assert_eq!((counted(&replica), replica.origin()), (110, origin), "{engine}: nothing is lost");
        assert_eq!(local(&replica), Some(bytes("19")), "{engine}: node-local rows too");
        stop(&replica);
    }
}

#[test]
fn a_damaged_meta_json_is_called_that_and_a_repair_goes_on_without_it() {
    let cut = |text: &str| text.get(..text.len() / 2).unwrap().to_owned();
    let hurts: [&dyn Fn(&str) -> String; 5] = [
        &|_| "{".to_owned(),
        &|_| String::new(),
        &cut,
        &|text| text.replace("\"node\": \"01", "\"node\": \"`1"),
        &|text| text.replace("\"nonce\": \"", "\"nonce\": \"x"),
    ];
    for (number, hurt) in hurts.iter().enumerate() {
        let node = Node::new(1, Engine::Sled);
        node.write(BATCHES);
        let meta = node.dir.path().join("meta.json");
        let text = fs::read_to_string(&meta).unwrap();
        fs::write(&meta, hurt(&text)).unwrap();
        let said = node.refusal().to_string();
        assert!(
            said.starts_with("meta.json is damaged (") && said.contains("`numax repair"),
            "{number}: {said}"
        );
        assert!(!said.contains("identity"), "{number}: {said}");
        let report = repair(&node.config, false, |_| ()).unwrap();
        assert!(report.done.iter().any(|line| line.contains("meta.json.damaged-1")), "{number}: {report:?}");
        assert!(report.done.iter().any(|line| line.contains("new epoch")), "{number}: {report:?}");
        let replica = node.open();
        assert_eq!(counted(&replica), BATCHES, "{number}");
        stop(&replica);
        assert!(repair(&node.config, false, |_| ()).unwrap().done.is_empty(), "{number}");
    }
}
