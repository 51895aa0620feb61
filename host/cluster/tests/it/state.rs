//! Acknowledgements and transfers of state.

use crate::node::{Node, batch, closed, hello, origin, sent, vector};
use bytes::Bytes;
use numax_cluster::{
    Ack, Config, Effect, Event, LinkId, Millis, PageRequest, Report, SentPage, TransferState,
};
use numax_crdt::NodeId;
use numax_wire::{FORGETTING, Hello, Message};

/// A link whose peer understands forgetting and has what `has` says.
fn ready(node: &mut Node, link: u64, peer: u8, has: &[(u8, u64)]) -> Vec<Effect> {
    node.step(Event::LinkUp { link: LinkId(link), peer: NodeId([peer; 32]), dialed: true });
    let mut effects = node.frame(link, Message::Hello(Hello { features: FORGETTING, ..hello(peer) }));
    effects.extend(node.frame(link, Message::Vector(vector(has))));
    effects
}

fn later(node: &mut Node, ms: u64) -> Vec<Effect> {
    node.now = Millis(node.now.0 + ms);
    node.step(Event::Timer)
}

/// The request for a page of state among effects: link, id, picture, from.
fn asked(effects: &[Effect]) -> Option<(u64, u64, u64, Bytes)> {
    sent(effects).into_iter().find_map(|(link, message)| match message {
        Message::PullState { id, picture, from, .. } => Some((link, *id, *picture, from.clone())),
        _ => None,
    })
}

fn pulled(effects: &[Effect]) -> Option<(u64, u64)> {
    sent(effects).into_iter().find_map(|(link, message)| match message {
        Message::Pull { id, .. } => Some((link, *id)),
        _ => None,
    })
}

fn taking(effects: &[Effect]) -> u64 {
    effects
        .iter()
        .find_map(|effect| match effect {
            Effect::TakeState { request, .. } => Some(*request),
            _ => None,
        })
        .expect("a page to take")
}

fn page(id: u64) -> Message {
    Message::State { id, picture: 7, page: Bytes::from_static(b"page") }
}

fn place(cursor: &'static str) -> TransferState {
    TransferState {
        sender: NodeId([2; 32]),
        floor: vector(&[(2, 5)]),
        cursor: Bytes::from_static(cursor.as_bytes()),
        merging: false,
    }
}

/// A node that has asked peer 2 for the first page of its state.
fn behind() -> (Node, u64) {
    let mut node = Node::new(1, Config::default());
    let effects = ready(&mut node, 1, 2, &[(2, 5)]);
    let (_, id) = pulled(&effects).unwrap();
    let effects = node.frame(1, Message::Behind { id });
    assert!(effects.contains(&Effect::Report(Report::TransferBegins { link: LinkId(1) })), "{effects:?}");
    let (link, id, picture, from) = asked(&effects).unwrap();
    assert_eq!((link, picture, from.len()), (1, 0, 0));
    (node, id)
}

#[test]
fn acknowledgements_go_with_rounds_to_those_who_understand_them() {
    let mut node = Node::new(1, Config::default());
    node.ready(1, 2, &[]);
    assert!(!later(&mut node, 2_000).iter().any(|effect| matches!(effect, Effect::SendAcks { .. })));
    let effects = ready(&mut node, 2, 3, &[]);
    assert!(effects.contains(&Effect::SendAcks { link: LinkId(2) }), "{effects:?}");
    let told = (0..20).filter(|_| {
        let effects = later(&mut node, 2_000);
        assert!(!effects.contains(&Effect::SendAcks { link: LinkId(1) }));
        effects.contains(&Effect::SendAcks { link: LinkId(2) })
    });
    assert!((1..20).contains(&told.count()));
}

#[test]
fn what_peers_acknowledge_is_handed_on_but_not_too_often_and_not_about_oneself() {
    let mut node = Node::new(1, Config::default());
    ready(&mut node, 1, 2, &[]);
    let origins: Vec<_> = (1..4).map(origin).collect();
    let acks = Message::Acks(origins.iter().map(|origin| (*origin, vector(&[(2, 3)]))).collect());
    let effects = node.frame(1, acks.clone());
    let want: Vec<Ack> =
        origins[1..].iter().map(|origin| Ack { member: *origin, vector: vector(&[(2, 3)]) }).collect();
    assert_eq!(effects, [Effect::Acknowledged { link: LinkId(1), from: origin(2), acks: want }]);
    assert!(node.frame(1, acks.clone()).is_empty(), "at once again");
    node.now = Millis(500);
    assert_eq!(node.frame(1, acks).len(), 1);
}

