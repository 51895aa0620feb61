//! Transfer of state between cores.

use std::{ops::Bound, sync::Arc};

use bytes::Bytes;
use numax_crdt::{Batch, Body, Hlc, OpKind, VersionVector};
use numax_replica::{
    Applied, CommitError, CoreConfig, Durability, LogError, PageRequest, Request, Response, Transferred,
};
use numax_store::{FaultPlan, KvBackend, Survives, Table};

use crate::common::{NOW, Node, bytes, config, key};

fn small(node: u8) -> CoreConfig {
    CoreConfig { segment_bytes: 600, op_log_budget: 1_500, ..config(node, Durability::Fsync) }
}

/// A node whose log is shorter than its life, with everything that families keep.
fn old_node(node: u8, rounds: u32) -> Node {
    let mut node = Node::with(small(node));
    live(&mut node, 0, rounds);
    node
}

fn live(node: &mut Node, from: u32, to: u32) {
    for n in from..to {
        node.commit(|draft| {
            draft.g_counter_increment(&key("g"), 1).unwrap();
            draft.pn_counter_decrement(&key("pn"), 2).unwrap();
            draft.register_set(&key(&format!("r{}", n % 5)), bytes(&format!("{n}"))).unwrap();
            draft.map_set(&key("m"), format!("{}", n % 9).as_bytes(), bytes(&format!("{n}"))).unwrap();
            draft.set_add(&key("s"), bytes(&format!("{}", n % 11))).unwrap();
        });
        if n % 3 == 2 {
            node.commit(|draft| {
                draft.set_remove(&key("s"), format!("{}", n % 11).as_bytes()).unwrap();
                draft.map_remove(&key("m"), format!("{}", n % 9).as_bytes()).unwrap();
                draft.register_clear(&key(&format!("r{}", n % 5))).unwrap();
            });
        }
        node.core.flush(true).unwrap();
        node.core.trim_log().unwrap();
    }
}

pub fn take(to: &mut Node, page: Bytes) -> Result<Transferred, CommitError> {
    run(to, Request::Transfer(page))
}

pub fn run(to: &mut Node, request: Request) -> Result<Transferred, CommitError> {
    match to.group(vec![request]).results.remove(0)? {
        Response::Transferred(done) => Ok(done),
        other => panic!("{other:?}"),
    }
}

/// Whether all pages are here.
pub fn merging(node: &Node) -> bool {
    node.core.transfer_state().is_some_and(|state| state.merging)
}

/// Merges what is here.
pub fn merge(to: &mut Node) {
    while run(to, Request::Merge).unwrap().next.is_some() {}
}

/// What the receiver asks for next.
pub fn request(to: &Node, picture: u64) -> PageRequest {
    let state = to.core.transfer_state();
    let (from, floor) = state.map_or_else(Default::default, |state| (state.cursor, state.floor));
    PageRequest { picture, from, floor, max_bytes: 60 }
}

/// Transfers pages, at most so many, and merges them when they are all; whether they are.
fn transfer(from: &mut Node, to: &mut Node, pages: usize) -> bool {
    let all = pages_of(from, to, pages);
    if all {
        merge(to);
    }
    all
}

/// Transfers pages, at most so many; whether all are there.
fn pages_of(from: &mut Node, to: &mut Node, pages: usize) -> bool {
    let mut picture = 0;
    // A picture shows what the engine has.
    from.core.flush(true).unwrap();
    for _ in 0..pages {
        let sent = from.core.transfer_page(&request(to, picture), NOW).unwrap();
        picture = sent.picture;
        if take(to, sent.page).unwrap().next.is_some_and(|state| state.merging) {
            return true;
        }
    }
    false
}

/// What an anti-entropy of many rounds does.
fn pull(from: &mut Node, to: &mut Node) {
    pull_pages(from, to, 1 << 20);
}

