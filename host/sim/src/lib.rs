//! The deterministic simulator: the real replica core and the real node protocol under a simulated network, clock and
//! disk.
//!
//! One seed is one run. It decides the cluster, its settings, everything that guests do and everything that goes wrong
//! ([`plan`]); the run lets it happen in simulated time ([`run`]) while an [`oracle`] watches that the promises of the
//! data model are kept. The same seed gives the same run, step by step, which its trace hash shows.
//!
//! What is real: `numax_replica::Core` with its drafts, log and rows, `numax_cluster::Cluster`, the wire codec. What is
//! simulated: everything they do not do themselves. The threads around a core are not simulated, but what they make
//! possible is: commits happen between the beginning and the end of a sync and of a flush.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod act;
mod damage;
pub mod families;
mod hurt;
mod inspect;
mod look;
pub mod model;
pub mod net;
pub mod node;
pub mod oracle;
pub mod outcome;
pub mod plan;
pub mod schedule;
pub mod shrink;
pub mod suite;
pub mod trace;
mod world;

pub use numax_replica::Planted;
pub use outcome::{Outcome, Stats};
pub use plan::{Plan, Scenario};

use numax_crdt::NodeId;
use numax_replica::CoreConfig;

/// Runs a plan to its end.
#[must_use]
pub fn run(plan: &Plan) -> Outcome {
    run_with(plan, None)
}

/// A bug on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// In the replica's core.
    Core(Planted),
    /// In the protocol: what a push lost stays lost.
    NoAntiEntropy,
    /// Clones of a datastore write under one origin: their nonces are not random.
    SameNonce,
    /// Remote times are adopted however far ahead they are.
    AnyClock,
}

/// Runs a plan with a bug in every node.
#[must_use]
pub fn run_with(plan: &Plan, bug: Option<Bug>) -> Outcome {
    let default = numax_cluster::Config::default();
    // Small pages and queues, so that there are many and they are full.
    let mut protocol = numax_cluster::Config {
        page_bytes: 2_000,
        ingest_bytes: 20_000,
        backlog_bytes: 20_000,
        sync_interval_ms: default.sync_interval_ms * plan.slower,
        transfer_patience_ms: default.transfer_patience_ms * plan.slower,
        settle_patience_ms: default.settle_patience_ms * plan.slower,
        ..default
    };
    let mut config = CoreConfig {
        durability: plan.durability,
        cache_rows: plan.cache_rows,
        segment_bytes: plan.segment_bytes,
        pending_bytes: plan.pending_bytes,
        op_log_budget: plan.op_log_budget,
        ..CoreConfig::new(NodeId::default())
    };
    let mut same_nonce = false;
    match bug {
        Some(Bug::Core(planted)) => config.planted = Some(planted),
        Some(Bug::NoAntiEntropy) => protocol.sync_interval_ms = 1 << 40,
        Some(Bug::SameNonce) => same_nonce = true,
        Some(Bug::AnyClock) => config.max_skew_ms = u64::MAX,
        None => {}
    }
    let mut world = world::World::new(plan, config, protocol);
    world.same_nonce = same_nonce;
    world.run()
}
