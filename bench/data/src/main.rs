//! `cargo xtask bench data`: what a datastore can do, each figure beside its limit and its goal.

mod commits;
mod core;
mod ingest;
mod keys;
mod load;
mod machine;
mod raw;
mod report;
mod snapshot;
mod text;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use numax_store::Engine;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The allocator of the program itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the datastore, each figure beside its limit.
#[derive(Parser)]
#[command(bin_name = "cargo xtask bench data")]
struct Cli {
    /// The groups to run; all when none is named.
    groups: Vec<Group>,
    /// The engines to run them on; all when none is named.
    #[arg(long, value_parser = engine)]
    engine: Vec<Engine>,
    /// Local writes at these durabilities only.
    #[arg(long)]
    durability: Vec<String>,
    /// Local writes by so many writers only.
    #[arg(long)]
    writers: Vec<usize>,
    /// Where the figures go as JSON.
    #[arg(long, default_value = "target/bench/data.json")]
    json: PathBuf,
    /// How often each is run; medians count.
    #[arg(long, default_value_t = 3, value_parser = at_least_one)]
    rounds: usize,
    /// Seconds of load in each run.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Remote batches in each run.
    #[arg(long, default_value_t = 300_000)]
    batches: u64,
    /// Keys of the large datastore.
    #[arg(long, default_value_t = 1_000_000)]
    keys: u64,
    /// Bytes of values in the datastore of group `snapshot`: a number with MB or GB.
    #[arg(long, default_value = "1GB", value_parser = size)]
    size: u64,
    /// The editing history of group `text`: JSON as in josephg/editing-traces, or the same in gzip.
    #[arg(long)]
    trace: Option<PathBuf>,
    /// Where datastores are made, on the disk to be measured.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    dir: PathBuf,
    /// One step of group `keys`, which runs each in its own process.
    #[arg(long, hide = true)]
    step: Option<keys::Step>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Group {
    /// Local writes: operations a second, waits, bytes written.
    Commits,
    /// The core alone, on one thread: what an operation costs.
    Core,
    /// Remote batches: how fast they are applied.
    Ingest,
    /// A million keys: memory, opening, making the engine anew.
    Keys,
    /// Snapshots: made, restored beside `cp`, packed.
    Snapshot,
    /// A real editing history through a text, beside Yrs alone.
    Text,
}

/// What all groups need.
struct Settings {
    rounds: usize,
    time: Duration,
    durabilities: Vec<String>,
    writers: Vec<usize>,
    batches: u64,
    keys: u64,
    size: u64,
    trace: Option<PathBuf>,
    dir: PathBuf,
    runtime: tokio::runtime::Runtime,
}

/// Every engine, with the name that configuration files use.
const ENGINES: [(&str, Engine); 3] =
    [("sled", Engine::Sled), ("redb", Engine::Redb), ("fjall", Engine::Fjall)];

fn engine(name: &str) -> Result<Engine, String> {
    let found = ENGINES.iter().find(|(known, _)| *known == name);
    found.map(|(_, engine)| *engine).ok_or_else(|| {
        let names: Vec<&str> = ENGINES.iter().map(|(name, _)| *name).collect();
        format!("no such engine; there are {}", names.join(", "))
    })
}

fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.strip_suffix("GB") {
        Some(number) => (number, 1_000_000_000),
        None => (text.strip_suffix("MB").unwrap_or_default(), 1_000_000),
    };
    let number = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    number.ok_or_else(|| format!("{text:?} is no size; write for example 500MB or 1GB"))
}

/// The name of an engine.
fn engine_name(engine: Engine) -> String {
    ENGINES.iter().find(|(_, known)| *known == engine).map_or("-", |(name, _)| name).to_string()
}

/// A count; a median of none is none.
fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1 is needed".to_string()),
        Ok(count) => Ok(count),
        Err(error) => Err(format!("{error}")),
    }
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let settings = Settings {
        rounds: cli.rounds,
        time: Duration::from_secs_f64(cli.seconds),
        durabilities: cli.durability,
        writers: if cli.writers.is_empty() { vec![1, 256] } else { cli.writers },
        batches: cli.batches,
        keys: cli.keys.max(1),
        size: cli.size,
        trace: cli.trace,
        dir: cli.dir,
        runtime: tokio::runtime::Builder::new_multi_thread().enable_all().build()?,
    };
    let engines = if cli.engine.is_empty() { ENGINES.map(|(_, engine)| engine).to_vec() } else { cli.engine };
    if let Some(step) = cli.step {
        return engines.iter().try_for_each(|engine| keys::step(&settings, *engine, step));
    }
    let wanted = |group| cli.groups.is_empty() || cli.groups.contains(&group);
    let mut figures = Vec::new();
    for engine in engines {
        let name = engine_name(engine);
        for (group, run) in [
            (Group::Commits, commits::run as fn(&Settings, Engine) -> Result<Vec<report::Figure>>),
            (Group::Core, core::run),
            (Group::Ingest, ingest::run),
            (Group::Keys, keys::run),
            (Group::Snapshot, snapshot::run),
        ] {
            if wanted(group) {
                eprintln!("── {group:?}, {name}");
                figures.extend(run(&settings, engine).with_context(|| format!("{group:?} on {name}"))?);
            }
        }
    }
    // No engine takes part in it.
    if wanted(Group::Text) {
        eprintln!("── {:?}", Group::Text);
        figures.extend(text::run(&settings).context("a text")?);
    }
    print!("{}", report::table(&figures));
    if let Some(dir) = cli.json.parent().filter(|dir| *dir != Path::new("")) {
        std::fs::create_dir_all(dir)?;
    }
    std::fs::write(&cli.json, serde_json::to_string_pretty(&figures)?)
        .with_context(|| format!("writing {}", cli.json.display()))?;
    eprintln!("written: {}", cli.json.display());
    Ok(())
}
