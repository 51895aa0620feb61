//! The first difference, and which side is to blame.

use std::fs;

use numax_crdt::{Kind, RowName};
use numax_replica::Engine;
use numax_tools::diff::{Comparison, Fit, Options, Order, Verdict, diff};
use tempfile::TempDir;

use crate::nodes::{Node, copy, key, send, write_all};

/// Two nodes that know the same, with different engines.
fn twins(dir: &TempDir) -> (Node, Node) {
    let (a, b) = (Node::new(dir, "a", 1, Engine::Sled), Node::new(dir, "b", 2, Engine::Redb));
    write_all(&a);
    send(&a, &b);
    b.commit(|draft| {
        draft.g_counter_increment(&key("visits"), 40).unwrap();
        draft.set_add(&key("tags"), "blue".into()).unwrap();
    });
    send(&b, &a);
    (a, b)
}

fn compare(a: &Node, b: &Node, all: bool) -> Comparison {
    diff(&a.store(), &b.store(), &Options { all, ..Options::default() }, |_| {}).unwrap()
}

fn verdicts(found: &Comparison) -> Vec<Verdict> {
    found.differences.iter().map(|one| one.cause.as_ref().unwrap().verdict()).collect()
}

#[test]
fn replicas_that_know_the_same_are_equal_whatever_their_engine() {
    let dir = TempDir::new().unwrap();
    let (a, b) = twins(&dir);
    let found = compare(&a, &b, true);
    assert!(found.is_equal() && found.values == if cfg!(feature = "text") { 8 } else { 7 }, "{found:?}");
    assert_eq!(found.vectors.order, Order::Equal);
    let lines = found.lines(&a.store(), &b.store(), true).join("\n");
    assert!(lines.contains("vectors: equal, 2 origins") && lines.contains("no difference"), "{lines}");
}

#[test]
fn what_has_not_arrived_is_no_fault() {
    let dir = TempDir::new().unwrap();
    let (a, b) = twins(&dir);
    b.commit(|draft| {
        draft.register_set(&key("title"), "new".into()).unwrap();
        draft.set_remove(&key("tags"), b"blue").unwrap();
    });
    let found = compare(&a, &b, true);
    assert_eq!(found.vectors.order, Order::ABehind);
    let lag = found.vectors.a_lacks[0];
    assert_eq!((found.vectors.a_lacks.len(), lag.has, lag.other), (1, 1, 2));
    assert_eq!(verdicts(&found), [Verdict::Behind; 2], "{found:#?}");
    for one in &found.differences {
        // A removal leaves nothing in a set's row; the log tells which batch it was.
        let lacks: Vec<u64> = one.cause.as_ref().unwrap().a_lacks.iter().map(|dot| dot.seq).collect();
        assert_eq!(lacks, [2], "{one:?}");
    }
    a.commit(|draft| draft.g_counter_increment(&key("other"), 1).unwrap());
    assert_eq!(compare(&a, &b, false).vectors.order, Order::Apart);
    assert_eq!(compare(&b, &a, false).vectors.order, Order::Apart);
    assert_eq!(compare(&a, &b, false).differences.len(), 1, "the first only");
}

