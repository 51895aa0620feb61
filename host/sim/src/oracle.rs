//! What must hold, whatever happens.
//!
//! 1. **Convergence**: after quiescence all nodes have the same vector and the same state.
//! 2. **Durability**: every acknowledged turn is present everywhere, also after its node crashed and came back.
//! 3. **Once**: no node applies a dot twice, and a dot has one payload everywhere.
//! 4. **Order**: a node's vector only grows while it lives, without gaps, and equals what is in its log.
//! 5. **Counters**: between the sum of acknowledged and the sum of attempted increments; what a reader sees of a
//!    g-counter only grows.
//! 6. **State**: a reader sees what all batches that its node applied make of everything, by the naive families: nothing
//!    lost, and nothing removed that comes back.
//! 7. **Clocks**: times of an origin grow, are not further ahead than its node's clock ever was and may be, and who
//!    writes over something reads what it wrote.
//! 8. **Reopening**: a datastore opens again wherever its process ended.
//! 9. **Bounds**: what waits in memory stays within its limits.
//!
//! What a node may forget: what it had not synced, by a power cut under a durability weaker than `fsync`; and what came
//! after an old copy, when that is put back. Such a turn stays required if another node has it for certain.

use crate::model::{Model, Visible};
use crate::trace::fingerprint;
use bytes::Bytes;
use numax_crdt::{Batch, Dot, Hlc, Origin, VersionVector};
use std::collections::{BTreeMap, BTreeSet};

/// What a turn adds to a counter, by kind and key: up and down.
pub type Increments = BTreeMap<(u8, Bytes), (u64, u64)>;

/// A turn that somebody tried to commit.
#[derive(Clone, Debug)]
pub struct Turn {
    /// What it counted.
    pub increments: Increments,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Simulated milliseconds.
    pub at: u64,
    /// Which promise, in a word.
    pub kind: &'static str,
    /// What was found.
    pub detail: String,
}

/// What a node's end leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survives {
    /// Everything it had applied.
    Applied,
    /// What it had synced.
    Synced,
    /// What it would have had anyway: it was only just starting, and not heard of.
    AsBefore,
}

/// What is known of one node.
#[derive(Clone, Debug, Default)]
pub struct NodeFacts {
    /// What it had applied when it was last heard of: what survives the end of its process.
    pub applied: VersionVector,
    /// What survives a power cut too.
    pub synced: VersionVector,
    /// What it must have when it comes back.
    pub promised: VersionVector,
    /// The latest that its wall clock ever was, Unix milliseconds.
    pub latest_wall: u64,
}

/// What is known of the whole run.
#[derive(Default)]
pub struct Oracle {
    /// The time, for reports.
    pub now: u64,
    /// What was broken. Only the first few are kept.
    pub violations: Vec<Violation>,
    /// The only promise that is kept in this run, if it is only one.
    pub only: Option<&'static str>,
    turns: BTreeMap<u64, Turn>,
    /// The turn behind a dot, for turns whose commit was answered.
    by_dot: BTreeMap<Dot, u64>,
    /// The same for turns whose batch is held back.
    held: BTreeMap<Dot, u64>,
    /// Dots that must be everywhere in the end.
    required: BTreeSet<Dot>,
    payloads: BTreeMap<Dot, u64>,
    /// Every batch, in the order in which somebody had it first: those that it depends on come before.
    batches: Vec<Batch>,
    /// The last time of each origin, and the batch that carries it.
    times: BTreeMap<Origin, (u64, Hlc)>,
    nodes: Vec<NodeFacts>,
}

impl Oracle {
    /// An oracle for some nodes.
    pub fn new(nodes: usize) -> Self {
        Self { nodes: vec![NodeFacts::default(); nodes], ..Self::default() }
    }

    /// Notes a broken promise.
    pub fn violation(&mut self, kind: &'static str, detail: String) {
        const KEPT: usize = 8;
        if self.violations.len() < KEPT && self.only.is_none_or(|only| only == kind) {
            self.violations.push(Violation { at: self.now, kind, detail });
        }
    }

    /// A turn goes to the committer.
    pub fn attempted(&mut self, turn: u64, what: Turn) {
        self.turns.insert(turn, what);
    }

