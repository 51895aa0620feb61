//! Committing, reading and opening again.

use numax_crdt::Kind;
use numax_replica::{CommitError, Health, Request, Response};
use numax_store::Survives;

use crate::common::{Node, bytes, key};

fn write_everything(node: &mut Node) {
    node.commit(|draft| {
        draft.g_counter_increment(&key("hits"), 3).unwrap();
        draft.pn_counter_decrement(&key("stock"), 5).unwrap();
        draft.register_set(&key("title"), bytes("numax")).unwrap();
        draft.map_set(&key("user"), b"name", bytes("ada")).unwrap();
        draft.set_add(&key("langs"), bytes("rust")).unwrap();
        draft.set_add(&key("langs"), bytes("go")).unwrap();
        draft.kv_set(b"local", bytes("stays")).unwrap();
    });
}

fn check_everything(node: &Node) {
    let mut draft = node.draft();
    assert_eq!(draft.g_counter_value(&key("hits")).unwrap(), 3);
    assert_eq!(draft.pn_counter_value(&key("stock")).unwrap(), -5);
    assert_eq!(draft.register_get(&key("title")).unwrap(), Some(bytes("numax")));
    assert_eq!(draft.map_get(&key("user"), b"name").unwrap(), Some(bytes("ada")));
    assert_eq!(draft.map_size(&key("user")).unwrap(), 1);
    assert_eq!(node.elements("langs"), [bytes("go"), bytes("rust")]);
    assert_eq!(draft.set_size(&key("langs")).unwrap(), 2);
    assert_eq!(draft.kv_get(b"local").unwrap(), Some(bytes("stays")));
    assert_eq!(draft.keys(Kind::OrSet, b"", None, 10).unwrap().items, [bytes("langs")]);
}

#[test]
fn what_is_committed_is_read_before_and_after_flushes_and_opens() {
    let mut node = Node::new(1);
    write_everything(&mut node);
    check_everything(&node);
    let hash = node.core.state_hash().unwrap();

    let node = node.crash(Survives::Everything).unwrap();
    check_everything(&node);
    let mut node = node.crash(Survives::SyncedOnly).unwrap();
    check_everything(&node);
    assert_eq!(node.core.state_hash().unwrap(), hash);

    node.core.flush(true).unwrap();
    assert_eq!(node.core.unflushed_rows(), 0);
    check_everything(&node);
    let mut node = node.crash(Survives::SyncedOnly).unwrap();
    assert_eq!(node.core.unflushed_rows(), 0, "a flushed log is not replayed");
    check_everything(&node);
    assert_eq!(node.core.state_hash().unwrap(), hash);

    node.core.close().unwrap();
    let node = node.crash(Survives::SyncedOnly).unwrap();
    assert_eq!(node.core.new_epoch(), None);
    check_everything(&node);
}

#[test]
fn a_lost_engine_is_rebuilt_from_the_log() {
    let mut node = Node::new(1);
    write_everything(&mut node);
    node.core.flush(true).unwrap();
    for n in 0..100 {
        node.commit(|draft| draft.register_set(&key(&format!("key{n}")), bytes("v")).unwrap());
    }
    let hash = node.core.state_hash().unwrap();
    let disk = node.disk.crash(Survives::SyncedOnly);
    let node = Node::open(node.config.clone(), disk, numax_store::mem::MemBackend::new(), node.facts.clone())
        .unwrap();
    check_everything(&node);
    assert_eq!(node.core.state_hash().unwrap(), hash);
}

#[test]
fn a_rolled_back_turn_leaves_nothing() {
    let mut node = Node::new(1);
    write_everything(&mut node);
    let position = node.core.position();
    let mut draft = node.draft();
    draft.g_counter_increment(&key("hits"), 10).unwrap();
    draft.register_set(&key("title"), bytes("trapped")).unwrap();
    draft.set_remove(&key("langs"), b"go").unwrap();
    draft.kv_delete(b"local").unwrap();
    assert!(!draft.is_empty());
    draft.rollback();
    assert!(draft.is_empty() && draft.take().is_empty());
    drop(draft);
    check_everything(&node);
    assert_eq!(node.core.position(), position);
}

#[test]
fn two_writers_of_one_key_both_count() {
    let mut node = Node::new(1);
    let one = node.batch(|draft| draft.g_counter_increment(&key("n"), 1).unwrap());
    let two = node.batch(|draft| draft.g_counter_increment(&key("n"), 2).unwrap());
    let outcome = node.group(vec![Request::Commit(one), Request::Commit(two)]);
    assert!(outcome.results.iter().all(Result::is_ok));
    assert_eq!(node.counter("n"), 3);
    // And apart, each drafted before the other was committed.
    let one = node.batch(|draft| draft.g_counter_increment(&key("n"), 1).unwrap());
    let two = node.batch(|draft| draft.g_counter_increment(&key("n"), 2).unwrap());
    node.group(vec![Request::Commit(one)]);
    node.group(vec![Request::Commit(two)]);
    assert_eq!(node.counter("n"), 6);
}

