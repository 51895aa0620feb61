//! Full and broken disks.

use numax_replica::{CommitError, CoreConfig, Durability, Health, Request};
use numax_store::{FaultPlan, Faults, Survives};

use crate::common::{Node, bytes, config, key};

fn node_with(durability: Durability) -> (Node, Faults) {
    let faults = Faults::default();
    (Node::on(config(1, durability), faults.clone()).unwrap(), faults)
}

#[test]
fn a_full_disk_refuses_the_group_and_leaves_no_trace() {
    for durability in [Durability::Fsync, Durability::default()] {
        let (mut node, faults) = node_with(durability);
        node.commit(|d| d.g_counter_increment(&key("n"), 1).unwrap());
        let (position, vector, hash) =
            (node.core.position(), node.core.vector().clone(), node.core.state_hash().unwrap());
        for room in [0, 1, 8, 30] {
            faults.set_plan(FaultPlan { space_left: Some(room), ..FaultPlan::default() });
            let batches: Vec<Request> = (0..3)
                .map(|n| {
                    Request::Commit(node.batch(|d| {
                        d.g_counter_increment(&key("n"), 1).unwrap();
                        d.set_add(&key("new"), bytes(&format!("{n}"))).unwrap();
                        d.kv_set(b"k", bytes("v")).unwrap();
                    }))
                })
                .collect();
            let outcome = node.group(batches);
            assert!(
                outcome.results.iter().all(|r| matches!(r, Err(CommitError::Unavailable(_)))),
                "{outcome:?}"
            );
            assert!(outcome.applied.is_empty());
            assert_eq!((node.core.position(), node.core.vector()), (position, &vector));
            assert_eq!(node.core.state_hash().unwrap(), hash, "reads go on, and see no trace");
            assert_eq!(node.draft().kv_get(b"k").unwrap(), None);
            assert_eq!(node.core.health(), Health::Ok);
        }
        // Once there is room it goes on, and nothing is found of the failures.
        faults.set_plan(FaultPlan::default());
        let applied = node.commit(|d| d.g_counter_increment(&key("n"), 1).unwrap());
        assert_eq!(applied.dot.seq, 2);
        let node = node.crash(Survives::Everything).unwrap();
        assert_eq!((node.counter("n"), node.elements("new").len()), (2, 0));
    }
}

#[test]
fn a_failed_ingest_leaves_no_trace_and_may_be_repeated() {
    let mut writer = Node::new(2);
    let batches: Vec<_> = (0..3)
        .map(|_| writer.commit(|d| d.g_counter_increment(&key("n"), 1).unwrap()).bytes.clone())
        .collect();
    let (mut node, faults) = node_with(Durability::Fsync);
    faults.set_plan(FaultPlan { space_left: Some(50), ..FaultPlan::default() });
    let outcome = node.group(vec![Request::Ingest(batches.clone())]);
    assert!(matches!(outcome.results[0], Err(CommitError::Unavailable(_))));
    assert!(node.core.vector().is_empty() && node.counter("n") == 0);
    faults.set_plan(FaultPlan::default());
    assert_eq!(node.ingest(batches).applied, 3);
    assert_eq!(node.counter("n"), 3);
    // The origin has one number, not one per try.
    assert_eq!(node.core.state_hash().unwrap(), writer.core.state_hash().unwrap());
}

#[test]
fn a_failed_sync_makes_the_datastore_read_only() {
    let (mut node, faults) = node_with(Durability::Fsync);
    node.commit(|d| d.register_set(&key("r"), bytes("old")).unwrap());
    faults.set_plan(FaultPlan { fail_sync: Some(0), ..FaultPlan::default() });
    let failed = node.try_commit(|d| d.register_set(&key("r"), bytes("new")).unwrap());
    assert!(matches!(failed, Err(CommitError::ReadOnly(_))), "{failed:?}");
    assert!(matches!(node.core.health(), Health::ReadOnly(_)));
    // It does not try again, although a second sync would report success.
    let refused = node.try_commit(|d| d.register_set(&key("r"), bytes("new")).unwrap());
    assert!(matches!(refused, Err(CommitError::ReadOnly(_))));
    assert!(node.core.close().is_err());
    assert_eq!(node.register("r"), Some(bytes("old")), "reads go on, with what is committed");
    assert_eq!(node.log().len(), 1, "nobody is sent what was never acknowledged");
    let node = node.crash(Survives::SyncedOnly).unwrap();
    assert_eq!(node.register("r"), Some(bytes("old")));
}

