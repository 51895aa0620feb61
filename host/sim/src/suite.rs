//! Many seeds at once, on all processors.

use crate::{Outcome, Plan, Scenario, run};
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
