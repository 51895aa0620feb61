//! The plan of a seed.
//!
//! Each seed takes a random subset of all kinds of faults and of all that guests can do, each with a random weight
//! (swarm testing, after Groce et al., ISSTA 2012): with everything at once, one thing hides what another would show, and a
//! deletion that comes with every second call keeps collections from ever being large.

use super::{Entry, NodePlan, Plan, Scenario, Step, hurt, never, week};
use crate::families::{Call, FAMILIES};
use crate::net::{NetFaults, Pair};
use numax_replica::Durability;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// One of some numbers.
pub(super) fn one_of(rng: &mut ChaCha8Rng, choices: &[u64]) -> u64 {
    choices.get(rng.random_range(0..choices.len())).copied().unwrap_or_default()
}

impl Plan {
    /// The plan of a seed. `nodes` overrides the seed's choice.
    #[must_use]
    pub fn new(seed: u64, scenario: Scenario, nodes: Option<usize>) -> Self {
        if scenario == Scenario::Week {
            return week::plan(seed, nodes);
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x706c_616e);
        // Small clusters more often: most of what can go wrong needs three nodes, and they are fast.
        let most = rng.random_range(3..=10);
        let nodes = nodes.unwrap_or_else(|| rng.random_range(3..=most));
        let durability = match rng.random_range(0..10) {
            0..5 => Durability::default(),
            5..9 => Durability::Fsync,
            _ => Durability::None,
        };
        let mut plan = Self {
            seed,
            nodes: vec![NodePlan { start: Some(0), skew: 0, newer: 0 }; nodes],
            lines: lines(nodes, &mut rng),
            durability,
            cache_rows: usize::try_from(one_of(&mut rng, &[0, 3, 50, 10_000])).unwrap_or(0),
            segment_bytes: one_of(&mut rng, &[2_000, 10_000, 100_000, 1 << 20]),
            pending_bytes: usize::try_from(one_of(&mut rng, &[3_000, 20_000, 1 << 20])).unwrap_or(0),
            op_log_budget: never(),
            slower: 1,
            twins: scenario == Scenario::Twins,
            active_ms: rng.random_range(15_000..40_000),
            net: NetFaults::default(),
            entries: Vec::new(),
        };
        for node in &mut plan.nodes {
            node.start = Some(rng.random_range(0..500));
            // A release that can speak a newer protocol, among others that cannot.
            node.newer = u32::from(rng.random_range(0..6) == 0);
        }
        let pace = one_of(&mut rng, &[300, 600, 1_500]);
        plan.add_turns(pace, &mut rng);
        if rng.random() {
            plan.op_log_budget = plan.segment_bytes * one_of(&mut rng, &[2, 4, 20]);
        }
        hurt::add(&mut plan, scenario, &mut rng);
        plan.entries.sort_by_key(|entry| entry.at);
        plan
    }

    /// A short run of three nodes without faults.
    #[must_use]
    pub fn short(seed: u64, durability: Durability) -> Self {
        let mut plan = Self::new(seed, Scenario::Calm, Some(3));
        plan.durability = durability;
        plan.active_ms = 1_500;
        plan.segment_bytes = 2_000;
        plan.entries.clear();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        plan.add_turns(150, &mut rng);
        plan.entries.sort_by_key(|entry| entry.at);
        plan
    }

    /// Adds what guests do: on each node a turn about every `mean` milliseconds.
    pub(super) fn add_turns(&mut self, mean: u64, rng: &mut ChaCha8Rng) {
        let taste = Taste::new(rng);
        for node in 0..self.nodes.len() {
            for at in self.times(mean, rng) {
                let calls = taste.turn(rng);
                let trap = rng.random_range(0..20) == 0;
                self.entries.push(Entry { at, step: Step::Turn { node, calls, trap } });
            }
        }
    }

    /// Times about `mean` apart.
    pub(super) fn times(&self, mean: u64, rng: &mut ChaCha8Rng) -> Vec<u64> {
        let mut times = Vec::new();
        let mut at = rng.random_range(0..mean.max(1) * 2);
        while at < self.active_ms {
            times.push(at);
            at += 1 + rng.random_range(0..mean.max(1) * 2);
        }
        times
    }

    pub(super) fn put(&mut self, at: u64, step: Step) {
        self.entries.push(Entry { at, step });
    }
}

/// What the guests of a run like to do.
struct Taste {
    /// Verbs, each with its weight.
    verbs: Vec<(&'static str, &'static str, u32)>,
    keys: u32,
    items: u32,
    /// In how many of 100 turns there are many calls.
    long: u32,
    /// In how many of 100 calls the bytes are many.
    large: u32,
}

