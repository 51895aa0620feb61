//! What a node writes after an old copy of its datastore was put back, before it has caught up: held back, and settled.

use bytes::Bytes;
use numax_crdt::{Batch, ElementId, NodeId, Origin};
use numax_replica::{Draft, HostFacts, IdSeed, Request, Response, Settling, mark_restored};
use numax_store::Survives;

use crate::common::{NOW, Node, bytes, key};

/// Runs a request alone.
fn run(node: &mut Node, request: Request, now: u64) -> Vec<std::sync::Arc<numax_replica::Applied>> {
    let mut outcome = node.core.run_group(vec![request], now);
    outcome.results.remove(0).unwrap();
    // What waits for a sync does not leave.
    node.core.sync().unwrap();
    outcome.applied
}

fn write(node: &mut Node, now: u64, write: impl FnOnce(&mut Draft)) -> Bytes {
    let batch = node.batch(write);
    run(node, Request::Commit(batch), now)[0].bytes.clone()
}

/// Settles; what may go to others now.
fn settle(node: &mut Node) -> Vec<Bytes> {
    let mut all = Vec::new();
    while node.core.is_unsettled() {
        all.extend(run(node, Request::Settle, NOW).into_iter().map(|applied| {
            assert!(applied.for_peers && !applied.remote);
            applied.bytes.clone()
        }));
    }
    all
}

fn push(draft: &mut Draft, value: &str, number: u64) -> ElementId {
    draft.list_push(&key("list"), bytes(value), IdSeed { now_ms: NOW, random: number }).unwrap()
}

fn values(node: &Node) -> Vec<Bytes> {
    let all = node.draft().list_entries(&key("list"), None, 100).unwrap();
    all.items.into_iter().map(|(_, value)| value).collect()
}

/// All of them have everything, know that of each other, and one forgets what it can.
fn forget(nodes: &mut [&mut Node; 3]) {
    for at in 0..3 {
        let acks: Vec<_> = (0..3).filter(|other| *other != at).collect();
        for other in acks {
            let origin = nodes[other].core.origin();
            nodes[at].core.heard_of(origin, NOW);
        }
        nodes[at].core.flush(true).unwrap();
    }
    for other in [1, 2] {
        let acks = nodes[other].core.acks(1 << 20);
        nodes[0].core.acknowledged(&acks, NOW);
    }
    let gone: usize = (0..4).map(|_| nodes[0].core.collect_step(1000).unwrap()).sum();
    assert!(gone > 0, "the first has forgotten something");
}

/// Three nodes: all have removed something, the first has forgotten it, the second has not, and the third is back at a
/// copy from before the removal. The copy's clock is behind.
fn restored() -> (Node, Node, Node, ElementId) {
    let (mut a, mut b, mut c) = (Node::new(1), Node::new(2), Node::new(3));
    let mut middle = None;
    let first = write(&mut a, NOW, |draft| {
        push(draft, "one", 1);
        middle = Some(push(draft, "two", 2));
        push(draft, "three", 3);
        draft.register_set(&key("r"), bytes("first")).unwrap();
        draft.map_set(&key("m"), b"field", bytes("first")).unwrap();
        draft.map_set(&key("m"), b"other", bytes("first")).unwrap();
        draft.set_add(&key("s"), bytes("first")).unwrap();
    });
    b.ingest(vec![first.clone()]);
    c.ingest(vec![first]);
    c.core.heard_of(a.core.origin(), NOW);
    c.core.heard_of(b.core.origin(), NOW);
    c.core.close().unwrap();
    let (disk, engine) = (c.disk.snapshot(), c.engine.snapshot());
    let middle = middle.unwrap();
    let removal = write(&mut b, NOW + 5_000, |draft| {
        draft.list_remove(&key("list"), middle).unwrap();
        draft.register_clear(&key("r")).unwrap();
        draft.map_remove(&key("m"), b"field").unwrap();
    });
    let mut c = Node::open(c.config.clone(), c.disk.clone(), c.engine.clone(), c.facts.clone()).unwrap();
    a.ingest(vec![removal.clone()]);
    c.ingest(vec![removal]);
    // A's own clock must be past the removal's for that to go.
    write(&mut a, NOW + 6_000, |draft| draft.g_counter_increment(&key("n"), 1).unwrap());
    let batches = a.log();
    b.ingest(batches.clone());
    c.ingest(batches);
    forget(&mut [&mut a, &mut b, &mut c]);
    mark_restored(&disk).unwrap();
    let facts = HostFacts { nonce: 99, ..c.facts.clone() };
    let back = Node::open(c.config.clone(), disk, engine, facts).unwrap();
    assert!(back.core.holds_back() && back.core.held_back() == 0);
    (a, b, back, middle)
}

