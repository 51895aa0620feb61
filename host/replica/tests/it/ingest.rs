//! Batches from peers: exactly once, in causal order, whatever comes.

use bytes::Bytes;
use numax_crdt::{Batch, BatchHeader, Body, Hlc, Key, NodeId, Op, Origin};
use numax_replica::{CommitError, CoreConfig, Durability, Health, Request, Response};
use numax_store::{FaultPlan, Faults, Survives};
use proptest::prelude::*;

use crate::{
    common::{NOW, Node, bytes, config, key},
    logged::warnings,
};

/// Two nodes that write after having seen each other, and everything they wrote.
fn conversation() -> (Vec<Bytes>, [u8; 32]) {
    let (mut a, mut b) = (Node::new(1), Node::new(2));
    let mut all = Vec::new();
    for n in 0..12 {
        let (writer, reader) = if n % 3 == 0 { (&mut a, &mut b) } else { (&mut b, &mut a) };
        let applied = writer.commit(|draft| {
            draft.g_counter_increment(&key("hits"), 1).unwrap();
            draft.register_set(&key("last"), bytes(&format!("{n}"))).unwrap();
            if n % 2 == 0 {
                draft.set_add(&key("set"), bytes("x")).unwrap();
            } else {
                draft.set_remove(&key("set"), b"x").unwrap();
            }
        });
        assert_eq!(reader.ingest(vec![applied.bytes.clone()]).applied, 1);
        all.push(applied.bytes.clone());
    }
    assert_eq!(a.core.state_hash().unwrap(), b.core.state_hash().unwrap());
    (all, a.core.state_hash().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn any_order_with_duplicates_ends_the_same(
        order in Just((0..12usize).chain(0..12).collect::<Vec<_>>()).prop_shuffle(),
        chunk in 1..6usize,
        crash_at in 0..24usize,
    ) {
        let (all, hash) = conversation();
        let mut node = Node::new(3);
        let mut applied = 0;
        for (n, part) in order.chunks(chunk).enumerate() {
            let ingested = node.ingest(part.iter().map(|i| all[*i].clone()).collect());
            prop_assert_eq!(ingested.rejected, 0);
            applied += ingested.applied;
            if n * chunk >= crash_at && n * chunk < crash_at + chunk {
                // What waited in memory is gone; anti-entropy brings it again.
                node = node.crash(Survives::SyncedOnly).unwrap();
            }
        }
        applied += node.ingest(all.clone()).applied;
        prop_assert_eq!(applied, all.len());
        prop_assert_eq!(node.core.pending(), 0);
        prop_assert_eq!(node.counter("hits"), 12);
        prop_assert_eq!(node.core.state_hash().unwrap(), hash);
    }
}

#[test]
fn nobody_sees_an_effect_before_its_cause() {
    let (all, _) = conversation();
    let mut node = Node::new(3);
    let ingested = node.ingest(vec![all[11].clone(), all[5].clone()]);
    assert_eq!((ingested.applied, ingested.pending), (0, 2));
    assert_eq!(node.ingest(vec![all[5].clone()]).duplicates, 1, "what waits is not kept twice");
    assert_eq!((node.counter("hits"), node.core.vector().len()), (0, 0));
    assert_eq!(node.ingest(all[..5].to_vec()).applied, 6);
    assert_eq!(node.ingest(all[6..11].to_vec()).applied, 6);
    assert_eq!(node.core.pending(), 0);
}

#[test]
fn a_local_batch_depends_on_what_was_applied_since_the_one_before() {
    let (all, _) = conversation();
    let mut node = Node::new(3);
    let deps = |bytes: &Bytes| Batch::decode(bytes.clone()).unwrap().deps;
    let write =
        |node: &mut Node| node.commit(|d| d.g_counter_increment(&key("own"), 1).unwrap()).bytes.clone();
    assert!(deps(&write(&mut node)).is_empty());
    node.ingest(all[..6].to_vec());
    // Across a flush and an open as well.
    node.core.flush(true).unwrap();
    node.ingest(all[6..].to_vec());
    let mut node = node.crash(Survives::SyncedOnly).unwrap();
    let first = deps(&write(&mut node));
    assert_eq!(first.len(), 2);
    assert!(first.iter().all(|(origin, seq)| node.core.vector().get(origin) == *seq));
    assert!(deps(&write(&mut node)).is_empty());
    let mut node = node.crash(Survives::SyncedOnly).unwrap();
    assert!(deps(&write(&mut node)).is_empty());
}

#[test]
fn what_waits_is_bounded() {
    let mut writer = Node::new(1);
    let all: Vec<Bytes> = (0..200)
        .map(|_| {
            writer.commit(|d| d.register_set(&key("r"), Bytes::from(vec![b'x'; 1000])).unwrap()).bytes.clone()
        })
        .collect();
    let mut node = Node::with(CoreConfig { pending_bytes: 50_000, ..config(2, Durability::Fsync) });
    let ingested = node.ingest(all[1..].to_vec());
    assert!(ingested.pending > 20 && ingested.pending < 50, "{ingested:?}");
    assert_eq!(ingested.rejected, 199 - ingested.pending);
    // What is next is taken, however full the waiting room is.
    assert_eq!(node.ingest(vec![all[0].clone()]).applied, ingested.pending + 1);
    assert_eq!(node.ingest(all).applied, 199 - ingested.pending);
}

fn forged(origin: Origin, seq: u64, value: &'static str) -> Bytes {
    let body = Body::Register { hlc: Hlc::from_parts(NOW, 0), value: Some(value.into()) };
    let ops = vec![Op { key: Key::new("r").unwrap(), body }];
    Batch { origin, seq, deps: Vec::new(), hlc: Hlc::from_parts(NOW, 0), ops }.encode()
}

#[test]
fn two_batches_under_one_dot_quarantine_their_origin() {
    let origin = Origin { node: NodeId([9; 32]), epoch: 0, nonce: 0 };
    let mut node = Node::new(1);
    assert_eq!(node.ingest(vec![forged(origin, 1, "a")]).applied, 1);
    let ingested = node.ingest(vec![forged(origin, 1, "b")]);
    assert_eq!((ingested.quarantined, ingested.rejected), (vec![origin], 1));
    assert_eq!(node.ingest(vec![forged(origin, 2, "c")]).rejected, 1);
    assert_eq!(node.register("r"), Some(bytes("a")));
    // Also among those that wait.
    let mut node = Node::new(1);
    let ingested = node.ingest(vec![forged(origin, 2, "a"), forged(origin, 2, "b")]);
    assert_eq!((ingested.pending, ingested.quarantined), (1, vec![origin]));
    assert!(node.core.quarantined().contains(&origin));
}

#[test]
fn the_own_origin_alive_elsewhere_stops_local_writes() {
    let mut node = Node::new(1);
    let own = node.commit(|d| d.register_set(&key("r"), bytes("mine")).unwrap());
    assert_eq!(node.ingest(vec![own.bytes.clone()]).duplicates, 1, "one's own batch may come back");
    assert_eq!(node.core.health(), Health::Ok);
    let origin = node.core.origin();
    assert_eq!(node.ingest(vec![forged(origin, 2, "theirs")]).rejected, 1);
    assert_eq!(node.core.health(), Health::DuplicateOrigin);
    let refused = node.try_commit(|d| d.register_set(&key("r"), bytes("again")).unwrap());
    assert_eq!(refused.map(|_| ()), Err(CommitError::DuplicateOrigin));
    // Replication and the node-local store go on.
    let other = Origin { node: NodeId([9; 32]), epoch: 0, nonce: 0 };
    assert_eq!(node.ingest(vec![forged(other, 1, "other")]).applied, 1);
    node.try_commit(|d| d.kv_set(b"k", bytes("v")).unwrap()).unwrap();
    // And another content under an own dot tells the same.
    let mut node = Node::new(1);
    node.commit(|d| d.register_set(&key("r"), bytes("mine")).unwrap());
    node.ingest(vec![forged(node.core.origin(), 1, "theirs")]);
    assert_eq!(node.core.health(), Health::DuplicateOrigin);
}

#[test]
fn rubbish_is_rejected_and_does_no_harm() {
    let (all, _) = conversation();
    let mut node = Node::new(3);
    let mut bad: Vec<Bytes> = vec![Bytes::new(), bytes("rubbish"), Bytes::from(vec![0xff; 100])];
    for cut in 1..all[0].len() {
        bad.push(all[0].slice(..cut));
    }
    let count = bad.len();
    let ingested = node.ingest(bad);
    assert_eq!((ingested.applied, ingested.rejected, ingested.malformed), (0, count, count));
    assert_eq!(node.ingest(all.clone()).applied, all.len());
}

#[test]
fn a_peers_wrong_clock_is_merged_and_not_adopted() {
    let year = 365 * 24 * 3600 * 1000;
    let origin = Origin { node: NodeId([9; 32]), epoch: 0, nonce: 0 };
    let hlc = Hlc::from_parts(NOW + year, 0);
    let ops = vec![Op { key: key("r"), body: Body::Register { hlc, value: Some(bytes("future")) } }];
    let batch = Batch { origin, seq: 1, deps: Vec::new(), hlc, ops }.encode();
    let mut node = Node::new(1);
    assert_eq!(node.ingest(vec![batch]).applied, 1);
    assert_eq!(node.register("r"), Some(bytes("future")));
    let own = node.commit(|d| d.register_set(&key("r"), bytes("now")).unwrap());
    assert_eq!(node.register("r"), Some(bytes("now")), "a local write wins locally");
    let own = Batch::decode(own.bytes.clone()).unwrap();
    assert_eq!(own.hlc.ms(), NOW, "the clock did not follow");
    assert!(matches!(&own.ops[0].body, Body::Register { hlc: at, .. } if *at == hlc.next()));
}

const YEAR_MS: u64 = 365 * 24 * 3600 * 1000;

fn set(node: &mut Node, value: &str, now: u64) -> Bytes {
    let batch = node.batch(|d| d.register_set(&key("r"), bytes(value)).unwrap());
    let outcome = node.core.run_group(vec![Request::Commit(batch)], now);
    node.core.sync().unwrap();
    outcome.applied[0].bytes.clone()
}

fn take(node: &mut Node, batch: &Bytes, now: u64) {
    let outcome = node.core.run_group(vec![Request::Ingest(vec![batch.clone()])], now);
    node.core.sync().unwrap();
    assert!(matches!(&outcome.results[0], Ok(Response::Ingested(done)) if done.applied == 1), "{outcome:?}");
}

#[test]
fn a_clock_a_year_ahead_loses_nothing_drags_nobody_along_and_is_known() {
    let (mut right, mut ahead, mut third) = (Node::new(1), Node::new(2), Node::new(3));
    let early = set(&mut ahead, "from the future", NOW + YEAR_MS);
    take(&mut right, &early, NOW);
    assert_eq!(right.core.clocks().ahead.get(&ahead.config.node), Some(&YEAR_MS));
    assert_eq!(right.register("r"), Some(bytes("from the future")));
    // What is written here over it stands, here and elsewhere, in whatever order it comes.
    let late = set(&mut right, "right", NOW + 1);
    assert_eq!(right.register("r"), Some(bytes("right")));
    take(&mut ahead, &late, NOW + YEAR_MS);
    take(&mut third, &early, NOW + 2);
    take(&mut third, &late, NOW + 2);
    for node in [&ahead, &third] {
        assert_eq!(node.register("r"), Some(bytes("right")));
        assert_eq!(node.core.state_hash().unwrap(), right.core.state_hash().unwrap());
    }
    // The clock did not follow: what is written elsewhere carries the right time.
    let batch = right.batch(|d| d.register_set(&key("other"), bytes("x")).unwrap());
    let outcome = right.core.run_group(vec![Request::Commit(batch)], NOW + 3);
    let header = BatchHeader::peek(&outcome.applied[0].bytes).unwrap();
    assert!(header.hlc.ms() < NOW + 1_000, "{}", header.hlc);
    assert_eq!((right.core.clocks().set_back_ms, ahead.core.clocks()), (0, &Default::default()));
    // A year later all is well again.
    let last = set(&mut ahead, "in time", NOW + YEAR_MS + 10);
    take(&mut right, &last, NOW + YEAR_MS);
    assert!(right.core.clocks().ahead.is_empty());
}

#[test]
fn a_clock_that_is_set_back_loses_nothing_and_is_known_also_after_a_restart() {
    let (mut node, mut peer) = (Node::new(1), Node::new(2));
    let before = set(&mut node, "before", NOW + YEAR_MS);
    let after = set(&mut node, "after", NOW);
    assert_eq!(node.register("r"), Some(bytes("after")));
    assert_eq!(node.core.clocks().set_back_ms, YEAR_MS);
    take(&mut peer, &before, NOW);
    take(&mut peer, &after, NOW);
    assert_eq!(peer.register("r"), Some(bytes("after")));
    assert_eq!(peer.core.clocks().ahead.get(&node.config.node), Some(&YEAR_MS));
    let mut node = node.crash(Survives::Everything).unwrap();
    set(&mut node, "again", NOW + 5);
    assert_eq!(node.core.clocks().set_back_ms, YEAR_MS - 5);
    assert_eq!(node.register("r"), Some(bytes("again")));
    set(&mut node, "caught up", NOW + YEAR_MS);
    assert_eq!(node.core.clocks().set_back_ms, 0);
}

#[test]
fn the_operator_is_told_of_a_wrong_clock_once_with_whose_it_is_and_what_to_do() {
    let (mut right, mut ahead) = (Node::new(1), Node::new(2));
    let (name, own) = (ahead.config.node.to_string(), right.config.node.to_string());
    let ((), lines) = warnings(|| {
        for n in 0..50 {
            let batch = set(&mut ahead, &format!("{n}"), NOW + YEAR_MS + n);
            take(&mut right, &batch, NOW + n);
        }
    });
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(&name) && lines[0].contains(&YEAR_MS.to_string()), "{lines:?}");
    assert!(lines[0].contains("set it right"), "{lines:?}");
    let ((), lines) = warnings(|| {
        set(&mut right, "late", NOW + YEAR_MS);
        for n in 0..50 {
            set(&mut right, &format!("{n}"), NOW + n);
        }
    });
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(&own) && lines[0].contains(&YEAR_MS.to_string()), "{lines:?}");
    assert!(lines[0].contains("set back"), "{lines:?}");
}