/// What a reader can ask for.
fn shown(node: &Node) -> (u64, Option<bytes::Bytes>, Vec<bytes::Bytes>, Option<bytes::Bytes>, [u8; 32]) {
    let kv = node.draft().kv_get(b"k").unwrap();
    (node.counter("n"), node.register("r"), node.elements("s"), kv, node.core.state_hash().unwrap())
}

fn write_some(node: &mut Node, n: u64, peer: &mut Node) {
    node.core.run_group(
        vec![
            Request::Commit(node.batch(|d| {
                d.g_counter_increment(&key("n"), 1).unwrap();
                d.register_set(&key("r"), bytes(&format!("{n}"))).unwrap();
                d.set_add(&key("s"), bytes(&format!("{}", n % 4))).unwrap();
                d.kv_set(b"k", bytes(&format!("{n}"))).unwrap();
            })),
            Request::Ingest(vec![
                peer.commit(|d| {
                    d.g_counter_increment(&key("n"), 1).unwrap();
                    d.set_remove(&key("s"), &bytes("2")).unwrap();
                })
                .bytes
                .clone(),
            ]),
        ],
        crate::common::NOW,
    );
}

#[test]
fn what_was_visible_and_not_synced_is_taken_back_wherever_the_engine_is() {
    // The engine flushed before, between, or not at all; a flush that was begun and fails; small segments.
    for (flush_at, begun, segment_bytes) in
        [(None, false, 1 << 20), (Some(3), false, 1 << 20), (Some(5), true, 1 << 20), (Some(2), false, 400)]
    {
        let what = format!("flush at {flush_at:?}, another begun: {begun}, segments of {segment_bytes}");
        let faults = Faults::default();
        let config = CoreConfig { segment_bytes, ..config(1, Durability::Fsync) };
        let mut node = Node::on(config, faults.clone()).unwrap();
        let mut peer = Node::new(2);
        for n in 0..6 {
            write_some(&mut node, n, &mut peer);
            node.core.sync().unwrap();
            if flush_at == Some(n) {
                node.core.flush(n % 2 == 0).unwrap();
            }
        }
        let (safe, vector, position) = (shown(&node), node.core.vector().clone(), node.core.position());
        let reader = node.core.reader();
        let mark = reader.mark();
        let before = reader.seen(mark);
        for n in 6..9 {
            write_some(&mut node, n, &mut peer);
            assert_eq!(node.counter("n"), 2 * (n + 1), "{what}: visible once it is appended");
            assert!(reader.seen(mark) > before, "{what}: and known to be visible");
        }
        // A new segment begins with a sync of the one before.
        if segment_bytes > 1_000 {
            assert_eq!((before, node.core.committed()), (position, position), "{what}");
            assert_eq!(node.log().len(), 12, "{what}: peers are not shown it");
            assert_eq!(*node.core.committed_vector(), vector, "{what}");
        }
        let flush = begun.then(|| node.core.begin_flush(true).unwrap());
        let job = node.core.begin_sync().unwrap();
        faults.set_plan(FaultPlan { fail_sync: Some(0), ..FaultPlan::default() });
        let result = job.run();
        node.core.finish_sync(&result);
        assert!(matches!(node.core.health(), Health::ReadOnly(_)), "{what}");
        if segment_bytes > 1_000 {
            assert_eq!((shown(&node), node.core.vector()), (safe, &vector), "{what}");
        }
        assert_eq!(reader.seen(mark), u64::MAX, "{what}: what was seen may be gone");
        assert_eq!(reader.seen(reader.mark()), node.core.committed(), "{what}: what is seen now is safe");
        if let Some(flush) = flush {
            let outcome = flush.run();
            assert!(
                node.core.finish_flush(&flush, outcome).is_err(),
                "{what}: the engine gets nothing of it"
            );
        }
        let (hash, counter) = (node.core.state_hash().unwrap(), node.counter("n"));
        let node = node.crash(Survives::SyncedOnly).unwrap();
        assert_eq!((node.core.state_hash().unwrap(), node.counter("n")), (hash, counter), "{what}");
    }
}

