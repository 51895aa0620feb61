//! Many seeds at once, on all processors; planted bugs; every storage operation; the corpus.

use crate::plan::{Crash, Entry, Header, Step};
use crate::{Bug, Outcome, Plan, Planted, Scenario, run, run_with};
use numax_replica::Durability;
use std::path::Path;
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
    /// A bug in every run.
    pub bug: Option<Bug>,
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
            let outcome = run_with(&plan, seeds.bug);
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

/// A bug that must be found.
#[derive(Clone, Copy, Debug)]
pub struct PlantedBug {
    /// What it is called.
    pub name: &'static str,
    /// The bug.
    pub bug: Bug,
    /// Where to look for it.
    pub scenario: Scenario,
    /// Within how many seeds it must be found: some three times what it took when this was set, whatever the first seed. A
    /// greater need says that the harness has become weaker.
    pub within: u64,
}

/// Every planted bug.
pub const PLANTED: [PlantedBug; 22] = [
    planted("dot-reuse", Bug::Core(Planted::DotReuse), Scenario::Restore, 20),
    planted("skipped-fsync", Bug::Core(Planted::SkippedFsync), Scenario::Crash, 20),
    planted("double-apply", Bug::Core(Planted::DoubleApply), Scenario::Mix, 5),
    planted("no-causality", Bug::Core(Planted::NoCausality), Scenario::Mix, 20),
    planted("kept-rows", Bug::Core(Planted::KeptRows), Scenario::Mix, 120),
    planted("leaves-unsynced", Bug::Core(Planted::LeavesUnsynced), Scenario::Crash, 40),
    planted("early-collection", Bug::Core(Planted::EarlyCollection), Scenario::Network, 120),
    planted("kept-rows-after-restore", Bug::Core(Planted::KeptRows), Scenario::Restore, 120),
    planted("kept-tail", Bug::Core(Planted::KeptTail), Scenario::Disk, 40),
    planted("damage-is-torn", Bug::Core(Planted::DamageIsTorn), Scenario::Disk, 40),
    planted("trusted-engine", Bug::Core(Planted::TrustedEngine), Scenario::Crash, 800),
    planted("answered-anyway", Bug::Core(Planted::AnsweredAnyway), Scenario::Disk, 40),
    planted("bare-clock", Bug::Core(Planted::BareClock), Scenario::Clock, 40),
    planted("blind-writes", Bug::Core(Planted::BlindWrites), Scenario::Clock, 40),
    planted("epoch-at-each-start", Bug::Core(Planted::EpochAtEachStart), Scenario::Crash, 40),
    planted("twin-writes", Bug::Core(Planted::TwinWrites), Scenario::Twins, 10),
    planted("no-anti-entropy", Bug::NoAntiEntropy, Scenario::Mix, 20),
    planted("same-nonce", Bug::SameNonce, Scenario::Restore, 120),
    planted("newcomer-writes", Bug::Core(Planted::NewcomerWrites), Scenario::Join, 200),
    planted("restored-writes", Bug::Core(Planted::RestoredWrites), Scenario::Restore, 400),
    planted("merged-by-halves", Bug::Core(Planted::MergedByHalves), Scenario::Join, 400),
    planted("any-clock", Bug::AnyClock, Scenario::Clock, 20),
];

const fn planted(name: &'static str, bug: Bug, scenario: Scenario, within: u64) -> PlantedBug {
    PlantedBug { name, bug, scenario, within }
}

/// A planted bug by its name.
#[must_use]
pub fn planted_bug(name: &str) -> Option<PlantedBug> {
    PLANTED.into_iter().find(|planted| planted.name == name)
}

/// Looks for a planted bug, seed by seed from `first` on; gives the run that found it and how many it took. A run that
/// breaks a promise without the bug has found something else.
#[must_use]
pub fn find(planted: PlantedBug, first: u64) -> Option<(u64, Outcome)> {
    (0..planted.within).find_map(|index| {
        let plan = Plan::new(first.wrapping_add(index), planted.scenario, None);
        let outcome = run_with(&plan, Some(planted.bug));
        let found = !outcome.violations.is_empty() && run(&plan).violations.is_empty();
        found.then_some((index + 1, outcome))
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
                let step = Step::Crash { node: 0, how, after, down: 50 };
                plan.entries.insert(0, Entry { at: 0, step });
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

/// How many choices of the run's random numbers [`replay`] tries to find a planted bug again.
const CHOICES: u64 = 50;

/// Replays a schedule. With the planted bug that it names, if it names one, it must break the promise that it says it
/// breaks; without, nothing. What it finds may hang on who is first: some other choices of the run's own random numbers
/// are tried too, so that a change that makes frames larger does not make a schedule worthless.
///
/// # Errors
/// What is wrong with the file, or what the run did that it should not.
pub fn replay(text: &str) -> Result<Outcome, String> {
    let (header, plan) = Plan::from_text(text)?;
    let outcome = run(&plan);
    if let Some(violation) = outcome.violations.first() {
        return Err(format!("at {} ms, {}: {}", violation.at, violation.kind, violation.detail));
    }
    let Header { bug: Some(name), violates, .. } = header else { return Ok(outcome) };
    let bug = planted_bug(&name).ok_or_else(|| format!("there is no planted bug {name:?}"))?.bug;
    for other in 0..CHOICES {
        let plan = Plan { seed: plan.seed + other, ..plan.clone() };
        let outcome = run_with(&plan, Some(bug));
        let found = outcome.violations.first().map(|violation| violation.kind);
        if found.is_some() && violates.as_deref().is_none_or(|kind| found == Some(kind)) {
            return Ok(outcome);
        }
    }
    Err(format!("with {name} it does not find {violates:?}"))
}

/// The schedules of a folder, by name.
///
/// # Errors
/// When they cannot be read.
pub fn corpus(folder: &Path) -> std::io::Result<Vec<(String, String)>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "schedule") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            all.push((name, std::fs::read_to_string(&path)?));
        }
    }
    all.sort();
    Ok(all)
}
