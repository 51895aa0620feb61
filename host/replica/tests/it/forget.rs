//! Forgetting: segments of the log, and tombstones.

use numax_crdt::{NodeId, Origin, VersionVector};
use numax_replica::{Ack, CoreConfig, Durability, HostFacts, LogError, Request};
use numax_store::{FaultPlan, Faults, MemDisk, Survives, mem::MemBackend};

use crate::common::{NOW, Node, bytes, config, facts, key};

fn small(node: u8) -> CoreConfig {
    CoreConfig { segment_bytes: 600, ..config(node, Durability::Fsync) }
}

fn other(node: u8) -> Origin {
    Origin { node: NodeId([node; 32]), epoch: 0, nonce: 1 }
}

fn write(node: &mut Node, count: u32) {
    for n in 0..count {
        node.commit(|draft| {
            draft.g_counter_increment(&key("n"), 1).unwrap();
            draft.register_set(&key(&format!("r{}", n % 7)), bytes("a value of some length")).unwrap();
        });
    }
}

/// A node that has settled: what it writes goes out at once.
fn settled(config: CoreConfig) -> Node {
    let mut node = Node::with(config);
    assert!(node.group(vec![Request::Settle]).results[0].is_ok() && !node.core.is_unsettled());
    node
}

fn ack(node: &mut Node, member: u8, vector: &VersionVector) {
    node.core.acknowledged(&[Ack { member: other(member), vector: vector.clone() }], NOW);
}

#[test]
fn segments_go_when_everybody_has_them_and_the_engine_too() {
    let mut node = settled(small(1));
    node.core.heard_of(other(2), NOW);
    node.core.heard_of(other(3), NOW);
    write(&mut node, 30);
    let middle = node.core.vector().clone();
    write(&mut node, 30);
    let all = node.core.vector().clone();
    ack(&mut node, 2, &all);
    assert_eq!(node.core.trim_log().unwrap(), 0, "one member has said nothing, and the engine has nothing");
    node.core.flush(true).unwrap();
    assert_eq!(node.core.trim_log().unwrap(), 0);
    ack(&mut node, 3, &middle);
    assert!(node.core.trim_log().unwrap() > 3);
    let start = node.core.log_start();
    assert!(start > 0 && middle.covers_vector(&node.core.log_start_vector()));
    // Whoever lacks what is gone is told so; whoever has it goes on as before.
    assert!(matches!(node.core.batches_after(&Default::default(), None, 1 << 20), Err(LogError::Behind)));
    assert_eq!(node.core.batches_after(&middle, None, 1 << 20).unwrap().batches.len(), 30);
    ack(&mut node, 3, &all);
    assert!(node.core.trim_log().unwrap() > 3);
    assert!(node.core.log_bytes() < 1_500, "{}", node.core.log_bytes());

    // The log goes on where it was, also after a crash.
    for survives in [Survives::Everything, Survives::SyncedOnly, Survives::Chosen(3)] {
        let (start, end, all) = (node.core.log_start(), node.core.position(), node.core.vector().clone());
        let count = node.counter("n");
        node = node.crash(survives).unwrap();
        assert_eq!((node.core.position(), node.core.vector()), (end, &all));
        assert_eq!((node.core.log_start(), node.counter("n")), (start, count));
        write(&mut node, 1);
        assert_eq!(node.core.batches_after(&all, None, 1 << 20).unwrap().batches.len(), 1);
        assert_eq!(node.core.members().len(), 2, "who belongs to the cluster is not forgotten");
    }
}

#[test]
fn the_budget_holds_whoever_lags_and_never_below_what_the_engine_has() {
    let mut node = settled(CoreConfig { op_log_budget: 3_000, ..small(1) });
    node.core.heard_of(other(2), NOW);
    for _ in 0..40 {
        write(&mut node, 5);
        node.core.flush(true).unwrap();
        node.core.trim_log().unwrap();
        assert!(node.core.log_bytes() < 3_000 + 700, "{}", node.core.log_bytes());
        if node.core.position() > 4_000 {
            assert!(node.core.log_bytes() > 2_000, "no more goes than must");
        }
    }
    write(&mut node, 40);
    node.core.trim_log().unwrap();
    let mut after = node.crash(Survives::SyncedOnly).unwrap();
    assert_eq!(after.counter("n"), 240);
    after.core.flush(true).unwrap();
    assert!(after.core.trim_log().unwrap() > 0);
}

#[test]
fn what_a_killed_process_left_in_the_engine_is_no_reason_to_shorten_the_log() {
    let mut node = Node::with(CoreConfig { op_log_budget: 2_000, ..small(1) });
    node.core.heard_of(other(2), NOW);
    write(&mut node, 10);
    node.core.flush(true).unwrap();
    // The engine takes these, and its disk does not have them yet.
    write(&mut node, 60);
    node.core.flush(false).unwrap();
    let mut node = node.crash(Survives::Everything).unwrap();
    node.core.trim_log().unwrap();
    let mut node = node.crash(Survives::SyncedOnly).unwrap();
    assert_eq!(node.counter("n"), 70);
    node.core.flush(true).unwrap();
    assert!(node.core.trim_log().unwrap() > 0, "synced once, it is");
}

