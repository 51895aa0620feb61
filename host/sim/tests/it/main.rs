//! The simulator itself: seeds are runs, good code is clean, planted bugs are found, broken runs become small.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use numax_sim::shrink::{Budget, shrink};
use numax_sim::suite::{self, PLANTED};
use numax_sim::{Plan, Scenario, run, run_with};
use std::path::Path;

/// Bugs that are found within so many seeds have a schedule, too.
const QUICK: u64 = 40;
/// Those that take more than so many are looked for by `cargo xtask sim --planted` alone, and have a schedule here.
const SLOW: u64 = 120;

#[test]
fn the_same_seed_is_the_same_run() {
    for (name, scenario) in Scenario::ALL {
        // A week takes a second.
        let seeds = if scenario == Scenario::Week { 1 } else { 2 };
        for seed in 1..=seeds {
            let plan = Plan::new(seed, scenario, None);
            assert_eq!(run(&plan), run(&plan), "{name}, seed {seed}");
        }
    }
    let trace = |seed| run(&Plan::new(seed, Scenario::Calm, Some(3))).trace;
    assert_ne!(trace(1), trace(2));
}

#[test]
fn some_seeds_of_each_scenario_are_clean() {
    for (name, scenario) in Scenario::ALL {
        let seeds = match scenario {
            Scenario::Mix => 16,
            Scenario::Week => 2,
            _ => 4,
        };
        for seed in 1..=seeds {
            let outcome = run(&Plan::new(seed, scenario, None));
            assert!(outcome.violations.is_empty(), "{name}, seed {seed}: {:?}", outcome.violations);
            assert!(
                outcome.stats.acknowledged > 0 && outcome.events > 100,
                "{name}, seed {seed}: nothing happened"
            );
            if scenario == Scenario::Week {
                let stats = outcome.stats;
                assert!(stats.simulated_ms >= 7 * 86_400_000 && stats.transfers > 0, "{seed}: {stats}");
            }
        }
    }
}

#[test]
fn planted_bugs_are_found() {
    for planted in PLANTED.into_iter().filter(|planted| planted.within <= SLOW) {
        assert!(
            suite::find(planted, 1).is_some(),
            "{} was not found within {}",
            planted.name,
            planted.within
        );
    }
}

#[test]
fn what_was_found_once_is_found_again_and_what_was_mended_stays_mended() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let corpus = suite::corpus(&folder).unwrap();
    for (name, text) in &corpus {
        assert!(text.starts_with("# "), "{name} does not say what it found");
        if let Err(error) = suite::replay(text) {
            panic!("{name}: {error}");
        }
    }
    for planted in PLANTED.into_iter().filter(|planted| !(QUICK + 1..=SLOW).contains(&planted.within)) {
        let name = format!("\"bug\":\"{}\"", planted.name);
        assert!(corpus.iter().any(|(_, text)| text.contains(&name)), "no schedule finds {}", planted.name);
    }
}

#[test]
fn a_broken_run_becomes_small() {
    let planted = suite::planted_bug("no-causality").unwrap();
    let (seeds, _) = suite::find(planted, 1).unwrap();
    let plan = Plan::new(seeds, planted.scenario, None);
    let shrunk = shrink(&plan, Some(planted.bug), Budget { runs: 400 }).unwrap();
    let (before, after) = (plan.entries.len(), shrunk.plan.entries.len());
    assert!(after * 10 < before && after < 20, "from {before} entries to {after}");
    assert_eq!(run_with(&shrunk.plan, Some(planted.bug)), shrunk.outcome);
    assert!(run(&shrunk.plan).violations.is_empty());
    assert!(shrink(&plan, None, Budget::default()).is_none(), "nothing is wrong with it");
}

#[test]
fn a_crash_at_any_storage_operation_is_survived() {
    let (runs, broken) = suite::every_operation(1);
    assert!(runs > 100, "{runs} runs");
    assert!(broken.is_empty(), "{}: {:?}", broken[0].0, broken[0].1.violations);
}
