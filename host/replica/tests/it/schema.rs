//! The chain of schemas: committed datastores of the first schema are opened for ever, and led to a schema that exists in
//! this test only, while nodes of both talk to each other.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use numax_crdt::NodeId;
use numax_replica::{
    Draft, Durability, Engine, HostFacts, IdSeed, OpenError, Replica, ReplicaConfig,
    migrate::{self, Progress, migrate},
    repair::repair,
    schema::Chain,
};
use numax_store::{FsDisk, KvError, Options, open_with};
use tempfile::TempDir;

use crate::{
    common::{NOW, bytes, key},
    next_schema::{self, NextSchema},
    pack,
};

const NODE: NodeId = NodeId([1; 32]);

fn config(dir: &Path, engine: Engine) -> ReplicaConfig {
    let mut config = ReplicaConfig { engine, ..ReplicaConfig::new(dir, NODE) };
    config.core.durability = Durability::Fsync;
    config
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn stop(replica: &Replica) {
    run(replica.shutdown()).unwrap();
}

fn commit(replica: &Replica, write: impl FnOnce(&mut Draft)) {
    let mut draft = Draft::new(replica.reader(), 1);
    draft.load_inline(true);
    write(&mut draft);
    let ticket = run(replica.commit(draft.take())).unwrap();
    // Others get what is durable.
    run(replica.durable().wait_for(|durable| durable.position >= ticket.position)).unwrap();
}

/// Gives one replica everything that the other has and it lacks.
fn send(from: &Replica, to: &Replica) {
    let (mut cursor, vector) = (None, to.vector());
    loop {
        let page = from.batches_after(&vector, cursor, 1 << 20).unwrap();
        run(to.ingest(page.batches)).unwrap();
        match page.next {
            Some(next) => cursor = Some(next),
            None => return,
        }
    }
}

/// Something of every family, and what was removed again.
fn write(replica: &Replica, from: u32, until: u32) {
    for n in from..until {
        commit(replica, |draft| {
            draft.g_counter_increment(&key("visits"), 2).unwrap();
            draft.pn_counter_increment(&key("level"), 5).unwrap();
            draft.pn_counter_decrement(&key("level"), 2).unwrap();
            draft.register_set(&key(&format!("register {}", n % 5)), bytes(&format!("value {n}"))).unwrap();
            draft
                .map_set(&key("map"), format!("field {}", n % 4).as_bytes(), bytes(&format!("{n}")))
                .unwrap();
            draft.set_add(&key("set"), bytes(&format!("element {n}"))).unwrap();
            let seed = IdSeed { now_ms: NOW + u64::from(n), random: n.into() };
            let id = draft.list_push(&key("list"), bytes(&format!("entry {n}")), seed).unwrap();
            draft.kv_set(format!("local {n}").as_bytes(), bytes(&format!("{n}"))).unwrap();
            if n % 3 == 0 {
                draft.set_remove(&key("set"), format!("element {n}").as_bytes()).unwrap();
                draft.list_remove(&key("list"), id).unwrap();
                draft.map_remove(&key("map"), b"field 0").unwrap();
                draft.register_clear(&key("register 0")).unwrap();
            }
            #[cfg(feature = "text")]
            draft.text_insert(&key("text"), n, "x").unwrap();
        });
    }
}

const WRITTEN: u32 = 60;

/// What `write` and two batches of a peer leave.
fn check(replica: &Replica, what: &str) {
    let mut draft = Draft::new(replica.reader(), 2);
    draft.load_inline(true);
    assert_eq!(draft.g_counter_value(&key("visits")).unwrap(), u64::from(WRITTEN) * 2 + 2 * 100, "{what}");
    assert_eq!(draft.pn_counter_value(&key("level")).unwrap(), i64::from(WRITTEN) * 3, "{what}");
    assert_eq!(draft.register_get(&key("register 4")).unwrap(), Some(bytes("value 59")), "{what}");
    assert_eq!(draft.register_get(&key("register 0")).unwrap(), None, "{what}: it was cleared");
    assert_eq!(draft.map_get(&key("map"), b"field 3").unwrap(), Some(bytes("59")), "{what}");
    assert_eq!(draft.set_size(&key("set")).unwrap(), u64::from(WRITTEN) / 3 * 2, "{what}");
    assert_eq!(draft.list_size(&key("list")).unwrap(), u64::from(WRITTEN) / 3 * 2, "{what}");
    assert_eq!(draft.kv_get(b"local 59").unwrap(), Some(bytes("59")), "{what}");
    #[cfg(feature = "text")]
    assert_eq!(draft.text_read(&key("text")).unwrap(), "x".repeat(WRITTEN as usize), "{what}");
}

fn committed(engine: Engine) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/schema-1").join(engine.name())
}

