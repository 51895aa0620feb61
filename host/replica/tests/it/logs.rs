//! The log: torn ends, damage, foreign files, and finding what a peer lacks.

use numax_crdt::VersionVector;
use numax_replica::{CoreConfig, Durability, LogError, OpenError};
use numax_store::{Disk, Survives, mem::MemBackend};

use crate::common::{Node, bytes, config, key};

const SMALL: u64 = 2048;

/// A node with several segments; the engine has nothing.
fn filled() -> Node {
    let mut node = Node::with(CoreConfig { segment_bytes: SMALL, ..config(1, Durability::Fsync) });
    for n in 0..100 {
        node.commit(|draft| draft.register_set(&key(&format!("key{n}")), bytes("some value")).unwrap());
    }
    assert!(segments(&node).len() > 3);
    node
}

fn segments(node: &Node) -> Vec<String> {
    node.disk.list("log").unwrap().into_iter().map(|name| format!("log/{name}")).collect()
}

/// Replaces a file by what `change` makes of its bytes.
fn rewrite(node: &Node, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let file = node.disk.open_append(name).unwrap();
    let mut data = file.read_at(0, 1 << 30).unwrap().to_vec();
    change(&mut data);
    file.truncate(0).unwrap();
    file.append(&data).unwrap();
    file.sync().unwrap();
}

fn reopen(node: &Node) -> Result<Node, OpenError> {
    node.crash(Survives::Everything)
}

#[test]
fn a_torn_end_is_cut_off_and_written_over() {
    for torn in 1..40 {
        let node = filled();
        let last = segments(&node).pop().unwrap();
        rewrite(&node, &last, |data| data.truncate(data.len() - torn));
        let mut node = reopen(&node).unwrap();
        let count = node.core.vector().get(&node.core.origin());
        assert!((98..100).contains(&count), "{count} batches after {torn} bytes were torn");
        let applied = node.commit(|draft| draft.register_set(&key("after"), bytes("v")).unwrap());
        assert_eq!(applied.dot.seq, count + 1);
        let mut node = reopen(&node).unwrap();
        assert_eq!(node.log().len() as u64, count + 1);
        assert_eq!(node.register("after"), Some(bytes("v")));
    }
}

#[test]
fn rubbish_behind_the_end_is_cut_off_after_a_power_cut_and_damage_otherwise() {
    let node = filled();
    let last = segments(&node).pop().unwrap();
    rewrite(&node, &last, |data| data.extend_from_slice(&[0x55; 700]));
    let killed = Node::open(node.config.clone(), node.disk.snapshot(), MemBackend::new(), node.facts.clone());
    assert!(matches!(killed.map(|_| ()), Err(OpenError::Log(LogError::Corrupt { .. }))));
    let mut node = node.crash(Survives::SyncedOnly).unwrap();
    assert_eq!(node.log().len(), 100);
    assert!(node.core.new_epoch().is_some(), "it may have been a record that others have");
}

#[test]
fn a_damaged_length_of_the_last_record_is_damage() {
    let mut node = filled();
    let begins = node.core.position();
    node.commit(|draft| draft.register_set(&key("last"), bytes("v")).unwrap());
    let len = (node.core.position() - begins) as usize;
    let last = segments(&node).pop().unwrap();
    rewrite(&node, &last, |data| {
        let at = data.len() - len;
        data[at + 1] ^= 1;
    });
    assert!(matches!(reopen(&node).map(|_| ()), Err(OpenError::Log(LogError::Corrupt { .. }))));
}

#[test]
fn records_behind_a_hole_are_cut_off_after_a_power_cut_in_a_new_epoch_and_damage_otherwise() {
    let node = filled();
    let last = segments(&node).pop().unwrap();
    rewrite(&node, &last, |data| {
        let at = data.len() - 100;
        data[at] ^= 1;
    });
    let killed = Node::open(node.config.clone(), node.disk.snapshot(), MemBackend::new(), node.facts.clone());
    assert!(matches!(killed.map(|_| ()), Err(OpenError::Log(LogError::Corrupt { .. }))));
    let mut node = node.crash(Survives::SyncedOnly).unwrap();
    assert!(node.core.new_epoch().is_some());
    assert!((90..99).contains(&node.log().len()));
}

#[test]
fn damage_elsewhere_is_said_and_not_repaired() {
    let node = filled();
    for (index, name) in segments(&node).iter().enumerate().rev().skip(1) {
        let node = filled();
        rewrite(&node, name, |data| {
            let at = data.len() - 5;
            data[at] ^= 1;
        });
        match reopen(&node).map(|_| ()) {
            Err(OpenError::Log(LogError::Corrupt { file, .. })) => assert_eq!(&file, name),
            other => panic!("segment {index}: {other:?}"),
        }
    }
    // Also in the last segment, when the engine says that the log was synced beyond it.
    let mut node = filled();
    node.core.flush(true).unwrap();
    let last = segments(&node).pop().unwrap();
    rewrite(&node, &last, |data| data.truncate(data.len() - 5));
    assert!(matches!(reopen(&node).map(|_| ()), Err(OpenError::Log(LogError::Corrupt { .. }))));
}

