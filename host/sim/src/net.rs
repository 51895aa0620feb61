//! The network: who is connected to whom, when a frame arrives, and what happens to it on the way.
//!
//! Connections are as the real transport's: authenticated, in order per stream class, with classes overtaking each
//! other. On top of that, faults that the real one has only when something is badly wrong: single frames lost or
//! doubled, and order lost within the classes of batches.

use crate::trace::stream;
use bytes::Bytes;
use numax_cluster::LinkId;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Two nodes, by their index.
pub type Pair = (usize, usize);

/// How bad the network is. Probabilities are in thousandths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NetFaults {
    /// Lost frames.
    pub loss: u32,
    /// Doubled frames.
    pub duplicates: u32,
    /// Frames of batches that lose their place in the order.
    pub reorder: u32,
    /// Frames that end their connection.
    pub resets: u32,
}

/// Bytes that a good line carries in a millisecond.
const BYTES_PER_MS: u64 = 10_000;

/// A line over which two nodes may be connected.
#[derive(Debug)]
struct Edge {
    /// The first of the two dials.
    ends: Pair,
    /// One way, in milliseconds, when all is well.
    usual: u64,
    /// One way, in milliseconds, now.
    latency: u64,
    bytes_per_ms: u64,
    link: Option<LinkId>,
    rng: ChaCha8Rng,
}

#[derive(Debug)]
struct Connection {
    edge: usize,
    /// When the last frame of a class arrives, by direction.
    last: [[u64; 3]; 2],
    /// When the line has sent what it was given, by direction.
    free: [u64; 2],
}

/// What becomes of a frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives at these times; none if it is lost.
    Arrives(Vec<u64>),
    /// The connection breaks.
    Breaks,
}

/// The network.
pub struct Net {
    edges: Vec<Edge>,
    connections: BTreeMap<LinkId, Connection>,
    /// Directions in which nothing gets through.
    blocked: BTreeSet<Pair>,
    made: u64,
    /// How bad it is.
    pub faults: NetFaults,
    /// Frames lost, doubled, out of order and connections broken.
    pub hurt: u64,
}

impl Net {
    /// A network over these lines, with nothing connected.
    #[must_use]
    pub fn new(lines: &[Pair], faults: NetFaults, seed: u64) -> Self {
        let edge = |ends: &Pair| {
            let mut rng = stream(seed, 1 + ends.0 as u64, 1 + ends.1 as u64);
            let usual =
                if seed.is_multiple_of(4) { rng.random_range(20..150) } else { rng.random_range(1..20) };
            Edge { ends: *ends, usual, latency: usual, bytes_per_ms: BYTES_PER_MS, link: None, rng }
        };
        Self {
            edges: lines.iter().map(edge).collect(),
            connections: BTreeMap::new(),
            blocked: BTreeSet::new(),
            made: 0,
            faults,
            hurt: 0,
        }
    }

