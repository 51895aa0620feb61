//! Looking: nothing is changed, and everything is there.

use std::fs;

use numax_crdt::{Key, Kind};
use numax_replica::Engine;
use numax_tools::{
    ToolError,
    diff::{Options, diff},
    inspect::inspect,
    keys::keys,
    log::{Filter, export},
    store::{Store, kinds},
    value::{Value, get},
};
use tempfile::TempDir;

use crate::nodes::{Node, commit, copy, hash, key, send, write_all};

fn all_keys(store: &Store, prefix: &[u8]) -> Vec<(Kind, String, bool)> {
    let mut out = Vec::new();
    keys(store, prefix, &Kind::ALL, |kind, key, live| {
        out.push((kind, key.to_string(), live));
        true
    })
    .unwrap();
    out
}

#[test]
fn no_tool_changes_a_file_with_any_engine() {
    let dir = TempDir::new().unwrap();
    for engine in Engine::ALL {
        let node = Node::new(&dir, engine.name(), 1, engine);
        write_all(&node);
        let before = hash(&node.dir);
        let (store, again) = (node.store(), node.store());
        assert_eq!(store.engine(), engine);
        let found = get(&store, &key("visits"), &Kind::ALL).unwrap();
        assert_eq!(found.len(), 2, "a counter and a map: {found:?}");
        assert_eq!(all_keys(&store, b"").len(), if cfg!(feature = "text") { 8 } else { 7 });
        inspect(&store, &key("todo"), &Kind::ALL).unwrap();
        assert!(diff(&store, &again, &Options::default(), |_| {}).unwrap().is_equal());
        export(store.log(), &Filter::default(), &mut Vec::new()).unwrap();
        // While somebody looks, no node starts; and two may look.
        let busy = numax_replica::Replica::open(node.config.clone()).unwrap_err();
        assert!(busy.to_string().contains("in use"), "{busy}");
        drop((store, again));
        assert_eq!(hash(&node.dir), before, "{engine}");
    }
}

#[test]
fn every_family_is_shown_with_its_writers_and_tombstones() {
    let dir = TempDir::new().unwrap();
    let (a, b) = (Node::new(&dir, "a", 1, Engine::Sled), Node::new(&dir, "b", 2, Engine::Redb));
    write_all(&a);
    send(&a, &b);
    b.commit(|draft| draft.g_counter_increment(&key("visits"), 40).unwrap());
    let store = b.store();
    let values = |name: &str| {
        let found = get(&store, &key(name), &Kind::ALL).unwrap();
        found
            .iter()
            .map(|(kind, value)| format!("{} {}", kind.config_name(), value.shown()))
            .collect::<Vec<_>>()
    };
    assert_eq!(values("visits"), ["gcounter 43", "lww_map {name=Ada}"]);
    assert_eq!(values("stock"), ["pncounter 4"]);
    assert_eq!(values("title"), ["lww_register größe \\\\ \\xff"]);
    assert_eq!(values("gone"), [] as [&str; 0]);
    assert_eq!(values("tags"), ["orset [blue]"]);
    assert_eq!(values("todo"), ["rga [read, test]"]);
    #[cfg(feature = "text")]
    assert_eq!(values("page"), ["text Hello, wörld"]);
    let keys = all_keys(&store, b"t");
    assert_eq!(
        keys.iter().map(|(kind, key, live)| (kind.config_name(), &key[..], *live)).collect::<Vec<_>>(),
        [("lww_register", "title", true), ("orset", "tags", true), ("rga", "todo", true)]
    );

    let found = inspect(&store, &key("visits"), &Kind::ALL).unwrap();
    let [counter, map] = &found[..] else { panic!("{found:?}") };
    // Head, and a row of each of two origins.
    assert_eq!((counter.rows.len(), counter.tombstones(), counter.batches.len()), (3, 0, 2));
    let remote: Vec<bool> = counter.batches.values().map(|batch| batch.remote).collect();
    assert_eq!(remote, [true, false], "one came from a, one was written here");
    assert_eq!(
        (map.rows.len(), map.tombstones(), &map.value),
        (3, 1, &Some(Value::Map(vec![("name".into(), "Ada".into())])))
    );
    let json = map.json(10);
    assert_eq!(json["rows"][1]["content"]["value"], "Ada");
    assert_eq!(json["rows"][2]["row"]["field"], "old");
    assert_eq!(json["rows"][2]["tombstone"], true);
    let writer = json["rows"][2]["written_by"][0].as_str().unwrap();
    assert!(writer.starts_with(&"01".repeat(32)) && writer.ends_with("#2"), "{writer}");
    assert_eq!(json["batches"][writer]["hlc"], json["rows"][2]["hlc"], "the row's time is its batch's");
    assert_eq!(json["batches"][writer]["remote"], true);

    let [gone] = &inspect(&store, &key("gone"), &Kind::ALL).unwrap()[..] else { panic!() };
    assert_eq!((gone.value.clone(), gone.tombstones()), (None, 1));
    let [list] = &inspect(&store, &key("todo"), &Kind::ALL).unwrap()[..] else { panic!() };
    assert_eq!(list.tombstones(), 1);
    let lines = list.lines(2).join("\n");
    assert!(lines.contains("rga todo = [read, test]") && lines.contains("more rows"), "{lines}");
    assert_eq!(inspect(&store, &key("visits"), &[Kind::OrSet]).unwrap().len(), 0);
}