    /// A turn's commit was answered: it has its dot.
    pub fn committed(&mut self, turn: u64, dot: Dot) {
        self.by_dot.insert(dot, turn);
    }

    /// A turn's commit was answered, and the batch is held back: it has its dot when it is let go.
    pub fn held(&mut self, turn: u64, dot: Dot) {
        self.held.insert(dot, turn);
    }

    /// A batch goes to others. If it was held back, it must be everywhere from now on.
    pub fn let_go(&mut self, dot: Dot) {
        if let Some(turn) = self.held.remove(&dot) {
            self.committed(turn, dot);
            self.acknowledged(dot);
        }
    }

    /// A turn was acknowledged: output that depends on it may have left.
    pub fn acknowledged(&mut self, dot: Dot) {
        self.required.insert(dot);
    }

    /// How many turns must be everywhere.
    pub fn required(&self) -> &BTreeSet<Dot> {
        &self.required
    }

    /// The turn behind a dot.
    pub fn turn_of(&self, dot: &Dot) -> Option<u64> {
        self.by_dot.get(dot).copied()
    }

    /// The last turn that a node committed under an origin up to a number, whether it was held back or not.
    pub fn last_turn(&self, origin: &Origin, up_to: u64) -> Option<u64> {
        let (first, last) = (Dot { origin: *origin, seq: 0 }, Dot { origin: *origin, seq: up_to });
        let last = |turns: &BTreeMap<Dot, u64>| turns.range(first..=last).next_back().map(|(d, t)| (*d, *t));
        last(&self.by_dot).max(last(&self.held)).map(|(_, turn)| turn)
    }

    /// Whether a turn has a dot, as far as is known.
    pub fn has_dot(&self, turn: u64) -> bool {
        self.by_dot.values().chain(self.held.values()).any(|of| *of == turn)
    }

    /// A node applied a batch for the first time, it says.
    pub fn applied(&mut self, node: usize, dot: Dot, bytes: &[u8]) {
        self.payload(node, dot, bytes);
        let Some(facts) = self.nodes.get_mut(node) else { return };
        if facts.applied.covers(dot) {
            return self.violation("once", format!("node {node} applied {dot} twice"));
        }
        if !facts.applied.advance(dot) {
            let have = facts.applied.get(&dot.origin);
            self.violation("order", format!("node {node} applied {dot} after {have} of its origin"));
        }
    }

    /// A node took over the state of another: now it has all of this.
    pub fn transferred(&mut self, node: usize, vector: &VersionVector) {
        let Some(facts) = self.nodes.get_mut(node) else { return };
        if vector.covers_vector(&facts.applied) {
            facts.applied.clone_from(vector);
        } else {
            let detail = format!(
                "node {node} has {} after a transfer, before it had {}",
                show(vector),
                show(&facts.applied)
            );
            self.violation("order", detail);
        }
    }

    /// A node has these bytes under this dot.
    pub fn payload(&mut self, node: usize, dot: Dot, bytes: &[u8]) {
        let print = fingerprint(bytes);
        match self.payloads.insert(dot, print) {
            Some(known) if known != print => {
                self.violation("once", format!("node {node} has another payload under {dot}"));
            }
            Some(_) => {}
            None => match Batch::decode(Bytes::copy_from_slice(bytes)) {
                Ok(batch) => self.first_seen(batch),
                Err(error) => self.violation("log", format!("node {node}, {dot}: {error}")),
            },
        }
    }

    fn first_seen(&mut self, batch: Batch) {
        let (seq, hlc) = self.times.get(&batch.origin).copied().unwrap_or_default();
        if batch.seq > seq {
            if batch.hlc <= hlc {
                let detail =
                    format!("{} was written at {}, the {seq} before it at {hlc}", batch.dot(), batch.hlc);
                self.violation("clock", detail);
            }
            self.times.insert(batch.origin, (batch.seq, batch.hlc));
        }
        self.batches.push(batch);
    }

    /// What a reader must see on a node that has applied this.
    #[must_use]
    pub fn visible(&self, vector: &VersionVector) -> Visible {
        let mut model = Model::default();
        for batch in self.batches.iter().filter(|batch| vector.covers(batch.dot())) {
            model.apply(batch);
        }
        model.visible()
    }

