//! A still picture of the rows while writing goes on.

use bytes::Bytes;
use numax_crdt::NodeId;
use numax_replica::{FrozenError, FrozenRows};
use numax_store::{Disk, Table};

use crate::common::{Node, bytes, key};

fn all(picture: &FrozenRows, step: usize) -> Result<Vec<(Bytes, Bytes)>, FrozenError> {
    let (mut out, mut after) = (Vec::new(), Bytes::new());
    loop {
        let (rows, next) = picture.rows(&[Table::Rows as u8], &after, step)?;
        out.extend(rows);
        match next {
            Some(next) => after = next,
            None => return Ok(out),
        }
    }
}

fn write(node: &mut Node, from: u32, to: u32, value: &str) {
    for n in from..to {
        let name = key(&format!("k{n:03}"));
        node.commit(|draft| {
            draft.register_set(&name, bytes(value)).unwrap();
            draft.set_add(&name, bytes(value)).unwrap();
        });
    }
}

#[test]
fn a_picture_stays_as_it_was_taken() {
    let mut node = Node::new(1);
    write(&mut node, 0, 40, "old");
    node.core.flush(false).unwrap();
    let picture = node.core.freeze_rows(1 << 20);
    let want = all(&picture, 1000).unwrap();
    assert_eq!((want.len(), picture.as_of()), (40 * 3, node.core.vector()));
    // Rows change, come and go; half of it while the picture is being read.
    write(&mut node, 20, 60, "new");
    node.core.flush(false).unwrap();
    let (first, next) = picture.rows(&[Table::Rows as u8], b"", 10).unwrap();
    for n in 0..60 {
        let name = key(&format!("k{n:03}"));
        node.commit(|draft| {
            draft.set_remove(&name, b"old").unwrap();
            draft.set_remove(&name, b"new").unwrap();
        });
    }
    node.core.flush(true).unwrap();
    let (second, _) = picture.rows(&[Table::Rows as u8], &next.unwrap(), 1000).unwrap();
    assert_eq!([first, second].concat(), want);
    for step in [1, 2, 7, 1000] {
        assert_eq!(all(&picture, step).unwrap(), want, "step {step}");
    }
    assert_ne!(all(&node.core.freeze_rows(1 << 20), 9).unwrap(), want);
}

#[test]
fn what_a_picture_keeps_goes_to_files_and_what_is_too_much_ends_it() {
    let mut node = Node::new(1);
    write(&mut node, 0, 40, "old");
    node.core.flush(false).unwrap();
    // One that keeps all in memory, two that write files, and one that may not write as many as it would need.
    let limits = [1 << 20, 60_000, 20_000, 200];
    let pictures = limits.map(|limit| node.core.freeze_rows(limit));
    let want = all(&pictures[0], 1000).unwrap();
    for round in 0..3 {
        write(&mut node, 10 * round, 40 + 10 * round, &format!("new{round}"));
        node.core.flush(false).unwrap();
        for n in 0..40 {
            drop(node.try_commit(|draft| drop(draft.set_remove(&key(&format!("k{n:03}")), b"old"))).unwrap());
        }
        node.core.flush(false).unwrap();
        for (picture, limit) in pictures.iter().zip(limits).take(3) {
            for step in [1, 7, 1000] {
                assert_eq!(all(picture, step).unwrap(), want, "limit {limit}, step {step}, round {round}");
            }
        }
    }
    let page = |picture: &FrozenRows| picture.page(NodeId([1; 32]), Bytes::new(), 1 << 20).unwrap();
    assert_eq!(page(&pictures[0]), page(&pictures[2]));
    let [.., tiny] = &pictures;
    assert!(tiny.expired() && matches!(all(tiny, 10), Err(FrozenError::Expired)));
    assert!(!node.disk.list("pictures").unwrap().is_empty());
    drop(pictures);
    assert!(node.disk.list("pictures").unwrap().is_empty(), "files are left");
}
