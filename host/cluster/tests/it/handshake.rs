//! Who is let in.

use crate::node::{Node, closed, hello, sent};
use numax_cluster::{Config, Effect, Event, LinkId, Millis, Report};
use numax_crdt::{NodeId, Origin};
use numax_wire::{Hello, Message, ProtocolRange, WireError};

fn greeted(config: Config, hello: Hello, authenticated: u8) -> (Node, Vec<Effect>) {
    let mut node = Node::new(1, config);
    let up = Event::LinkUp { link: LinkId(7), peer: NodeId([authenticated; 32]), dialed: false };
    let effects = node.step(up);
    assert!(matches!(sent(&effects)[..], [(7, Message::Hello(_))]), "hello comes first: {effects:?}");
    let effects = node.frame(7, Message::Hello(hello));
    (node, effects)
}

fn refused(hello: Hello, authenticated: u8) -> WireError {
    let (node, effects) = greeted(Config::default(), hello, authenticated);
    let error = closed(&effects).expect("the link is closed");
    assert!(sent(&effects).contains(&(7, &Message::Error(error.clone()))), "the peer is told: {effects:?}");
    assert!(node.core.peers().is_empty());
    error
}

#[test]
fn a_peer_of_the_cluster_becomes_ready_and_is_synced_with_at_once() {
    let (node, effects) = greeted(Config::default(), hello(2), 2);
    assert!(matches!(effects[0], Effect::PeerReady { link: LinkId(7), .. }));
    assert!(matches!(sent(&effects)[..], [(7, Message::Digest(_))]));
    let peers = node.core.peers();
    assert!(peers[0].ready && peers[0].name == "n2" && peers[0].protocol == 1 && !peers[0].dialed);
}

#[test]
fn disjoint_protocol_versions_are_refused_on_both_sides_with_both_named() {
    let old = ProtocolRange { min: 1, max: 1 };
    let new = ProtocolRange { min: 2, max: 4 };
    for (ours, theirs) in [(old, new), (new, old)] {
        let config = Config { protocol: ours, ..Config::default() };
        let (_, effects) = greeted(config, Hello { protocol: theirs, ..hello(2) }, 2);
        assert_eq!(closed(&effects), Some(WireError::ProtocolMismatch { ours, theirs }));
    }
    let config = Config { protocol: ProtocolRange { min: 1, max: 3 }, ..Config::default() };
    let (node, _) = greeted(config, Hello { protocol: new, ..hello(2) }, 2);
    assert_eq!(node.core.peers()[0].protocol, 3);
}

#[test]
fn strangers_and_impostors_are_refused() {
    assert_eq!(refused(Hello { cluster_id: [1; 32], ..hello(2) }, 2), WireError::ClusterMismatch);
    assert!(matches!(refused(hello(2), 3), WireError::NotAuthorized { .. }));
    let borrowed = Hello { origin: hello(3).origin, ..hello(2) };
    assert!(matches!(refused(borrowed, 2), WireError::NotAuthorized { .. }));
}

#[test]
fn our_own_origin_alive_elsewhere_is_an_alarm() {
    let (_, effects) = greeted(Config::default(), hello(1), 1);
    assert_eq!(closed(&effects), Some(WireError::DuplicateOrigin));
    let origin = hello(1).origin;
    assert!(effects.contains(&Effect::Report(Report::DuplicateOrigin { origin })));
    let newer = Origin { epoch: 2, ..origin };
    let (_, effects) = greeted(Config::default(), Hello { origin: newer, ..hello(1) }, 1);
    assert!(matches!(closed(&effects), Some(WireError::NotAuthorized { .. })), "{effects:?}");
}

#[test]
fn dialling_oneself_is_no_alarm() {
    let mut node = Node::new(1, Config::default());
    let effects = node.step(Event::LinkUp { link: LinkId(7), peer: NodeId([1; 32]), dialed: true });
    let Message::Hello(own) = sent(&effects)[0].1.clone() else { panic!("no hello") };
    let effects = node.frame(7, Message::Hello(own));
    assert!(effects.contains(&Effect::Report(Report::SelfLink { link: LinkId(7) })));
    assert!(effects.contains(&Effect::Close { link: LinkId(7), error: None }));
}

#[test]
fn a_silent_link_is_closed() {
    let mut node = Node::new(1, Config::default());
    node.step(Event::LinkUp { link: LinkId(7), peer: NodeId([2; 32]), dialed: true });
    node.now = Millis(9_999);
    assert_eq!(closed(&node.step(Event::Timer)), None);
    assert_eq!(node.timer, Millis(10_000));
    node.timer = Millis(0);
    node.step(Event::Timer);
    assert_eq!(node.timer, Millis(10_000), "an early one changes nothing, and the time is told again");
    node.now = Millis(10_000);
    assert!(matches!(closed(&node.step(Event::Timer)), Some(WireError::Malformed { .. })));
}

#[test]
fn messages_before_and_after_the_hello_keep_their_place() {
    let unready = || {
        let mut node = Node::new(1, Config::default());
        node.step(Event::LinkUp { link: LinkId(7), peer: NodeId([2; 32]), dialed: true });
        node
    };
    let effects = unready().frame(7, Message::Digest([0; 16]));
    assert!(matches!(closed(&effects), Some(WireError::Malformed { .. })));
    // Other streams may be faster than the hello.
    assert!(unready().frame(7, Message::Push(vec![])).is_empty());
    assert!(unready().frame(7, Message::Skipped { kind: 0x8000 }).is_empty());

    let (mut node, _) = greeted(Config::default(), hello(2), 2);
    assert!(node.frame(7, Message::Hello(hello(2))).is_empty(), "the same again does no harm");
    let effects = node.frame(7, Message::Hello(Hello { features: 9, ..hello(2) }));
    assert!(matches!(closed(&effects), Some(WireError::Malformed { .. })));
    assert!(node.frame(7, Message::Digest([0; 16])).is_empty(), "a closed link is silent");
}

#[test]
fn garbage_closes_the_link_with_its_reason() {
    let (mut node, _) = greeted(Config::default(), hello(2), 2);
    let error = WireError::Malformed { detail: "a frame is shorter than its header".into() };
    let effects = node.step(Event::BadFrame { link: LinkId(7), error: error.clone() });
    assert_eq!(closed(&effects), Some(error));
}

#[test]
fn a_peers_error_ends_the_link_unless_it_only_asks_for_time() {
    let (mut node, _) = greeted(Config::default(), hello(2), 2);
    let effects = node.frame(7, Message::Error(WireError::RateLimited { retry_after_ms: 4_000 }));
    assert!(matches!(effects[..], [Effect::Report(Report::RefusedBy { .. })]));
    node.now = Millis(3_999);
    assert!(node.step(Event::Timer).is_empty(), "left alone");
    node.now = Millis(5_300);
    assert!(matches!(sent(&node.step(Event::Timer))[..], [(7, Message::Digest(_))]));
    let effects = node.frame(7, Message::Error(WireError::Shutdown));
    assert!(effects.contains(&Effect::Close { link: LinkId(7), error: None }));
    assert!(node.core.peers().is_empty());
}

#[test]
fn stopping_says_goodbye() {
    let (mut node, _) = greeted(Config::default(), hello(2), 2);
    let effects = node.step(Event::Stop);
    assert_eq!(closed(&effects), Some(WireError::Shutdown));
    assert!(node.core.peers().is_empty());
}
