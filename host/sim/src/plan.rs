//! What a seed stands for: the cluster, its settings and everything that will go wrong.
//!
//! The plan is made before the run, so that it can be printed and a part of it can be left out. Each seed takes a random
//! subset of all kinds of faults: with all of them at once, one hides what another would show.

use crate::net::{NetFaults, Pair};
use numax_replica::Durability;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use std::time::Duration;

/// What to favour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scenario {
    /// A random subset of all faults.
    #[default]
    Mix,
    /// No faults at all.
    Calm,
    /// Only crashes, at chosen storage operations, and disks that fail.
    Crash,
    /// Only a bad network.
    Network,
    /// Only old copies that are put back, under a good network.
    Restore,
}

impl Scenario {
    /// All scenarios with the names they have on the command line.
    pub const ALL: [(&'static str, Self); 5] = [
        ("mix", Self::Mix),
        ("calm", Self::Calm),
        ("crash", Self::Crash),
        ("network", Self::Network),
        ("restore", Self::Restore),
    ];
}

/// How a node ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The process alone: the system still has what it was given.
    Process,
    /// The machine: what was not synced may be lost, as the number chooses.
    Power(u64),
}

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A node ends, at its n-th storage operation from now (0: between two), and comes back after some time.
    Crash {
        /// Which node.
        node: usize,
        /// How.
        how: Crash,
        /// At which storage operation from now, counted from 1; 0 is now.
        after: u64,
        /// For how long, in milliseconds.
        down: u64,
    },
    /// Nothing gets through in some directions.
    Partition(Vec<Pair>),
    /// Connections that were cut off break.
    Starve,
    /// Everything gets through again.
    Heal,
    /// A node's wall clock jumps by some milliseconds.
    ClockJump(usize, i64),
    /// A node's disk is copied.
    Copy(usize),
    /// A node's disk is replaced by the copy.
    Restore {
        /// Which node.
        node: usize,
        /// Whether by the command, which marks the copy; otherwise by hand, which the disk's identity shows.
        marked: bool,
    },
    /// A node's disk has room for so many bytes only.
    FullDisk(usize, u64),
    /// A node's disk has room again.
    RoomAgain(usize),
    /// A node's next sync fails, and what it should have written is lost.
    SyncError(usize),
}

/// A whole run, decided by its seed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// How many nodes.
    pub nodes: usize,
    /// Between which of them there are lines.
    pub lines: Vec<Pair>,
    /// When commits count, the same on all nodes.
    pub durability: Durability,
    /// Rows in memory.
    pub cache_rows: usize,
    /// Bytes of a log segment.
    pub segment_bytes: u64,
    /// For how long turns are run and faults happen, in milliseconds.
    pub active_ms: u64,
    /// The mean time between two turns of a node, in milliseconds.
    pub turn_ms: u64,
    /// How bad the network is.
    pub net: NetFaults,
    /// Wall clocks against the true time, in milliseconds.
    pub skew_ms: Vec<i64>,
    /// What goes wrong, and when.
    pub faults: Vec<(u64, Fault)>,
}

const DAY: i64 = 86_400_000;

