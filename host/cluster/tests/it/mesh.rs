//! Several nodes in memory, with messages that are lost, late or wrong.

use crate::node::{Node, batch};
use numax_cluster::{Config, Effect, Event, LinkId, Millis};
use numax_wire::{Message, decode, encode};
use proptest::prelude::*;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use std::collections::VecDeque;

/// Nodes 1..=N; link `10 * a + b` at node `a` leads to node `b`.
struct Mesh {
    nodes: Vec<Node>,
    wire: VecDeque<(u8, u8, Message)>,
    rng: ChaCha8Rng,
    /// Per cent of messages lost, hellos excepted.
    loss: u32,
    trace: Vec<String>,
}

impl Mesh {
    fn new(count: u8, links: &[(u8, u8)], seed: u64, loss: u32) -> Self {
        let nodes = (1..=count).map(|node| Node::new(node, Config::default())).collect();
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let mut mesh = Self { nodes, wire: VecDeque::new(), rng, loss, trace: vec![] };
        for (a, b) in links {
            for (from, to, dialed) in [(*a, *b, true), (*b, *a, false)] {
                let peer = crate::node::origin(to).node;
                let link = LinkId(u64::from(10 * from + to));
                let effects = mesh.node(from).step(Event::LinkUp { link, peer, dialed });
                mesh.run(from, effects);
            }
        }
        mesh
    }

    fn node(&mut self, node: u8) -> &mut Node {
        &mut self.nodes[usize::from(node) - 1]
    }

    fn run(&mut self, at: u8, effects: Vec<Effect>) {
        for effect in effects {
            self.trace.push(format!("{at} {effect:?}"));
            let more = match effect {
                Effect::Send { link, message } => {
                    let to = u8::try_from(link.0 % 10).unwrap();
                    let lost =
                        !matches!(message, Message::Hello(_)) && self.rng.random_range(0..100) < self.loss;
                    if !lost {
                        self.wire.push_back((at, to, decode(encode(&message)).unwrap()));
                    }
                    continue;
                }
                Effect::Ingest { request, batches, .. } => self.node(at).ingest(request, &batches),
                Effect::ReadLog { request, after, cursor, max_bytes } => {
                    self.node(at).read(request, &after, cursor, max_bytes)
                }
                Effect::Close { error, .. } => panic!("node {at} closed a link: {error:?}"),
                _ => continue,
            };
            self.run(at, more);
        }
    }

    fn settle(&mut self) {
        while let Some((from, to, message)) = self.wire.pop_front() {
            let effects = self.node(to).frame(u64::from(10 * to + from), message);
            self.run(to, effects);
        }
    }

    fn second(&mut self) {
        for index in 0..self.nodes.len() {
            let node = u8::try_from(index).unwrap() + 1;
            let now = Millis(self.nodes[index].now.0 + 1_200);
            self.nodes[index].now = now;
            let effects = self.nodes[index].step(Event::Timer);
            self.run(node, effects);
            self.settle();
        }
    }

    fn agree(&self) -> bool {
        self.nodes.windows(2).all(|pair| pair[0].vector == pair[1].vector)
    }
}

/// A line, so that everything has to be forwarded.
const LINE: [(u8, u8); 4] = [(1, 2), (2, 3), (3, 4), (4, 5)];

#[test]
fn without_loss_push_alone_reaches_everybody_and_late_joiners_get_the_log() {
    let mut mesh = Mesh::new(5, &LINE, 1, 0);
    mesh.settle();
    for seq in 1..=20 {
        let effects = mesh.node(1).apply(&[batch(1, seq, 50)]);
        mesh.run(1, effects);
        mesh.settle();
    }
    assert!(mesh.agree() && mesh.nodes[4].log.len() == 20, "before any round");

    let mut mesh = Mesh::new(2, &[], 1, 0);
    let batches: Vec<_> = (1..=3_000).map(|seq| batch(1, seq, 300)).collect();
    mesh.node(1).apply(&batches);
    for (from, to) in [(1, 2), (2, 1)] {
        let link = LinkId(10 * from + to);
        let peer = crate::node::origin(u8::try_from(to).unwrap()).node;
        let from = u8::try_from(from).unwrap();
        let effects = mesh.node(from).step(Event::LinkUp { link, peer, dialed: true });
        mesh.run(from, effects);
    }
    mesh.settle();
    assert!(mesh.agree() && mesh.nodes[1].log.len() == 3_000, "by pages, at once");
}

#[test]
fn heavy_loss_is_healed_by_rounds_and_a_seed_is_a_run() {
    let run = |seed| {
        let mut mesh = Mesh::new(5, &LINE, seed, 40);
        mesh.settle();
        for seq in 1..=10 {
            for node in 1..=5 {
                let effects = mesh.node(node).apply(&[batch(node, seq, 50)]);
                mesh.run(node, effects);
            }
            mesh.settle();
            mesh.second();
        }
        let mut rounds = 0;
        while !mesh.agree() {
            mesh.second();
            rounds += 1;
            assert!(rounds < 200, "no agreement");
        }
        assert_eq!(mesh.nodes[0].log.len(), 50);
        mesh.trace
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

proptest! {
    /// Any message at any time: an answer or a closed link, never a panic.
    #[test]
    fn any_frames_in_any_order_never_panic(
        frames in proptest::collection::vec((0..7_u8, any::<u8>(), proptest::collection::vec(0..3_u8, 0..60)), 0..40),
        greeted in any::<bool>(),
    ) {
        let mut node = Node::new(1, Config::default());
        node.apply(&[batch(1, 1, 5)]);
        if greeted {
            node.ready(2, 2, &[]);
        } else {
            node.step(Event::LinkUp { link: LinkId(2), peer: crate::node::origin(2).node, dialed: true });
        }
        for (kind, number, body) in frames {
            let number = u64::from(number);
            let message = match kind {
                0 => Message::Hello(crate::node::hello(number as u8 % 4)),
                1 => Message::Digest([number as u8; 16]),
                2 => Message::Vector(crate::node::vector(&[(number as u8, u64::MAX)])),
                3 => Message::Pull { id: number, after: crate::node::vector(&[(1, number % 2)]) },
                4 => Message::Push(vec![body.into()]),
                5 => Message::Batches { id: number % 3, batches: vec![batch(2, number % 3 + 1, 5).1], done: number % 2 == 0 },
                _ => Message::Push(vec![batch(3, number + 1, 5).1]),
            };
            let effects = node.frame(2, message);
            for effect in effects {
                match effect {
                    Effect::Ingest { request, batches, .. } => { node.ingest(request, &batches); }
                    Effect::ReadLog { request, after, cursor, max_bytes } => { node.read(request, &after, cursor, max_bytes); }
                    _ => {}
                }
            }
            node.now = node.now.plus(number * 10);
        }
    }
}
