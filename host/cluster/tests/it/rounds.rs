//! Anti-entropy: digests and vectors.

use crate::node::{Node, batch, closed, sent, vector};
use numax_cluster::{Config, Effect, Event, LinkId, Millis};
use numax_wire::{Message, WireError};

#[test]
fn a_round_a_second_with_jitter_and_with_everybody_in_time() {
    let mut node = Node::new(1, Config::default());
    node.ready(2, 2, &[]);
    node.ready(3, 3, &[]);
    let (mut seen, mut gaps) = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
    for _ in 0..40 {
        let before = node.now;
        node.now = node.timer;
        gaps.insert(node.now.0 - before.0);
        let effects = node.step(Event::Timer);
        let [(link, Message::Digest(_))] = sent(&effects)[..] else { panic!("{effects:?}") };
        seen.insert(link);
    }
    assert_eq!(seen.len(), 2);
    assert!(gaps.len() > 10 && gaps.iter().all(|gap| (800..=1200).contains(gap)), "{gaps:?}");
}

#[test]
fn equal_digests_are_silence_and_different_ones_a_vector() {
    let mut node = Node::new(1, Config::default());
    node.apply(&[batch(1, 1, 5)]);
    node.ready(2, 2, &[]);
    assert!(node.frame(2, Message::Digest(vector(&[(1, 1)]).digest())).is_empty());
    assert_eq!(node.core.peers()[0].behind, 0, "now known to have all");
    let effects = node.frame(2, Message::Digest([0; 16]));
    assert_eq!(sent(&effects), [(2, &Message::Vector(vector(&[(1, 1)])))]);
}

#[test]
fn who_lacks_something_pulls_and_who_has_more_says_so_once() {
    let mut node = Node::new(1, Config::default());
    node.apply(&[batch(1, 1, 5)]);
    node.ready(2, 2, &[(1, 1)]);
    let effects = node.frame(2, Message::Vector(vector(&[(1, 1), (2, 3)])));
    assert_eq!(sent(&effects), [(2, &Message::Pull { id: 1, after: vector(&[(1, 1)]) })]);
    assert_eq!(node.core.peers()[0].ahead, 3);

    node.ready(3, 3, &[(1, 1)]);
    let effects = node.frame(3, Message::Vector(vector(&[])));
    assert_eq!(sent(&effects), [(3, &Message::Vector(vector(&[(1, 1)])))]);
    assert!(node.frame(3, Message::Vector(vector(&[]))).is_empty(), "no ping-pong");
    node.now = Millis(600);
    assert_eq!(sent(&node.frame(3, Message::Vector(vector(&[])))).len(), 1);
}

#[test]
fn one_page_at_a_time_over_all_links_until_it_fails() {
    let mut node = Node::new(1, Config::default());
    node.ready(2, 2, &[]);
    node.ready(3, 3, &[]);
    assert_eq!(sent(&node.frame(2, Message::Vector(vector(&[(9, 5)])))).len(), 1);
    assert!(node.frame(3, Message::Vector(vector(&[(9, 5)]))).is_empty(), "one is under way");
    node.step(Event::LinkDown { link: LinkId(2) });
    let effects = node.frame(3, Message::Vector(vector(&[(9, 5)])));
    assert!(matches!(sent(&effects)[..], [(3, Message::Pull { id: 2, .. })]));
    // The peer does not answer: after a while others may be asked, and the late answer still counts.
    node.ready(4, 4, &[]);
    node.now = Millis(5_000);
    let effects = node.frame(4, Message::Vector(vector(&[(9, 5)])));
    assert!(
        sent(&effects).iter().any(|sent| matches!(sent, (4, Message::Pull { id: 3, .. }))),
        "{effects:?}"
    );
    let late = Message::Batches { id: 2, batches: vec![batch(9, 1, 5).1], done: true };
    assert!(matches!(node.frame(3, late)[..], [Effect::Ingest { .. }]));
}

#[test]
fn a_page_nobody_asked_for_ends_the_link() {
    let mut node = Node::new(1, Config::default());
    node.ready(2, 2, &[]);
    for id in [0, 1, u64::MAX] {
        node.ready(10 + id % 10, 2, &[]);
        let effects = node.frame(10 + id % 10, Message::Batches { id, batches: vec![], done: true });
        assert!(matches!(closed(&effects), Some(WireError::Malformed { .. })), "{effects:?}");
    }
}
