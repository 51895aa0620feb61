//! Pages of the log, asked for and served.

use crate::node::{Node, batch, sent, vector};
use bytes::Bytes;
use numax_cluster::{Config, Effect, Event, LinkId, LogCursor};
use numax_wire::Message;

fn read(effects: &[Effect]) -> (u64, Option<LogCursor>) {
    let reads: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::ReadLog { request, cursor, .. } => Some((*request, *cursor)),
            _ => None,
        })
        .collect();
    assert_eq!(reads.len(), 1, "{effects:?}");
    reads[0]
}

fn page(effects: &[Effect]) -> (u64, usize, bool) {
    match sent(effects)[..] {
        [(_, Message::Batches { id, batches, done })] => (*id, batches.len(), *done),
        ref other => panic!("{other:?}"),
    }
}

fn small_pages() -> Node {
    let mut node = Node::new(1, Config { page_bytes: 250, ..Config::default() });
    let batches: Vec<_> = (1..=5).map(|seq| batch(1, seq, 30)).collect();
    node.apply(&batches);
    node
}

fn serve(node: &mut Node, link: u64, id: u64, has: u64) -> (Option<LogCursor>, usize, bool) {
    let after = vector(&[(1, has)]);
    let effects = node.frame(link, Message::Pull { id, after: after.clone() });
    let (request, cursor) = read(&effects);
    let (got, count, done) = page(&node.read(request, &after, cursor, 250));
    assert_eq!(got, id);
    (cursor, count, done)
}

#[test]
fn pages_follow_each_other_by_cursor_and_start_again_when_one_was_lost() {
    let mut node = small_pages();
    node.ready(2, 2, &[]);
    assert_eq!(serve(&mut node, 2, 1, 0), (None, 2, false));
    assert_eq!(serve(&mut node, 2, 2, 2), (Some(LogCursor(2)), 2, false));
    assert_eq!(serve(&mut node, 2, 3, 2), (None, 2, false), "the second page did not arrive");
    assert_eq!(serve(&mut node, 2, 4, 4), (Some(LogCursor(4)), 1, true));
    assert_eq!(serve(&mut node, 2, 5, 5), (None, 0, true));
}

#[test]
fn one_read_a_link_and_the_newest_request_waits() {
    let mut node = small_pages();
    node.ready(2, 2, &[]);
    let (request, cursor) = read(&node.frame(2, Message::Pull { id: 1, after: vector(&[]) }));
    assert!(node.frame(2, Message::Pull { id: 2, after: vector(&[]) }).is_empty());
    assert!(node.frame(2, Message::Pull { id: 3, after: vector(&[(1, 4)]) }).is_empty());
    let effects = node.read(request, &vector(&[]), cursor, 250);
    assert_eq!(page(&effects).0, 1);
    let (request, _) = read(&effects);
    assert_eq!(page(&node.read(request, &vector(&[(1, 4)]), None, 250)), (3, 1, true));
}

#[test]
fn few_reads_at_once_and_the_others_take_their_turn() {
    let mut node = Node::new(1, Config { reads_at_once: 1, ..Config::default() });
    node.apply(&[batch(1, 1, 5)]);
    for peer in 2..5 {
        node.ready(u64::from(peer), peer, &[]);
    }
    let pull = || Message::Pull { id: 1, after: vector(&[]) };
    let (first, _) = read(&node.frame(2, pull()));
    assert!(node.frame(3, pull()).is_empty());
    assert!(node.frame(4, pull()).is_empty());
    // The one being read for goes away, and so does one that waits.
    node.step(Event::LinkDown { link: LinkId(3) });
    let effects = node.step(Event::LinkDown { link: LinkId(2) });
    let (second, _) = read(&effects);
    assert!(node.read(first, &vector(&[]), None, 250).is_empty(), "nobody waits for it any more");
    let effects = node.read(second, &vector(&[]), None, 250);
    assert!(matches!(sent(&effects)[..], [(4, Message::Batches { .. })]));
}

#[test]
fn a_stretch_without_anything_new_is_read_on() {
    let mut node = small_pages();
    node.ready(2, 2, &[]);
    let (request, _) = read(&node.frame(2, Message::Pull { id: 1, after: vector(&[(1, 4)]) }));
    let effects = node.step(Event::LogPage { request, batches: vec![], next: Some(LogCursor(3)) });
    let (request, cursor) = read(&effects);
    assert_eq!((cursor, sent(&effects).len()), (Some(LogCursor(3)), 0));
    assert_eq!(page(&node.read(request, &vector(&[(1, 4)]), cursor, 250)), (1, 1, true));
}

#[test]
fn a_failed_read_is_reported_and_the_next_one_starts_anew() {
    let mut node = small_pages();
    node.ready(2, 2, &[]);
    assert_eq!(serve(&mut node, 2, 1, 0), (None, 2, false));
    let (request, _) = read(&node.frame(2, Message::Pull { id: 2, after: vector(&[(1, 2)]) }));
    let effects = node.step(Event::LogFailed { request, reason: "bad block".into() });
    assert!(matches!(effects[..], [Effect::Report(_)]));
    assert_eq!(serve(&mut node, 2, 3, 2), (None, 2, false));
}

#[test]
fn the_next_page_is_asked_for_when_the_last_one_is_applied() {
    let mut node = Node::new(1, Config::default());
    node.ready(2, 2, &[]);
    node.frame(2, Message::Vector(vector(&[(2, 9)])));
    let answer = |id, seqs: std::ops::RangeInclusive<u64>, done| Message::Batches {
        id,
        batches: seqs.map(|seq| batch(2, seq, 5).1).collect::<Vec<Bytes>>(),
        done,
    };
    let effects = node.frame(2, answer(1, 1..=3, false));
    let [Effect::Ingest { request, batches, .. }] = &effects[..] else { panic!("{effects:?}") };
    let effects = node.ingest(*request, batches);
    assert_eq!(sent(&effects), [(2, &Message::Pull { id: 2, after: vector(&[(2, 3)]) })]);
    // A page that brings nothing new does not make it ask again and again.
    let effects = node.frame(2, answer(2, 1..=3, false));
    let [Effect::Ingest { request, batches, .. }] = &effects[..] else { panic!("{effects:?}") };
    assert!(node.ingest(*request, batches).is_empty());
}
