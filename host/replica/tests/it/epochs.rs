//! When a datastore goes on under its origin, and when it must not.

use numax_crdt::Origin;
use numax_replica::{Durability, HostFacts, Settling, mark_restored};
use numax_store::{Disk as _, Survives};

use crate::common::{Node, config, key};

fn hit(node: &mut Node) {
    node.commit(|draft| draft.g_counter_increment(&key("hits"), 1).unwrap());
}

#[test]
fn crashes_of_the_process_keep_the_origin() {
    let mut node = Node::with(config(1, Durability::default()));
    let origin = node.core.origin();
    for _ in 0..50 {
        hit(&mut node);
        node = node.crash(Survives::Everything).unwrap();
        assert_eq!(node.core.origin(), origin);
    }
    assert_eq!(node.counter("hits"), 50);
    assert_eq!(node.core.vector().len(), 1);
}

#[test]
fn power_cuts_keep_the_origin_only_when_nothing_that_left_is_lost() {
    for (durability, keeps) in
        [(Durability::Fsync, true), (Durability::default(), false), (Durability::None, false)]
    {
        let mut node = Node::with(config(1, durability));
        let origin = node.core.origin();
        hit(&mut node);
        let mut node = node.crash(Survives::SyncedOnly).unwrap();
        assert_eq!(node.core.origin() == origin, keeps, "{durability:?}");
        assert_eq!(node.core.new_epoch().is_some(), !keeps);
        hit(&mut node);
        node.core.close().unwrap();
        let before = node.core.origin();
        let node = node.crash(Survives::SyncedOnly).unwrap();
        assert_eq!(node.core.origin(), before, "an orderly stop keeps the origin under {durability:?}");
    }
}

#[test]
fn a_datastore_that_has_lost_what_it_knew_of_itself_is_an_old_copy() {
    let mut node = Node::new(1);
    hit(&mut node);
    node.core.close().unwrap();
    let origin = node.core.origin();
    node.disk.remove("meta.json").unwrap();
    let mut node = node.crash(Survives::Everything).unwrap();
    assert_eq!((node.core.origin().node, node.core.origin().epoch), (origin.node, origin.epoch + 1));
    assert_eq!(node.core.settling(), Settling::Restored);
    hit(&mut node);
    assert_eq!(node.counter("hits"), 2);
}

#[test]
fn the_end_of_the_process_under_none_begins_a_new_epoch() {
    let mut node = Node::with(config(1, Durability::None));
    let origin = node.core.origin();
    hit(&mut node);
    assert_eq!(node.counter("hits"), 1);
    let node = node.crash(Survives::Everything).unwrap();
    assert_ne!(node.core.origin(), origin);
}

#[test]
fn a_restored_old_copy_writes_under_a_new_origin_and_depends_on_the_old() {
    let mut node = Node::new(1);
    hit(&mut node);
    node.core.close().unwrap();
    let (old_disk, old_engine) = (node.disk.snapshot(), node.engine.snapshot());
    let mut node = node.crash(Survives::SyncedOnly).unwrap();
    hit(&mut node);
    let lost = node.log().pop().unwrap();
    let old = node.core.origin();

    // Put back by hand, as files that are other files; and by a tool that leaves its mark.
    let copied = HostFacts { disk_id: "disk-2".to_string(), nonce: 77, ..node.facts.clone() };
    let marked = HostFacts { nonce: 77, ..node.facts.clone() };
    for (facts, mark) in [(copied, false), (marked, true)] {
        let disk = old_disk.snapshot();
        if mark {
            mark_restored(&disk).unwrap();
        }
        let mut restored = Node::open(node.config.clone(), disk, old_engine.snapshot(), facts).unwrap();
        let origin = restored.core.origin();
        assert_eq!(origin, Origin { node: old.node, epoch: old.epoch + 1, nonce: 77 });
        hit(&mut restored);
        let batch = numax_crdt::Batch::decode(restored.log().pop().unwrap()).unwrap();
        assert_eq!((batch.origin, batch.seq, batch.deps), (origin, 1, vec![(old, 1)]));
        // What was lost comes back from whoever has it, and everything counts.
        assert_eq!(restored.ingest(vec![lost.clone()]).applied, 1);
        assert_eq!(restored.counter("hits"), 3);
        // The mark is spent.
        let again = restored.crash(Survives::Everything).unwrap();
        assert_eq!(again.core.origin(), origin);
    }
}

#[test]
fn two_clones_booted_apart_do_not_meet_on_one_origin() {
    let mut node = Node::with(config(1, Durability::default()));
    hit(&mut node);
    node.core.sync().unwrap();
    let clone = |n: u64| {
        let facts = HostFacts { boot_id: format!("machine-{n}"), disk_id: format!("disk-{n}"), nonce: n };
        Node::open(node.config.clone(), node.disk.snapshot(), node.engine.snapshot(), facts).unwrap()
    };
    let (mut one, mut two) = (clone(100), clone(200));
    hit(&mut one);
    hit(&mut two);
    assert_ne!(one.core.origin(), two.core.origin());
    let (from_one, from_two) = (one.log(), two.log());
    one.ingest(from_two);
    two.ingest(from_one);
    assert_eq!((one.counter("hits"), two.counter("hits")), (3, 3));
    assert_eq!(one.core.state_hash().unwrap(), two.core.state_hash().unwrap());
}

#[test]
fn a_thousand_crashes_leave_as_many_origins_as_there_were_epochs_that_wrote() {
    // The process alone ends, or the power goes under `fsync`: one origin, whatever was written.
    let mut node = Node::with(config(1, Durability::Fsync));
    let origin = node.core.origin();
    for crash in 0..500 {
        hit(&mut node);
        if crash % 10 == 0 {
            node.core.flush(true).unwrap();
        }
        let survives = if crash % 2 == 0 { Survives::Everything } else { Survives::SyncedOnly };
        node = node.crash(survives).unwrap();
        assert_eq!(node.core.origin(), origin);
    }
    assert_eq!((node.core.vector().len(), node.counter("hits")), (1, 500));

    // The power goes under `interval`: a new epoch each time, but one that wrote nothing leaves no trace.
    let mut node = Node::with(config(1, Durability::default()));
    for crash in 0..500 {
        if crash % 100 == 0 {
            hit(&mut node);
            node.core.flush(true).unwrap();
        }
        node = node.crash(Survives::SyncedOnly).unwrap();
    }
    assert_eq!((node.core.origin().epoch, node.core.vector().len(), node.counter("hits")), (500, 5, 5));
    hit(&mut node);
    let batch = numax_crdt::Batch::decode(node.log().pop().unwrap()).unwrap();
    assert_eq!(batch.deps.len(), 5, "the others that wrote");
}