/// The same by pages of about so many bytes.
fn pull_pages(from: &mut Node, to: &mut Node, max_bytes: usize) {
    for _ in 0..1000 {
        match from.core.batches_after(&to.core.vector().clone(), None, max_bytes) {
            Ok(page) if page.batches.is_empty() => return,
            Ok(page) => {
                let done = to.ingest(page.batches);
                assert_eq!(done.rejected, 0);
                if page.behind && done.applied == 0 {
                    assert!(transfer(from, to, 1000));
                }
            }
            Err(LogError::Behind) => assert!(transfer(from, to, 1000)),
            Err(error) => panic!("{error}"),
        }
    }
    panic!("it does not end");
}

fn same(a: &Node, b: &Node) {
    assert_eq!(a.core.vector(), b.core.vector());
    assert_eq!(a.core.state_hash().unwrap(), b.core.state_hash().unwrap());
    assert_eq!(a.elements("s"), b.elements("s"));
    assert_eq!(a.draft().map_size(&key("m")).unwrap(), b.draft().map_size(&key("m")).unwrap());
    assert_eq!(
        a.draft().pn_counter_value(&key("pn")).unwrap(),
        b.draft().pn_counter_value(&key("pn")).unwrap()
    );
}

#[test]
fn a_late_node_gets_everything_from_a_log_that_begins_late() {
    let mut old = old_node(1, 60);
    assert!(matches!(old.core.batches_after(&VersionVector::new(), None, 1000), Err(LogError::Behind)));
    let mut new = Node::with(small(2));
    new.commit(|draft| draft.g_counter_increment(&key("g"), 5).unwrap());
    pull(&mut old, &mut new);
    pull(&mut new, &mut old);
    same(&old, &new);
    assert_eq!(new.counter("g"), 65);
    // Both write on, and it survives.
    live(&mut old, 60, 63);
    live(&mut new, 70, 73);
    let mut new = new.crash(Survives::SyncedOnly).unwrap();
    pull(&mut old, &mut new);
    pull(&mut new, &mut old);
    same(&old, &new);
    // What came by a transfer cannot be had from the receiver's log, only by another transfer.
    let mut third = Node::with(small(3));
    assert!(matches!(new.core.batches_after(&VersionVector::new(), None, 1000), Err(LogError::Behind)));
    pull(&mut new, &mut third);
    same(&new, &third);
}

#[test]
fn what_was_removed_and_forgotten_goes_from_an_old_copy_and_what_it_wrote_stays() {
    let mut old = old_node(1, 20);
    let mut away = Node::with(small(2));
    pull(&mut old, &mut away);
    let unseen = away.commit(|draft| {
        draft.register_set(&key("mine"), bytes("unseen")).unwrap();
        draft.set_add(&key("s"), bytes("unseen")).unwrap();
    });
    // It is put back from a copy later, in a new epoch. Meanwhile all is removed, and forgotten.
    away.core.flush(true).unwrap();
    let gone = away.elements("s");
    let fields: Vec<Bytes> = old
        .draft()
        .map_entries(&key("m"), None, 100)
        .unwrap()
        .items
        .into_iter()
        .map(|(field, _)| field)
        .collect();
    old.commit(|draft| {
        gone.iter()
            .filter(|name| name[..] != b"unseen"[..])
            .for_each(|name| draft.set_remove(&key("s"), name).unwrap());
        fields.iter().for_each(|field| draft.map_remove(&key("m"), field).unwrap());
        (0..5).for_each(|n| draft.register_clear(&key(&format!("r{n}"))).unwrap());
    });
    for n in 0..30 {
        old.commit(|draft| {
            draft.register_set(&key("other"), bytes(&format!("{n}{}", "x".repeat(100)))).unwrap()
        });
    }
    for _ in 0..3 {
        old.core.flush(true).unwrap();
        old.core.forget_step(10_000, NOW).unwrap();
    }
    let mut facts = away.facts.clone();
    facts.disk_id.push('+');
    facts.nonce = 99;
    let mut back = Node::open(
        away.config.clone(),
        away.disk.crash(Survives::Everything),
        away.engine.crash(Survives::Everything),
        facts,
    )
    .unwrap();
    assert!(back.core.new_epoch().is_some());
    pull(&mut old, &mut back);
    assert_eq!(back.elements("s"), [bytes("unseen")]);
    assert_eq!(back.draft().map_size(&key("m")).unwrap(), 0);
    assert_eq!((back.register("r1"), back.register("mine")), (None, Some(bytes("unseen"))));
    // Its own batches are still in its log, for the others.
    let page = back.core.batches_after(old.core.vector(), None, 1000).unwrap();
    assert_eq!(page.batches, std::slice::from_ref(&unseen.bytes));
    pull(&mut back, &mut old);
    same(&old, &back);
}

