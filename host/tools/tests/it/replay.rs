//! From a datastore to lines to a datastore, and from a log's directory.

use std::{fs, io::BufReader, path::Path};

use numax_crdt::{Batch, Kind, NodeId};
use numax_replica::{Engine, PageRequest, at_rest::LogAtRest};
use numax_tools::{
    diff::{Options, diff},
    log::{Filter, Lines, export},
    names::OriginPattern,
    replay::replay,
    store::Store,
    value::{Value, get},
};
use tempfile::TempDir;

use crate::nodes::{Node, commit, hash, key, send, write_all};

fn lines(log: &LogAtRest, filter: &Filter) -> String {
    let mut out = Vec::new();
    export(log, filter, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn again(source: &Path, new: &Path) -> [u8; 32] {
    replay(source, new, NodeId([9; 32]), Engine::Redb).unwrap().state_hash
}

#[test]
fn a_log_leads_to_the_same_state_in_every_form() {
    let dir = TempDir::new().unwrap();
    let (a, b) = (Node::new(&dir, "a", 1, Engine::Sled), Node::new(&dir, "b", 2, Engine::Fjall));
    write_all(&b);
    send(&b, &a);
    write_all(&a);
    let (before, store) = (hash(&a.dir), a.store());
    let want = store.state_hash().unwrap();
    let exported = dir.path().join("log.jsonl");
    fs::write(&exported, lines(store.log(), &Filter::default())).unwrap();
    drop(store);
    let new = |name: &str| dir.path().join(name);
    assert_eq!(again(&exported, &new("from lines")), want);
    assert_eq!(again(&a.dir, &new("from datastore")), want);
    assert_eq!(again(&a.dir.join("log"), &new("from log")), want);
    assert_eq!(hash(&a.dir), before, "the source is as it was");

    // It is a whole datastore: of another node, with the same rows, and what was the first node's own is not in it.
    let made = Store::open(&new("from lines"), None).unwrap();
    assert!(diff(&a.store(), &made, &Options::default(), |_| {}).unwrap().is_equal());
    assert_eq!(made.node(), NodeId([9; 32]));
    assert_eq!(get(&made, &key("visits"), &[Kind::GCounter]).unwrap(), [(Kind::GCounter, Value::Count(6))]);
    drop(made);
    let node = Node::new(&dir, "from lines", 9, Engine::Redb);
    node.commit(|draft| {
        assert_eq!(draft.kv_get(b"mine").unwrap(), None);
        draft.g_counter_increment(&key("visits"), 1).unwrap();
    });
    send(&node, &a);
    assert!(diff(&a.store(), &node.store(), &Options::default(), |_| {}).unwrap().is_equal());
}

#[test]
fn lines_lead_back_to_the_very_bytes() {
    let dir = TempDir::new().unwrap();
    let node = Node::new(&dir, "node", 1, Engine::Sled);
    write_all(&node);
    node.commit(|draft| {
        let name = numax_crdt::Key::new(&b"\xff\x00\\"[..]).unwrap();
        draft.map_set(&name, b"\x80", vec![0; 300].into()).unwrap();
        draft.kv_delete(b"mine").unwrap();
    });
    let log = LogAtRest::open(&node.dir).unwrap();
    let text = lines(&log, &Filter::default());
    let mut read = Lines::new(BufReader::new(text.as_bytes())).unwrap();
    assert!(read.is_complete());
    let mut count = 0;
    log.read::<numax_tools::ToolError>(None, |record| {
        assert_eq!(read.next_record().unwrap(), Some(record));
        count += 1;
        Ok(true)
    })
    .unwrap();
    assert_eq!((count, read.next_record().unwrap()), (4, None));
}

#[test]
fn a_part_of_a_log_is_chosen_by_place_origin_number_and_key() {
    let dir = TempDir::new().unwrap();
    let (a, b) = (Node::new(&dir, "a", 1, Engine::Sled), Node::new(&dir, "b", 2, Engine::Sled));
    write_all(&a);
    send(&a, &b);
    b.commit(|draft| draft.g_counter_increment(&key("visits"), 40).unwrap());
    let log = LogAtRest::open(&b.dir).unwrap();
    let dots = |filter: Filter| -> Vec<String> {
        let text = lines(&log, &filter);
        let dot = |line: &str| {
            let json: serde_json::Value = serde_json::from_str(line).unwrap();
            let dot = json["dot"].as_str().unwrap().to_string();
            format!("{}{}", &dot[..2], &dot[dot.find('#').unwrap()..])
        };
        text.lines().skip(1).map(dot).collect()
    };
    let all = Filter::default;
    assert_eq!(dots(all()), ["01#1", "01#2", "01#3", "02#1"]);
    assert_eq!(dots(Filter { origin: OriginPattern::parse("02"), ..all() }), ["02#1"]);
    assert_eq!(dots(Filter { seq: Some(2..=3), ..all() }), ["01#2", "01#3"]);
    assert_eq!(dots(Filter { key: Some(key("tags")), ..all() }), ["01#1", "01#2"]);
    let counter = Filter { key: Some(key("visits")), kind: Some(Kind::GCounter), ..all() };
    assert_eq!(dots(counter), ["01#1", "01#2", "02#1"]);
    let mut ends = Vec::new();
    log.read::<numax_tools::ToolError>(None, |record| {
        ends.push(record.end);
        Ok(true)
    })
    .unwrap();
    assert_eq!(dots(Filter { after: Some(ends[0]), until: Some(ends[2]), ..all() }), ["01#2", "01#3"]);
    // A part does not lead to a state, and says so.
    let part = dir.path().join("part.jsonl");
    fs::write(&part, lines(&log, &Filter { seq: Some(2..=3), ..all() })).unwrap();
    let refused = replay(&part, &dir.path().join("new"), NodeId([9; 32]), Engine::Sled).unwrap_err();
    assert!(refused.to_string().contains("exported in part"), "{refused}");
    assert!(!dir.path().join("new").exists());
}

#[test]
fn state_that_was_transferred_is_replayed_too() {
    let dir = TempDir::new().unwrap();
    let (a, b) = (Node::new(&dir, "a", 1, Engine::Sled), Node::new(&dir, "b", 2, Engine::Sled));
    write_all(&a);
    a.run(async |from| {
        let to = numax_replica::Replica::open(b.config.clone()).unwrap();
        let mut picture = 0;
        loop {
            let state = to.transfer_state();
            let (cursor, floor) = state.map_or_else(Default::default, |state| (state.cursor, state.floor));
            let sent =
                from.transfer_page(&PageRequest { picture, from: cursor, floor, max_bytes: 200 }).unwrap();
            picture = sent.picture;
            if to.take_page(sent.page).await.unwrap().next.is_some_and(|state| state.merging) {
                break;
            }
        }
        while to.merge_page().await.unwrap().next.is_some() {}
        commit(&to, |draft| draft.set_add(&key("tags"), "late".into()).unwrap()).await;
        to.shutdown().await.unwrap();
    });
    let store = b.store();
    assert!(store.had_transfer());
    let text = dir.path().join("b.jsonl");
    fs::write(&text, lines(store.log(), &Filter::default())).unwrap();
    let want = store.state_hash().unwrap();
    drop(store);
    let built = replay(&text, &dir.path().join("new"), NodeId([9; 32]), Engine::Sled).unwrap();
    assert!(built.pages > 1 && built.batches == 1, "{built:?}");
    assert_eq!(built.state_hash, want);
}

#[test]
fn batches_of_the_lines_are_those_of_the_wire() {
    let dir = TempDir::new().unwrap();
    let node = Node::new(&dir, "node", 1, Engine::Sled);
    node.commit(|draft| draft.g_counter_increment(&key("n"), 3).unwrap());
    let text = lines(&LogAtRest::open(&node.dir.join("log")).unwrap(), &Filter::default());
    let line: serde_json::Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
    assert_eq!(line["ops"][0], serde_json::json!({ "kind": "gcounter", "key": "n", "total": 3 }));
    assert_eq!(line["remote"], false);
    let record = Lines::new(BufReader::new(text.as_bytes())).unwrap().next_record().unwrap().unwrap();
    assert_eq!(Batch::decode(record.batch.unwrap()).unwrap().seq, 1);
}