fn late(node: &mut Node, middle: ElementId) {
    write(node, NOW + 10, |draft| {
        let seed = |random| IdSeed { now_ms: NOW + 10, random };
        let behind = draft.list_insert(&key("list"), Some(middle), bytes("behind two"), seed(7)).unwrap();
        draft.list_insert(&key("list"), Some(behind), bytes("and behind that"), seed(8)).unwrap();
        draft.register_set(&key("r"), bytes("late")).unwrap();
        draft.set_add(&key("s"), bytes("late")).unwrap();
        draft.pn_counter_decrement(&key("pn"), 4).unwrap();
    });
    write(node, NOW + 20, |draft| {
        draft.map_set(&key("m"), b"field", bytes("late")).unwrap();
        draft.map_remove(&key("m"), b"other").unwrap();
        draft.g_counter_increment(&key("n"), 3).unwrap();
    });
}

#[test]
fn what_is_written_before_catching_up_means_the_same_to_who_forgot_and_who_did_not() {
    let (mut a, mut b, mut back, middle) = restored();
    let before = back.core.vector().clone();
    late(&mut back, middle);
    assert_eq!((back.core.held_back(), back.core.vector()), (2, &before), "it is in no vector");
    let want: Vec<Bytes> =
        ["one", "two", "behind two", "and behind that", "three"].map(bytes).into_iter().collect();
    assert_eq!((values(&back), back.register("r")), (want, Some(bytes("late"))), "who wrote reads it");
    assert!(back.log().len() < 2, "and nobody else gets it");
    assert!(back.core.acks(1 << 20).iter().all(|ack| ack.member.node != NodeId([3; 32])));

    back.ingest(b.log());
    assert!(back.core.vector().covers_vector(a.core.vector()));
    let late = settle(&mut back);
    assert_eq!(late.len(), 2);
    assert_eq!((back.core.held_back(), back.core.holds_back()), (0, false));
    // What came later took the cell away; the batch says nothing of it any more.
    assert_eq!(Batch::decode(late[0].clone()).unwrap().ops.len(), 4);
    assert_eq!(back.register("r"), None);
    for node in [&mut a, &mut b] {
        assert_eq!(node.ingest(late.clone()).applied, 2);
        assert_eq!(node.core.vector(), back.core.vector());
        assert_eq!(node.core.state_hash().unwrap(), back.core.state_hash().unwrap());
    }
    let want: Vec<Bytes> = ["one", "behind two", "and behind that", "three"].map(bytes).into_iter().collect();
    assert_eq!([values(&a), values(&b), values(&back)], [want.clone(), want.clone(), want]);
    assert_eq!([a.register("r"), b.register("r")], [None, None]);
    assert_eq!(
        (a.counter("n"), b.counter("n"), a.elements("s")),
        (4, 4, vec![bytes("first"), bytes("late")])
    );

    // From now on it writes like everybody.
    let next = write(&mut back, NOW + 30, |draft| draft.register_set(&key("r"), bytes("now")).unwrap());
    assert_eq!((a.ingest(vec![next.clone()]).applied, b.ingest(vec![next]).applied), (1, 1));
    assert_eq!(a.register("r"), Some(bytes("now")));
}

