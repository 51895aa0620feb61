//! New batches, out and in.

use crate::node::{Node, batch, closed, sent};
use numax_cluster::{Config, Effect, Event, IngestOutcome, LinkId, Report};
use numax_wire::{Message, WireError};

fn pushed_to(effects: &[Effect]) -> Vec<u64> {
    let mut links: Vec<u64> = sent(effects)
        .into_iter()
        .filter(|(_, message)| matches!(message, Message::Push(_)))
        .map(|(link, _)| link)
        .collect();
    links.sort_unstable();
    links
}

#[test]
fn a_new_batch_goes_to_all_of_few_peers_and_to_k_of_many() {
    let mut node = Node::new(1, Config::default());
    for peer in 2..5 {
        node.ready(u64::from(peer), peer, &[]);
    }
    assert_eq!(pushed_to(&node.apply(&[batch(1, 1, 5)])), [2, 3, 4]);
    for peer in 5..33 {
        node.ready(u64::from(peer), peer, &[]);
    }
    let first = pushed_to(&node.apply(&[batch(1, 2, 5)]));
    let second = pushed_to(&node.apply(&[batch(1, 3, 5)]));
    assert_eq!((first.len(), second.len()), (6, 6), "ceil(log2 32) + 1");
    assert_ne!(first, second, "others each time");
}

#[test]
fn nobody_gets_what_he_is_known_to_have() {
    let mut node = Node::new(1, Config::default());
    node.ready(2, 2, &[]); // wrote it
    node.ready(3, 3, &[(2, 1)]); // said so
    node.ready(4, 4, &[]); // sent it to us
    node.ready(5, 5, &[]);
    let one = batch(2, 1, 5);
    let effects = node.frame(4, Message::Push(vec![one.1.clone()]));
    let [Effect::Ingest { request, batches, .. }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(pushed_to(&node.ingest(*request, batches)), [5]);
    // The second time it is no news, so it goes no further.
    let effects = node.frame(5, Message::Push(vec![one.1]));
    let [Effect::Ingest { request, batches, .. }] = &effects[..] else { panic!("{effects:?}") };
    assert!(pushed_to(&node.ingest(*request, batches)).is_empty());
}

#[test]
fn nothing_is_pushed_to_a_peer_that_has_not_told_its_vector() {
    let mut node = Node::new(1, Config::default());
    node.step(Event::LinkUp { link: LinkId(2), peer: crate::node::origin(2).node, dialed: true });
    node.frame(2, Message::Hello(crate::node::hello(2)));
    assert!(pushed_to(&node.apply(&[batch(1, 1, 5)])).is_empty());
    node.frame(2, Message::Vector(crate::node::vector(&[])));
    assert_eq!(pushed_to(&node.apply(&[batch(1, 2, 5)])), [2]);
}

#[test]
fn two_links_to_one_node_count_once() {
    let mut node = Node::new(1, Config::default());
    node.ready(2, 2, &[]);
    node.ready(3, 2, &[]);
    assert_eq!(pushed_to(&node.apply(&[batch(1, 1, 5)])), [3], "the newer one");
}

#[test]
fn a_long_queue_drops_pushes_in_both_directions() {
    let config = Config { backlog_bytes: 100, ingest_bytes: 1_000, ..Config::default() };
    let mut node = Node::new(1, config);
    node.ready(2, 2, &[]);
    node.step(Event::Backlog { link: LinkId(2), bytes: 101 });
    let effects = node.apply(&[batch(1, 1, 5)]);
    assert_eq!(effects, [Effect::Report(Report::PushDropped { link: LinkId(2), batches: 1 })]);
    node.step(Event::Backlog { link: LinkId(2), bytes: 0 });
    assert_eq!(pushed_to(&node.apply(&[batch(1, 2, 5)])), [2]);

    // One may always be under way, however large; a second one waits for the first.
    let effects = node.frame(2, Message::Push(vec![batch(2, 1, 2_000).1]));
    let [Effect::Ingest { request, batches, .. }] = &effects[..] else { panic!("{effects:?}") };
    let full = node.frame(2, Message::Push(vec![batch(2, 2, 5).1]));
    assert_eq!(full, [Effect::Report(Report::PushDropped { link: LinkId(2), batches: 1 })]);
    node.ingest(*request, batches);
    assert!(matches!(node.frame(2, Message::Push(vec![batch(2, 2, 5).1]))[..], [Effect::Ingest { .. }]));
}

#[test]
fn large_pushes_are_split() {
    let mut node = Node::new(1, Config::default());
    node.ready(2, 2, &[]);
    let batches: Vec<_> = (1..=5).map(|seq| batch(1, seq, 400_000)).collect();
    let effects = node.apply(&batches);
    let sizes: Vec<usize> = sent(&effects)
        .iter()
        .map(|(_, message)| match message {
            Message::Push(batches) => batches.len(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(sizes, [2, 2, 1]);
}

#[test]
fn bad_batches_end_the_link() {
    let mut node = Node::new(1, Config::default());
    node.ready(2, 2, &[]);
    let effects = node.frame(2, Message::Push(vec!["garbage".into()]));
    assert!(matches!(closed(&effects), Some(WireError::Malformed { .. })));

    node.ready(3, 3, &[]);
    let effects = node.frame(3, Message::Push(vec![batch(3, 1, 5).1]));
    let [Effect::Ingest { request, .. }] = effects[..] else { panic!("{effects:?}") };
    let outcome = Ok(IngestOutcome { malformed: 1, ..IngestOutcome::default() });
    let effects = node.step(Event::Ingested { request, outcome, vector: node.vector.clone() });
    assert!(matches!(closed(&effects), Some(WireError::OpRejected { .. })));
}

#[test]
fn a_replica_that_cannot_take_batches_does_not_end_the_link() {
    let mut node = Node::new(1, Config::default());
    node.ready(2, 2, &[]);
    let effects = node.frame(2, Message::Push(vec![batch(2, 1, 5).1]));
    let [Effect::Ingest { request, .. }] = effects[..] else { panic!("{effects:?}") };
    let event = Event::Ingested { request, outcome: Err("disk full".into()), vector: node.vector.clone() };
    let effects = node.step(event);
    assert!(matches!(effects[..], [Effect::Report(Report::IngestFailed { .. })]), "{effects:?}");
    assert_eq!(node.core.peers().len(), 1);
}

#[test]
fn batches_that_are_not_taken_for_now_are_only_reported() {
    let mut node = Node::new(1, Config::default());
    node.ready(2, 2, &[]);
    let effects = node.frame(2, Message::Push(vec![batch(2, 1, 5).1]));
    let [Effect::Ingest { request, .. }] = effects[..] else { panic!("{effects:?}") };
    let outcome = Ok(IngestOutcome { rejected: 1, ..IngestOutcome::default() });
    let effects = node.step(Event::Ingested { request, outcome, vector: node.vector.clone() });
    assert_eq!(effects, [Effect::Report(Report::Rejected { link: LinkId(2), batches: 1 })]);
}