#[test]
fn a_flush_on_its_way_when_a_sync_fails_brings_the_engine_what_was_safe() {
    let (mut node, faults) = node_with(Durability::Fsync);
    let mut peer = Node::new(2);
    write_some(&mut node, 0, &mut peer);
    node.core.sync().unwrap();
    let safe = shown(&node);
    let flush = node.core.begin_flush(true).unwrap();
    write_some(&mut node, 1, &mut peer);
    // What it needs is synced already: it fails only afterwards.
    let outcome = flush.run();
    let job = node.core.begin_sync().unwrap();
    faults.set_plan(FaultPlan { fail_sync: Some(0), ..FaultPlan::default() });
    let result = job.run();
    node.core.finish_sync(&result);
    assert_eq!(shown(&node), safe);
    node.core.finish_flush(&flush, outcome).unwrap();
    assert_eq!(shown(&node), safe);
}

#[test]
fn a_failed_background_sync_makes_the_datastore_read_only() {
    let (mut node, faults) = node_with(Durability::default());
    node.commit(|d| d.register_set(&key("r"), bytes("v")).unwrap());
    faults.set_plan(FaultPlan { fail_sync: Some(0), ..FaultPlan::default() });
    let job = node.core.begin_sync().unwrap();
    let result = job.run();
    assert!(result.is_err());
    node.core.finish_sync(&result);
    assert!(matches!(node.core.health(), Health::ReadOnly(_)));
    assert!(node.core.begin_sync().is_none() && node.core.begin_flush(true).is_none());
    assert!(node.try_commit(|d| d.register_set(&key("r"), bytes("w")).unwrap()).is_err());
}

#[test]
fn a_failed_flush_keeps_the_rows_and_is_tried_again() {
    let (mut node, faults) = node_with(Durability::default());
    node.commit(|d| d.g_counter_increment(&key("n"), 1).unwrap());
    faults.set_plan(FaultPlan { space_left: Some(0), ..FaultPlan::default() });
    assert!(node.core.flush(false).is_err());
    assert!(node.core.flush_failure().is_some());
    assert_eq!(node.counter("n"), 1);
    faults.set_plan(FaultPlan::default());
    node.commit(|d| d.g_counter_increment(&key("n"), 1).unwrap());
    node.core.flush(true).unwrap();
    assert_eq!(node.core.flush_failure(), None);
    assert_eq!((node.counter("n"), node.core.unflushed_rows() > 0), (2, true), "the first flush goes first");
    node.core.flush(true).unwrap();
    assert_eq!((node.counter("n"), node.core.unflushed_rows(), node.core.lag_bytes()), (2, 0, 0));
    let node = node.crash(Survives::SyncedOnly).unwrap();
    assert_eq!(node.counter("n"), 2);
}

#[test]
fn an_engine_that_stays_broken_stops_commits_before_memory_is_full() {
    let faults = Faults::default();
    let mut config = config(1, Durability::default());
    config.max_lag_bytes = 10_000;
    let mut node = Node::on(config, faults.clone()).unwrap();
    node.commit(|d| d.g_counter_increment(&key("n"), 1).unwrap());
    // The first sync is the log's, the second the engine's.
    faults.set_plan(FaultPlan { fail_sync: Some(1), ..FaultPlan::default() });
    assert!(node.core.flush(true).is_err());
    let mut committed = 0;
    let refused = loop {
        match node.try_commit(|d| d.g_counter_increment(&key("n"), 1).unwrap()) {
            Ok(_) => committed += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, CommitError::Unavailable(_)) && committed > 50, "{refused} after {committed}");
    assert_eq!(node.counter("n"), committed + 1);
}