#[test]
fn an_overflow_found_at_commit_refuses_that_batch_alone() {
    let mut node = Node::new(1);
    node.commit(|draft| draft.g_counter_increment(&key("n"), u64::MAX - 5).unwrap());
    let make = |node: &Node| {
        node.batch(|draft| {
            draft.g_counter_increment(&key("n"), 3).unwrap();
            draft.register_set(&key("r"), bytes("v")).unwrap();
        })
    };
    let (one, two) = (make(&node), make(&node));
    let other = node.batch(|draft| draft.g_counter_increment(&key("other"), 1).unwrap());
    let seq = |node: &Node| node.core.vector().get(&node.core.origin());
    let outcome = node.group(vec![Request::Commit(one), Request::Commit(two), Request::Commit(other)]);
    assert!(matches!(
        &outcome.results[..],
        [Ok(_), Err(CommitError::Invalid(_)), Ok(Response::Committed(_))]
    ));
    assert_eq!(outcome.applied.len(), 2);
    assert_eq!(seq(&node), 3, "the refused batch took no number");
    assert_eq!((node.counter("n"), node.counter("other")), (u64::MAX - 2, 1));
    assert_eq!(node.crash(Survives::SyncedOnly).unwrap().counter("n"), u64::MAX - 2);
}

#[test]
fn compare_and_set_compares_what_is_committed() {
    let mut node = Node::new(1);
    let mut cas = |expected: Option<&str>, value: &str| {
        let expected = expected.map(bytes);
        let request = Request::CompareAndSet { key: key("r"), expected, value: bytes(value), writer: 1 };
        match node.group(vec![request]).results.remove(0) {
            Ok(Response::Compared(held, ticket)) => {
                assert_eq!(held, ticket.dot.is_some());
                held
            }
            other => panic!("{other:?}"),
        }
    };
    assert!(!cas(Some("x"), "a"));
    assert!(cas(None, "a"));
    assert!(!cas(None, "b"));
    assert!(cas(Some("a"), "b"));
    assert_eq!(node.register("r"), Some(bytes("b")));
    // Within one group, the second sees what the first did.
    let request = |value: &str| Request::CompareAndSet {
        key: key("r"),
        expected: Some(bytes("b")),
        value: bytes(value),
        writer: 1,
    };
    let outcome = node.group(vec![request("c"), request("d")]);
    let held: Vec<bool> =
        outcome.results.iter().map(|r| matches!(r, Ok(Response::Compared(true, _)))).collect();
    assert_eq!(held, [true, false]);
    assert_eq!(node.register("r"), Some(bytes("c")));
    let reserved =
        Request::CompareAndSet { key: key("__nx/r"), expected: None, value: bytes("x"), writer: 1 };
    assert!(matches!(node.group(vec![reserved]).results[0], Err(CommitError::Invalid(_))));
    assert_eq!(node.core.health(), Health::Ok);
}

#[test]
fn notices_say_what_changed_in_log_order() {
    let mut node = Node::new(1);
    let one = node.batch(|draft| {
        draft.map_set(&key("m"), b"a", bytes("1")).unwrap();
        draft.map_set(&key("m"), b"b", bytes("2")).unwrap();
        draft.pn_counter_decrement(&key("p"), 1).unwrap();
    });
    let two = node.batch(|draft| draft.kv_set(b"k", bytes("v")).unwrap());
    let outcome = node.group(vec![Request::Commit(one), Request::Commit(two)]);
    assert_eq!(outcome.applied.len(), 1, "node-local writes are nobody else's");
    let applied = &outcome.applied[0];
    assert_eq!((applied.remote, applied.writer, applied.dot.seq), (false, Some(7), 1));
    let changes: Vec<String> =
        applied.changes.iter().map(|c| format!("{} {} {:?}", c.kind, c.key, c.op)).collect();
    assert_eq!(changes, ["pn-counter p Decrement", "lww-map m Set"]);
    let tickets: Vec<u64> = outcome
        .results
        .iter()
        .map(|result| match result {
            Ok(Response::Committed(ticket)) => ticket.position,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(tickets[0] < tickets[1] && tickets[0] == applied.position && tickets[1] == node.core.position());
}