    /// What was done to one entry of a value, in the order in which somebody had it first, for a report.
    pub fn history(&self, key: &Bytes, item: &Bytes) -> String {
        let mut all = String::new();
        let named = format!("{item:?}");
        for batch in &self.batches {
            for op in batch.ops.iter().filter(|op| op.key.bytes() == key) {
                let body = format!("{:?}", op.body);
                if body.contains(&named) {
                    let deps: Vec<String> =
                        batch.deps.iter().map(|(origin, seq)| format!("{origin}#{seq}")).collect();
                    all.push_str(&format!("; {} after {}: {body}", batch.dot(), deps.join(" ")));
                }
            }
        }
        all
    }

    /// A node's wall clock shows this.
    pub fn wall(&mut self, node: usize, wall: u64) {
        if let Some(facts) = self.nodes.get_mut(node) {
            facts.latest_wall = facts.latest_wall.max(wall);
        }
    }

    /// A node wrote a batch at a time: it may not be further ahead than others may draw it.
    pub fn wrote(&mut self, node: usize, dot: Dot, time: Hlc, max_skew_ms: u64) {
        // The counter carries into the milliseconds: as many batches do not happen.
        const CARRIED: u64 = 10;
        let most = self.facts(node).latest_wall.saturating_add(max_skew_ms + CARRIED);
        if time.ms() > most {
            let ahead = time.ms() - most;
            self.violation("clock", format!("node {node} wrote {dot} {ahead} ms further ahead than it may"));
        }
    }

    /// A living node says what it has applied.
    pub fn vector(&mut self, node: usize, vector: &VersionVector) {
        let Some(facts) = self.nodes.get(node) else { return };
        if facts.applied != *vector {
            let detail = format!("node {node} says {}, it applied {}", show(vector), show(&facts.applied));
            self.violation("order", detail);
        }
    }

    /// What a node had applied is safe from power cuts.
    pub fn synced(&mut self, node: usize, vector: VersionVector) {
        if let Some(facts) = self.nodes.get_mut(node) {
            facts.synced.merge(&vector);
        }
    }

    /// A node's log has failed, and what was not synced is not shown there any more.
    pub fn taken_back(&mut self, node: usize, vector: &VersionVector) {
        let Some(facts) = self.nodes.get_mut(node) else { return };
        if vector.covers_vector(&facts.synced) {
            facts.applied.clone_from(vector);
        } else {
            let detail = format!(
                "node {node} shows {} after a failed sync, {} was synced",
                show(vector),
                show(&facts.synced)
            );
            self.violation("durability", detail);
        }
    }

    /// A node goes on under an origin behind what it has of it: what it had written after that, and lost, never was.
    pub fn unwritten(&mut self, node: usize, origin: &Origin, have: u64) {
        let behind = |dot: &Dot| dot.origin == *origin && dot.seq > have;
        let Some(first) = self.payloads.keys().copied().find(behind) else { return };
        let others = |(other, facts): &(usize, &NodeFacts)| *other != node && facts.applied.covers(first);
        if let Some((other, _)) = self.nodes.iter().enumerate().find(others) {
            let detail =
                format!("node {other} has {first}, node {node} has lost it and will give its number again");
            return self.violation("once", detail);
        }
        self.payloads.retain(|dot, _| !behind(dot));
        self.by_dot.retain(|dot, _| !behind(dot));
        self.batches.retain(|batch| !behind(&batch.dot()));
        let left = self.batches.iter().filter(|batch| batch.origin == *origin).max_by_key(|batch| batch.seq);
        match left {
            Some(last) => self.times.insert(*origin, (last.seq, last.hlc)),
            None => self.times.remove(origin),
        };
    }

    /// A node holds these back again, because damage took the records by which it had let them go. In that form they never
    /// were, unless another has them: then they come back from there.
    pub fn held_again(&mut self, node: usize, dots: &[Dot]) {
        let others = |dot: &Dot| {
            self.nodes.iter().enumerate().any(|(other, facts)| other != node && facts.applied.covers(*dot))
        };
        let gone: Vec<Dot> = dots.iter().copied().filter(|dot| !others(dot)).collect();
        for dot in gone {
            self.payloads.remove(&dot);
            self.batches.retain(|batch| batch.dot() != dot);
            self.required.remove(&dot);
            if let Some(turn) = self.by_dot.remove(&dot) {
                self.held.insert(dot, turn);
            }
        }
    }

