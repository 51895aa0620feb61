//! A still picture of the rows while writing goes on.

use bytes::Bytes;
use numax_replica::{FrozenError, FrozenRows};
use numax_store::Table;

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
fn a_picture_beyond_its_limit_expires_and_holds_nothing() {
    let mut node = Node::new(1);
    write(&mut node, 0, 40, "old");
    node.core.flush(false).unwrap();
    let (small, large) = (node.core.freeze_rows(2_000), node.core.freeze_rows(1 << 20));
    let want = all(&small, 1000).unwrap();
    write(&mut node, 0, 40, "new");
    node.core.flush(false).unwrap();
    assert!(small.expired() && matches!(all(&small, 10), Err(FrozenError::Expired)));
    assert_eq!(all(&large, 10).unwrap(), want);
}