/// The datastore that was committed, and the digest that its state had.
fn first(engine: Engine) -> (TempDir, [u8; 32]) {
    let dir = TempDir::new().unwrap();
    pack::unpack(&fs::read(committed(engine).with_extension("pack")).unwrap(), dir.path());
    let text = fs::read_to_string(committed(engine).with_extension("sha256")).unwrap();
    let mut hash = [0; 32];
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap();
    }
    (dir, hash)
}

/// Makes the committed datastores: `cargo test -p numax-replica --test it -- schema::make --ignored`. There is no reason to
/// make those of an old schema again: that they stay as they are is their use.
#[test]
#[ignore = "writes into the source tree"]
fn make() {
    for engine in Engine::ALL {
        assert!(!committed(engine).with_extension("pack").exists(), "{engine} is there");
        let (dir, peer) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let other = Replica::open(ReplicaConfig::new(peer.path(), NodeId([2; 32]))).unwrap();
        (0..2).for_each(|_| commit(&other, |draft| draft.g_counter_increment(&key("visits"), 100).unwrap()));
        let replica = Replica::open(config(dir.path(), engine)).unwrap();
        send(&other, &replica);
        write(&replica, 0, WRITTEN - 10);
        stop(&replica);
        drop(replica);
        // The rest is in the log only, as a killed process leaves it.
        let mut lazy = config(dir.path(), engine);
        lazy.flush_interval = std::time::Duration::from_secs(3600);
        let replica = Replica::open(lazy).unwrap();
        write(&replica, WRITTEN - 10, WRITTEN);
        let hash = replica.state_hash().unwrap();
        fs::create_dir_all(committed(engine).parent().unwrap()).unwrap();
        fs::write(committed(engine).with_extension("pack"), pack::pack(dir.path())).unwrap();
        let text: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        fs::write(committed(engine).with_extension("sha256"), text + "\n").unwrap();
        check(&replica, "as it was made");
        stop(&replica);
        stop(&other);
    }
}

#[test]
fn datastores_of_the_first_schema_are_opened_for_ever() {
    for engine in Engine::ALL {
        let (dir, hash) = first(engine);
        assert!(repair(&config(dir.path(), engine), false, |_| ()).unwrap().left_out == 0);
        for _ in 0..2 {
            let replica = Replica::open(config(dir.path(), engine)).unwrap();
            check(&replica, engine.name());
            assert_eq!(replica.state_hash().unwrap(), hash, "{engine}");
            stop(&replica);
        }
        let replica = Replica::open(config(dir.path(), engine)).unwrap();
        write(&replica, WRITTEN, WRITTEN + 1);
        assert_ne!(replica.state_hash().unwrap(), hash, "{engine}");
        stop(&replica);
    }
}

/// Opens a datastore of the schema of this test.
fn open_next(dir: &Path, engine: Engine) -> Result<Replica, OpenError> {
    let chain = next_schema::chain();
    let options = Options { schemas: chain.tables(2), ..Options::default() };
    let rows = open_with(engine, &dir.join("rows"), &options)?;
    let mut config = config(dir, engine);
    config.core.schemas = chain;
    // As `Replica::open` has them from the machine; always the same, so that no epoch begins.
    let facts = HostFacts { boot_id: "boot".to_string(), disk_id: "disk".to_string(), nonce: 7 };
    Replica::open_on(config, Arc::new(FsDisk::open(dir)?), Arc::new(NextSchema(rows)), &facts)
}