#[test]
fn what_was_put_back_and_got_rows_instead_of_batches_agrees_too() {
    let (mut a, mut b, mut back, middle) = restored();
    late(&mut back, middle);
    a.core.flush(true).unwrap();
    let request = numax_replica::PageRequest {
        picture: 0,
        from: Bytes::new(),
        floor: Default::default(),
        max_bytes: 1 << 20,
    };
    let page = a.core.transfer_page(&request, NOW).unwrap().page;
    run(&mut back, Request::Transfer(page), NOW);
    run(&mut back, Request::Merge, NOW);
    assert!(back.core.vector().covers_vector(a.core.vector()));
    assert!(back.core.transfer_page(&request, NOW).is_err(), "others must not get what is held back as rows");
    let late = settle(&mut back);
    // The register's removal is gone for good here, so the value that was held back stays, for everybody.
    assert_eq!(back.register("r"), Some(bytes("late")));
    for node in [&mut a, &mut b] {
        node.ingest(late.clone());
        assert_eq!(node.core.state_hash().unwrap(), back.core.state_hash().unwrap());
        assert_eq!((node.register("r"), values(node)), (Some(bytes("late")), values(&back)));
    }
    assert!(back.core.transfer_page(&request, NOW).is_err(), "the engine does not know yet");
    back.core.flush(true).unwrap();
    assert!(back.core.transfer_page(&request, NOW).is_ok());
}

#[test]
fn a_crash_forgets_neither_what_is_held_back_nor_that_it_is() {
    for flush in [false, true] {
        let (_, mut b, mut back, middle) = restored();
        late(&mut back, middle);
        let (shown, clean) = (back.core.state_hash().unwrap(), |node: &Node| node.core.state_hash().unwrap());
        let reopen = |node: &mut Node| {
            if flush {
                node.core.flush(true).unwrap();
            }
            node.crash(Survives::Everything).unwrap()
        };
        let mut back = reopen(&mut back);
        assert_eq!((back.core.held_back(), back.core.holds_back()), (2, true));
        assert_eq!(clean(&back), shown);
        let third = write(&mut back, NOW + 40, |draft| draft.g_counter_increment(&key("n"), 1).unwrap());
        assert_eq!(Batch::decode(third).unwrap().seq, 3, "dots go on");
        back.ingest(b.log());
        let mut back = reopen(&mut back);
        let late = settle(&mut back);
        assert_eq!(late.len(), 3);
        let back = reopen(&mut back);
        assert_eq!((back.core.held_back(), back.core.holds_back()), (0, false));
        assert_eq!(b.ingest(late).applied, 3);
        assert_eq!((clean(&back), back.core.vector()), (clean(&b), b.core.vector()));
        assert!(back.draft().kv_scan(b"", None, 10).unwrap().items.is_empty(), "nothing is left of it");
    }
}

#[test]
fn what_left_before_another_old_copy_was_put_back_comes_back_as_it_left() {
    let (_, mut b, mut back, middle) = restored();
    late(&mut back, middle);
    back.core.flush(true).unwrap();
    let (disk, engine) = (back.disk.snapshot(), back.engine.snapshot());
    back.ingest(b.log());
    let late = settle(&mut back);
    b.ingest(late);
    mark_restored(&disk).unwrap();
    let facts = HostFacts { nonce: 100, ..back.facts.clone() };
    let mut again = Node::open(back.config.clone(), disk, engine, facts).unwrap();
    assert_eq!((again.core.held_back(), again.core.origin().epoch), (2, 2));
    let late = write(&mut again, NOW + 50, |draft| draft.g_counter_increment(&key("n"), 5).unwrap());
    again.ingest(b.log());
    assert_eq!(again.core.held_back(), 1, "two of them are known already");
    let settled = settle(&mut again);
    assert_eq!(settled.len(), 1);
    assert_ne!(settled[0], late);
    b.ingest(settled);
    assert_eq!((b.core.vector(), b.counter("n")), (again.core.vector(), 9));
    assert_eq!(b.core.state_hash().unwrap(), again.core.state_hash().unwrap());
}