#[test]
fn a_missing_segment_is_damage() {
    let node = filled();
    node.disk.remove(&segments(&node)[1]).unwrap();
    assert!(matches!(reopen(&node).map(|_| ()), Err(OpenError::Log(LogError::Corrupt { .. }))));
    let node = filled();
    node.disk.remove(&segments(&node)[0]).unwrap();
    assert!(matches!(reopen(&node).map(|_| ()), Err(OpenError::RowsLost { .. })));
    // All of it.
    let node = filled();
    segments(&node).iter().for_each(|name| node.disk.remove(name).unwrap());
    assert!(matches!(reopen(&node).map(|_| ()), Err(OpenError::Log(LogError::Corrupt { .. }))));
}

#[test]
fn a_segment_whose_making_was_interrupted_is_made_again() {
    let node = filled();
    let last = segments(&node).pop().unwrap();
    let end = node.core.position();
    let torn = node.disk.create(&format!("log/{end:016x}.seg")).unwrap();
    torn.append(b"numax").unwrap();
    torn.sync().unwrap();
    let mut node = reopen(&node).unwrap();
    assert_eq!(segments(&node).pop().unwrap(), last);
    assert_eq!(node.log().len(), 100);
}

#[test]
fn foreign_and_newer_files_are_refused() {
    let node = filled();
    let first = segments(&node).remove(0);
    rewrite(&node, &first, |data| data[..8].copy_from_slice(b"leveldb!"));
    assert!(matches!(reopen(&node).map(|_| ()), Err(OpenError::Log(LogError::Foreign { .. }))));
    let node = filled();
    rewrite(&node, &first, |data| data[8] = 2);
    assert!(matches!(reopen(&node).map(|_| ()), Err(OpenError::Log(LogError::Schema { found: 2, .. }))));
    let node = filled();
    node.disk.create("log/notes.txt").unwrap();
    assert!(matches!(reopen(&node).map(|_| ()), Err(OpenError::Log(LogError::Foreign { .. }))));
    let node = filled();
    rewrite(&node, "meta.json", |data| *data = b"{\"format\": 99}".to_vec());
    assert!(matches!(reopen(&node).map(|_| ()), Err(OpenError::NewSchema { found: 99, .. })));
    // Another node's datastore, told by meta.json and by the engine.
    let node = filled();
    let other = config(2, Durability::Fsync);
    let result = Node::open(other.clone(), node.disk.snapshot(), MemBackend::new(), node.facts.clone());
    assert!(matches!(result.map(|_| ()), Err(OpenError::Foreign { .. })));
    let mut node = filled();
    node.core.flush(true).unwrap();
    let result = Node::open(other, Default::default(), node.engine.snapshot(), node.facts.clone());
    assert!(matches!(result.map(|_| ()), Err(OpenError::Foreign { .. })));
}

#[test]
fn an_engine_ahead_of_the_log_is_damage() {
    let mut node = filled();
    node.core.flush(true).unwrap();
    let engine = node.engine.snapshot();
    let result = Node::open(node.config.clone(), Default::default(), engine, node.facts.clone());
    assert!(matches!(result.map(|_| ()), Err(OpenError::Log(LogError::Corrupt { .. }))));
}

#[test]
fn a_peer_gets_what_it_lacks_in_pages_and_from_a_near_place() {
    let mut node = filled();
    let origin = node.core.origin();
    for known in [0, 1, 57, 99, 100] {
        let vector: VersionVector = [(origin, known)].into_iter().filter(|(_, seq)| *seq > 0).collect();
        let (mut batches, mut cursor, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = node.core.batches_after(&vector, cursor, 500).unwrap();
            batches.extend(page.batches);
            pages += 1;
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        let seqs: Vec<u64> =
            batches.iter().map(|batch| numax_crdt::BatchHeader::peek(batch).unwrap().seq).collect();
        assert_eq!(seqs, (known + 1..=100).collect::<Vec<_>>());
        assert!(pages <= 2 + (100 - known) / 4, "{pages} pages from {known}");
    }
    // After an open the same holds from the segments' headers.
    let mut node = reopen(&node).unwrap();
    let vector: VersionVector = [(origin, 90)].into_iter().collect();
    assert_eq!(node.core.batches_after(&vector, None, 1 << 20).unwrap().batches.len(), 10);
}