impl Plan {
    /// The plan of a seed. `nodes` overrides the seed's choice.
    pub fn new(seed: u64, scenario: Scenario, nodes: Option<usize>) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x706c_616e);
        // Small clusters more often: most of what can go wrong needs three nodes, and they are fast.
        let most = rng.random_range(3..=10);
        let nodes = nodes.unwrap_or_else(|| rng.random_range(3..=most));
        let durability = match rng.random_range(0..10) {
            0..5 => Durability::Interval(Duration::from_millis(100)),
            5..9 => Durability::Fsync,
            _ => Durability::None,
        };
        let one_of = |rng: &mut ChaCha8Rng, choices: &[u64]| {
            choices.get(rng.random_range(0..choices.len())).copied().unwrap_or_default()
        };
        let active_ms = rng.random_range(15_000..40_000);
        let mut plan = Self {
            seed,
            nodes,
            lines: lines(nodes, &mut rng),
            durability,
            cache_rows: usize::try_from(one_of(&mut rng, &[0, 3, 50, 10_000])).unwrap_or(0),
            segment_bytes: one_of(&mut rng, &[2_000, 10_000, 100_000, 1 << 20]),
            active_ms,
            turn_ms: one_of(&mut rng, &[300, 600, 1_500]),
            net: NetFaults::default(),
            skew_ms: vec![0; nodes],
            faults: Vec::new(),
        };
        let mut wants = |kind: Scenario, per_mille: u32| match scenario {
            Scenario::Mix => rng.random_range(0..1000) < per_mille,
            Scenario::Calm => false,
            other => other == kind,
        };
        let (network, partitions) = (wants(Scenario::Network, 500), wants(Scenario::Network, 400));
        let (skew, crashes) = (wants(Scenario::Network, 400), wants(Scenario::Crash, 700));
        let (disks, restores) = (wants(Scenario::Crash, 200), wants(Scenario::Restore, 250));
        if network {
            plan.net = NetFaults {
                loss: one_of(&mut rng, &[0, 10, 100, 300]).try_into().unwrap_or(0),
                duplicates: one_of(&mut rng, &[0, 20, 200]).try_into().unwrap_or(0),
                reorder: one_of(&mut rng, &[0, 50, 500]).try_into().unwrap_or(0),
                resets: one_of(&mut rng, &[0, 1, 10]).try_into().unwrap_or(0),
            };
        }
        if skew {
            plan.add_skew(&mut rng);
        }
        if partitions {
            plan.add_partitions(&mut rng);
        }
        if crashes {
            plan.add_crashes(&mut rng);
        }
        if disks {
            plan.add_bad_disks(&mut rng);
        }
        if restores {
            plan.add_restores(&mut rng);
        }
        plan.faults.sort_by_key(|(at, _)| *at);
        plan
    }

    /// A short run of three nodes without faults.
    pub fn short(seed: u64, durability: Durability) -> Self {
        Self {
            durability,
            active_ms: 1_500,
            turn_ms: 150,
            segment_bytes: 2_000,
            ..Self::new(seed, Scenario::Calm, Some(3))
        }
    }

    /// Times about `mean` apart.
    fn times(&self, mean: u64, rng: &mut ChaCha8Rng) -> Vec<u64> {
        let mut times = Vec::new();
        let mut at = rng.random_range(0..mean * 2);
        while at < self.active_ms {
            times.push(at);
            at += 1 + rng.random_range(0..mean * 2);
        }
        times
    }

    fn add_skew(&mut self, rng: &mut ChaCha8Rng) {
        for skew in &mut self.skew_ms {
            *skew = match rng.random_range(0..8) {
                0..4 => rng.random_range(-200..200),
                4..7 => rng.random_range(-120_000..120_000),
                // A year ahead.
                _ => 365 * DAY,
            };
        }
        for at in self.times(15_000, rng) {
            let by = rng.random_range(-3_600_000..3_600_000);
            self.faults.push((at, Fault::ClockJump(rng.random_range(0..self.nodes), by)));
        }
    }

    fn add_partitions(&mut self, rng: &mut ChaCha8Rng) {
        let mut at = rng.random_range(0..8_000);
        while at < self.active_ms {
            let side: Vec<bool> = (0..self.nodes).map(|_| rng.random()).collect();
            // One direction only, sometimes: the other side hears us and we do not hear it.
            let one_way = rng.random_range(0..4) == 0;
            // A node that still talks to both sides, sometimes.
            let bridge = (rng.random_range(0..4) == 0).then(|| rng.random_range(0..self.nodes));
            let cut = |(a, b): &Pair| {
                let apart = side.get(*a) != side.get(*b) && bridge != Some(*a) && bridge != Some(*b);
                apart && !(one_way && side.get(*a) == Some(&true))
            };
            let both_ways = self.lines.iter().flat_map(|(a, b)| [(*a, *b), (*b, *a)]);
            self.faults.push((at, Fault::Partition(both_ways.filter(cut).collect())));
            let lasts = rng.random_range(500..20_000);
            let silence = rng.random_range(500..15_000);
            if silence < lasts {
                self.faults.push((at + silence, Fault::Starve));
            }
            self.faults.push((at + lasts, Fault::Heal));
            at += lasts + rng.random_range(500..10_000);
        }
    }

    fn add_crashes(&mut self, rng: &mut ChaCha8Rng) {
        let mean = rng.random_range(1_500..12_000);
        for at in self.times(mean, rng) {
            let how = if rng.random() { Crash::Process } else { Crash::Power(rng.random()) };
            let after = if rng.random_range(0..3) == 0 { 0 } else { rng.random_range(1..30) };
            let longest = rng.random_range(100..10_000);
            let down = rng.random_range(10..longest);
            self.faults.push((at, Fault::Crash { node: rng.random_range(0..self.nodes), how, after, down }));
        }
    }

    fn add_bad_disks(&mut self, rng: &mut ChaCha8Rng) {
        for at in self.times(10_000, rng) {
            let node = rng.random_range(0..self.nodes);
            if rng.random() {
                self.faults.push((at, Fault::FullDisk(node, rng.random_range(0..3_000))));
                self.faults.push((at + rng.random_range(500..5_000), Fault::RoomAgain(node)));
            } else {
                self.faults.push((at, Fault::SyncError(node)));
            }
        }
    }

    fn add_restores(&mut self, rng: &mut ChaCha8Rng) {
        for _ in 0..rng.random_range(1..4) {
            let node = rng.random_range(0..self.nodes);
            let copied = rng.random_range(0..self.active_ms / 2);
            let restored = copied + rng.random_range(200..self.active_ms / 2);
            self.faults.push((copied, Fault::Copy(node)));
            self.faults.push((restored, Fault::Restore { node, marked: rng.random() }));
        }
    }
}