#[test]
fn a_newcomer_holds_back_from_its_first_write_on_when_it_is_to_have_peers() {
    let (mut node, mut old) = (Node::new(1), Node::new(2));
    assert_eq!((node.core.settling(), node.core.holds_back()), (Settling::Newcomer, false), "it is alone");
    node.core.configure_members(&[], 1);
    // Its clock is behind a removal that the other has forgotten.
    write(&mut node, NOW, |draft| draft.register_set(&key("r"), bytes("early")).unwrap());
    assert_eq!(
        (node.core.held_back(), node.core.vector().len()),
        (1, 0),
        "others may have removed it meanwhile"
    );
    let mut node = node.crash(Survives::Everything).unwrap();
    assert_eq!((node.core.settling(), node.core.held_back()), (Settling::Newcomer, 1));
    write(&mut old, NOW + 5_000, |draft| draft.register_set(&key("r"), bytes("later")).unwrap());
    write(&mut old, NOW + 6_000, |draft| draft.register_clear(&key("r")).unwrap());
    node.ingest(old.log());
    let late = settle(&mut node);
    assert_eq!((node.core.settling(), late.len()), (Settling::Settled, 1));
    assert_eq!(old.ingest(late).applied, 1);
    assert_eq!((node.register("r"), old.register("r")), (None, None));
    assert_eq!(node.core.state_hash().unwrap(), old.core.state_hash().unwrap());
}

#[test]
fn who_is_alone_holds_nothing_back_and_guests_do_not_see_what_is() {
    let mut node = Node::new(1);
    write(&mut node, NOW, |draft| {
        draft.g_counter_increment(&key("n"), 1).unwrap();
        draft.kv_set(b"a", bytes("1")).unwrap();
    });
    node.core.close().unwrap();
    mark_restored(&node.disk).unwrap();
    let mut node = node.crash(Survives::Everything).unwrap();
    assert!(node.core.is_unsettled() && !node.core.holds_back(), "nobody has forgotten anything");
    write(&mut node, NOW, |draft| draft.register_set(&key("r"), bytes("public")).unwrap());
    assert_eq!(node.core.vector().len(), 2);
    node.core.heard_of(Origin { node: NodeId([2; 32]), epoch: 0, nonce: 1 }, NOW);
    // One that takes several rows.
    let large = "x".repeat(900 << 10);
    write(&mut node, NOW, |draft| {
        (0..4).for_each(|n| draft.register_set(&key(&format!("r{n}")), bytes(&large)).unwrap());
        draft.kv_set(b"z", bytes("2")).unwrap();
    });
    assert_eq!(node.core.held_back(), 1);
    let mut node = node.crash(Survives::Everything).unwrap();
    let mut draft = node.draft();
    let all = draft.kv_scan(b"", None, 1).unwrap();
    assert_eq!(all.items, [(bytes("a"), bytes("1"))]);
    let rest = draft.kv_scan(b"", all.next.as_deref(), 10).unwrap();
    assert_eq!((rest.items, rest.next), (vec![(bytes("z"), bytes("2"))], None));
    assert_eq!(draft.kv_scan(b"__nx/", None, 10).unwrap().items, []);
    assert_eq!(draft.kv_delete_prefix(b"").unwrap(), 2);
    drop(draft);
    let settled = settle(&mut node);
    assert_eq!(Batch::decode(settled[0].clone()).unwrap().ops.len(), 4);
    assert!(
        matches!(node.group(vec![Request::Settle]).results[0], Ok(Response::Settled)),
        "again is no harm"
    );
}