#[test]
fn the_next_schema_is_reached_offline_from_every_engine_to_every_engine() {
    for from in Engine::ALL {
        for to in Engine::ALL {
            let (dir, hash) = first(from);
            let chain = next_schema::chain();
            let what = format!("{from} to {to}");
            let mut newer = config(dir.path(), from);
            newer.core.schemas = chain;
            let refused = Replica::open(newer).map(|_| ()).unwrap_err();
            assert!(matches!(refused, OpenError::OldSchema { found: 1, want: 2 }), "{what}: {refused}");
            assert!(refused.to_string().contains("`numax migrate`"), "{refused}");
            assert_eq!(migrate::state(dir.path(), chain).unwrap().steps.len(), 1);

            let done = migrate(dir.path(), chain, Some(to), |_| ()).unwrap().unwrap();
            assert_eq!((done.engine, done.schema), ((from, to), (1, 2)), "{what}");
            assert!(done.rows > 200, "{what}: {done:?}");
            assert_eq!(migrate(dir.path(), chain, None, |_| ()).unwrap(), None, "{what}");

            let replica = open_next(dir.path(), to).unwrap();
            check(&replica, &what);
            assert_eq!(replica.state_hash().unwrap(), hash, "{what}");
            write(&replica, WRITTEN, WRITTEN + 3);
            let hash = replica.state_hash().unwrap();
            stop(&replica);
            drop(replica);
            assert_eq!(open_next(dir.path(), to).unwrap().state_hash().unwrap(), hash, "{what}");
        }
    }
}

#[test]
fn a_newer_schema_is_refused_with_the_name_of_its_program() {
    let (dir, _) = first(Engine::Sled);
    migrate(dir.path(), next_schema::chain(), None, |_| ()).unwrap();
    let meta = dir.path().join("meta.json");
    let text = fs::read_to_string(&meta).unwrap();
    assert!(text.contains(concat!("numax ", env!("CARGO_PKG_VERSION"))), "{text}");
    for (program, named) in [("numax 9.1.0", "numax 9.1.0"), ("", "a program that did not leave its name")] {
        let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json["program"] = program.into();
        fs::write(&meta, json.to_string()).unwrap();
        let refusals = [
            Replica::open(config(dir.path(), Engine::Sled)).map(|_| ()).unwrap_err(),
            migrate(dir.path(), Chain::CURRENT, Some(Engine::Redb), |_| ()).map(|_| ()).unwrap_err(),
            repair(&config(dir.path(), Engine::Sled), true, |_| ()).map(|_| ()).unwrap_err(),
        ];
        for refused in refusals {
            let said = refused.to_string();
            assert!(matches!(refused, OpenError::NewSchema { found: 2, want: 1, .. }), "{said}");
            assert!(said.contains(named) && said.contains("start it with that program"), "{said}");
        }
    }
    assert!(
        fs::read_dir(dir.path())
            .unwrap()
            .all(|entry| { !entry.unwrap().file_name().to_str().unwrap().starts_with("rows.") })
    );
}

#[test]
fn a_migration_cut_short_between_rows_and_meta_is_finished() {
    let (dir, hash) = first(Engine::Redb);
    migrate(dir.path(), next_schema::chain(), None, |_| ()).unwrap();
    let meta = dir.path().join("meta.json");
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&meta).unwrap()).unwrap();
    json["format"] = 1.into();
    fs::write(&meta, json.to_string()).unwrap();
    // The program of the old schema is refused for the tables, the one of the new schema has to be told to go on.
    let refused = Replica::open(config(dir.path(), Engine::Redb)).map(|_| ()).unwrap_err();
    assert!(matches!(refused, OpenError::Store(KvError::Schema { found: 2, want: 1, .. })), "{refused}");
    assert!(matches!(open_next(dir.path(), Engine::Redb), Err(OpenError::OldSchema { .. })));
    let done = migrate(dir.path(), next_schema::chain(), None, |_| ()).unwrap().unwrap();
    assert_eq!((done.schema, done.rows), ((1, 2), 0));
    assert_eq!(open_next(dir.path(), Engine::Redb).unwrap().state_hash().unwrap(), hash);
}

/// What is on the disk when the process is killed now.
fn image(dir: &Path) -> TempDir {
    let image = TempDir::new().unwrap();
    copy_dir(dir, image.path());
    image
}