    /// How many lines there are.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.edges.len()
    }

    /// The two nodes of a line.
    #[must_use]
    pub fn ends(&self, edge: usize) -> Option<Pair> {
        self.edges.get(edge).map(|edge| edge.ends)
    }

    /// Some milliseconds, as the line chooses.
    pub fn some_ms(&mut self, edge: usize, least: u64, most: u64) -> u64 {
        self.edges.get_mut(edge).map_or(most, |edge| edge.rng.random_range(least..=most))
    }

    /// Whether a line has no connection and both directions are open.
    #[must_use]
    pub fn can_connect(&self, edge: usize) -> bool {
        self.edges.get(edge).is_some_and(|edge| {
            let (a, b) = edge.ends;
            edge.link.is_none() && !self.blocked.contains(&(a, b)) && !self.blocked.contains(&(b, a))
        })
    }

    /// Connects a line; gives the link's number and the handshake's time.
    pub fn connect(&mut self, edge: usize) -> Option<(LinkId, u64)> {
        let line = self.edges.get_mut(edge)?;
        self.made += 1;
        let link = LinkId(self.made);
        line.link = Some(link);
        self.connections.insert(link, Connection { edge, last: [[0; 3]; 2], free: [0; 2] });
        Some((link, 3 * line.latency))
    }

    /// Ends a connection. Gives its line and ends if there was one.
    pub fn disconnect(&mut self, link: LinkId) -> Option<(usize, Pair)> {
        let connection = self.connections.remove(&link)?;
        let line = self.edges.get_mut(connection.edge)?;
        if line.link == Some(link) {
            line.link = None;
        }
        Some((connection.edge, line.ends))
    }

    /// The connections of a node.
    #[must_use]
    pub fn links_of(&self, node: usize) -> Vec<LinkId> {
        let of = |connection: &Connection| {
            self.edges.get(connection.edge).is_some_and(|edge| edge.ends.0 == node || edge.ends.1 == node)
        };
        self.connections.iter().filter(|(_, connection)| of(connection)).map(|(link, _)| *link).collect()
    }

    /// The connections that have a blocked direction: they break when a peer has heard nothing for too long.
    #[must_use]
    pub fn starved(&self) -> Vec<LinkId> {
        let starved = |connection: &Connection| {
            self.ends(connection.edge)
                .is_some_and(|(a, b)| self.blocked.contains(&(a, b)) || self.blocked.contains(&(b, a)))
        };
        self.connections.iter().filter(|(_, connection)| starved(connection)).map(|(link, _)| *link).collect()
    }

    /// Lets nothing through in these directions.
    pub fn block(&mut self, ways: impl IntoIterator<Item = Pair>) {
        self.blocked.extend(ways);
    }

    /// Makes a line slow.
    pub fn slow(&mut self, edge: usize, latency: u64, bytes_per_ms: u64) {
        if let Some(edge) = self.edges.get_mut(edge) {
            (edge.latency, edge.bytes_per_ms) = (latency, bytes_per_ms.max(1));
        }
    }

    /// Lets everything through again, as fast as before.
    pub fn heal(&mut self) {
        self.blocked.clear();
        for edge in &mut self.edges {
            (edge.latency, edge.bytes_per_ms) = (edge.usual, BYTES_PER_MS);
        }
    }

    /// The node at the other end.
    #[must_use]
    pub fn other_end(&self, link: LinkId, node: usize) -> Option<usize> {
        let (a, b) = self.ends(self.connections.get(&link)?.edge)?;
        Some(if a == node { b } else { a })
    }

    /// Bytes that a node gave to a link and that have not left.
    #[must_use]
    pub fn backlog(&self, now: u64, from: usize, link: LinkId) -> u64 {
        let Some(connection) = self.connections.get(&link) else { return 0 };
        let Some(edge) = self.edges.get(connection.edge) else { return 0 };
        let [there, back] = connection.free;
        let free = if edge.ends.0 == from { there } else { back };
        free.saturating_sub(now) * edge.bytes_per_ms
    }

    /// What becomes of a frame that a node sends now.
    pub fn send(&mut self, now: u64, from: usize, link: LinkId, frame: &Bytes) -> Fate {
        const LOST: Fate = Fate::Arrives(Vec::new());
        let Some(connection) = self.connections.get_mut(&link) else { return LOST };
        let Some(edge) = self.edges.get_mut(connection.edge) else { return LOST };
        let (to, direction) = if edge.ends.0 == from { (edge.ends.1, 0) } else { (edge.ends.0, 1) };
        if self.blocked.contains(&(from, to)) {
            return LOST;
        }
        let rng = &mut edge.rng;
        let mut hit = |thousandths: u32| thousandths > 0 && rng.random_range(0..1000) < thousandths;
        if hit(self.faults.resets) {
            self.hurt += 1;
            return Fate::Breaks;
        }
        if hit(self.faults.loss) {
            self.hurt += 1;
            return LOST;
        }
        let doubled = hit(self.faults.duplicates);
        let class = usize::from(frame.first().copied().unwrap_or(0).min(2));
        let unordered = class > 0 && hit(self.faults.reorder);
        let mut left = now;
        if let Some(free) = connection.free.get_mut(direction) {
            left = left.max(*free) + frame.len() as u64 / edge.bytes_per_ms;
            *free = left;
        }
        let mut at = left + edge.latency + rng.random_range(0..=edge.latency / 2 + 1);
        if unordered {
            at += rng.random_range(0..500);
        } else if let Some(last) = connection.last.get_mut(direction).and_then(|last| last.get_mut(class)) {
            at = at.max(*last);
            *last = at;
        }
        self.hurt += u64::from(doubled) + u64::from(unordered);
        let again = doubled.then(|| at + rng.random_range(0..300));
        Fate::Arrives(std::iter::once(at).chain(again).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(fate: Fate) -> u64 {
        match fate {
            Fate::Arrives(times) => times[0],
            Fate::Breaks => panic!("broken"),
        }
    }

    #[test]
    fn classes_keep_order_and_blocked_directions_lose_everything() {
        let mut net = Net::new(&[(0, 1)], NetFaults::default(), 1);
        let (link, _) = net.connect(0).unwrap();
        let frame = Bytes::from_static(&[1, 0, 5]);
        let times: Vec<u64> = (0..50).map(|now| arrival(net.send(now, 0, link, &frame))).collect();
        assert!(times.is_sorted());
        net.block([(0, 1)]);
        assert_eq!(net.send(0, 0, link, &frame), Fate::Arrives(vec![]));
        assert!(arrival(net.send(0, 1, link, &frame)) > 0, "the other way is open");
        assert_eq!(net.starved(), [link]);
        net.disconnect(link);
        assert!(!net.can_connect(0));
        net.heal();
        assert!(net.can_connect(0));
    }

    #[test]
    fn a_slow_line_lets_frames_wait() {
        let mut net = Net::new(&[(0, 1)], NetFaults::default(), 1);
        let (link, _) = net.connect(0).unwrap();
        let frame = Bytes::from(vec![1; 1_000]);
        net.slow(0, 5, 10);
        let times: Vec<u64> = (0..3).map(|_| arrival(net.send(0, 0, link, &frame))).collect();
        assert!(times[0] >= 105 && times[1] >= 205 && times[2] >= 305, "{times:?}");
        assert_eq!((net.backlog(100, 0, link), net.backlog(100, 1, link)), (2_000, 0));
        net.heal();
        assert!(arrival(net.send(400, 0, link, &frame)) < 500);
    }
}
