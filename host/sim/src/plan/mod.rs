//! What a run is: the cluster, its settings, everything that guests do and everything that goes wrong.
//!
//! A seed stands for a plan ([`swarm`]). The plan is made before the run, step by step and with nothing left to choose,
//! so that it can be written down ([`text`]) and parts of it can be left out ([`shrink`](crate::shrink)). Times between
//! the steps (how long a frame is on its way, when a commit runs) are chosen during the run, from a stream of random
//! numbers for each node and each line: without one step, most of the others happen as before.

mod hurt;
mod swarm;
mod text;
mod week;

pub use text::{FORMAT, Header};

use crate::families::Call;
use crate::net::{NetFaults, Pair};
use numax_replica::Durability;
use serde::{Deserialize, Serialize};

/// What to favour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scenario {
    /// A random subset of all faults.
    #[default]
    Mix,
    /// No faults at all.
    Calm,
    /// Processes and machines that end, at chosen storage operations.
    Crash,
    /// A bad network.
    Network,
    /// Clocks that are wrong, jump, and processes that stand still.
    Clock,
    /// Disks that are full, slow, or fail.
    Disk,
    /// Old copies of disks put back, and copies that run beside the original.
    Restore,
    /// Nodes that come late, leave for good, restart in order, or lose their disk.
    Churn,
    /// Nodes that begin empty again and again in clusters that forget early, so that they get state as rows, from
    /// senders that end or go back meanwhile.
    Join,
    /// Two nodes that run under one origin, as when a machine is copied while it runs: they must stop writing when they
    /// meet. Nothing else is promised then.
    Twins,
    /// A week of a small cluster: nights off, days away, restarts, drifting clocks, and a few turns an hour.
    Week,
}

impl Scenario {
    /// All scenarios with the names they have on the command line.
    pub const ALL: [(&'static str, Self); 11] = [
        ("mix", Self::Mix),
        ("calm", Self::Calm),
        ("crash", Self::Crash),
        ("network", Self::Network),
        ("clock", Self::Clock),
        ("disk", Self::Disk),
        ("restore", Self::Restore),
        ("churn", Self::Churn),
        ("join", Self::Join),
        ("twins", Self::Twins),
        ("week", Self::Week),
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, other)| *other == self).map_or("mix", |(name, _)| name)
    }
}

/// How a node ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Crash {
    /// The process alone: the system still has what it was given.
    Process,
    /// The machine: what was not synced may be lost, as the number chooses.
    Power(u64),
}

/// What decays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// A bit of a file of the log, at once.
    Log,
    /// The engine's files, while nobody has them open: rows that cannot be read, or the last commits are gone.
    Rows,
}

/// Something that somebody does or that goes wrong. Nodes and lines are named by their index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// A guest runs a turn.
    Turn {
        /// Where.
        node: usize,
        /// What it does.
        calls: Vec<Call>,
        /// Whether it traps at the end, so that nothing of it may be left.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        trap: bool,
    },
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
    /// A node ends in order and comes back after some time.
    Stop {
        /// Which node.
        node: usize,
        /// For how long, in milliseconds.
        down: u64,
    },
    /// A node leaves and never comes back.
    Leave {
        /// Which node.
        node: usize,
    },
    /// A process stands still, as after SIGSTOP.
    Pause {
        /// Which node.
        node: usize,
        /// For how long, in milliseconds.
        ms: u64,
    },
    /// Nothing gets through in some directions.
    Partition {
        /// From whom to whom.
        ways: Vec<Pair>,
    },
    /// Connections that were cut off break.
    Starve,
    /// A line becomes slow.
    Slow {
        /// Which line.
        line: usize,
        /// Its latency, in milliseconds.
        latency: u64,
        /// Bytes that get through in a millisecond.
        bytes_per_ms: u64,
    },
    /// Everything gets through again, as fast as before.
    Heal,
    /// A node's wall clock jumps.
    Jump {
        /// Which node.
        node: usize,
        /// By how many milliseconds.
        by: i64,
    },
    /// A node's disk is copied.
    Copy {
        /// Which node.
        node: usize,
    },
    /// A node's disk is replaced by the copy.
    Restore {
        /// Which node.
        node: usize,
        /// Whether by the command, which marks the copy; otherwise by hand, which the disk's identity shows.
        marked: bool,
    },
    /// A node becomes another's clone: its disk is replaced by a copy of that one's, key and all.
    Clone {
        /// Which node.
        node: usize,
        /// Whose disk.
        of: usize,
    },
    /// A node's disk is replaced by an empty one.
    Wipe {
        /// Which node.
        node: usize,
    },
    /// A node's disk has room for so many bytes only.
    Full {
        /// Which node.
        node: usize,
        /// How many.
        bytes: u64,
    },
    /// A node's disk has room again.
    Room {
        /// Which node.
        node: usize,
    },
    /// A node's next sync fails, and what it should have written is lost.
    BadSync {
        /// Which node.
        node: usize,
    },
    /// A node's syncs take long for a while.
    SlowSync {
        /// Which node.
        node: usize,
        /// How much longer, in milliseconds.
        by: u64,
        /// For how long, in milliseconds.
        lasts: u64,
    },
    /// What is on a node's disk decays.
    Damage {
        /// Which node.
        node: usize,
        /// What.
        part: Part,
        /// Where, and how.
        choice: u64,
    },
}