/// Writes and forgets until the disk or the engine ends; answers how many increments are safe.
fn run(node: &mut Node) -> u64 {
    let mut safe = 0;
    node.core.heard_of(other(2), NOW);
    for n in 0..6 {
        let written = (0..3).all(|_| {
            let Ok(..) = node.try_commit(|draft| draft.g_counter_increment(&key("n"), 1).unwrap()) else {
                return false;
            };
            safe += 1;
            node.try_commit(|draft| draft.register_set(&key("r"), bytes(&"x".repeat(200))).unwrap()).is_ok()
        });
        if !written || node.core.flush(n % 3 != 0).is_err() {
            return safe;
        }
        let all = node.core.vector().clone();
        ack(node, 2, &all);
        if node.core.forget_step(100, NOW).is_err() {
            return safe;
        }
    }
    safe
}

#[test]
fn a_crash_at_every_operation_while_segments_go_leaves_a_log_without_a_gap() {
    for operation in 0.. {
        let mut finished = false;
        for survives in
            [Survives::SyncedOnly, Survives::Chosen(operation), Survives::Chosen(operation + 1000)]
        {
            let faults = Faults::new(FaultPlan { crash_at: Some(operation), ..FaultPlan::default() });
            let disk = MemDisk::with_faults(faults.clone());
            let engine = std::sync::Arc::new(MemBackend::with_faults(faults.clone()));
            let mut safe = 0;
            if let Ok(mut node) = Node::open(small(1), disk.clone(), engine.clone(), facts()) {
                safe = run(&mut node);
            }
            finished |= !faults.power_lost();
            let what = format!("crash at {operation}, {survives:?}");
            let rebooted = HostFacts { boot_id: "boot-2".to_string(), nonce: 2, ..facts() };
            let mut after = Node::open(small(1), disk.crash(survives), engine.crash(survives), rebooted)
                .unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(after.counter("n") >= safe, "{what}: {} of {safe}", after.counter("n"));
            let start = after.core.log_start_vector();
            let page = after.core.log_page(None, 1 << 20).unwrap();
            let batches: u64 = after.core.vector().iter().map(|(_, seq)| seq).sum();
            let before: u64 = start.iter().map(|(_, seq)| seq).sum();
            assert_eq!(page.batches.len() as u64, batches - before, "{what}");
            assert!(run(&mut after) >= 18, "{what}");
        }
        if finished {
            assert!(operation > 60, "only {operation} operations");
            return;
        }
    }
}

/// A node, with its time.
fn at(node: &mut Node, now: u64, write: impl FnOnce(&mut numax_replica::Draft)) -> bytes::Bytes {
    let batch = node.batch(write);
    let outcome = node.core.run_group(vec![Request::Commit(batch)], now);
    outcome.applied[0].bytes.clone()
}

fn hear(node: &mut Node, others: &[u8]) {
    others.iter().for_each(|other_node| node.core.heard_of(other(*other_node), NOW));
    node.core.flush(true).unwrap();
}

fn acked(node: &mut Node, from: &mut [&mut Node]) {
    for other in from {
        let acks = other.core.acks(1 << 20);
        node.core.acknowledged(&acks, NOW);
    }
    // Who belongs to it has to survive first.
    node.core.flush(true).unwrap();
}

fn collect(node: &mut Node) -> usize {
    (0..4).map(|_| node.core.collect_step(1000).unwrap()).sum()
}

#[test]
fn a_tombstone_goes_when_everybody_has_it_and_not_before_an_older_write_that_may_still_come() {
    let (mut a, mut b, mut c) = (Node::new(1), Node::new(2), Node::new(3));
    let first = at(&mut a, NOW, |draft| {
        draft.register_set(&key("k"), bytes("first")).unwrap();
        draft.map_set(&key("m"), b"field", bytes("first")).unwrap();
    });
    for node in [&mut b, &mut c] {
        node.ingest(vec![first.clone()]);
    }
    // The third writes, and before anybody hears of it the second removes, later.
    let unseen = at(&mut c, NOW + 500, |draft| {
        draft.register_set(&key("k"), bytes("unseen")).unwrap();
        draft.map_set(&key("m"), b"field", bytes("unseen")).unwrap();
    });
    let removal = at(&mut b, NOW + 1000, |draft| {
        draft.register_clear(&key("k")).unwrap();
        draft.map_remove(&key("m"), b"field").unwrap();
    });
    a.ingest(vec![removal.clone()]);
    c.ingest(vec![removal]);
    hear(&mut a, &[2, 3]);
    acked(&mut a, &mut [&mut b, &mut c]);
    assert_eq!(collect(&mut a), 0, "the third has acknowledged the removal, and a write that is not here");
    a.ingest(vec![unseen.clone()]);
    b.ingest(vec![unseen]);
    acked(&mut a, &mut [&mut b, &mut c]);
    assert_eq!(collect(&mut a), 2);
    assert_eq!(a.register("k"), None);
    let hash = a.core.state_hash().unwrap();
    assert_eq!(hash, b.core.state_hash().unwrap(), "one has collected, the other has not");
    assert_eq!(hash, c.core.state_hash().unwrap());
    assert_eq!(collect(&mut a), 0);
    // It stays gone, and a later write is above what others still remember.
    let mut a = a.crash(Survives::Everything).unwrap();
    let again = at(&mut a, NOW, |draft| draft.register_set(&key("k"), bytes("again")).unwrap());
    b.ingest(vec![again]);
    assert_eq!(b.register("k"), Some(bytes("again")));
    assert_eq!(a.core.state_hash().unwrap(), b.core.state_hash().unwrap());
}