impl Taste {
    fn new(rng: &mut ChaCha8Rng) -> Self {
        let mut verbs = Vec::new();
        for family in FAMILIES {
            let weight = if rng.random_range(0..4) == 0 { 0 } else { rng.random_range(1..10) };
            for (verb, share) in family.verbs() {
                let factor = [0, 1, 1, 1, 5].get(rng.random_range(0..5)).copied().unwrap_or(1);
                verbs.push((family.name(), *verb, weight * share * factor));
            }
        }
        if verbs.iter().all(|(.., weight)| *weight == 0) {
            verbs.iter_mut().for_each(|(.., weight)| *weight = 1);
        }
        let number = |rng: &mut ChaCha8Rng, choices: &[u64]| u32::try_from(one_of(rng, choices)).unwrap_or(1);
        Self {
            verbs,
            keys: number(rng, &[1, 2, 3, 20]),
            items: number(rng, &[1, 4, 8, 40]),
            long: number(rng, &[0, 5, 10, 30]),
            large: number(rng, &[0, 2, 5]),
        }
    }

    fn turn(&self, rng: &mut ChaCha8Rng) -> Vec<Call> {
        let many = rng.random_range(0..100) < self.long;
        let count = if many { rng.random_range(5..30) } else { rng.random_range(1..4) };
        (0..count).filter_map(|_| self.call(rng)).collect()
    }

    fn call(&self, rng: &mut ChaCha8Rng) -> Option<Call> {
        let total: u32 = self.verbs.iter().map(|(.., weight)| weight).sum();
        let mut chosen = rng.random_range(0..total.max(1));
        let (family, verb, _) = self.verbs.iter().find(|(.., weight)| {
            let here = chosen < *weight;
            chosen = chosen.saturating_sub(*weight);
            here
        })?;
        let (key, item) = (rng.random_range(0..self.keys), rng.random_range(0..self.items));
        let large = rng.random_range(0..100) < self.large;
        let amount = if large { rng.random_range(500..3_000) } else { rng.random_range(0..100) };
        Some(Call { family, verb, key, item, amount })
    }
}

/// A connected graph: everybody with everybody, a ring, a star, or a random tree with some more lines.
fn lines(nodes: usize, rng: &mut ChaCha8Rng) -> Vec<Pair> {
    let mut lines = Vec::new();
    match rng.random_range(0..4) {
        0 | 1 => lines = mesh(nodes),
        2 if nodes > 2 => lines.extend((0..nodes).map(|a| (a, (a + 1) % nodes))),
        _ => {
            lines.extend((1..nodes).map(|a| (a, rng.random_range(0..a))));
            for _ in 0..nodes / 2 {
                let (a, b) = (rng.random_range(0..nodes), rng.random_range(0..nodes));
                if a != b && !lines.contains(&(a, b)) && !lines.contains(&(b, a)) {
                    lines.push((a, b));
                }
            }
        }
    }
    lines
}

/// Lines from everybody to everybody.
pub(super) fn mesh(nodes: usize) -> Vec<Pair> {
    (0..nodes).flat_map(|a| (a + 1..nodes).map(move |b| (a, b))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_seed_is_a_plan_and_seeds_differ() {
        assert_eq!(Plan::new(5, Scenario::Mix, None), Plan::new(5, Scenario::Mix, None));
        assert_ne!(Plan::new(5, Scenario::Mix, None), Plan::new(6, Scenario::Mix, None));
    }

    #[test]
    fn all_steps_verbs_and_sizes_occur_and_every_cluster_is_connected() {
        let (mut kinds, mut verbs, mut sizes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for seed in 0..400 {
            let plan = Plan::new(seed, Scenario::Mix, None);
            sizes.insert(plan.nodes.len());
            for Entry { step, .. } in &plan.entries {
                kinds.insert(format!("{:?}", std::mem::discriminant(step)));
                if let Step::Turn { calls, .. } = step {
                    verbs.extend(calls.iter().map(|call| (call.family, call.verb)));
                }
            }
            assert!(plan.is_connected(), "seed {seed}");
            assert!(plan.lines.iter().all(|(a, b)| a != b), "seed {seed}");
        }
        let all: usize = FAMILIES.iter().map(|family| family.verbs().len()).sum();
        assert_eq!((kinds.len(), verbs.len(), sizes.len()), (19, all, 8));
        assert!(Plan::new(1, Scenario::Calm, Some(4)).entries.iter().all(|entry| entry.step.is_turn()));
    }

    #[test]
    fn each_scenario_has_its_faults() {
        for (name, scenario) in Scenario::ALL {
            let hurts = |seed: &u64| {
                let plan = Plan::new(*seed, scenario, None);
                let calm = plan.entries.iter().all(|entry| entry.step.is_turn());
                !calm || plan.net != NetFaults::default() || plan.nodes.iter().any(|node| node.skew != 0)
            };
            // A rare fault may happen to have no time to occur.
            let hurt = (0..30).filter(hurts).count();
            assert!(if scenario == Scenario::Calm { hurt == 0 } else { hurt >= 25 }, "{name}: {hurt} of 30");
        }
    }
}