#[test]
fn an_altered_row_of_every_family_is_found_and_laid_at_the_right_door() {
    let dir = TempDir::new().unwrap();
    let (a, b) = twins(&dir);
    let last = |value: &mut Vec<u8>| *value.last_mut().unwrap() ^= 1;
    let head = |sub: &[u8]| sub.is_empty();
    let entry = |sub: &[u8]| sub.first() == Some(&1);
    let field = |sub: &[u8]| sub == b"\x01name";
    type Wanted<'a> = &'a dyn Fn(&[u8]) -> bool;
    let table: [(Kind, &str, Wanted<'_>); 8] = [
        (Kind::GCounter, "visits", &entry),
        (Kind::GCounter, "visits", &head),
        (Kind::PnCounter, "stock", &entry),
        (Kind::LwwRegister, "title", &head),
        (Kind::LwwMap, "visits", &field),
        (Kind::LwwMap, "visits", &head),
        (Kind::OrSet, "tags", &entry),
        (Kind::Rga, "todo", &|sub| sub.first() == Some(&1) && sub.last() == Some(&3)),
    ];
    for (kind, name, wanted) in table {
        let hurt = Node::new(&dir, "hurt", 2, Engine::Redb);
        copy(&b.dir, &hurt.dir);
        hurt.alter(kind, name, wanted, last);
        for (found, verdict) in
            [(compare(&a, &hurt, false), Verdict::RowsOfB), (compare(&hurt, &a, true), Verdict::RowsOfA)]
        {
            assert!(!found.is_equal() && found.vectors.order == Order::Equal);
            let one = &found.differences[0];
            assert_eq!((one.value.0, one.value.1.to_string()), (kind, name.to_string()));
            assert_eq!(verdicts(&found)[0], verdict, "{one:#?}");
        }
        fs::remove_dir_all(&hurt.dir).unwrap();
    }
    #[cfg(feature = "text")]
    {
        b.alter(Kind::Text, "page", entry, |value| {
            let letter = value.iter().position(|byte| *byte == b'H').unwrap();
            value[letter] = b'J';
        });
        let found = compare(&a, &b, true);
        assert_eq!((found.differences[0].value.0, verdicts(&found)), (Kind::Text, vec![Verdict::RowsOfB]));
    }
}

#[test]
fn a_damaged_row_is_told_from_one_that_is_only_behind() {
    let dir = TempDir::new().unwrap();
    let (a, b) = twins(&dir);
    a.commit(|draft| draft.g_counter_increment(&key("visits"), 1).unwrap());
    // B lacks that batch, and its row of the other origin is wrong besides.
    b.alter(Kind::GCounter, "visits", |sub| sub.ends_with(&[1]), |value| *value.last_mut().unwrap() += 1);
    let found = compare(&a, &b, true);
    assert_eq!(found.vectors.order, Order::BBehind);
    let of_rows: Vec<_> =
        found.differences.iter().filter(|one| matches!(one.row, RowName::Origin(_))).collect();
    assert_eq!(of_rows.len(), 2, "{found:#?}");
    let verdicts: Vec<_> = of_rows.iter().map(|one| one.cause.as_ref().unwrap().verdict()).collect();
    assert!(verdicts.contains(&Verdict::Behind) && verdicts.contains(&Verdict::RowsOfB), "{verdicts:?}");
}

#[test]
fn two_batches_of_one_name_are_called_so() {
    let dir = TempDir::new().unwrap();
    let a = Node::new(&dir, "a", 1, Engine::Sled);
    a.commit(|draft| draft.g_counter_increment(&key("n"), 1).unwrap());
    let b = Node::new(&dir, "b", 1, Engine::Sled);
    copy(&a.dir, &b.dir);
    // A copy begins a new epoch, unless it claims to be where it always was.
    let read = |node: &Node| fs::read_to_string(node.dir.join("meta.json")).unwrap();
    let disk = |meta: &str| {
        let json: serde_json::Value = serde_json::from_str(meta).unwrap();
        json["disk_id"].as_str().unwrap().to_string()
    };
    let copied = read(&b);
    b.run(async |_| ());
    let here = disk(&read(&b));
    assert_ne!(here, disk(&copied));
    // As it was copied, in the same folder: that is what tells where a datastore is.
    fs::remove_dir_all(b.dir.join("rows")).unwrap();
    for segment in fs::read_dir(b.dir.join("log")).unwrap() {
        fs::remove_file(segment.unwrap().path()).unwrap();
    }
    copy(&a.dir, &b.dir);
    fs::write(b.dir.join("meta.json"), copied.replace(&disk(&copied), &here)).unwrap();
    a.commit(|draft| draft.register_set(&key("r"), "one".into()).unwrap());
    b.commit(|draft| draft.register_set(&key("r"), "two".into()).unwrap());
    let found = compare(&a, &b, true);
    assert_eq!(found.vectors.order, Order::Equal, "{found:#?}");
    assert_eq!(verdicts(&found), [Verdict::TwoBatches]);
}

/// Two nodes that know the same: registers `r0` to `r199`, each a batch of its own, and a counter `n` that each of these moves.
fn long_twins(dir: &TempDir) -> (Node, Node) {
    let (mut a, mut b) = (Node::new(dir, "a", 1, Engine::Sled), Node::new(dir, "b", 2, Engine::Sled));
    for node in [&mut a, &mut b] {
        node.config.core.segment_bytes = 4 << 10;
    }
    b.commit(|draft| draft.g_counter_increment(&key("n"), 7).unwrap());
    a.run(async |replica| {
        for number in 0..200_u32 {
            let value = vec![b'v'; 200];
            crate::nodes::commit(replica, |draft| {
                draft.register_set(&key(&format!("r{number}")), value.into()).unwrap();
                draft.g_counter_increment(&key("n"), 1).unwrap();
            })
            .await;
        }
    });
    send(&a, &b);
    send(&b, &a);
    (a, b)
}

/// What forgetting does, at once: the rows hold what the first segment says.
fn forget(node: &Node) {
    let files = fs::read_dir(node.dir.join("log")).unwrap();
    let mut segments: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    segments.sort();
    assert!(segments.len() > 2, "{segments:?}");
    fs::remove_file(&segments[0]).unwrap();
    assert!(!node.store().log().is_complete());
}

/// What a comparison says when the first row of a value on the second node that is wanted was altered.
fn altered(
    a: &Node,
    b: &Node,
    (kind, name): (Kind, &str),
    wanted: impl Fn(&[u8]) -> bool,
    change: impl FnOnce(&mut Vec<u8>),
) -> Verdict {
    let hurt = Node { dir: b.dir.with_file_name("hurt"), config: b.config.clone() };
    copy(&b.dir, &hurt.dir);
    hurt.alter(kind, name, wanted, change);
    let (found, turned) = (compare(a, &hurt, false), compare(&hurt, a, false));
    fs::remove_dir_all(&hurt.dir).unwrap();
    assert_eq!(found.vectors.order, Order::Equal);
    let other = match verdicts(&turned)[0] {
        Verdict::RowsOfA => Verdict::RowsOfB,
        Verdict::RowsOfB => Verdict::RowsOfA,
        verdict => verdict,
    };
    assert_eq!(verdicts(&found), [other], "{found:#?}");
    other
}

#[test]
fn one_log_that_reaches_back_is_enough_for_both() {
    let dir = TempDir::new().unwrap();
    let (a, b) = long_twins(&dir);
    forget(&b);
    let last = |value: &mut Vec<u8>| *value.last_mut().unwrap() ^= 1;
    assert_eq!(altered(&a, &b, (Kind::LwwRegister, "r7"), |_| true, last), Verdict::RowsOfB);
    // Also for what the other knows, when it is behind.
    a.commit(|draft| draft.register_set(&key("r8"), "new".into()).unwrap());
    b.alter(Kind::LwwRegister, "r7", |_| true, last);
    let found = compare(&a, &b, true);
    assert_eq!(verdicts(&found), [Verdict::RowsOfB, Verdict::Behind], "{found:#?}");
    let cause = found.differences[0].cause.as_ref().unwrap();
    assert_eq!((cause.a_fits, cause.b_fits), (Fit::Fits, Fit::Differs));
}

#[test]
fn logs_that_have_forgotten_their_beginnings_blame_nobody_without_a_proof() {
    let dir = TempDir::new().unwrap();
    let (a, b) = long_twins(&dir);
    forget(&a);
    forget(&b);
    let last = |value: &mut Vec<u8>| *value.last_mut().unwrap() ^= 1;
    let register = |name| (Kind::LwwRegister, name);
    assert_eq!(altered(&a, &b, register("r7"), |_| true, last), Verdict::Unknown);
    // The batch is still in the logs.
    assert_eq!(altered(&a, &b, register("r150"), |_| true, last), Verdict::RowsOfB);
    // The sum is not that of the rows.
    let of_origin = |sub: &[u8]| sub.first() == Some(&1);
    assert_eq!(altered(&a, &b, (Kind::GCounter, "n"), of_origin, last), Verdict::RowsOfB);
    // A batch that the node does not have.
    let later = |value: &mut Vec<u8>| value[0] = 99;
    let of_b = |sub: &[u8]| sub.first() == Some(&1) && sub.last() == Some(&0);
    assert_eq!(altered(&a, &b, (Kind::GCounter, "n"), of_b, later), Verdict::RowsOfB);
}
