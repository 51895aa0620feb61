//! A million keys: memory, the time to open, and the time to make the engine anew from the log.
//!
//! Each figure is taken in a process of its own, because memory that was used before is not given back.

use crate::load;
use crate::report::{Figure, Goal, Subject};
use crate::{Settings, engine_name, machine, raw};
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use numax_replica::{Draft, Durability};
use numax_store::Engine;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Bytes of each value.
const VALUE: usize = 16;

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Step {
    /// Make the datastore, write every key, stop in order.
    Fill,
    /// Open the engine alone.
    Engine,
    /// Open the datastore, read a key, stop in order.
    Open,
    /// Write for a while and end without a stop, as a killed process does.
    Die,
}

/// What a process found out.
#[derive(Debug, Serialize, Deserialize)]
struct Found {
    /// Milliseconds of the open.
    ms: f64,
    /// Bytes of memory that were added.
    memory: f64,
}

/// All figures of the group for one engine.
pub fn run(settings: &Settings, engine: Engine) -> Result<Vec<Figure>> {
    let subject = Subject {
        engine: engine_name(engine),
        durability: Durability::default().config_name(),
        keys: settings.keys,
        writers: 1,
    };
    let dir = tempfile::tempdir_in(&settings.dir)?;
    let data = dir.path().join("data");
    let step = |step| child(settings, engine, step, &data);
    let filled = step(Step::Fill)?;
    let (mut engines, mut opens, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..settings.rounds {
        engines.push(step(Step::Engine)?.ms);
        let open = step(Step::Open)?;
        opens.push(open.ms);
        memory.push(open.memory);
    }
    let own = opens.iter().zip(&engines).map(|(open, engine)| (open - engine).max(0.0)).collect();
    let (mut killed, mut killed_engine) = (Vec::new(), Vec::new());
    for _ in 0..settings.rounds {
        step(Step::Die)?;
        killed_engine.push(step(Step::Engine)?.ms);
        killed.push(step(Step::Open)?.ms);
    }
    let (mut rebuilds, mut reads, mut log) = (Vec::new(), Vec::new(), 0);
    for _ in 0..settings.rounds {
        std::fs::remove_dir_all(data.join("rows"))?;
        let (seconds, bytes) = raw::read_all(&data.join("log"))?;
        reads.push(seconds * 1e3);
        log = bytes;
        rebuilds.push(step(Step::Open)?.ms);
    }
    let mb = |bytes: f64| bytes / 1e6 * 1e6 / settings.keys as f64;
    Ok(vec![
        Figure::new("memory / 10^6 keys, after writing", &subject, "MB", vec![mb(filled.memory)]),
        Figure::new(
            "memory / 10^6 keys, after opening",
            &subject,
            "MB",
            memory.into_iter().map(mb).collect(),
        ),
        Figure::new("open, in all", &subject, "ms", opens).beside("the engine alone", &engines),
        Figure::new("open, without the engine", &subject, "ms", own).goal(Goal::AtMost(200.0)),
        Figure::new("open after a kill, in all", &subject, "ms", killed)
            .beside("the engine alone", &killed_engine),
        Figure::new(format!("engine from {} MB of log", log / 1_000_000), &subject, "ms", rebuilds)
            .beside("reading the log", &reads),
    ])
}

/// Runs a step in a process of its own.
fn child(settings: &Settings, engine: Engine, step: Step, dir: &Path) -> Result<Found> {
    let name = step.to_possible_value().context("the step has no name")?;
    let output = Command::new(std::env::current_exe()?)
        .args(["--step", name.get_name(), "--engine", &engine_name(engine)])
        .args(["--keys", &settings.keys.to_string(), "--dir"])
        .arg(dir)
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    match serde_json::from_str(&text) {
        Ok(found) => Ok(found),
        Err(_) => bail!("step {} ended with {} and said {text:?}", name.get_name(), output.status),
    }
}

/// What runs in the process of its own. Prints what it found.
pub fn step(settings: &Settings, engine: Engine, step: Step) -> Result<()> {
    let memory = machine::memory_bytes()?;
    let begin = Instant::now();
    if step == Step::Engine {
        let opened = numax_store::open(engine, &settings.dir.join("rows"))?;
        report(begin, memory)?;
        drop(opened);
        return Ok(());
    }
    let config = load::config(&settings.dir, engine, Durability::default());
    settings.runtime.block_on(async {
        let replica = load::open(config).await?;
        match step {
            Step::Fill => {
                load::fill(&replica, settings.keys, Some(VALUE)).await?;
                report(begin, memory)?;
            }
            Step::Die => {
                load::fill(&replica, settings.keys / 10, Some(VALUE)).await?;
                report(begin, memory)?;
                std::process::exit(0);
            }
            Step::Engine | Step::Open => {
                report(begin, memory)?;
                let mut draft = Draft::new(replica.reader(), 0);
                load::increment(&mut draft, &load::key(0)?).await?;
            }
        }
        replica.shutdown().await.map_err(anyhow::Error::msg)
    })
}

fn report(begin: Instant, memory: u64) -> Result<()> {
    let found = Found {
        ms: begin.elapsed().as_secs_f64() * 1e3,
        memory: machine::memory_bytes()?.saturating_sub(memory) as f64,
    };
    println!("{}", serde_json::to_string(&found)?);
    Ok(())
}
