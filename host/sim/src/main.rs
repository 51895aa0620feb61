//! `numax-sim`: run seeds, say what came of them.

use clap::{Parser, ValueEnum};
use numax_sim::suite::{self, Seeds, run_all};
use numax_sim::{Outcome, Plan, Scenario, Stats};
use std::process::ExitCode;
use std::time::Instant;

/// Runs clusters of real nodes in a simulated world and checks that they keep their promises.
#[derive(Parser)]
#[command(name = "numax-sim", version)]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    first_seed: u64,
    /// Nodes in each cluster (3 to 10); by default the seed chooses.
    #[arg(long, value_parser = clap::value_parser!(u64).range(2..=20))]
    nodes: Option<u64>,
    /// What to favour.
    #[arg(long, value_enum, default_value = "mix")]
    scenario: Name,
    /// Threads; by default one for each processor.
    #[arg(long)]
    threads: Option<usize>,
    /// Plant known bugs instead, and fail unless each is found within its number of seeds.
    #[arg(long)]
    planted: bool,
    /// Crash a node of a short run at each of its storage operations instead.
    #[arg(long)]
    every_operation: bool,
    /// Print each seed's figures, and for a single seed everything that goes wrong.
    #[arg(long, short)]
    verbose: bool,
}

/// A scenario by its name.
#[derive(Clone, Copy, ValueEnum)]
enum Name {
    /// A random subset of all faults.
    Mix,
    /// No faults.
    Calm,
    /// Crashes at storage operations, and bad disks.
    Crash,
    /// A bad network and bad clocks.
    Network,
    /// Old copies of disks put back.
    Restore,
}

impl Name {
    fn scenario(self) -> Scenario {
        match self {
            Self::Mix => Scenario::Mix,
            Self::Calm => Scenario::Calm,
            Self::Crash => Scenario::Crash,
            Self::Network => Scenario::Network,
            Self::Restore => Scenario::Restore,
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.planted {
        return planted(arguments.first_seed);
    }
    if arguments.every_operation {
        return every_operation(arguments.first_seed);
    }
    let nodes = arguments.nodes.and_then(|nodes| usize::try_from(nodes).ok());
    let scenario = arguments.scenario.scenario();
    let seeds = Seeds { first: arguments.first_seed, count: arguments.seeds, nodes, scenario };
    let threads = arguments
        .threads
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get));
    let started = Instant::now();
    let mut stats = Stats::default();
    let mut ran = 0_u64;
    let mut broken: Vec<Outcome> = Vec::new();
    run_all(seeds, threads, |outcome| {
        ran += 1;
        stats.add(&outcome.stats);
        if arguments.verbose {
            let plan = Plan::new(outcome.seed, scenario, nodes);
            println!("seed {}: {} nodes, {:?}, {}", outcome.seed, plan.nodes, plan.durability, outcome.stats);
            for (at, fault) in plan.faults.iter().filter(|_| arguments.seeds == 1) {
                println!("  at {at} ms: {fault:?}");
            }
        }
        if !outcome.violations.is_empty() {
            broken.push(outcome);
        }
        broken.len() < 10
    });
    broken.sort_by_key(|outcome| outcome.seed);
    for outcome in &broken {
        println!("seed {} is broken:", outcome.seed);
        for violation in &outcome.violations {
            println!("  at {} ms, {}: {}", violation.at, violation.kind, violation.detail);
        }
        let name = Scenario::ALL.iter().find(|(_, other)| *other == scenario).map_or("mix", |(name, _)| name);
        let nodes = nodes.map(|nodes| format!(" --nodes {nodes}")).unwrap_or_default();
        println!(
            "  repeat: cargo run -p numax-sim -- --seeds 1 --first-seed {} --scenario {name}{nodes}",
            outcome.seed
        );
    }
    println!(
        "{ran} seeds in {}.{} s: {stats}, {} seeds with violations",
        started.elapsed().as_secs(),
        started.elapsed().subsec_millis() / 100,
        broken.len()
    );
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Looks for each planted bug.
fn planted(first_seed: u64) -> ExitCode {
    let mut found = 0;
    for (name, bug, within) in suite::PLANTED {
        match suite::find(bug, first_seed, within) {
            Some((seeds, outcome)) => {
                found += 1;
                let how = outcome
                    .violations
                    .first()
                    .map(|violation| format!("{}: {}", violation.kind, violation.detail));
                println!("{name}: found after {seeds} of {within} seeds ({})", how.unwrap_or_default());
            }
            None => println!("{name}: NOT FOUND within {within} seeds from {first_seed} on"),
        }
    }
    println!("{found} of {} planted bugs found", suite::PLANTED.len());
    if found == suite::PLANTED.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Crashes at each storage operation.
fn every_operation(seed: u64) -> ExitCode {
    let (runs, broken) = suite::every_operation(seed);
    for (what, outcome) in &broken {
        println!("{what} is broken:");
        for violation in &outcome.violations {
            println!("  at {} ms, {}: {}", violation.at, violation.kind, violation.detail);
        }
    }
    if !broken.is_empty() {
        println!("  repeat: cargo run -p numax-sim -- --every-operation --first-seed {seed}");
    }
    println!("{runs} runs, each with a crash at another storage operation, {} with violations", broken.len());
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