#[test]
fn pages_are_asked_for_one_by_one_and_then_the_log_again() {
    let (mut node, id) = behind();
    let request = taking(&node.frame(1, page(id)));
    assert!(node.frame(1, page(id)).is_empty(), "the same page again");
    let taken = Event::StateTaken { request, outcome: Ok(Some(place("k"))), vector: vector(&[]) };
    let (_, id, picture, from) = asked(&node.step(taken)).unwrap();
    assert_eq!((picture, &from[..]), (7, &b"k"[..]));
    // Nothing is pulled meanwhile.
    let effects = node.frame(1, Message::Vector(vector(&[(2, 9)])));
    assert!(pulled(&effects).is_none(), "{effects:?}");
    let request = taking(&node.frame(1, page(id)));
    let effects = node.step(Event::StateTaken { request, outcome: Ok(None), vector: vector(&[(2, 5)]) });
    assert!(effects.contains(&Effect::Report(Report::TransferEnds { link: LinkId(1) })));
    assert_eq!(pulled(&effects).map(|(link, _)| link), Some(1), "what came after");
    assert_eq!(*node.core.vector(), vector(&[(2, 5)]));
}

/// The request under which pages are to be merged.
fn merging(effects: &[Effect]) -> Option<u64> {
    effects.iter().find_map(|effect| match effect {
        Effect::MergeState { request } => Some(*request),
        _ => None,
    })
}

#[test]
fn pages_are_merged_when_all_are_here_and_nobody_is_needed_for_that() {
    let (mut node, id) = behind();
    let request = taking(&node.frame(1, page(id)));
    let all = TransferState { merging: true, ..place("k") };
    let step = |request, next| Event::StateTaken { request, outcome: Ok(next), vector: vector(&[]) };
    let effects = node.step(step(request, Some(all.clone())));
    assert!(asked(&effects).is_none());
    let request = merging(&effects).unwrap();
    node.step(Event::LinkDown { link: LinkId(1) });
    let request = merging(&node.step(step(request, Some(all.clone())))).unwrap();
    // What cannot be merged now is tried again, for ever, and nothing else goes on meanwhile.
    let outcome = Err("no space".to_string());
    let effects = node.step(Event::StateTaken { request, outcome, vector: vector(&[]) });
    assert_eq!(merging(&effects), None);
    let mut request = None;
    for _ in 0..100 {
        let effects = later(&mut node, 2_000);
        assert!(!effects.contains(&Effect::AbandonTransfer) && asked(&effects).is_none());
        request = request.or(merging(&effects));
    }
    let done = Event::StateTaken { request: request.unwrap(), outcome: Ok(None), vector: vector(&[(2, 5)]) };
    node.step(done);
    assert_eq!(*node.core.vector(), vector(&[(2, 5)]));
    // After a restart it goes on by itself.
    let mut node = Node::new(1, Config::default());
    assert!(merging(&node.step(Event::Unfinished { state: all })).is_some());
}

#[test]
fn another_log_is_tried_before_state_is_transferred() {
    let mut node = Node::new(1, Config::default());
    let effects = ready(&mut node, 1, 2, &[(2, 5)]);
    let (_, id) = pulled(&effects).unwrap();
    ready(&mut node, 2, 3, &[(2, 5)]);
    let effects = node.frame(1, Message::Behind { id });
    assert!(asked(&effects).is_none());
    let (link, id) = pulled(&effects).unwrap();
    assert_eq!(link, 2);
    let effects = node.frame(2, Message::Behind { id });
    assert_eq!(asked(&effects).map(|(link, ..)| link), Some(2));
}

#[test]
fn a_transfer_goes_on_with_its_sender_or_another_and_is_given_up_in_the_end() {
    let (mut node, id) = behind();
    let request = taking(&node.frame(1, page(id)));
    node.step(Event::StateTaken { request, outcome: Ok(Some(place("k"))), vector: vector(&[]) });
    node.step(Event::LinkDown { link: LinkId(1) });
    assert!(asked(&later(&mut node, 2_000)).is_none(), "nobody is there");
    // Another peer that has something: with its own picture.
    ready(&mut node, 2, 3, &[(2, 5)]);
    let (link, _, picture, from) = asked(&later(&mut node, 2_000)).unwrap();
    assert_eq!((link, picture, &from[..]), (2, 0, &b"k"[..]));
    // It does not answer. The first is back; its picture may still be there.
    ready(&mut node, 3, 2, &[(2, 5)]);
    let mut again = None;
    for _ in 0..5 {
        again = again.or(asked(&later(&mut node, 2_000)));
    }
    assert_eq!(again.map(|(link, _, _, from)| (link, from)), Some((3, Bytes::from_static(b"k"))));
    let mut abandoned = false;
    for _ in 0..40 {
        abandoned |= later(&mut node, 2_000).contains(&Effect::AbandonTransfer);
    }
    assert!(abandoned);
    let effects = node.frame(3, Message::Vector(vector(&[(2, 9)])));
    assert!(pulled(&effects).is_some(), "batches again");
}

