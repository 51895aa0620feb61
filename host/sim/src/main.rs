//! `numax-sim`: run seeds, say what came of them.

use clap::Parser;
use numax_sim::plan::{FORMAT, Header};
use numax_sim::shrink::{Budget, shrink};
use numax_sim::suite::{self, PLANTED, PlantedBug, Seeds, run_all};
use numax_sim::{Bug, Outcome, Plan, Scenario, Stats, run, run_with};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// Runs clusters of real nodes in a simulated world and checks that they keep their promises.
#[derive(Parser)]
#[command(name = "numax-sim", version)]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    first_seed: u64,
    /// Nodes in each cluster; by default the seed chooses from 3 to 10.
    #[arg(long, value_parser = clap::value_parser!(u64).range(2..=20))]
    nodes: Option<u64>,
    /// What to favour: mix, calm, crash, network, clock, disk, restore, churn, join, twins or week.
    #[arg(long, default_value = "mix", value_parser = scenario)]
    scenario: Scenario,
    /// Replay a schedule instead of running seeds.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["planted", "plant", "every_operation", "scenario", "nodes"])]
    schedule: Option<PathBuf>,
    /// Look for each planted bug instead, and fail unless it is found within its number of seeds.
    #[arg(long, conflicts_with_all = ["plant", "every_operation", "scenario", "nodes"])]
    planted: bool,
    /// Plant this bug in every run.
    #[arg(long, value_name = "NAME", value_parser = bug)]
    plant: Option<PlantedBug>,
    /// Crash a node of a short run at each of its storage operations instead.
    #[arg(long)]
    every_operation: bool,
    /// Do not shrink the first broken run to a small schedule.
    #[arg(long)]
    no_shrink: bool,
    /// Where shrunk schedules are written.
    #[arg(long, value_name = "FOLDER", default_value = "target/sim")]
    out: PathBuf,
    /// Threads; by default one for each processor.
    #[arg(long)]
    threads: Option<usize>,
    /// Print each seed's figures, and for a single seed everything that goes wrong.
    #[arg(long, short)]
    verbose: bool,
}

fn scenario(name: &str) -> Result<Scenario, String> {
    let names = || Scenario::ALL.map(|(known, _)| known).join(", ");
    let found = Scenario::ALL.into_iter().find(|(known, _)| *known == name);
    found
        .map(|(_, scenario)| scenario)
        .ok_or_else(|| format!("there is no such scenario; there are {}", names()))
}