fn copy_dir(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => {
                fs::create_dir(&to).unwrap();
                copy_dir(&entry.path(), &to);
            }
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// Migrates as a program does that is started again, and compares what comes of it.
fn ends_well(image: &Path, to: Engine, hash: [u8; 32], what: &str) {
    migrate(image, next_schema::chain(), Some(to), |_| ()).unwrap_or_else(|error| panic!("{what}: {error}"));
    let mut left =
        fs::read_dir(image).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(left.all(|name| !name.starts_with("rows.")), "{what}: something is left");
    let replica = open_next(image, to).unwrap_or_else(|error| panic!("{what}: {error}"));
    check(&replica, what);
    assert_eq!(replica.state_hash().unwrap(), hash, "{what}");
    stop(&replica);
}

#[test]
fn a_migration_killed_behind_any_change_of_the_disk_ends_in_the_same_contents() {
    for (from, to) in
        [(Engine::Sled, Engine::Sled), (Engine::Redb, Engine::Fjall), (Engine::Fjall, Engine::Redb)]
    {
        let (dir, hash) = first(from);
        let mut images = Vec::new();
        let mut keep = |progress| {
            if let Progress::Stored(what) = progress {
                images.push((what, image(dir.path())));
            }
        };
        migrate(dir.path(), next_schema::chain(), Some(to), &mut keep).unwrap();
        let named: Vec<&str> = images.iter().map(|(what, _)| *what).collect();
        for what in
            ["the new engine", "all rows, synced", "the old engine, removed", "the schema in meta.json"]
        {
            assert!(named.contains(&what), "{named:?}");
        }
        for (number, (what, image)) in images.iter().enumerate() {
            ends_well(image.path(), to, hash, &format!("{from} to {to}, killed behind {number}: {what}"));
        }
    }
}

#[test]
fn a_new_engine_of_which_a_file_is_gone_or_cut_is_made_anew() {
    for to in Engine::ALL {
        let (dir, hash) = first(Engine::Redb);
        let mut whole = None;
        let mut keep = |progress| {
            if progress == Progress::Stored("the end of the copy, synced") {
                whole = Some(image(dir.path()));
            }
        };
        migrate(dir.path(), next_schema::chain(), Some(to), &mut keep).unwrap();
        let whole = whole.unwrap();
        let mut files = Vec::new();
        list(&whole.path().join("rows.new"), &mut files);
        assert!(!files.is_empty(), "{to}");
        for file in files {
            let name = file.strip_prefix(whole.path()).unwrap().to_owned();
            for gone in [true, false] {
                let image = image(whole.path());
                match gone {
                    true => fs::remove_file(image.path().join(&name)).unwrap(),
                    false => fs::write(image.path().join(&name), "").unwrap(),
                }
                ends_well(image.path(), to, hash, &format!("{to}: {}, gone: {gone}", name.display()));
            }
        }
    }
}

/// The files below a directory.
fn list(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => list(&path, files),
            false => files.push(path),
        }
    }
}

#[test]
fn a_row_that_leads_nowhere_ends_it_and_nothing_was_changed() {
    let (dir, hash) = first(Engine::Fjall);
    let refused = migrate(dir.path(), next_schema::refusing(), None, |_| ()).map(|_| ()).unwrap_err();
    let said = refused.to_string();
    assert!(said.contains("no such value") && said.contains("table Local, key local 1"), "{said}");
    let replica = Replica::open(config(dir.path(), Engine::Fjall)).unwrap();
    assert_eq!(replica.state_hash().unwrap(), hash);
    stop(&replica);
}

#[test]
fn nodes_of_both_schemas_are_one_cluster() {
    let (dir, _) = first(Engine::Sled);
    migrate(dir.path(), next_schema::chain(), Some(Engine::Redb), |_| ()).unwrap();
    let new = open_next(dir.path(), Engine::Redb).unwrap();
    let others = TempDir::new().unwrap();
    let old = Replica::open(ReplicaConfig::new(others.path(), NodeId([3; 32]))).unwrap();
    for round in 0..3 {
        write(&new, WRITTEN + round, WRITTEN + round + 1);
        commit(&old, |draft| {
            draft.g_counter_increment(&key("visits"), 1).unwrap();
            draft.set_add(&key("set"), bytes(&format!("of the old one {round}"))).unwrap();
            draft.register_set(&key("register 1"), bytes("old")).unwrap();
        });
        send(&new, &old);
        send(&old, &new);
        assert_eq!(new.vector(), old.vector());
        assert_eq!(new.state_hash().unwrap(), old.state_hash().unwrap(), "round {round}");
    }
    let mut draft = Draft::new(new.reader(), 1);
    draft.load_inline(true);
    assert!(draft.set_contains(&key("set"), &Bytes::from("of the old one 2")).unwrap());
    stop(&old);
    stop(&new);
}
