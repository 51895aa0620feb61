//! Texts: what a turn sees, who may edit, and what becomes of it.

use bytes::Bytes;
use numax_crdt::text::{Document, State, client_id};
use numax_crdt::{Batch, Body, Kind, OpKind, limits};
use numax_replica::{Busy, CommitError, CoreConfig, Draft, DraftError, Durability, Request, Response};
use numax_store::Survives;

use crate::common::{Node, bytes, config, key};

fn read(node: &Node, name: &str) -> String {
    node.draft().text_read(&key(name)).unwrap()
}

fn busy<T: std::fmt::Debug>(result: Result<T, DraftError>) -> Busy {
    match result {
        Err(DraftError::Busy(busy)) => busy,
        other => panic!("{other:?}"),
    }
}

/// The text's turn, which must have come.
fn admitted(draft: &mut Draft, busy: Busy) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let permit = runtime.block_on(async {
        tokio::select! {
            biased;
            permit = busy.wait() => permit,
            () = std::future::ready(()) => panic!("it is not this one's turn"),
        }
    });
    draft.admit(permit);
}

fn invalid<T: std::fmt::Debug>(result: Result<T, DraftError>) -> String {
    match result {
        Err(DraftError::Invalid(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_edits_of_a_turn_are_one_update() {
    let mut node = Node::new(1);
    let applied = node.commit(|draft| {
        draft.text_insert(&key("t"), 0, "hello").unwrap();
        draft.text_insert(&key("t"), 5, " wörld 😀").unwrap();
        assert_eq!(draft.text_read(&key("t")).unwrap(), "hello wörld 😀");
        draft.text_remove(&key("t"), 0, 1).unwrap();
        draft.text_insert(&key("t"), 0, "H").unwrap();
        assert_eq!(draft.text_size(&key("t")).unwrap(), 14);
        assert_eq!(draft.keys(Kind::Text, b"", None, 9).unwrap().items, [bytes("t")]);
    });
    assert_eq!(applied.changes.len(), 1);
    assert_eq!((applied.changes[0].kind, applied.changes[0].op), (Kind::Text, OpKind::Edit));
    let ops = Batch::decode(applied.bytes.clone()).unwrap().ops;
    assert!(matches!(&ops[..], [op] if matches!(op.body, Body::Text { .. })), "{ops:?}");
    assert_eq!(read(&node, "t"), "Hello wörld 😀");

    node.commit(|draft| {
        draft.text_clear(&key("t")).unwrap();
        assert_eq!(draft.text_size(&key("t")).unwrap(), 0);
    });
    assert_eq!(read(&node, "t"), "");
    assert_eq!(node.draft().keys(Kind::Text, b"", None, 9).unwrap().items, [bytes("t")], "it has a history");
    // What comes to nothing is no operation, and neither are reads.
    let mut draft = node.draft();
    draft.text_clear(&key("t")).unwrap();
    draft.text_insert(&key("t"), 0, "x").unwrap();
    draft.text_remove(&key("t"), 0, 1).unwrap();
    draft.text_read(&key("new")).unwrap();
    assert!(draft.take().is_empty());
}

#[test]
fn replicas_agree_whatever_the_order_and_whenever_they_fold() {
    let (mut one, mut two) = (Node::new(1), Node::new(2));
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for n in 0..300 {
        first.push(one.commit(|draft| draft.text_insert(&key("t"), n / 2, "a").unwrap()).bytes.clone());
        if n % 2 == 0 {
            second.push(
                two.commit(|draft| {
                    draft.text_insert(&key("t"), 0, "second ").unwrap();
                    draft.text_remove(&key("t"), n % 3, 2).unwrap();
                })
                .bytes
                .clone(),
            );
        }
    }
    one.ingest(second.clone());
    two.ingest(first.iter().take(40).cloned().collect());
    two.ingest(first.iter().skip(40).cloned().collect());
    let mut three = Node::new(3);
    three.ingest(second);
    three.ingest(first);
    assert_eq!(read(&one, "t"), read(&two, "t"));
    assert_eq!(read(&one, "t"), read(&three, "t"));
    let hash = one.core.state_hash().unwrap();
    assert_eq!((two.core.state_hash().unwrap(), three.core.state_hash().unwrap()), (hash, hash));
    // What was replayed from the log after a crash is the same.
    one.core.flush(true).unwrap();
    one.commit(|draft| draft.text_insert(&key("t"), 0, "more").unwrap());
    let hash = one.core.state_hash().unwrap();
    let one = one.crash(Survives::Everything).unwrap();
    assert_eq!(one.core.state_hash().unwrap(), hash);
    assert!(read(&one, "t").starts_with("more"));
}

#[test]
fn one_turn_at_a_time_edits_a_text_and_others_follow_in_order() {
    let mut node = Node::new(1);
    let mut drafts: Vec<Draft> = (0..4).map(|_| node.draft()).collect();
    let insert = |draft: &mut Draft, text: &str| {
        let size = draft.text_size(&key("t")).unwrap();
        draft.text_insert(&key("t"), size, text)
    };
    insert(&mut drafts[0], "0").unwrap();
    let mut waiting: Vec<Busy> = drafts[1..].iter_mut().map(|draft| busy(insert(draft, "?"))).collect();
    assert_eq!(
        drafts[3].text_read(&key("t")).unwrap(),
        "",
        "reading needs no turn and sees what is committed"
    );
    insert(&mut node.draft(), "other")
        .map_err(|error| assert!(matches!(error, DraftError::Busy(_))))
        .unwrap_err();
    node.draft().text_insert(&key("other"), 0, "free").unwrap();

    let batch = drafts[0].take();
    // Taken is not committed yet.
    let late = busy(insert(&mut drafts[0], "again"));
    node.group(vec![Request::Commit(batch)]);
    // The second one has given up; the third follows, and rolls back; then the fourth.
    waiting.remove(0);
    let third = waiting.remove(0);
    admitted(&mut drafts[2], third);
    insert(&mut drafts[2], "2").unwrap();
    assert_eq!(drafts[2].text_read(&key("t")).unwrap(), "02");
    drafts[2].rollback();
    let fourth = waiting.remove(0);
    admitted(&mut drafts[3], fourth);
    insert(&mut drafts[3], "3").unwrap();
    let batch = drafts[3].take();
    node.group(vec![Request::Commit(batch)]);
    admitted(&mut drafts[0], late);
    insert(&mut drafts[0], "4").unwrap();
    let batch = drafts[0].take();
    node.group(vec![Request::Commit(batch)]);
    assert_eq!(read(&node, "t"), "034");
    insert(&mut drafts[1], "free again").unwrap();
}

#[test]
fn texts_held_in_opposite_order_end_with_one_error() {
    let mut node = Node::new(1);
    let (mut a, mut b, mut c) = (node.draft(), node.draft(), node.draft());
    a.text_insert(&key("x"), 0, "a").unwrap();
    b.text_insert(&key("y"), 0, "b").unwrap();
    c.text_insert(&key("z"), 0, "c").unwrap();
    let a_waits = busy(a.text_insert(&key("y"), 0, "a"));
    let b_waits = busy(b.text_insert(&key("z"), 0, "b"));
    let error = c.text_insert(&key("x"), 0, "c").unwrap_err();
    assert!(matches!(&error, DraftError::Unavailable(text) if text.contains("same order")), "{error}");
    // It may go on without that text; the others get their turn once it ends.
    c.text_insert(&key("z"), 1, "!").unwrap();
    let batch = c.take();
    node.group(vec![Request::Commit(batch)]);
    admitted(&mut b, b_waits);
    b.text_insert(&key("z"), 2, "b").unwrap();
    let batch = b.take();
    node.group(vec![Request::Commit(batch)]);
    admitted(&mut a, a_waits);
    a.text_insert(&key("y"), 1, "a").unwrap();
    assert_eq!((read(&node, "z"), a.text_read(&key("y")).unwrap()), ("c!b".to_string(), "ba".to_string()));
}

#[test]
fn what_is_rolled_back_was_never_written() {
    let mut node = Node::new(1);
    node.commit(|draft| draft.text_insert(&key("t"), 0, "base").unwrap());
    let mut draft = node.draft();
    draft.text_insert(&key("t"), 4, " lost").unwrap();
    assert_eq!(draft.text_read(&key("t")).unwrap(), "base lost");
    draft.rollback();
    assert_eq!(draft.text_read(&key("t")).unwrap(), "base");
    draft.text_insert(&key("t"), 4, " kept").unwrap();
    drop(draft);
    let applied = node.commit(|draft| draft.text_insert(&key("t"), 4, "!").unwrap());
    // The client's units are numbered on from what is committed, without a gap and under the same client.
    let client = client_id(&node.core.origin());
    let [op] = &Batch::decode(applied.bytes.clone()).unwrap().ops[..] else { panic!() };
    let Body::Text { update } = &op.body else { panic!("{op:?}") };
    assert_eq!(State::read_update(update).unwrap().end(client), 5);
    assert_eq!(read(&node, "t"), "base!");
}

#[test]
fn a_refused_commit_leaves_no_trace_and_frees_the_text() {
    let mut node = Node::new(1);
    node.commit(|draft| draft.g_counter_increment(&key("g"), u64::MAX - 1).unwrap());
    // Two turns pass the check at the call; the second one to commit does not pass it there.
    let other = node.batch(|draft| draft.g_counter_increment(&key("g"), 1).unwrap());
    let refused = node.batch(|draft| {
        draft.text_insert(&key("t"), 0, "refused").unwrap();
        draft.g_counter_increment(&key("g"), 1).unwrap();
    });
    let results = node.group(vec![Request::Commit(other), Request::Commit(refused)]).results;
    assert!(
        matches!(&results[..], [Ok(Response::Committed(_)), Err(CommitError::Invalid(_))]),
        "{results:?}"
    );
    node.commit(|draft| draft.text_insert(&key("t"), 0, "taken").unwrap());
    assert_eq!(read(&node, "t"), "taken");
}

#[test]
fn a_text_is_merged_with_what_others_wrote_meanwhile() {
    let (mut one, mut two) = (Node::new(1), Node::new(2));
    let base = one.commit(|draft| draft.text_insert(&key("t"), 0, "base").unwrap());
    two.ingest(vec![base.bytes.clone()]);
    let theirs = two.commit(|draft| draft.text_insert(&key("t"), 0, "theirs ").unwrap());
    let mut draft = one.draft();
    draft.text_insert(&key("t"), 4, " ours").unwrap();
    one.ingest(vec![theirs.bytes.clone()]);
    assert_eq!(
        draft.text_read(&key("t")).unwrap(),
        "base ours",
        "a turn sees the text as it took hold of it"
    );
    let batch = draft.take();
    let ours = one.group(vec![Request::Commit(batch)]).applied.remove(0);
    assert_eq!(read(&one, "t"), "theirs base ours");
    two.ingest(vec![ours.bytes.clone()]);
    assert_eq!(read(&two, "t"), "theirs base ours");
    assert_eq!(one.core.state_hash().unwrap(), two.core.state_hash().unwrap());
}

#[test]
fn editors_elsewhere_exchange_vectors_diffs_and_updates() {
    let mut node = Node::new(1);
    node.commit(|draft| draft.text_insert(&key("t"), 0, "from the node").unwrap());
    // An editor in a browser: a document of its own.
    let mut browser = Document::new(4711);
    let everything = node.draft().text_diff(&key("t"), None).unwrap();
    browser.load(State::read_update(&everything).unwrap()).unwrap();
    browser.insert(0, "😀 ").unwrap();
    let update = browser.take_written().unwrap().write_update();
    let vector = numax_crdt::text::write_state_vector(browser.clocks().unwrap());
    let applied = node.commit(|draft| {
        draft.text_apply_update(&key("t"), &update).unwrap();
        draft.text_insert(&key("t"), 2, ",").unwrap();
        assert_eq!(draft.text_read(&key("t")).unwrap(), "😀, from the node");
    });
    assert_eq!(applied.changes.len(), 1);
    let diff = node.draft().text_diff(&key("t"), Some(&vector)).unwrap();
    assert!(diff.len() < everything.len());
    browser.load(State::read_update(&diff).unwrap()).unwrap();
    assert_eq!(browser.text().unwrap(), "😀, from the node");
    let known = numax_crdt::text::write_state_vector(browser.clocks().unwrap());
    assert_eq!(node.draft().text_state_vector(&key("t")).unwrap(), known);

    let mut draft = node.draft();
    draft.text_apply_update(&key("t"), &update).unwrap();
    assert!(draft.take().is_empty(), "what is known is no edit");
    assert!(invalid(draft.text_apply_update(&key("t"), &diff[..diff.len() - 1])).contains("no Yjs update"));
    assert!(invalid(draft.text_apply_update(&key("elsewhere"), &update)).contains("does not have"));
    assert!(invalid(draft.text_diff(&key("t"), Some(&[9]))).contains("state vector"));
    let mut forger = Document::new(client_id(&node.core.origin()));
    forger.insert(0, &"x".repeat(100)).unwrap();
    let forged = forger.take_written().unwrap().write_update();
    assert!(invalid(draft.text_apply_update(&key("t"), &forged)).contains("node's name"));
    assert_eq!(draft.text_read(&key("t")).unwrap(), "😀, from the node");
}

#[test]
fn limits_refuse_the_call_and_leave_the_text_as_it_was() {
    let mut node = Node::new(1);
    let mut draft = node.draft();
    assert!(invalid(draft.text_insert(&key("t"), 1, "x")).contains("no unit 1"));
    assert!(invalid(draft.text_remove(&key("t"), 0, 1)).contains("no unit 1"));
    invalid(draft.text_insert(&key("__nx/t"), 0, "x"));
    invalid(draft.text_read(&key("__nx/t")));
    let chunk = "x".repeat(limits::MAX_TEXT_UPDATE);
    assert!(invalid(draft.text_insert(&key("t"), 0, &chunk)).contains("in one turn"));
    assert!(
        invalid(draft.text_apply_update(&key("t"), &vec![0; limits::MAX_TEXT_UPDATE + 1]))
            .contains("too large")
    );
    // Many small edits are counted by what they come to.
    for n in 0..30_000 {
        draft.text_insert(&key("t"), n, "y").unwrap();
    }
    assert_eq!(draft.text_size(&key("t")).unwrap(), 30_000);
    let batch = draft.take();
    assert!(node.group(vec![Request::Commit(batch)]).results[0].is_ok());

    let mut size = 30_000;
    let chunk = "z".repeat(limits::MAX_TEXT_UPDATE - 1000);
    let refused = loop {
        let mut draft = node.draft();
        match draft.text_insert(&key("t"), 0, &chunk) {
            Ok(()) => size += chunk.len(),
            Err(error) => break error.to_string(),
        }
        let batch = draft.take();
        assert!(node.group(vec![Request::Commit(batch)]).results[0].is_ok());
        assert!(size < 2 * limits::MAX_TEXT, "there is no limit");
    };
    assert!(refused.contains("text too large"), "{refused}");
    assert!(size > limits::MAX_TEXT / 2, "{size}");
    let mut draft = node.draft();
    draft.text_remove(&key("t"), 5, 10).unwrap();
    assert_eq!(draft.text_size(&key("t")).unwrap() as usize, size - 10);
    // Four texts of a megabyte fill a batch.
    for n in 0..3 {
        draft.text_insert(&key(&format!("{n}")), 0, &chunk).unwrap();
    }
    draft.register_set(&key("r"), Bytes::from(vec![0; limits::MAX_VALUE - 1000])).unwrap();
    let refused = invalid(draft.text_insert(&key("3"), 0, &chunk));
    assert!(
        refused.starts_with("batch too large: ") && refused.contains("the limit is 4194304"),
        "{refused}"
    );
    assert_eq!(draft.text_read(&key("3")).unwrap(), "");
}

#[test]
fn a_full_text_that_is_made_smaller_takes_insertions_at_once() {
    let mut node = Node::new(1);
    let chunk = "x".repeat(limits::MAX_TEXT_UPDATE - 500);
    let full = |draft: &mut Draft| {
        let refused = invalid(draft.text_insert(&key("t"), 0, &"y".repeat(2000)));
        assert!(refused.contains("text too large: \"t\" would take 20"), "{refused}");
    };
    node.commit(|draft| draft.text_insert(&key("t"), 0, &chunk).unwrap());
    node.commit(|draft| draft.text_insert(&key("t"), 0, &chunk).unwrap());
    full(&mut node.draft());
    // What was removed counts no more, in the same turn and in later ones.
    node.commit(|draft| {
        draft.text_remove(&key("t"), 0, 5000).unwrap();
        draft.text_insert(&key("t"), 0, &"y".repeat(2000)).unwrap();
    });
    node.commit(|draft| draft.text_insert(&key("t"), 0, &"y".repeat(2000)).unwrap());
    full(&mut node.draft());
    let rest = chunk.len() as u32;
    node.commit(|draft| draft.text_remove(&key("t"), 0, rest).unwrap());
    node.commit(|draft| draft.text_clear(&key("t")).unwrap());
    assert_eq!(read(&node, "t"), "");
    for _ in 0..2 {
        node.commit(|draft| draft.text_insert(&key("t"), 0, &chunk).unwrap());
    }
    assert_eq!(read(&node, "t").len(), 2 * chunk.len());
    full(&mut node.draft());
}

#[test]
fn damaged_batches_are_refused_and_strange_ones_do_no_harm() {
    let (mut one, mut two) = (Node::new(1), Node::new(2));
    let applied = one.commit(|draft| draft.text_insert(&key("t"), 0, "text").unwrap());
    let mut batch = Batch::decode(applied.bytes.clone()).unwrap();
    batch.ops[0].body = Body::Text { update: bytes("noise") };
    assert_eq!(two.ingest(vec![batch.encode()]).malformed, 1);
    // Well-formed, but built on what nobody has: it waits in the text, and the text goes on.
    let update = hex(&["01 01 63 00 84 6209 01 61 00"]);
    batch.ops[0].body = Body::Text { update: update.into() };
    assert_eq!(two.ingest(vec![batch.encode()]).applied, 1);
    assert_eq!(read(&two, "t"), "");
    two.commit(|draft| draft.text_insert(&key("t"), 0, "mine").unwrap());
    assert_eq!(read(&two, "t"), "mine");
    let mut three = Node::new(3);
    for batch in two.log().into_iter().rev() {
        three.ingest(vec![batch]);
    }
    assert_eq!(three.core.state_hash().unwrap(), two.core.state_hash().unwrap());
}

fn hex(parts: &[&str]) -> Vec<u8> {
    let digits: String = parts.concat().chars().filter(|c| !c.is_whitespace()).collect();
    digits
        .as_bytes()
        .chunks(2)
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn documents_in_memory_are_bounded_and_change_nothing() {
    let mut node = Node::with(CoreConfig { cache_rows: 10, ..config(1, Durability::Fsync) });
    for round in 0..3 {
        for n in 0..100 {
            let name = key(&format!("t{n}"));
            node.commit(|draft| draft.text_insert(&name, round, "x").unwrap());
        }
        node.core.flush(true).unwrap();
    }
    for n in 0..100 {
        assert_eq!(read(&node, &format!("t{n}")), "xxx");
    }
}