#[test]
fn a_removal_from_the_future_stays_until_the_clock_is_past_it() {
    let (mut a, mut b) = (Node::new(1), Node::new(2));
    let year = 365 * 24 * 3600 * 1000;
    let removal = at(&mut b, NOW + year, |draft| {
        draft.register_set(&key("k"), bytes("x")).unwrap();
    });
    a.ingest(vec![removal]);
    let removal = at(&mut b, NOW + year, |draft| draft.register_clear(&key("k")).unwrap());
    a.ingest(vec![removal]);
    hear(&mut a, &[2]);
    acked(&mut a, &mut [&mut b]);
    assert_eq!(collect(&mut a), 0);
    // A write here wins here and there.
    let write = at(&mut a, NOW, |draft| draft.register_set(&key("k"), bytes("y")).unwrap());
    b.ingest(vec![write]);
    assert_eq!((a.register("k"), b.register("k")), (Some(bytes("y")), Some(bytes("y"))));
}

#[test]
fn only_what_is_synced_is_acknowledged() {
    let mut node = Node::with(config(1, Durability::default()));
    write(&mut node, 3);
    assert!(node.core.received().is_empty());
    let job = node.core.begin_sync().unwrap();
    let synced = node.core.vector().clone();
    write(&mut node, 2);
    let result = job.run();
    node.core.finish_sync(&result);
    assert_eq!(*node.core.received(), synced);
    node.core.sync().unwrap();
    let all = node.core.vector().clone();
    assert_eq!(*node.core.received(), all);
    assert_eq!(node.core.acks(0)[0].vector, all);
}

#[test]
fn a_list_that_forgot_its_dead_elements_is_the_same_list() {
    use numax_replica::IdSeed;
    let (mut a, mut b) = (Node::new(1), Node::new(2));
    let mut ids = Vec::new();
    let written = a.commit(|draft| {
        for n in 0..20 {
            let seed = IdSeed { now_ms: NOW, random: n };
            ids.push(draft.list_push(&key("l"), bytes(&format!("{n}")), seed).unwrap());
        }
    });
    let removed = a.commit(|draft| {
        for (_, id) in ids.iter().enumerate().filter(|(n, _)| n % 3 != 0) {
            draft.list_remove(&key("l"), *id).unwrap();
        }
    });
    b.ingest(vec![written.bytes.clone(), removed.bytes.clone()]);
    hear(&mut a, &[2]);
    acked(&mut a, &mut [&mut b]);
    assert!(collect(&mut a) > 0);
    assert_eq!(a.core.state_hash().unwrap(), b.core.state_hash().unwrap());
    let more = a.commit(|draft| {
        draft.list_insert(&key("l"), Some(ids[3]), bytes("new"), IdSeed { now_ms: NOW, random: 99 }).unwrap();
    });
    assert_ne!(a.core.state_hash().unwrap(), b.core.state_hash().unwrap());
    b.ingest(vec![more.bytes.clone()]);
    assert_eq!(a.core.state_hash().unwrap(), b.core.state_hash().unwrap());
    let items = |node: &Node| node.draft().list_entries(&key("l"), None, 100).unwrap().items;
    assert_eq!(items(&a), items(&b));
}

/// A week of load, in short: many times the budget goes through the log.
#[test]
fn a_long_life_stays_inside_the_budget_whether_others_keep_up_or_not() {
    for keeps_up in [true, false] {
        let mut node = Node::with(CoreConfig {
            op_log_budget: 8_000,
            segment_bytes: 1_000,
            ..config(1, Durability::default())
        });
        node.core.heard_of(other(2), NOW);
        let mut most = 0;
        for round in 0..400 {
            write(&mut node, 4);
            if round % 2 == 0 {
                node.commit(|draft| draft.register_clear(&key(&format!("r{}", round % 4))).unwrap());
            }
            node.core.flush(true).unwrap();
            if keeps_up {
                let all = node.core.vector().clone();
                ack(&mut node, 2, &all);
            }
            node.core.forget_step(100, NOW).unwrap();
            most = most.max(node.core.log_bytes());
        }
        assert!(node.core.position() > 20 * 8_000, "{}", node.core.position());
        let bound = if keeps_up { 3_000 } else { 8_000 + 1_200 };
        assert!(most < bound, "{most}");
    }
}
