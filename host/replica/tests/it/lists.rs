//! Lists: a turn's view of them, what a commit makes of a place that was removed meanwhile, and two nodes.

use bytes::Bytes;
use numax_crdt::{Batch, Body, ElementId, Hlc, limits::MAX_VALUE};
use numax_replica::{Draft, DraftError, IdSeed};
use numax_store::Survives;

use crate::common::{NOW, Node, bytes, key};

fn seed(random: u64) -> IdSeed {
    IdSeed { now_ms: NOW, random }
}

fn push(draft: &mut Draft, value: &str, random: u64) -> ElementId {
    draft.list_push(&key("l"), bytes(value), seed(random)).unwrap()
}

fn insert(draft: &mut Draft, after: Option<ElementId>, value: &str, random: u64) -> ElementId {
    draft.list_insert(&key("l"), after, bytes(value), seed(random)).unwrap()
}

/// The list, read in pages of `limit`.
fn read(draft: &mut Draft, limit: usize) -> Vec<(ElementId, Bytes)> {
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let page = draft.list_entries(&key("l"), after, limit).unwrap();
        assert!(page.items.len() <= limit);
        items.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return items,
        }
    }
}

fn text(draft: &mut Draft) -> String {
    read(draft, 1000).iter().map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
}

fn not_found<T: std::fmt::Debug>(result: Result<T, DraftError>) {
    assert!(matches!(result, Err(DraftError::NotFound(_))), "{result:?}");
}

#[test]
fn a_turn_edits_a_list_like_a_vector_over_many_commits() {
    let mut node = Node::new(1);
    let mut want: Vec<(ElementId, Bytes)> = Vec::new();
    let mut chance = 7u64;
    let mut draft = node.draft();
    for step in 0..3000u64 {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let pick = (chance >> 33) as usize;
        let value = step.to_string();
        match pick % 10 {
            0..=2 if !want.is_empty() => {
                let (id, _) = want.remove(pick / 10 % want.len());
                draft.list_remove(&key("l"), id).unwrap();
                assert_eq!(draft.list_get(&key("l"), id).unwrap(), None);
                not_found(draft.list_remove(&key("l"), id));
                not_found(draft.list_insert(&key("l"), Some(id), Bytes::new(), seed(step)));
            }
            3..=5 => want.push((push(&mut draft, &value, step), bytes(&value))),
            _ => {
                let at = pick / 10 % (want.len() + 1);
                let after = at.checked_sub(1).map(|at| want[at].0);
                want.insert(at, (insert(&mut draft, after, &value, step), bytes(&value)));
            }
        }
        assert_eq!(draft.list_size(&key("l")).unwrap(), want.len() as u64);
        if step % 50 == 49 {
            assert_eq!(read(&mut draft, 1 + pick % 90), want, "before the commit at {step}");
            let batch = draft.take();
            node.group(vec![numax_replica::Request::Commit(batch)]).results.remove(0).unwrap();
            draft = node.draft();
            assert_eq!(read(&mut draft, 1 + pick % 90), want, "after the commit at {step}");
        }
    }
    let hash = node.core.state_hash().unwrap();
    let again = node.crash(Survives::Everything).unwrap();
    assert_eq!(again.core.state_hash().unwrap(), hash);
    assert_eq!(read(&mut again.draft(), 1000), want);
    draft.list_clear(&key("l")).unwrap();
    assert_eq!((draft.list_size(&key("l")).unwrap(), text(&mut draft)), (0, String::new()));
}

#[test]
fn what_a_turn_takes_back_leaves_no_trace_unless_something_stands_behind_it() {
    let node = Node::new(1);
    let mut draft = node.draft();
    let a = push(&mut draft, "a", 1);
    let b = push(&mut draft, "b", 2);
    let c = push(&mut draft, "c", 3);
    draft.list_remove(&key("l"), b).unwrap();
    draft.list_remove(&key("l"), a).unwrap();
    assert_eq!(text(&mut draft), "c");
    assert_eq!(draft.keys(numax_crdt::Kind::Rga, b"", None, 9).unwrap().items, [bytes("l")]);
    draft.list_remove(&key("l"), c).unwrap();
    let page = draft.list_entries(&key("l"), Some(a), 9).unwrap();
    assert_eq!(page.items, [], "what was taken back still leads on");
    assert!(draft.take().is_empty());
}

