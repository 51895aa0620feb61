//! When a node that holds back what it writes has caught up.

use crate::node::{Node, batch, hello, origin, vector};
use numax_cluster::{Config, Effect, Event, LinkId, Millis};
use numax_crdt::NodeId;
use numax_wire::{FORGETTING, Hello, Message};

fn unsettled() -> Node {
    let mut node = Node::new(1, Config::default());
    assert_eq!(node.step(Event::Unsettled { newcomer: None }), []);
    node
}

fn ready(node: &mut Node, link: u64, peer: u8) {
    node.step(Event::LinkUp { link: LinkId(link), peer: NodeId([peer; 32]), dialed: true });
    node.frame(link, Message::Hello(Hello { features: FORGETTING, ..hello(peer) }));
}

fn later(node: &mut Node, ms: u64) -> Vec<Effect> {
    node.now = Millis(node.now.0 + ms);
    node.step(Event::Timer)
}

/// What a settled member says, who knows of us.
fn acks(of: &[(u8, u64)], member: u8) -> Message {
    Message::Acks(vec![(origin(member), vector(of)), (origin(1), vector(&[]))])
}

/// What a newcomer says, who knows of us.
fn newcomers_acks(of: &[(u8, u64)], member: u8) -> Message {
    Message::Acks(vec![(origin(1), vector(&[])), (origin(member), vector(of))])
}

#[test]
fn it_settles_when_it_has_all_that_a_settled_peer_acknowledges() {
    let mut node = unsettled();
    ready(&mut node, 2, 2);
    // One says nothing of itself: it has not settled either. What it passes on was said before it heard of us.
    assert!(!node.frame(2, acks(&[(3, 1)], 3)).contains(&Effect::Settle));
    ready(&mut node, 3, 3);
    assert!(!node.frame(3, acks(&[(2, 2)], 3)).contains(&Effect::Settle));
    assert!(!node.apply(&[batch(2, 1, 5)]).contains(&Effect::Settle));
    // What it says later is more than has to be caught up with.
    node.now = Millis(node.now.0 + 500);
    node.frame(3, acks(&[(2, 9)], 3));
    assert!(node.apply(&[batch(2, 2, 5)]).contains(&Effect::Settle));
    assert!(!later(&mut node, 60_000).contains(&Effect::Settle), "the replica is at it");
    assert_eq!(node.step(Event::Settled { done: false }), [Effect::Settle], "tried again");
    let effects = node.step(Event::Settled { done: true });
    assert!(effects.contains(&Effect::SendAcks { link: LinkId(2) }), "who waits for that hears it at once");
    assert!(!later(&mut node, 60_000).contains(&Effect::Settle));
}

#[test]
fn among_peers_that_wait_as_well_it_goes_on_after_a_while() {
    let mut node = unsettled();
    assert!(!later(&mut node, 60_000).contains(&Effect::Settle), "alone it waits for ever");
    ready(&mut node, 2, 2);
    assert!(!later(&mut node, 59_000).contains(&Effect::Settle));
    assert!(later(&mut node, 1_500).contains(&Effect::Settle));
}

#[test]
fn who_is_lost_is_not_waited_for() {
    let mut node = unsettled();
    ready(&mut node, 2, 2);
    ready(&mut node, 3, 3);
    node.frame(2, acks(&[(2, 5)], 2));
    assert!(!later(&mut node, 60_000).contains(&Effect::Settle), "there is more to come");
    node.step(Event::LinkDown { link: LinkId(2) });
    assert!(!later(&mut node, 50_000).contains(&Effect::Settle));
    assert!(later(&mut node, 11_000).contains(&Effect::Settle));
}

#[test]
fn who_does_not_name_this_node_may_have_spoken_before_it_heard_of_it() {
    let mut node = unsettled();
    ready(&mut node, 2, 2);
    let early = Message::Acks(vec![(origin(2), vector(&[])), (origin(3), vector(&[]))]);
    assert!(!node.frame(2, early).contains(&Effect::Settle));
    assert!(node.frame(2, acks(&[], 2)).contains(&Effect::Settle));
}

#[test]
fn a_newcomer_settles_by_a_member_or_by_all_its_peers_or_after_a_while() {
    let newcomer = || {
        let mut node = Node::new(1, Config::default());
        node.step(Event::Unsettled { newcomer: Some(2) });
        ready(&mut node, 2, 2);
        ready(&mut node, 3, 3);
        node
    };
    let mut node = newcomer();
    assert!(!node.frame(2, newcomers_acks(&[(2, 1)], 2)).contains(&Effect::Settle));
    assert!(!node.frame(3, newcomers_acks(&[], 3)).contains(&Effect::Settle), "one has more");
    assert!(node.apply(&[batch(2, 1, 5)]).contains(&Effect::Settle), "all peers are newcomers");
    let mut node = newcomer();
    assert!(
        !node.frame(2, newcomers_acks(&[], 2)).contains(&Effect::Settle),
        "another peer says nothing yet"
    );
    assert!(node.frame(3, acks(&[], 3)).contains(&Effect::Settle), "a member is enough");
    let mut node = newcomer();
    node.frame(2, newcomers_acks(&[], 2));
    assert!(!later(&mut node, 9_000).contains(&Effect::Settle));
    assert!(later(&mut node, 2_000).contains(&Effect::Settle), "the other peer may never come");
    // Who lacks what it has acknowledged itself does not go by newcomers.
    let mut node = unsettled();
    ready(&mut node, 2, 2);
    assert!(!node.frame(2, newcomers_acks(&[], 2)).contains(&Effect::Settle));
}
