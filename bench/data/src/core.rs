//! The core alone: what a commit and a remote batch cost on one thread, without queue, wakeups and engine.

use crate::load;
use crate::report::{Figure, Subject};
use crate::{Settings, ingest, machine};
use anyhow::{Context, Result, ensure};
use numax_replica::{Core, CoreConfig, Draft, GroupOutcome, HostFacts, Request};
use numax_store::{Engine, FsDisk, mem::MemBackend};
use std::path::Path;
use std::sync::Arc;

const KEYS: u64 = 10_000;
/// Requests in a group, about what 256 writers leave behind while the group before is worked off.
const GROUP: usize = 128;

/// The figures. No engine takes part: rows stay in memory.
pub fn run(settings: &Settings, _: Engine) -> Result<Vec<Figure>> {
    let subject = |writers| Subject { engine: "-".to_string(), durability: "interval", keys: KEYS, writers };
    let (mut drafts, mut commits, mut remote) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..settings.rounds {
        let dir = tempfile::tempdir_in(&settings.dir)?;
        let (draft, commit) = local(&dir.path().join("local"), settings.batches)?;
        drafts.push(draft);
        commits.push(commit);
        remote.push(peers(&dir.path().join("remote"), settings.batches)?);
    }
    Ok(vec![
        Figure::new("cpu of a turn's draft", &subject(1), "us/op", drafts),
        Figure::new("cpu of the commit of an operation", &subject(1), "us/op", commits),
        Figure::new("cpu of a remote batch", &subject(3), "us/op", remote),
    ])
}

fn open(dir: &Path) -> Result<Core> {
    let facts = HostFacts { boot_id: "boot".to_string(), disk_id: "disk".to_string(), nonce: 1 };
    let config = CoreConfig::new(load::NODE);
    Ok(Core::open(
        config,
        Arc::new(FsDisk::open(dir)?),
        Arc::new(MemBackend::new()),
        &facts,
        1_700_000_000_000,
    )?)
}

/// Increments: microseconds of each draft, and of each commit.
fn local(dir: &Path, count: u64) -> Result<(f64, f64)> {
    let mut core = open(dir)?;
    let mut draft = Draft::new(core.reader(), 1);
    draft.load_inline(true);
    let mut random = load::Random::new(5);
    let (mut drafting, mut committing, mut done) = (0.0, 0.0, 0);
    while done < count {
        let begin = machine::thread_seconds();
        let mut requests = Vec::with_capacity(GROUP);
        for _ in 0..GROUP {
            draft.g_counter_increment(&load::key(random.below(KEYS))?, 1)?;
            requests.push(Request::Commit(draft.take()));
        }
        let middle = machine::thread_seconds();
        let outcome = core.run_group(requests, 1_700_000_000_000 + done / 200);
        check(&outcome)?;
        drop(outcome);
        drafting += middle - begin;
        committing += machine::thread_seconds() - middle;
        done += GROUP as u64;
        if core.unflushed_rows() > 32_768 {
            core.flush(false).map_err(anyhow::Error::msg)?;
        }
    }
    Ok((drafting * 1e6 / done as f64, committing * 1e6 / done as f64))
}

/// Batches of three peers that depend on each other: microseconds for each.
fn peers(dir: &Path, count: u64) -> Result<f64> {
    let mut core = open(dir)?;
    let (calls, mut seconds) = (ingest::batches(count, 3)?, 0.0);
    for call in calls {
        let begin = machine::thread_seconds();
        let outcome = core.run_group(vec![Request::Ingest(call)], 1_700_000_000_000);
        check(&outcome)?;
        drop(outcome);
        seconds += machine::thread_seconds() - begin;
    }
    let all = core.vector().iter().map(|(_, seq)| seq).sum::<u64>();
    ensure!(all == count && core.vector().get(&ingest::origin(0)) > 0, "{all} of {count} were applied");
    Ok(seconds * 1e6 / count as f64)
}

fn check(outcome: &GroupOutcome) -> Result<()> {
    let failed = outcome.results.iter().find_map(|result| result.as_ref().err());
    failed.map_or(Ok(()), |error| Err(error.clone()).context("a group failed"))
}