#[test]
fn a_killed_node_shows_what_its_next_start_would() {
    let dir = TempDir::new().unwrap();
    let node = Node::new(&dir, "node", 1, Engine::Sled);
    let image = dir.path().join("image");
    node.run(async |replica| {
        commit(replica, |draft| draft.g_counter_increment(&key("n"), 7).unwrap()).await;
        // The log has it, the engine not yet.
        copy(&node.dir, &image);
        let running = Store::open(&node.dir, None).unwrap_err();
        assert!(running.to_string().contains("open in a running node"), "{running}");
    });
    let before = hash(&image);
    let store = Store::open(&image, None).unwrap();
    assert_eq!(get(&store, &key("n"), &Kind::ALL).unwrap(), [(Kind::GCounter, Value::Count(7))]);
    drop(store);
    // Also with a torn end, which a start would cut off.
    let segment = fs::read_dir(image.join("log")).unwrap().next().unwrap().unwrap().path();
    let mut torn = fs::read(&segment).unwrap();
    torn.extend_from_slice(&[9, 0, 0, 0, 1]);
    fs::write(&segment, &torn).unwrap();
    let torn = hash(&image);
    assert_ne!(torn, before);
    let store = Store::open(&image, None).unwrap();
    assert_eq!(get(&store, &key("n"), &Kind::ALL).unwrap().len(), 1);
    drop(store);
    assert_eq!(hash(&image), torn);
}

#[test]
fn data_that_is_being_restored_counts_where_it_lies() {
    let dir = TempDir::new().unwrap();
    let (old, new) = (Node::new(&dir, "old", 1, Engine::Sled), Node::new(&dir, "new", 1, Engine::Redb));
    old.commit(|draft| draft.g_counter_increment(&key("n"), 1).unwrap());
    new.commit(|draft| draft.g_counter_increment(&key("n"), 2).unwrap());
    // A restore that was cut short behind the moment from which the new data counts, with one part in its place.
    let restore = old.dir.join("restore");
    fs::create_dir(&restore).unwrap();
    fs::remove_file(old.dir.join("meta.json")).unwrap();
    fs::rename(new.dir.join("meta.json"), old.dir.join("meta.json")).unwrap();
    for part in ["rows", "log"] {
        fs::rename(new.dir.join(part), restore.join(part)).unwrap();
    }
    let before = hash(&old.dir);
    let store = old.store();
    assert_eq!(get(&store, &key("n"), &Kind::ALL).unwrap(), [(Kind::GCounter, Value::Count(2))]);
    assert_eq!(store.engine(), Engine::Redb);
    drop(store);
    assert_eq!(hash(&old.dir), before);
}

#[test]
fn keys_that_are_no_text_are_shown_and_taken_in_one_form() {
    let dir = TempDir::new().unwrap();
    let node = Node::new(&dir, "node", 1, Engine::Sled);
    let name = Key::new(&b"\x00raw\xff\\"[..]).unwrap();
    node.commit(|draft| draft.g_counter_increment(&name, 1).unwrap());
    let store = node.store();
    let mut shown = Vec::new();
    keys(&store, b"", &Kind::ALL, |_, key, _| {
        shown.push(numax_tools::escape::escape(key.as_bytes()));
        true
    })
    .unwrap();
    assert_eq!(shown, ["\\x00raw\\xff\\\\"]);
    assert_eq!(numax_tools::store::key(&shown[0]).unwrap(), name);
    assert!(matches!(numax_tools::store::key("\\q"), Err(ToolError::Usage(_))));
    assert!(matches!(kinds(Some("list")), Err(ToolError::Usage(text)) if text.contains("rga")));
    assert_eq!(kinds(Some("or-set")).unwrap(), [Kind::OrSet]);
}