#[test]
fn a_batch_holds_elements_in_order_and_removals_last() {
    let mut node = Node::new(1);
    let applied = node.commit(|draft| {
        let a = push(draft, "a", 1);
        let b = push(draft, "b", 2);
        push(draft, "d", 3);
        insert(draft, Some(b), "c", 4);
        draft.list_remove(&key("l"), a).unwrap();
    });
    assert_eq!(applied.changes.len(), 1);
    let ops = Batch::decode(applied.bytes.clone()).unwrap().ops;
    let shown: Vec<String> = ops
        .iter()
        .map(|op| match &op.body {
            Body::ListInsert { value, .. } => format!("+{}", String::from_utf8_lossy(value)),
            Body::ListRemove { .. } => "-".to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(shown, ["+", "+b", "+d", "+c", "-"], "a stays as the place of b, without its value");
    assert_eq!(text(&mut node.draft()), "bcd");
}

#[test]
fn concurrent_runs_stay_whole_and_nodes_agree() {
    let (mut one, mut two) = (Node::new(1), Node::new(2));
    let base = one.commit(|draft| _ = push(draft, "<", 1));
    two.ingest(vec![base.bytes.clone()]);
    let runs: Vec<_> = [&mut one, &mut two]
        .into_iter()
        .zip(["abc", "xyz"])
        .map(|(node, run)| {
            let mut batches = Vec::new();
            for letter in run.chars() {
                let applied = node.commit(|draft| _ = push(draft, &letter.to_string(), letter as u64));
                batches.push(applied.bytes.clone());
            }
            batches
        })
        .collect();
    one.ingest(runs[1].clone());
    two.ingest(runs[0].clone());
    let found = text(&mut one.draft());
    assert!(["<abcxyz", "<xyzabc"].contains(&found.as_str()), "{found}");
    assert_eq!(text(&mut two.draft()), found);
    assert_eq!(one.core.state_hash().unwrap(), two.core.state_hash().unwrap());
}

#[test]
fn no_batch_names_a_place_whose_removal_it_knows() {
    let (mut one, mut two) = (Node::new(1), Node::new(2));
    let mut ids = Vec::new();
    let base =
        one.commit(|draft| ids.extend(["a", "b", "c"].iter().zip(1..).map(|(v, n)| push(draft, v, n))));
    two.ingest(vec![base.bytes.clone()]);
    let mut draft = one.draft();
    insert(&mut draft, Some(ids[1]), "x", 9);
    insert(&mut draft, Some(ids[2]), "y", 8);
    // While the turn goes on, a peer's removal arrives.
    let gone = two.commit(|draft| {
        draft.list_remove(&key("l"), ids[1]).unwrap();
        draft.list_remove(&key("l"), ids[2]).unwrap();
    });
    one.ingest(vec![gone.bytes.clone()]);
    assert_eq!(text(&mut draft), "axy", "the turn still sees what it wrote");
    push(&mut draft, "z", 7);
    let outcome = one.group(vec![numax_replica::Request::Commit(draft.take())]);
    let batch = Batch::decode(outcome.applied[0].bytes.clone()).unwrap();
    for op in &batch.ops {
        let Body::ListInsert { after, .. } = op.body else { panic!("{op:?}") };
        assert!(!ids[1..].contains(&after.unwrap()), "{op:?}");
    }
    two.ingest(vec![batch.encode()]);
    assert_eq!(text(&mut two.draft()), text(&mut one.draft()));
    assert_eq!(one.core.state_hash().unwrap(), two.core.state_hash().unwrap());
    let mut found: Vec<char> = text(&mut one.draft()).chars().collect();
    found.sort_unstable();
    assert_eq!(found, ['a', 'x', 'y', 'z']);
}

#[test]
fn a_peers_clock_ahead_does_not_displace_a_later_insertion() {
    let mut node = Node::new(1);
    let mut ahead = None;
    node.commit(|draft| {
        let far = IdSeed { now_ms: NOW * 2, random: 1 };
        ahead = Some(draft.list_push(&key("l"), bytes("far"), far).unwrap());
    });
    node.commit(|draft| _ = insert(draft, None, "head ", 2));
    node.commit(|draft| _ = insert(draft, ahead, " tail", 3));
    assert_eq!(text(&mut node.draft()), "head far tail");
}

#[test]
fn limits_of_lists_are_clear_errors() {
    let node = Node::new(1);
    let mut draft = node.draft();
    let list = key("l");
    let invalid = |result: Result<ElementId, DraftError>| match result {
        Err(DraftError::Invalid(text)) => text,
        other => panic!("{other:?}"),
    };
    let large = Bytes::from(vec![0; MAX_VALUE + 1]);
    assert_eq!(
        invalid(draft.list_push(&list, large.clone(), seed(1))),
        "value too large: 1048577, the limit is 1048576"
    );
    assert!(invalid(draft.list_push(&key("__nx/l"), Bytes::new(), seed(1))).contains("belong to the system"));
    assert!(draft.is_empty());
    for n in 0..4 {
        draft.list_push(&key(&n.to_string()), large.slice(..MAX_VALUE - 64), seed(n)).unwrap();
    }
    let full = invalid(draft.list_push(&list, large.slice(..1000), seed(9)));
    assert!(full.starts_with("batch too large: ") && full.contains("bytes, the limit is"), "{full}");
    draft.rollback();
    for n in 0..10_000 {
        push(&mut draft, "", n);
    }
    let full = invalid(draft.list_push(&list, Bytes::new(), seed(10_001)));
    assert!(full.starts_with("batch too large: ") && full.contains("10001 operations"), "{full}");
    assert_eq!(draft.list_size(&list).unwrap(), 10_000);

    let end = ElementId::from_parts(Hlc::MAX, u64::MAX);
    not_found(draft.list_insert(&list, Some(end), Bytes::new(), seed(1)));
    not_found(draft.list_entries(&list, Some(end), 1));
}

#[test]
fn a_page_ends_at_a_megabyte() {
    let mut node = Node::new(1);
    let big = "x".repeat(400 << 10);
    node.commit(|draft| (0..5).for_each(|n| _ = push(draft, &big, n)));
    let page = node.draft().list_entries(&key("l"), None, 100).unwrap();
    assert_eq!(page.items.len(), 2);
    assert_eq!(read(&mut node.draft(), 100).len(), 5);
}