#[test]
fn a_transfer_from_before_a_restart_goes_on() {
    let mut node = Node::new(1, Config::default());
    node.step(Event::Unfinished { state: place("m") });
    let effects = ready(&mut node, 1, 2, &[(2, 9)]);
    assert!(pulled(&effects).is_none());
    let (link, _, picture, from) = asked(&later(&mut node, 2_000)).unwrap();
    assert_eq!((link, picture, &from[..]), (1, 0, &b"m"[..]));
}

#[test]
fn a_peer_whose_state_is_of_no_use_is_left_alone_for_a_while_and_others_are_asked() {
    let (mut node, id) = behind();
    let request = taking(&node.frame(1, page(id)));
    let outcome = Err("it shows nothing new".to_string());
    let effects = node.step(Event::StateTaken { request, outcome, vector: vector(&[]) });
    assert!(asked(&effects).is_none());
    // Batches are pulled from it as before, and that its log does not reach back leads to nothing for now.
    let behind = |node: &mut Node, link: u64| {
        let effects = node.frame(link, Message::Vector(vector(&[(2, 9)])));
        let (asked, id) = pulled(&effects).unwrap();
        assert_eq!(asked, link);
        node.frame(link, Message::Behind { id })
    };
    assert!(asked(&behind(&mut node, 1)).is_none());
    assert!(asked(&later(&mut node, 2_000)).is_none());
    assert!(asked(&behind(&mut node, 1)).is_none());
    // After a while it may have more.
    later(&mut node, 3_000);
    assert_eq!(asked(&behind(&mut node, 1)).map(|(link, ..)| link), Some(1));
    // The same for one that does not answer.
    assert!(asked(&later(&mut node, 6_000)).is_none());
    assert!(asked(&behind(&mut node, 1)).is_none());
    // Another is asked meanwhile.
    let effects = ready(&mut node, 2, 3, &[(2, 9)]);
    let (link, id) = pulled(&effects).unwrap();
    assert_eq!(link, 2);
    let effects = node.frame(2, Message::Behind { id });
    assert_eq!(asked(&effects).map(|(link, ..)| link), Some(2));
}

#[test]
fn pages_of_state_are_read_one_at_a_time_for_a_link() {
    let mut node = Node::new(1, Config::default());
    ready(&mut node, 1, 2, &[]);
    let ask = |id| Message::PullState { id, picture: 0, from: Bytes::new(), floor: vector(&[]) };
    let effects = node.frame(1, ask(1));
    let [Effect::ReadState { request, page: PageRequest { max_bytes, .. } }] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(*max_bytes, Config::default().page_bytes);
    assert!(node.frame(1, ask(2)).is_empty() && node.frame(1, ask(3)).is_empty());
    let page = SentPage { picture: 4, page: Bytes::from_static(b"rows") };
    let effects = node.step(Event::StateRead { request: *request, page: Ok(page) });
    assert_eq!(
        sent(&effects),
        [(1, &Message::State { id: 1, picture: 4, page: Bytes::from_static(b"rows") })]
    );
    let [_, Effect::ReadState { request, .. }] = &effects[..] else { panic!("{effects:?}") };
    let effects = node.step(Event::StateRead { request: *request, page: Err("no".into()) });
    assert!(matches!(effects[..], [Effect::Report(Report::ReadFailed { .. })]), "{effects:?}");
}

#[test]
fn who_asks_for_what_is_gone_is_told_and_gets_what_there_is() {
    let mut node = Node::new(1, Config::default());
    node.apply(&[batch(1, 1, 10)]);
    ready(&mut node, 1, 2, &[]);
    let effects = node.frame(1, Message::Pull { id: 9, after: vector(&[]) });
    let [Effect::ReadLog { request, .. }] = effects[..] else { panic!("{effects:?}") };
    let own = batch(1, 1, 10).1;
    let effects = node.step(Event::LogBehind { request, batches: vec![own.clone()] });
    let want =
        [(1, &Message::Batches { id: 9, batches: vec![own], done: true }), (1, &Message::Behind { id: 9 })];
    assert_eq!(sent(&effects), want);
}

#[test]
fn answers_that_nobody_asked_for_end_the_link() {
    for message in [Message::Behind { id: 3 }, page(3)] {
        let mut node = Node::new(1, Config::default());
        ready(&mut node, 1, 2, &[]);
        assert!(closed(&node.frame(1, message)).is_some());
    }
}