/// Transfers all pages at a time, and merges them.
fn hand_on(from: &mut Node, to: &mut Node, now: u64) {
    from.core.flush(true).unwrap();
    let mut picture = 0;
    while !merging(to) {
        let sent = from.core.transfer_page(&request(to, picture), now).unwrap();
        picture = sent.picture;
        to.core.run_group(vec![Request::Transfer(sent.page)], now).results.remove(0).unwrap();
    }
    while to.core.transfer_state().is_some() {
        to.core.run_group(vec![Request::Merge], now).results.remove(0).unwrap();
    }
    assert!(to.core.had_transfer());
}

#[test]
fn the_first_senders_clock_goes_on_with_its_rows() {
    // What comes from an hour ahead is not adopted by a clock, but what is forgotten may be of that time.
    let behind = NOW - 3_600_000;
    let (mut old, mut middle, mut new) = (old_node(1, 20), Node::with(small(2)), Node::with(small(3)));
    hand_on(&mut old, &mut middle, behind);
    hand_on(&mut middle, &mut new, behind);
    let batch = new.batch(|draft| draft.register_set(&key("removed"), bytes("new")).unwrap());
    let applied = new.core.run_group(vec![Request::Commit(batch)], behind).applied;
    let written = Batch::decode(applied[0].bytes.clone()).unwrap();
    let Body::Register { hlc, .. } = written.ops[0].body else { panic!("{written:?}") };
    assert!(hlc > Hlc::from_parts(NOW, 0) && written.hlc < hlc, "{hlc}, in a batch of {}", written.hlc);
}

#[test]
fn a_picture_that_shows_nothing_new_is_not_taken() {
    let mut old = old_node(1, 20);
    let mut new = Node::with(small(2));
    assert!(transfer(&mut old, &mut new, 1_000));
    // The engine takes nothing more: whoever asks is shown the same again.
    old.commit(|draft| draft.g_counter_increment(&key("g"), 1).unwrap());
    let (position, page) =
        (new.core.position(), old.core.transfer_page(&request(&new, 0), NOW).unwrap().page);
    let refused = take(&mut new, page).unwrap_err();
    assert!(refused.to_string().contains("nothing that is not known here"), "{refused}");
    assert_eq!((new.core.position(), new.core.transfer_state()), (position, None), "it costs one page");
    assert!(transfer(&mut old, &mut new, 1_000), "the engine takes rows again");
    assert_eq!(new.core.vector(), old.core.vector());
}

#[test]
fn a_transfer_goes_on_after_a_restart_of_the_receiver() {
    for (pages, survives) in [(1, Survives::Everything), (3, Survives::SyncedOnly), (5, Survives::Chosen(1))]
    {
        let mut old = old_node(1, 40);
        let mut new = Node::with(small(2));
        assert!(!transfer(&mut old, &mut new, pages));
        let (state, vector) = (new.core.transfer_state().unwrap(), new.core.vector().clone());
        assert!(vector.is_empty(), "the vector moves at the end");
        if pages == 3 {
            new.core.flush(true).unwrap();
        }
        let mut new = new.crash(survives).unwrap();
        assert_eq!(new.core.transfer_state().unwrap(), state);
        // The sender writes on meanwhile; its picture is still there.
        live(&mut old, 40, 55);
        assert!(transfer(&mut old, &mut new, 1000));
        assert_eq!(*new.core.vector(), state.floor, "no more is claimed than the picture knew");
        pull(&mut old, &mut new);
        same(&old, &new);
    }
}