    /// What is known of a node.
    pub fn facts(&self, node: usize) -> NodeFacts {
        self.nodes.get(node).cloned().unwrap_or_default()
    }

    /// A node has ended: what must it have when it comes back?
    pub fn ended(&mut self, node: usize, survives: Survives) {
        let Some(facts) = self.nodes.get_mut(node) else { return };
        match survives {
            Survives::Applied => facts.promised = facts.applied.clone(),
            Survives::Synced => facts.promised = facts.synced.clone(),
            Survives::AsBefore => {}
        }
    }

    /// Another disk is in a node, with this on it.
    pub fn replaced(&mut self, node: usize, promised: VersionVector) {
        if let Some(facts) = self.nodes.get_mut(node) {
            // Made by copying files, so all of it was written anew; but nobody has synced it.
            facts.synced = VersionVector::default();
            facts.promised = promised;
        }
    }

    /// A node is a clone of another.
    pub fn cloned(&mut self, node: usize, of: usize) {
        let wall = self.facts(of).latest_wall;
        self.wall(node, wall);
    }

    /// A node left for good. What only it had is no longer required.
    pub fn left(&mut self, node: usize) {
        if let Some(facts) = self.nodes.get_mut(node) {
            facts.promised = VersionVector::default();
            self.lost(node, &VersionVector::default());
            self.nodes.get_mut(node).into_iter().for_each(|facts| *facts = NodeFacts::default());
        }
    }

    /// A node came back with this vector, which must cover what was promised. What it lost beyond that, and nobody else
    /// has for certain, is no longer required.
    pub fn returned(&mut self, node: usize, vector: &VersionVector) {
        let promised = self.facts(node).promised;
        if !vector.covers_vector(&promised) {
            let detail =
                format!("node {node} came back with {}, promised was {}", show(vector), show(&promised));
            self.violation("durability", detail);
        }
        self.lost(node, vector);
        if let Some(facts) = self.nodes.get_mut(node) {
            facts.applied.clone_from(vector);
            facts.synced.clone_from(vector);
            facts.promised.clone_from(vector);
        }
    }

    /// What a node had, now has no more and was not promised is required only if another has it for certain.
    fn lost(&mut self, node: usize, vector: &VersionVector) {
        let promised = self.facts(node).promised;
        let others: Vec<&VersionVector> = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != node)
            .map(|(_, facts)| &facts.synced)
            .collect();
        let lost: Vec<Dot> = self
            .required
            .iter()
            .filter(|dot| !vector.covers(**dot) && !promised.covers(**dot))
            .filter(|dot| self.nodes.get(node).is_some_and(|facts| facts.applied.covers(**dot)))
            .filter(|dot| !others.iter().any(|synced| synced.covers(**dot)))
            .copied()
            .collect();
        for dot in lost {
            self.required.remove(&dot);
        }
    }

    /// A node's vector at the end must cover everything that was acknowledged.
    pub fn complete(&mut self, node: usize, vector: &VersionVector) {
        let missing: Vec<&Dot> = self.required.iter().filter(|dot| !vector.covers(**dot)).collect();
        if let Some(first) = missing.first() {
            let detail =
                format!("node {node} lacks {} acknowledged turns, the first is {first}", missing.len());
            self.violation("durability", detail);
        }
    }

    /// A counter's value at the end.
    pub fn counter(&mut self, kind: u8, key: &Bytes, value: i128) {
        let name = (kind, key.clone());
        let sum = |turns: &mut dyn Iterator<Item = &Turn>| {
            turns
                .filter_map(|turn| turn.increments.get(&name))
                .fold((0_i128, 0_i128), |(up, down), by| (up + i128::from(by.0), down + i128::from(by.1)))
        };
        let attempted = sum(&mut self.turns.values());
        let mut acknowledged = self
            .required
            .iter()
            .filter_map(|dot| self.by_dot.get(dot))
            .filter_map(|turn| self.turns.get(turn));
        let acknowledged = sum(&mut acknowledged);
        let (least, most) = (acknowledged.0 - attempted.1, attempted.0 - acknowledged.1);
        if value < least || value > most {
            let key = String::from_utf8_lossy(key);
            self.violation(
                "counters",
                format!("counter {key} is {value}, it must be from {least} to {most}"),
            );
        }
    }
}

