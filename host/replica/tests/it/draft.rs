//! What a turn sees of its own writes, and what becomes of them.

use numax_crdt::{Batch, Body, Kind, limits};
use numax_replica::{Draft, DraftError, IdSeed};

use crate::common::{Node, bytes, key};

fn ops(node: &mut Node, write: impl FnOnce(&mut Draft)) -> Vec<Body> {
    let applied = node.commit(write);
    Batch::decode(applied.bytes.clone()).unwrap().ops.into_iter().map(|op| op.body).collect()
}

fn invalid<T: std::fmt::Debug>(result: Result<T, DraftError>) -> String {
    match result {
        Err(DraftError::Invalid(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn several_writes_of_one_row_are_one_operation() {
    let mut node = Node::new(1);
    let bodies = ops(&mut node, |draft| {
        for _ in 0..100 {
            draft.g_counter_increment(&key("g"), 1).unwrap();
        }
        draft.pn_counter_increment(&key("p"), 4).unwrap();
        draft.pn_counter_decrement(&key("p"), 1).unwrap();
        draft.register_set(&key("r"), bytes("a")).unwrap();
        draft.register_set(&key("r"), bytes("b")).unwrap();
        assert_eq!(draft.g_counter_value(&key("g")).unwrap(), 100);
        assert_eq!(draft.pn_counter_value(&key("p")).unwrap(), 3);
        assert_eq!(draft.register_get(&key("r")).unwrap(), Some(bytes("b")));
    });
    assert_eq!(bodies.len(), 3);
    assert!(matches!(&bodies[0], Body::GCounter { total: 100 }));
    assert!(matches!(&bodies[1], Body::PnCounter { up: 4, down: 1 }));
}

#[test]
fn what_a_turn_adds_and_takes_back_is_nobodys_business() {
    let mut node = Node::new(1);
    node.commit(|draft| draft.set_add(&key("s"), bytes("old")).unwrap());
    let mut draft = node.draft();
    draft.set_add(&key("s"), bytes("new")).unwrap();
    draft.set_remove(&key("s"), b"new").unwrap();
    draft.set_remove(&key("s"), b"never").unwrap();
    draft.map_set(&key("m"), b"f", bytes("v")).unwrap();
    draft.map_remove(&key("m"), b"f").unwrap();
    draft.register_set(&key("r"), bytes("v")).unwrap();
    draft.register_clear(&key("r")).unwrap();
    assert!(draft.is_empty() && draft.take().is_empty());
    // Removed and added again: one addition that replaces what was seen.
    let bodies = ops(&mut node, |draft| {
        draft.set_remove(&key("s"), b"old").unwrap();
        assert!(!draft.set_contains(&key("s"), b"old").unwrap());
        draft.set_add(&key("s"), bytes("old")).unwrap();
        assert_eq!(draft.set_size(&key("s")).unwrap(), 1);
    });
    assert!(matches!(&bodies[..], [Body::SetAdd { replaces, .. }] if replaces.len() == 1), "{bodies:?}");
}

#[test]
fn a_removal_takes_away_what_was_seen_at_the_call() {
    let mut node = Node::new(1);
    node.commit(|draft| draft.set_add(&key("s"), bytes("x")).unwrap());
    let removal = node.batch(|draft| draft.set_remove(&key("s"), b"x").unwrap());
    node.commit(|draft| draft.set_add(&key("s"), bytes("x")).unwrap());
    node.group(vec![numax_replica::Request::Commit(removal)]);
    assert_eq!(node.elements("s"), [bytes("x")], "an addition after the call is not removed");
}

#[test]
fn pages_merge_own_and_committed_entries() {
    let mut node = Node::new(1);
    node.commit(|draft| {
        for n in (0..20).step_by(2) {
            draft.map_set(&key("m"), format!("f{n:02}").as_bytes(), bytes("c")).unwrap();
            draft.set_add(&key("s"), bytes(&format!("e{n:02}"))).unwrap();
            draft.kv_set(format!("k/{n:02}").as_bytes(), bytes("c")).unwrap();
        }
        draft.kv_set(b"other", bytes("c")).unwrap();
    });
    node.core.flush(true).unwrap();
    node.commit(|draft| draft.map_set(&key("m"), b"f19", bytes("overlay")).unwrap());
    let mut draft = node.draft();
    draft.map_remove(&key("m"), b"f04").unwrap();
    draft.map_set(&key("m"), b"f05", bytes("own")).unwrap();
    draft.set_remove(&key("s"), b"e00").unwrap();
    draft.set_add(&key("s"), bytes("e01")).unwrap();
    draft.kv_delete(b"k/18").unwrap();
    draft.kv_set(b"k/19", bytes("own")).unwrap();

    let mut fields = Vec::new();
    let mut after = None;
    loop {
        let page = draft.map_entries(&key("m"), after.as_deref(), 3).unwrap();
        assert!(page.items.len() == 3 || page.next.is_none());
        fields.extend(page.items.into_iter().map(|(field, _)| String::from_utf8(field.to_vec()).unwrap()));
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(fields.join(" "), "f00 f02 f05 f06 f08 f10 f12 f14 f16 f18 f19");
    assert_eq!(draft.map_size(&key("m")).unwrap(), 11);
    let page = draft.set_elements(&key("s"), None, 2).unwrap();
    assert_eq!((page.items, page.next), (vec![bytes("e01"), bytes("e02")], Some(bytes("e02"))));
    assert_eq!(draft.set_size(&key("s")).unwrap(), 10);
    let page = draft.kv_scan(b"k/", Some(b"k/14"), 10).unwrap();
    assert_eq!(page.items, [(bytes("k/16"), bytes("c")), (bytes("k/19"), bytes("own"))]);
    assert_eq!(page.next, None);
    assert_eq!(draft.kv_delete_prefix(b"k/").unwrap(), 10);
    assert!(draft.kv_scan(b"k/", None, 10).unwrap().items.is_empty());
    assert!(draft.kv_exists(b"other").unwrap());
}

#[test]
fn keys_are_listed_while_they_have_a_value() {
    let mut node = Node::new(1);
    node.commit(|draft| {
        for name in ["a/1", "a/2", "a/3", "b/1"] {
            draft.register_set(&key(name), bytes("v")).unwrap();
        }
        for n in 0..200 {
            draft.set_add(&key("a/big"), bytes(&format!("{n}"))).unwrap();
        }
        draft.set_add(&key("a/small"), bytes("x")).unwrap();
    });
    node.core.flush(true).unwrap();
    node.commit(|draft| draft.register_clear(&key("a/2")).unwrap());
    let mut draft = node.draft();
    draft.register_clear(&key("a/3")).unwrap();
    draft.register_set(&key("a/4"), bytes("own")).unwrap();
    draft.set_clear(&key("a/big")).unwrap();
    let page = draft.keys(Kind::LwwRegister, b"a/", None, 10).unwrap();
    assert_eq!(page.items, [bytes("a/1"), bytes("a/4")]);
    let page = draft.keys(Kind::LwwRegister, b"", None, 2).unwrap();
    assert_eq!((page.items.len(), page.next), (2, Some(bytes("a/4"))));
    assert_eq!(draft.keys(Kind::LwwRegister, b"", Some(b"a/4"), 2).unwrap().items, [bytes("b/1")]);
    assert_eq!(draft.keys(Kind::OrSet, b"", None, 10).unwrap().items, [bytes("a/small")]);
    assert!(draft.keys(Kind::Text, b"", None, 10).unwrap().items.is_empty());
    drop(draft);
    assert_eq!(node.draft().keys(Kind::OrSet, b"a/", None, 10).unwrap().items.len(), 2);
}

#[test]
fn clearing_removes_what_is_seen_and_nothing_else() {
    let mut node = Node::new(1);
    node.commit(|draft| {
        for n in 0..600 {
            draft.set_add(&key("s"), bytes(&format!("{n}"))).unwrap();
            draft.map_set(&key("m"), format!("{n}").as_bytes(), bytes("v")).unwrap();
        }
    });
    node.core.flush(true).unwrap();
    let bodies = ops(&mut node, |draft| {
        draft.set_add(&key("s"), bytes("own")).unwrap();
        draft.set_remove(&key("s"), b"0").unwrap();
        draft.set_clear(&key("s")).unwrap();
        draft.map_set(&key("m"), b"own", bytes("v")).unwrap();
        draft.map_clear(&key("m")).unwrap();
        assert_eq!(draft.set_size(&key("s")).unwrap(), 0);
        assert_eq!(draft.map_size(&key("m")).unwrap(), 0);
        assert!(draft.map_entries(&key("m"), None, 5).unwrap().items.is_empty());
    });
    assert_eq!(bodies.len(), 1200);
    assert!(node.elements("s").is_empty());
}

#[test]
fn limits_refuse_the_call_and_leave_the_draft_as_it_was() {
    let node = Node::new(1);
    let mut draft = node.draft();
    for n in 0..limits::MAX_BATCH_OPS {
        draft.g_counter_increment(&key(&format!("{n}")), 1).unwrap();
    }
    let full = "batch too large: with this call the turn has 10001 operations, the limit is 10000; write the rest in another \
                turn";
    assert_eq!(invalid(draft.g_counter_increment(&key("more"), 1)), full);
    assert_eq!(invalid(draft.kv_set(b"more", bytes("v"))), full);
    let more = key("more");
    let seed = IdSeed { now_ms: 1, random: 1 };
    let refused = [
        invalid(draft.pn_counter_decrement(&more, 1)),
        invalid(draft.register_set(&more, bytes("v"))),
        invalid(draft.map_set(&more, b"f", bytes("v"))),
        invalid(draft.set_add(&more, bytes("v"))),
        invalid(draft.list_push(&more, bytes("v"), seed)),
    ];
    assert!(refused.iter().all(|text| text == full), "{refused:?}");
    assert_eq!(draft.kv_get(b"more").unwrap(), None);
    assert_eq!(draft.pn_counter_value(&more).unwrap(), 0);
    assert_eq!(draft.register_get(&more).unwrap(), None);
    assert_eq!((draft.map_get(&more, b"f").unwrap(), draft.map_size(&more).unwrap()), (None, 0));
    assert_eq!((draft.set_contains(&more, b"v").unwrap(), draft.set_size(&more).unwrap()), (false, 0));
    assert_eq!(draft.list_size(&more).unwrap(), 0);
    draft.g_counter_increment(&key("5"), 1).unwrap();
    assert_eq!(draft.g_counter_value(&key("more")).unwrap(), 0);
    assert_eq!(draft.take().len(), limits::MAX_BATCH_OPS);

    let mega = bytes(&"x".repeat(limits::MAX_VALUE));
    for n in 0..3 {
        draft.register_set(&key(&format!("{n}")), mega.clone()).unwrap();
    }
    let full = invalid(draft.register_set(&key("3"), mega.clone()));
    assert!(full.starts_with("batch too large: ") && full.contains("bytes, the limit is 4194304"), "{full}");
    assert_eq!(draft.register_get(&key("3")).unwrap(), None);
    draft.register_set(&key("2"), bytes("small")).unwrap();
    draft.register_set(&key("3"), mega.clone()).unwrap();

    let over = bytes(&"x".repeat(limits::MAX_VALUE + 1));
    invalid(draft.register_set(&key("r"), over.clone()));
    invalid(draft.set_add(&key("s"), over.clone()));
    invalid(draft.kv_set(b"k", over));
    invalid(draft.map_set(&key("m"), &[0; limits::MAX_FIELD + 1], bytes("v")));
    invalid(draft.kv_set(&[b'k'; limits::MAX_KEY + 1], bytes("v")));
    for result in [
        draft.register_set(&key("__nx/r"), bytes("v")),
        draft.g_counter_increment(&key("__nx/g"), 1),
        draft.set_add(&key("__nx/s"), bytes("v")),
        draft.map_set(&key("__nx/m"), b"f", bytes("v")),
        draft.kv_set(b"__nx/k", bytes("v")),
    ] {
        invalid(result);
    }
}

#[test]
fn counters_are_checked_at_the_call() {
    let mut node = Node::new(1);
    node.commit(|draft| draft.g_counter_increment(&key("g"), u64::MAX - 1).unwrap());
    let mut draft = node.draft();
    draft.g_counter_increment(&key("g"), 1).unwrap();
    invalid(draft.g_counter_increment(&key("g"), 1));
    assert_eq!(draft.g_counter_value(&key("g")).unwrap(), u64::MAX);
    draft.pn_counter_decrement(&key("p"), u64::MAX).unwrap();
    invalid(draft.pn_counter_decrement(&key("p"), 1));
    assert_eq!(draft.pn_counter_value(&key("p")).unwrap(), i64::MIN, "beyond the type it reads as the limit");
}