#[test]
fn a_transfer_begins_anew_when_nobody_has_its_picture() {
    let mut old = old_node(1, 40);
    let mut new = Node::with(small(2));
    assert!(!transfer(&mut old, &mut new, 3));
    let floor = new.core.transfer_state().unwrap().floor;
    // Another that knows exactly the same goes on with it.
    let mut twin = Node::with(small(3));
    pull(&mut old, &mut twin);
    assert!(!transfer(&mut twin, &mut new, 1));
    assert_eq!(new.core.transfer_state().unwrap().floor, floor);
    let mut old = old.crash(Survives::Everything).unwrap();
    live(&mut old, 40, 55);
    let all = old.core.vector().clone();
    assert!(transfer(&mut old, &mut new, 1000));
    assert_eq!(*new.core.vector(), all);
    same(&old, &new);
    // Nothing is left of the first, and of the second nothing either.
    for _ in 0..100 {
        new.core.flush(true).unwrap();
        new.core.forget_step(10, NOW).unwrap();
    }
    let staged = new.engine.scan(Table::Local, Bound::Unbounded, b"__nx/page/", usize::MAX).unwrap();
    assert_eq!(staged.len(), 0);
}

#[test]
fn a_transfer_that_is_given_up_does_no_harm() {
    // A log that reaches back, so that both ways are open.
    let mut old = Node::with(config(1, Durability::Fsync));
    live(&mut old, 0, 40);
    for pages in 1..8 {
        let mut new = Node::with(config(2, Durability::Fsync));
        assert!(!transfer(&mut old, &mut new, pages));
        let nothing = Node::with(config(2, Durability::Fsync));
        same(&new, &nothing);
        let all = old.log();
        assert_eq!(new.ingest(all[..10].to_vec()).applied, 10, "it has changed nothing yet");
        new.core.abandon_transfer();
        assert_eq!(new.core.transfer_state(), None);
        assert_eq!(new.ingest(all[10..20].to_vec()).applied, 10);
        let mut new = new.crash(Survives::Everything).unwrap();
        // That it was given up is not in the log. It may go on.
        if pages % 2 == 0 {
            transfer(&mut old, &mut new, 1000);
        }
        new.ingest(all);
        same(&old, &new);
    }
}

#[test]
fn what_the_sender_has_lost_since_leaves_no_trace() {
    // A sender that is put back to an old copy, when a part of its pages is here: what they show will never come.
    let mut old = old_node(1, 30);
    let copy = (old.disk.snapshot(), old.engine.snapshot());
    old.commit(|draft| {
        draft.set_clear(&key("s")).unwrap();
        draft.set_add(&key("s"), bytes("lost")).unwrap();
        draft.register_set(&key("r0"), bytes("lost")).unwrap();
        draft.g_counter_increment(&key("g"), 1000).unwrap();
    });
    for pages in [1, 2, 4, 6] {
        let mut new = Node::with(small(2));
        assert!(!transfer(&mut old, &mut new, pages));
        let mine = new.commit(|draft| draft.set_add(&key("s"), bytes("mine")).unwrap());
        new.core.abandon_transfer();
        let (disk, engine) = (copy.0.snapshot(), copy.1.snapshot());
        let mut back = Node::open(small(1), disk, engine, old.facts.clone()).unwrap();
        pull(&mut new, &mut back);
        pull(&mut back, &mut new);
        assert_eq!(back.core.vector().get(&mine.dot.origin), 1, "what was written here went to others");
        same(&back, &new);
        let elements = new.elements("s");
        assert!(elements.contains(&bytes("mine")) && !elements.contains(&bytes("lost")), "{elements:?}");
    }
}