fn show(vector: &VersionVector) -> String {
    let entries: Vec<String> = vector.iter().map(|(origin, seq)| format!("{origin}:{seq}")).collect();
    format!("{{{}}}", entries.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use numax_crdt::{Body, Key, NodeId, Op};

    fn dot(seq: u64) -> Dot {
        Dot { origin: Origin { node: NodeId([1; 32]), epoch: 0, nonce: 0 }, seq }
    }

    /// A batch with this dot, and something in it to tell it from others.
    fn batch(seq: u64, what: u8) -> Bytes {
        let time = Hlc::from_parts(seq, 0);
        let key = Key::new(vec![what]).unwrap();
        let ops = vec![Op { key, body: Body::GCounter { total: 1 } }];
        Batch { origin: dot(seq).origin, seq, deps: Vec::new(), hlc: time, ops }.encode()
    }

    fn kinds(oracle: &Oracle) -> Vec<&'static str> {
        oracle.violations.iter().map(|violation| violation.kind).collect()
    }

    #[test]
    fn each_promise_is_watched() {
        let mut oracle = Oracle::new(2);
        oracle.applied(0, dot(1), &batch(1, 1));
        oracle.applied(1, dot(1), &batch(1, 1));
        oracle.applied(0, dot(2), &batch(2, 1));
        assert!(kinds(&oracle).is_empty());
        oracle.applied(0, dot(2), &batch(2, 1));
        oracle.applied(1, dot(3), &batch(3, 1));
        oracle.payload(1, dot(2), &batch(2, 2));
        oracle.vector(0, &VersionVector::default());
        oracle.acknowledged(dot(2));
        oracle.complete(1, &VersionVector::default());
        assert_eq!(kinds(&oracle), ["once", "order", "once", "order", "durability"]);
    }

    #[test]
    fn what_may_be_forgotten_is_not_required_unless_somebody_has_it_for_certain() {
        for certain in [false, true] {
            let mut oracle = Oracle::new(2);
            for node in 0..2 {
                oracle.applied(node, dot(1), &batch(1, 1));
            }
            oracle.acknowledged(dot(1));
            if certain {
                oracle.synced(1, oracle.facts(1).applied);
            }
            oracle.returned(0, &VersionVector::default());
            assert_eq!(oracle.required().len(), usize::from(certain));
            assert!(oracle.violations.is_empty());
        }
        let mut oracle = Oracle::new(1);
        oracle.applied(0, dot(1), &batch(1, 1));
        oracle.ended(0, Survives::Applied);
        oracle.returned(0, &VersionVector::default());
        assert_eq!(kinds(&oracle), ["durability"], "the process alone ended");
    }

    #[test]
    fn counters_lie_between_acknowledged_and_attempted() {
        let key = Bytes::from_static(b"k");
        let turn = |up, down| Turn { increments: [((1, key.clone()), (up, down))].into() };
        let mut oracle = Oracle::new(1);
        oracle.attempted(1, turn(5, 0));
        oracle.attempted(2, turn(3, 1));
        oracle.committed(1, dot(1));
        oracle.acknowledged(dot(1));
        for (value, good) in [(3, false), (4, true), (8, true), (9, false)] {
            let before = oracle.violations.len();
            oracle.counter(1, &key, value);
            assert_eq!(oracle.violations.len() == before, good, "{value}");
        }
    }

    #[test]
    fn times_of_an_origin_grow_and_are_not_too_far_ahead() {
        let mut oracle = Oracle::new(1);
        let late = Batch { hlc: Hlc::from_parts(1, 0), ..Batch::decode(batch(2, 1)).unwrap() };
        oracle.applied(0, dot(1), &batch(1, 1));
        oracle.applied(0, dot(2), &late.encode());
        oracle.wall(0, 1_000);
        oracle.wrote(0, dot(3), Hlc::from_parts(1_500, 0), 500);
        assert_eq!(kinds(&oracle), ["clock"]);
        oracle.wrote(0, dot(3), Hlc::from_parts(2_000, 0), 500);
        assert_eq!(kinds(&oracle), ["clock", "clock"]);
    }
}