fn bug(name: &str) -> Result<PlantedBug, String> {
    let names = || PLANTED.map(|planted| planted.name).join(", ");
    suite::planted_bug(name).ok_or_else(|| format!("there is no such bug; there are {}", names()))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let good = if let Some(file) = &arguments.schedule {
        schedule(file)
    } else if arguments.planted {
        planted(arguments.first_seed)
    } else if arguments.every_operation {
        every_operation(arguments.first_seed)
    } else {
        seeds(&arguments)
    };
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs seeds.
fn seeds(arguments: &Arguments) -> bool {
    let nodes = arguments.nodes.and_then(|nodes| usize::try_from(nodes).ok());
    let (first, count, scenario) = (arguments.first_seed, arguments.seeds, arguments.scenario);
    let bug = arguments.plant.map(|planted| planted.bug);
    let seeds = Seeds { first, count, nodes, scenario, bug };
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
            let count = plan.nodes.len();
            println!("seed {}: {count} nodes, {:?}, {}", outcome.seed, plan.durability, outcome.stats);
            for entry in plan.entries.iter().filter(|entry| seeds.count == 1 && !entry.step.is_turn()) {
                println!("  at {} ms: {:?}", entry.at, entry.step);
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
        tell(outcome);
        let nodes = nodes.map(|nodes| format!(" --nodes {nodes}")).unwrap_or_default();
        let plant = arguments.plant.map(|planted| format!(" --plant {}", planted.name)).unwrap_or_default();
        println!(
            "  repeat: cargo xtask sim --seeds 1 --first-seed {} --scenario {}{nodes}{plant}",
            outcome.seed,
            scenario.name()
        );
    }
    if let Some(outcome) = broken.first().filter(|_| !arguments.no_shrink) {
        let plan = Plan::new(outcome.seed, scenario, nodes);
        let name = format!("{}-{}.schedule", scenario.name(), outcome.seed);
        write_shrunk(&plan, bug, arguments.plant.map(|planted| planted.name), &arguments.out.join(name));
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{ran} seeds in {seconds:.1} s ({:.1} seeds/s): {stats}, {} violations in {} seeds",
        ran as f64 / seconds.max(0.001),
        broken.iter().map(|outcome| outcome.violations.len()).sum::<usize>(),
        broken.len()
    );
    broken.is_empty()
}

fn tell(outcome: &Outcome) {
    for violation in &outcome.violations {
        println!("  at {} ms, {}: {}", violation.at, violation.kind, short(&violation.detail));
    }
}

/// What says enough: whole values can be long.
fn short(detail: &str) -> String {
    const ENOUGH: usize = 1_500;
    match detail.char_indices().nth(ENOUGH) {
        Some((at, _)) => format!("{}...", detail.split_at(at).0),
        None => detail.into(),
    }
}

/// Makes a broken run small and writes it down.
fn write_shrunk(plan: &Plan, bug: Option<Bug>, planted: Option<&str>, file: &Path) {
    let Some(shrunk) = shrink(plan, bug, Budget::default()) else {
        return println!("  it cannot be shrunk: another run of it breaks nothing");
    };
    let Some(violation) = shrunk.outcome.violations.first() else { return };
    let header = Header {
        schedule: FORMAT,
        bug: planted.map(str::to_string),
        violates: Some(violation.kind.to_string()),
    };
    let about = format!("{}: {}", violation.kind, short(&violation.detail));
    let text = shrunk.plan.to_text(&header, &about);
    println!(
        "shrunk in {} runs from {} entries on {} nodes to {} on {}:\n{text}",
        shrunk.runs,
        plan.entries.len(),
        plan.present().count(),
        shrunk.plan.entries.len(),
        shrunk.plan.present().count()
    );
    let written =
        file.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(file, text));
    match written {
        Ok(()) => println!("  repeat: cargo xtask sim --schedule {}", file.display()),
        Err(error) => println!("  {} cannot be written: {error}", file.display()),
    }
}

/// Replays a schedule, with the planted bug that it names.
fn schedule(file: &Path) -> bool {
    let read = std::fs::read_to_string(file).map_err(|error| error.to_string());
    let (header, plan) = match read.and_then(|text| Plan::from_text(&text)) {
        Ok(read) => read,
        Err(error) => {
            println!("{}: {error}", file.display());
            return false;
        }
    };
    let outcome = run(&plan);
    tell(&outcome);
    println!("1 schedule: {}, {} violations", outcome.stats, outcome.violations.len());
    let Some(planted) = header.bug.as_deref().map(bug) else { return outcome.violations.is_empty() };
    match planted {
        Ok(planted) => {
            let with = run_with(&plan, Some(planted.bug));
            tell(&with);
            println!(
                "1 schedule with {}: {}, {} violations",
                planted.name,
                with.stats,
                with.violations.len()
            );
            outcome.violations.is_empty() && !with.violations.is_empty()
        }
        Err(error) => {
            println!("{}: {error}", file.display());
            false
        }
    }
}

/// Looks for each planted bug.
fn planted(first_seed: u64) -> bool {
    let mut found = 0;
    for planted in PLANTED {
        let PlantedBug { name, within, scenario, .. } = planted;
        let scenario = scenario.name();
        match suite::find(planted, first_seed) {
            Some((seeds, outcome)) => {
                found += 1;
                let how = outcome
                    .violations
                    .first()
                    .map(|violation| format!("{}: {}", violation.kind, violation.detail));
                println!(
                    "{name}: found after {seeds} of {within} seeds of {scenario} ({})",
                    how.unwrap_or_default()
                );
            }
            None => println!("{name}: NOT FOUND within {within} seeds of {scenario} from {first_seed} on"),
        }
    }
    println!("{found} of {} planted bugs found", PLANTED.len());
    found == PLANTED.len()
}

/// Crashes at each storage operation.
fn every_operation(seed: u64) -> bool {
    let (runs, broken) = suite::every_operation(seed);
    for (what, outcome) in &broken {
        println!("{what} is broken:");
        tell(outcome);
    }
    if !broken.is_empty() {
        println!("  repeat: cargo xtask sim --every-operation --first-seed {seed}");
    }
    println!("{runs} runs, each with a crash at another storage operation, {} with violations", broken.len());
    broken.is_empty()
}