#[test]
fn who_writes_while_pages_are_merged_is_understood_only_by_those_who_have_all_of_it() {
    let mut old = old_node(1, 40);
    let mut new = Node::with(small(2));
    assert!(pages_of(&mut old, &mut new, 1000) && merging(&new) && new.elements("s").is_empty());
    // Until the set's range is begun.
    while new.elements("s").is_empty() {
        assert!(run(&mut new, Request::Merge).unwrap().next.is_some());
    }
    new.core.abandon_transfer();
    assert!(merging(&new), "from here on nothing is given up");
    new.core.flush(true).unwrap();
    assert!(new.core.transfer_page(&PageRequest { from: Bytes::new(), ..request(&new, 0) }, NOW).is_err());
    let seen = new.elements("s");
    let written = new.commit(|draft| {
        seen.iter().for_each(|element| draft.set_remove(&key("s"), element).unwrap());
        draft.g_counter_increment(&key("g"), 1).unwrap();
    });
    let mut other = Node::with(small(3));
    let ingested = other.ingest(vec![written.bytes.clone()]);
    assert_eq!((ingested.applied, ingested.pending), (0, 1));
    pull(&mut old, &mut other);
    other.ingest(vec![written.bytes.clone()]);
    old.ingest(vec![written.bytes.clone()]);
    // A replay merges and writes in the same order.
    let mut new = new.crash(Survives::SyncedOnly).unwrap();
    assert!(merging(&new));
    merge(&mut new);
    pull(&mut old, &mut new);
    same(&old, &new);
    same(&old, &other);
}

#[test]
fn what_was_written_while_pages_are_merged_does_not_stand_in_the_way_of_others() {
    let mut old = Node::with(small(1));
    live(&mut old, 0, 40);
    let mut new = Node::with(config(2, Durability::Fsync));
    assert!(pages_of(&mut old, &mut new, 1000));
    for _ in 0..3 {
        assert!(run(&mut new, Request::Merge).unwrap().next.is_some());
    }
    // It stands in the log in front of all that it depends on, and fills a page.
    let written = new.commit(|draft| {
        draft.register_set(&key("large"), bytes(&"x".repeat(2_000))).unwrap();
    });
    let mut early = Node::with(config(3, Durability::Fsync));
    assert_eq!(early.ingest(vec![written.bytes.clone()]).pending, 1);
    merge(&mut new);
    pull(&mut new, &mut old);
    same(&old, &new);
    let mut late = Node::with(config(4, Durability::Fsync));
    pull_pages(&mut new, &mut late, 1_000);
    same(&new, &late);
    pull_pages(&mut new, &mut early, 1_000);
    same(&new, &early);
}

#[test]
fn a_crash_at_every_operation_of_the_receiver_leaves_something_to_go_on_from() {
    let mut old = old_node(1, 25);
    for operation in 0.. {
        let new = Node::with(small(2));
        new.disk.faults().set_plan(FaultPlan { crash_at: Some(operation), ..FaultPlan::default() });
        let mut new = new;
        let mut steps = 0;
        let mut picture = 0;
        let through = loop {
            let sent = old.core.transfer_page(&request(&new, picture), NOW).unwrap();
            picture = sent.picture;
            let mut done = take(&mut new, sent.page);
            while done.as_ref().is_ok_and(|done| done.next.as_ref().is_some_and(|state| state.merging)) {
                done = run(&mut new, Request::Merge);
            }
            match done {
                Ok(Transferred { next: None, .. }) => break true,
                Ok(_) => {}
                Err(_) => break false,
            }
            steps += 1;
            if steps % 4 == 3 && new.core.flush(steps % 8 == 3).is_err() {
                break false;
            }
        };
        let finished = through && !new.disk.faults().power_lost();
        let survives = if operation % 2 == 0 { Survives::SyncedOnly } else { Survives::Chosen(operation) };
        let mut after = new.crash(survives).unwrap_or_else(|error| panic!("crash at {operation}: {error}"));
        after.commit(|draft| draft.set_add(&key("s"), bytes("after")).unwrap());
        if merging(&after) {
            merge(&mut after);
        }
        pull(&mut old, &mut after);
        let mut witness = Node::with(small(3));
        pull(&mut after, &mut witness);
        same(&after, &witness);
        assert_eq!(after.counter("g"), old.counter("g"));
        if finished {
            assert!(operation > 30, "only {operation} operations");
            return;
        }
    }
}