impl Step {
    /// The node that it is about, if one.
    #[must_use]
    pub fn node(&self) -> Option<usize> {
        match self {
            Self::Turn { node, .. }
            | Self::Crash { node, .. }
            | Self::Stop { node, .. }
            | Self::Leave { node }
            | Self::Pause { node, .. }
            | Self::Jump { node, .. }
            | Self::Copy { node }
            | Self::Restore { node, .. }
            | Self::Clone { node, .. }
            | Self::Wipe { node }
            | Self::Full { node, .. }
            | Self::Room { node }
            | Self::BadSync { node }
            | Self::SlowSync { node, .. }
            | Self::Damage { node, .. } => Some(*node),
            Self::Partition { .. } | Self::Starve | Self::Slow { .. } | Self::Heal => None,
        }
    }

    /// Whether it is no fault, but what guests do.
    #[must_use]
    pub fn is_turn(&self) -> bool {
        matches!(self, Self::Turn { .. })
    }
}

/// A step and when it happens, in simulated milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: u64,
    /// What.
    #[serde(flatten)]
    pub step: Step,
}

/// One node from its beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NodePlan {
    /// When it starts for the first time, in milliseconds; none if it never does.
    pub start: Option<u64>,
    /// Its wall clock against the true time, in milliseconds.
    #[serde(default)]
    pub skew: i64,
    /// How many protocol versions it knows beyond this build's: a node of a newer release.
    #[serde(default)]
    pub newer: u32,
}

/// A whole run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Plan {
    /// Where the run's own random numbers begin.
    pub seed: u64,
    /// The nodes.
    pub nodes: Vec<NodePlan>,
    /// Between which of them there are lines.
    pub lines: Vec<Pair>,
    /// When commits count, the same on all nodes.
    #[serde(with = "text::durability")]
    pub durability: Durability,
    /// Rows in memory.
    pub cache_rows: usize,
    /// Bytes of a log segment.
    pub segment_bytes: u64,
    /// Bytes of batches that may wait for others.
    pub pending_bytes: usize,
    /// Bytes of log beyond which even what somebody lacks is forgotten, so that nodes that were away get a transfer of
    /// state.
    #[serde(default = "never")]
    pub op_log_budget: u64,
    /// How many times slower everything is that nodes do at intervals: for runs that last long.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub slower: u64,
    /// A clone goes on under the origin of what it was made from.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub twins: bool,
    /// For how long steps are taken, in milliseconds. Then all faults end and the nodes must come to agree.
    pub active_ms: u64,
    /// How bad the network is.
    #[serde(default)]
    pub net: NetFaults,
    /// What happens, in order of time. Written apart from the settings.
    #[serde(skip)]
    pub entries: Vec<Entry>,
}

/// A budget that no run uses up.
fn never() -> u64 {
    1 << 30
}

fn once() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_once(times: &u64) -> bool {
    *times == 1
}

impl Plan {
    /// A plan without nodes in which nothing happens.
    pub(crate) fn bare(seed: u64) -> Self {
        Self {
            seed,
            nodes: Vec::new(),
            lines: Vec::new(),
            durability: Durability::default(),
            cache_rows: 10_000,
            segment_bytes: 1 << 20,
            pending_bytes: 1 << 20,
            op_log_budget: never(),
            slower: 1,
            twins: false,
            active_ms: 0,
            net: NetFaults::default(),
            entries: Vec::new(),
        }
    }

    /// The nodes that ever run.
    pub fn present(&self) -> impl Iterator<Item = usize> {
        self.nodes.iter().enumerate().filter(|(_, node)| node.start.is_some()).map(|(index, _)| index)
    }

    /// Whether all nodes that run can hear of each other over lines between them, also without some that have left.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        let left = |node: usize| {
            self.entries.iter().any(|entry| matches!(entry.step, Step::Leave { node: gone } if gone == node))
        };
        let here: std::collections::BTreeSet<usize> = self.present().filter(|node| !left(*node)).collect();
        let mut reached: std::collections::BTreeSet<usize> = here.iter().take(1).copied().collect();
        for _ in 0..here.len() {
            for (a, b) in self.lines.iter().filter(|(a, b)| here.contains(a) && here.contains(b)) {
                if reached.contains(a) || reached.contains(b) {
                    reached.extend([*a, *b]);
                }
            }
        }
        reached.len() == here.len()
    }
}