/// A connected graph: everybody with everybody, a ring, a star, or a random tree with some more lines.
fn lines(nodes: usize, rng: &mut ChaCha8Rng) -> Vec<Pair> {
    let mut lines = Vec::new();
    match rng.random_range(0..4) {
        0 | 1 => lines.extend((0..nodes).flat_map(|a| (a + 1..nodes).map(move |b| (a, b)))),
        2 => lines.extend((0..nodes).map(|a| (a, (a + 1) % nodes))),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_plan_and_seeds_differ() {
        let text = |seed| format!("{:?}", Plan::new(seed, Scenario::Mix, None));
        assert_eq!(text(5), text(5));
        assert_ne!(text(5), text(6));
    }

    #[test]
    fn all_faults_and_sizes_occur_and_every_cluster_is_connected() {
        let mut kinds = std::collections::BTreeSet::new();
        let mut sizes = std::collections::BTreeSet::new();
        for seed in 0..300 {
            let plan = Plan::new(seed, Scenario::Mix, None);
            sizes.insert(plan.nodes);
            kinds.extend(plan.faults.iter().map(|(_, fault)| format!("{:?}", std::mem::discriminant(fault))));
            let mut reached = std::collections::BTreeSet::from([0]);
            for _ in 0..plan.nodes {
                for (a, b) in &plan.lines {
                    assert_ne!(a, b);
                    if reached.contains(a) || reached.contains(b) {
                        reached.extend([*a, *b]);
                    }
                }
            }
            assert_eq!(reached.len(), plan.nodes, "seed {seed}");
        }
        assert_eq!((kinds.len(), sizes.len()), (10, 8));
        assert!(Plan::new(1, Scenario::Calm, Some(4)).faults.is_empty());
    }
}
