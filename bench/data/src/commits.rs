//! Local writes: acknowledged operations a second, how long each waits, and what is written for them.

use crate::load::{self, LOGICAL_BYTES, Run};
use crate::report::{Figure, Goal, Subject};
use crate::{Settings, engine_name, raw};
use anyhow::Result;
use numax_replica::Durability;
use numax_store::Engine;
use std::time::Duration;

/// Keys that the writers choose from.
const KEYS: u64 = 10_000;
/// How long the limit is measured.
const RAW_TIME: Duration = Duration::from_millis(500);

/// All figures of the group for one engine.
pub fn run(settings: &Settings, engine: Engine) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for durability in [Durability::Fsync, Durability::default(), Durability::None] {
        let name = durability.config_name();
        if !settings.durabilities.is_empty() && !settings.durabilities.iter().any(|only| only == name) {
            continue;
        }
        for writers in &settings.writers {
            figures.extend(one(settings, engine, durability, *writers)?);
        }
    }
    Ok(figures)
}

fn one(settings: &Settings, engine: Engine, durability: Durability, writers: usize) -> Result<Vec<Figure>> {
    let subject =
        Subject { engine: engine_name(engine), durability: durability.config_name(), keys: KEYS, writers };
    let (mut runs, mut limits): (Vec<Run>, Vec<f64>) = (Vec::new(), Vec::new());
    for _ in 0..settings.rounds {
        let dir = tempfile::tempdir_in(&settings.dir)?;
        let config = load::config(&dir.path().join("data"), engine, durability);
        let run = settings
            .runtime
            .block_on(async { load::run(load::open(config).await?, writers, KEYS, settings.time).await })?;
        // The limit: the same bytes in pieces of the same size, by one thread that does nothing else.
        let pieces = if durability == Durability::Fsync { run.log.syncs } else { run.log.records };
        let piece = run.log.record_bytes as f64 / pieces as f64;
        let rate = raw::append(dir.path(), piece as usize, durability == Durability::Fsync, RAW_TIME)?;
        limits.push(rate * run.ops / pieces as f64);
        runs.push(run);
    }
    let of = |f: fn(&Run) -> f64| runs.iter().map(f).collect::<Vec<_>>();
    let rate = Figure::new("acknowledged operations", &subject, "ops/s", of(|run| run.rate))
        .cpu(&of(|run| run.cpu_us));
    let rate = match (durability, writers) {
        (Durability::Fsync, 256) => rate.goal(Goal::AtLeast(20e3)),
        (Durability::Interval(_), 256) => rate.goal(Goal::AtLeast(200e3)),
        _ => rate,
    };
    let rate = match durability {
        Durability::Fsync => rate.beside("append + fdatasync of the same groups", &limits),
        Durability::Interval(_) => rate.beside("append of the same records, one each", &limits),
        Durability::None => rate,
    };
    let disk = Figure::new("  log bytes / record byte", &subject, "ratio", of(disk_per_record));
    let disk = match (durability, writers) {
        (Durability::Fsync, 256) => disk.goal(Goal::AtMost(2.0)),
        (Durability::Interval(_), 256) => disk.goal(Goal::AtMost(1.1)),
        _ => disk,
    };
    let group =
        Figure::new("  operations / sync", &subject, "ops", of(|run| run.ops / run.log.syncs.max(1) as f64));
    Ok(vec![
        rate,
        Figure::new("  wait, p50", &subject, "us", of(|run| run.p50_us)),
        Figure::new("  wait, p99", &subject, "us", of(|run| run.p99_us)),
        group,
        disk,
        Figure::new(
            "  log bytes / logical byte",
            &subject,
            "ratio",
            of(|run| run.log.record_bytes.max(run.log.synced_bytes) as f64 / run.ops / LOGICAL_BYTES),
        ),
        Figure::new(
            "  engine bytes / logical byte",
            &subject,
            "ratio",
            of(|run| run.written.saturating_sub(run.log.written_bytes) as f64 / run.ops / LOGICAL_BYTES),
        ),
    ])
}

/// Bytes of the pages that syncs wrote, for each byte of a record. A log that is never synced in the run has written what
/// it has written.
fn disk_per_record(run: &Run) -> f64 {
    run.log.written_bytes.max(run.log.synced_bytes) as f64 / run.log.record_bytes as f64
}