#[test]
fn whom_not_to_trust_is_known_after_every_kind_of_end() {
    let origin = Origin { node: NodeId([9; 32]), epoch: 3, nonce: 77 };
    let other = Origin { node: NodeId([8; 32]), epoch: 0, nonce: 0 };
    for survives in [None, Some(Survives::Everything), Some(Survives::SyncedOnly)] {
        let mut node = Node::new(1);
        node.commit(|d| d.register_set(&key("r"), bytes("mine")).unwrap());
        node.ingest(vec![forged(origin, 1, "a")]);
        node.ingest(vec![forged(origin, 1, "b"), forged(node.core.origin(), 9, "theirs")]);
        if survives.is_none() {
            node.core.close().unwrap();
        }
        let mut node = node.crash(survives.unwrap_or(Survives::SyncedOnly)).unwrap();
        assert_eq!(node.core.new_epoch(), None, "{survives:?}");
        assert!(node.core.quarantined().contains(&origin), "{survives:?}");
        assert_eq!(node.ingest(vec![forged(origin, 2, "c"), forged(other, 1, "d")]).rejected, 1);
        assert_eq!(node.core.health(), Health::DuplicateOrigin, "{survives:?}");
        let refused = node.try_commit(|d| d.register_set(&key("r"), bytes("again")).unwrap()).unwrap_err();
        assert!(refused.to_string().contains("numax repair --new-epoch"), "{refused}");
        // What an operator does when the other one is gone.
        node.core.close().unwrap();
        numax_replica::mark_restored(&node.disk).unwrap();
        let mut node = node.crash(Survives::Everything).unwrap();
        assert_eq!((node.core.health(), node.core.origin().epoch), (Health::Ok, 1), "{survives:?}");
        node.commit(|d| d.register_set(&key("r"), bytes("again")).unwrap());
        assert!(node.core.quarantined().contains(&origin), "that is another matter");
    }
}

#[test]
fn what_cannot_be_written_down_at_once_is_written_later() {
    let origin = Origin { node: NodeId([9; 32]), epoch: 3, nonce: 77 };
    let faults = Faults::default();
    let mut node = Node::on(config(1, Durability::Fsync), faults.clone()).unwrap();
    node.ingest(vec![forged(origin, 1, "a")]);
    faults.set_plan(FaultPlan { space_left: Some(0), ..FaultPlan::default() });
    assert_eq!(node.ingest(vec![forged(origin, 1, "b")]).quarantined, [origin]);
    faults.set_plan(FaultPlan::default());
    node.core.flush(true).unwrap();
    let node = node.crash(Survives::SyncedOnly).unwrap();
    assert!(node.core.quarantined().contains(&origin));
}
