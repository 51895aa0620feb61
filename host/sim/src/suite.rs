//! Many seeds at once, on all processors.

use crate::plan::{Crash, Fault};
use crate::{Bug, Outcome, Plan, Planted, Scenario, run, run_with};
use numax_replica::Durability;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Which seeds to run, and how.
#[derive(Clone, Copy, Debug)]
pub struct Seeds {
    /// The first one.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// Nodes of a cluster; none lets the seed choose.
    pub nodes: Option<usize>,
    /// What to favour.
    pub scenario: Scenario,
}

/// Runs all seeds and gives what came of each to `done`, in no particular order; stops early if that answers `false`.
pub fn run_all(seeds: Seeds, threads: usize, done: impl FnMut(Outcome) -> bool + Send) {
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let done = Mutex::new(done);
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= seeds.count {
                return;
            }
            let plan = Plan::new(seeds.first.wrapping_add(index), seeds.scenario, seeds.nodes);
            let outcome = run(&plan);
            let mut done = done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if !done(outcome) {
                stop.store(true, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(work);
        }
    });
}

/// A bug that must be found, and within how many seeds. When these were set it took one to five, and some thirty for the
/// two about forgetting; a much greater need says that the harness has become weaker.
pub const PLANTED: [(&str, Bug, u64); 7] = [
    ("dot reuse after a restore", Bug::Core(Planted::DotReuse), 20),
    ("skipped fsync", Bug::Core(Planted::SkippedFsync), 20),
    ("double apply", Bug::Core(Planted::DoubleApply), 5),
    ("no causality", Bug::Core(Planted::NoCausality), 20),
    ("removed rows kept by a transfer", Bug::Core(Planted::KeptRows), 120),
    ("tombstones collected early", Bug::Core(Planted::EarlyCollection), 120),
    ("no anti-entropy", Bug::NoAntiEntropy, 20),
];

/// Looks for a planted bug, seed by seed from `first` on; gives the run that found it and how many it took.
#[must_use]
pub fn find(bug: Bug, first: u64, within: u64) -> Option<(u64, Outcome)> {
    (0..within).find_map(|index| {
        let plan = Plan::new(first.wrapping_add(index), Scenario::Mix, None);
        let outcome = run_with(&plan, Some(bug));
        (!outcome.violations.is_empty()).then_some((index + 1, outcome))
    })
}

/// Runs one short plan again and again, with a node that ends at its first storage operation, at its second, and so on
/// until there are no more: once as a process and once by a power cut, at two durabilities. Gives the number of runs and
/// those that broke a promise, each with where it crashed.
#[must_use]
pub fn every_operation(seed: u64) -> (u64, Vec<(String, Outcome)>) {
    let mut runs = 0;
    let mut broken = Vec::new();
    for durability in [Durability::Fsync, Durability::default()] {
        for power in [false, true] {
            for after in 1.. {
                let how = if power { Crash::Power(seed.wrapping_add(after)) } else { Crash::Process };
                let mut plan = Plan::short(seed, durability);
                plan.faults.push((0, Fault::Crash { node: 0, how, after, down: 50 }));
                let outcome = run(&plan);
                runs += 1;
                let crashed = outcome.stats.crashes > 0;
                if !outcome.violations.is_empty() {
                    broken.push((format!("{how:?} at operation {after}, {durability:?}"), outcome));
                }
                if !crashed {
                    break;
                }
            }
        }
    }
    (runs, broken)
}