#[test]
fn pages_that_do_not_fit_are_refused_and_change_nothing() {
    let mut old = old_node(1, 30);
    let mut new = Node::with(small(2));
    let first = old.core.transfer_page(&request(&new, 0), NOW).unwrap();
    let one = take(&mut new, first.page.clone()).unwrap();
    let second = old.core.transfer_page(&request(&new, first.picture), NOW).unwrap();
    take(&mut new, second.page.clone()).unwrap();
    let (state, before) = (new.core.transfer_state(), new.core.state_hash().unwrap());
    assert!(one.next.is_some() && take(&mut new, second.page.clone()).is_err(), "a page twice");
    assert!(take(&mut new, Bytes::from_static(b"nonsense")).is_err());
    assert!(take(&mut new, second.page.slice(..40)).is_err());
    assert_eq!((new.core.transfer_state(), new.core.state_hash().unwrap()), (state, before));
    // From the start again is another transfer.
    take(&mut new, first.page).unwrap();
    take(&mut new, second.page).unwrap();
    assert!(transfer(&mut old, &mut new, 1000));
    pull(&mut old, &mut new);
    same(&old, &new);
}

/// What watchers are told of a page that is the only one.
fn whole_page(to: &mut Node, page: Bytes) -> Vec<Arc<Applied>> {
    let staged = to.group(vec![Request::Transfer(page)]);
    assert!(staged.applied.is_empty() && merging(to));
    to.group(vec![Request::Merge]).applied
}

#[test]
fn watchers_are_told_what_rows_brought_and_took() {
    let mut from = old_node(1, 12);
    let mut to = Node::with(small(2));
    let last = from.commit(|draft| {
        draft.set_remove(&key("s"), b"9").unwrap();
        draft.register_set(&key("new"), bytes("here")).unwrap();
    });
    from.core.flush(true).unwrap();
    to.commit(|draft| draft.register_set(&key("own"), bytes("mine")).unwrap());
    let whole = PageRequest { max_bytes: 1 << 20, ..request(&to, 0) };
    let page = from.core.transfer_page(&whole, NOW).unwrap().page;
    let applied = whole_page(&mut to, page);
    let [notice] = &applied[..] else { panic!("{applied:?}") };
    assert!(notice.remote && !notice.for_peers && notice.writer.is_none() && notice.bytes.is_empty());
    assert_eq!(notice.dot.origin.node, numax_crdt::NodeId([1; 32]));
    let told: Vec<_> = notice.changes.iter().map(|change| (change.key.clone(), change.op)).collect();
    for (name, op) in
        [("g", OpKind::Increment), ("pn", OpKind::Increment), ("new", OpKind::Set), ("s", OpKind::Add)]
    {
        assert!(told.contains(&(key(name), op)), "{name}: {told:?}");
    }
    assert!(told.iter().all(|(name, _)| *name != key("own")));
    assert_eq!(to.ingest(vec![last.bytes.clone()]).duplicates, 1);

    // What is known is told of once; what went is told of too.
    let gone = from.commit(|draft| draft.set_clear(&key("s")).unwrap()).bytes.clone();
    from.core.flush(true).unwrap();
    let page = from.core.transfer_page(&whole, NOW).unwrap().page;
    let changes = whole_page(&mut to, page.clone())[0].changes.clone();
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!((changes[0].key.clone(), changes[0].op), (key("s"), OpKind::Remove));
    assert!(take(&mut to, page).is_err() && to.core.transfer_state().is_none());
    assert_eq!(to.ingest(vec![gone]).duplicates, 1);
}
