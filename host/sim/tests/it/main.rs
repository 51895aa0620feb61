//! The simulator itself: seeds are runs, good code is clean, planted bugs are found.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use numax_sim::{Plan, Scenario, run, suite};

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 1..=6 {
        let plan = Plan::new(seed, Scenario::Mix, None);
        assert_eq!(run(&plan), run(&plan), "seed {seed}");
    }
    let trace = |seed| run(&Plan::new(seed, Scenario::Calm, Some(3))).trace;
    assert_ne!(trace(1), trace(2));
}

#[test]
fn some_seeds_of_each_scenario_are_clean() {
    for (name, scenario) in Scenario::ALL {
        let seeds = if scenario == Scenario::Mix { 20 } else { 4 };
        for seed in 1..=seeds {
            let outcome = run(&Plan::new(seed, scenario, None));
            assert!(outcome.violations.is_empty(), "{name}, seed {seed}: {:?}", outcome.violations);
            assert!(
                outcome.stats.acknowledged > 0 && outcome.events > 100,
                "{name}, seed {seed}: nothing happened"
            );
        }
    }
}

#[test]
fn planted_bugs_are_found() {
    // Those that take many seeds are looked for by `cargo xtask sim --planted`.
    for (name, bug, within) in suite::PLANTED.into_iter().filter(|(_, _, within)| *within <= 20) {
        assert!(suite::find(bug, 1, within).is_some(), "{name} was not found within {within} seeds");
    }
}

#[test]
fn a_crash_at_any_storage_operation_is_survived() {
    let (runs, broken) = suite::every_operation(1);
    assert!(runs > 100, "{runs} runs");
    assert!(broken.is_empty(), "{}: {:?}", broken[0].0, broken[0].1.violations);
}
