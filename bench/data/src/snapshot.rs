//! Snapshots of a datastore with values of 4 KiB: making one, putting it back beside `cp` of the same bytes, and the
//! one-file form.

use crate::report::{Figure, Goal, Subject};
use crate::{Settings, engine_name, load};
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use numax_crdt::{Key, NodeId};
use numax_replica::{Draft, Durability, Replica, ReplicaConfig};
use numax_snapshots::{CreateOptions, Folder, RestoreOptions, quiet};
use numax_store::Engine;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Bytes of each value.
const VALUE: usize = 4096;
/// Tasks that write while snapshots are made: a node that serves, and does not use up both processors.
const WRITERS: usize = 4;
/// Keys that they write to.
const COUNTERS: u64 = 10_000;

/// All figures of the group for one engine.
pub fn run(settings: &Settings, engine: Engine) -> Result<Vec<Figure>> {
    let keys = (settings.size / VALUE as u64).max(1);
    let durability = Durability::default();
    let subject =
        Subject { engine: engine_name(engine), durability: durability.config_name(), keys, writers: 0 };
    let dir = tempfile::tempdir_in(&settings.dir)?;
    let at = |name: &str| dir.path().join(name);
    let node = NodeId([1; 32]);
    let replica = Replica::open(ReplicaConfig { engine, ..ReplicaConfig::new(at("data"), node) })?;
    settings.runtime.block_on(fill(&replica, keys))?;

    let folder = Folder::new(at("snapshots"));
    let (mut made, mut creates) = (None, Vec::new());
    for _ in 0..settings.rounds {
        // The last is put back below; the disk holds one at a time.
        folder.prune(0, None)?;
        let (snapshot, seconds) =
            timed(|| Ok(folder.create(&replica, &CreateOptions::default(), &quiet)?))?;
        made = Some(snapshot);
        creates.push(seconds);
    }
    let made = made.context("no round was run")?;
    let serving = serving(settings, &replica, &Folder::new(at("others")))?;
    fs::remove_dir_all(at("others"))?;
    settings.runtime.block_on(replica.shutdown()).map_err(anyhow::Error::msg)?;
    // Room for what follows.
    fs::remove_dir_all(at("data"))?;

    let options = RestoreOptions { node, engine: Some(engine), cluster: None, other_cluster: false };
    let (mut restores, mut copies, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..settings.rounds {
        let restore = || timed(|| Ok(made.restore(&at("restored"), &options, &quiet)?));
        let copy = || timed(|| copy(made.path().context("a folder")?, &at("copied")));
        // Whoever comes second may find the disk busier.
        let (restored, copied) = if round % 2 == 0 {
            let restored = restore()?.1;
            (restored, copy()?.1)
        } else {
            let copied = copy()?.1;
            (restore()?.1, copied)
        };
        restores.push(restored);
        copies.push(copied);
        ratios.push(restored / copied);
        if round == 0 {
            check(&at("restored"), node, engine, keys)?;
        }
        fs::remove_dir_all(at("restored"))?;
        fs::remove_dir_all(at("copied"))?;
    }
    let megabytes = made.manifest().bytes() as f64 / 1e6;
    let (file, elsewhere) = (at("export.numaxpak"), Folder::new(at("imported")));
    let (packed, export) = timed(|| Ok(made.export(&file, dir.path(), &quiet)?))?;
    let (_, import) = timed(|| Ok(elsewhere.import(&file, None, &quiet)?))?;
    let figure = |what: &str, unit, runs| Figure::new(what, &subject, unit, runs);
    let load = Subject { writers: WRITERS, ..subject.clone() };
    let loaded = |what: &str, runs| Figure::new(what, &load, "us", runs);
    Ok(vec![
        figure("snapshot: bytes of its files", "MB", vec![megabytes]),
        figure("snapshot: made", "s", creates),
        loaded("snapshot: commit p99 meanwhile", serving.during.0).beside("p99 without", &serving.without.0),
        loaded("snapshot: longest commit meanwhile", serving.during.1)
            .beside("longest without", &serving.without.1),
        figure("snapshot: restored", "s", restores).beside("cp + sync", &copies),
        figure("snapshot: restored / cp, by pairs", "x", ratios).goal(Goal::AtMost(1.2)),
        figure("snapshot: packed", "s", vec![export]),
        figure("snapshot: bytes of the packed file", "MB", vec![packed as f64 / 1e6]),
        figure("snapshot: unpacked", "s", vec![import]),
    ])
}

/// What commits wait while snapshots are made, and while none is: the 99th of 100 and the longest, in microseconds.
#[derive(Default)]
struct Serving {
    without: (Vec<f64>, Vec<f64>),
    during: (Vec<f64>, Vec<f64>),
}

/// Writers that increment counters, without a snapshot and then for as long as one takes, in pairs.
fn serving(settings: &Settings, replica: &Replica, folder: &Folder) -> Result<Serving> {
    settings.runtime.block_on(load::fill(replica, COUNTERS, None))?;
    let measured = |act: &dyn Fn() -> Result<()>| {
        let stop = Arc::new(AtomicBool::new(false));
        let writing = settings.runtime.spawn(load::until(replica.clone(), WRITERS, COUNTERS, stop.clone()));
        let done = act();
        stop.store(true, Ordering::Relaxed);
        let waits = settings.runtime.block_on(writing)??;
        done.map(|()| (load::quantile(&waits, 0.99), load::quantile(&waits, 1.0)))
    };
    let mut serving = Serving::default();
    for _ in 0..settings.rounds {
        let without = measured(&|| {
            std::thread::sleep(settings.time);
            Ok(())
        })?;
        folder.prune(0, None)?;
        let during = measured(&|| {
            folder.create(replica, &CreateOptions::default(), &quiet)?;
            Ok(())
        })?;
        for (side, (p99, longest)) in [(&mut serving.without, without), (&mut serving.during, during)] {
            side.0.push(p99);
            side.1.push(longest);
        }
    }
    Ok(serving)
}

/// Writes every key once, with values that cannot be compressed: the worst for the one-file form.
async fn fill(replica: &Replica, keys: u64) -> Result<()> {
    const AT_ONCE: u64 = 100;
    let mut draft = Draft::new(replica.reader(), 0);
    draft.load_inline(true);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for first in (0..keys).step_by(AT_ONCE as usize) {
        for n in first..keys.min(first + AT_ONCE) {
            let mut value = Vec::with_capacity(VALUE);
            while value.len() < VALUE {
                // xorshift64
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                value.extend_from_slice(&random.to_le_bytes());
            }
            draft.register_set(&Key::new(format!("key {n:012}"))?, Bytes::from(value))?;
        }
        replica.commit(draft.take()).await?;
    }
    Ok(())
}

fn timed<T>(act: impl FnOnce() -> Result<T>) -> Result<(T, f64)> {
    let began = Instant::now();
    let out = act()?;
    Ok((out, began.elapsed().as_secs_f64()))
}

/// `cp` of a directory, and a sync of every file of it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp").arg("-r").args([from, to]).status().context("running cp")?;
    if !status.success() {
        bail!("cp ended with {status}");
    }
    let mut dirs = vec![to.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                dirs.push(entry.path());
            } else {
                File::open(entry.path())?.sync_all()?;
            }
        }
        File::open(&dir)?.sync_all()?;
    }
    Ok(())
}

/// What was restored is a datastore with all the keys.
fn check(dir: &Path, node: NodeId, engine: Engine, keys: u64) -> Result<()> {
    let replica = Replica::open(ReplicaConfig { engine, ..ReplicaConfig::new(dir, node) })?;
    let applied: u64 = replica.vector().iter().map(|(_, seq)| seq).sum();
    if applied == 0 || replica.origin().epoch != 1 {
        bail!("what was restored is not the datastore of {keys} keys");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(replica.shutdown()).map_err(anyhow::Error::msg)
}
