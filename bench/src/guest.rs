//! Group `guest`: increments by a component, beside the same calls on the replica without WebAssembly.

use crate::product::Product;
use crate::report::Figure;
use anyhow::{Context, Result, bail, ensure};
use numax_crdt::{Key, NodeId};
use numax_replica::{Draft, Replica, ReplicaConfig};
use std::path::Path;
use std::time::{Duration, Instant};

/// The ways to increment; the guest knows the same names.
const MODES: [(&str, &str, u64); 3] = [
    ("one-turn", "increments of one key in one turn", 200_000),
    ("commit-each", "increments, one commit each", 20_000),
    ("spread", "increments over 10,000 keys, a commit every 10,000", 200_000),
];
const SPREAD: usize = 10_000;

/// Increments per second in each way, at durability `interval`, on sled.
pub fn run(product: &Product, rounds: usize) -> Result<Vec<Figure>> {
    let wasm = product.guest("increments")?;
    let home = tempfile::tempdir()?;
    let mut figures = Vec::new();
    for (mode, what, count) in MODES {
        let (mut guest, mut native) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            guest.push(component(product, &wasm, &home.path().join(format!("{mode}-{round}")), mode, count)?);
            native.push(replica(&home.path().join(format!("{mode}-{round}-native")), mode, count)?);
        }
        let what = format!("{what} (interval, sled)");
        figures.push(Figure::new("guest", &what, "op/s", &guest, "replica without wasm", &native));
    }
    Ok(figures)
}

/// One run of the component; it takes the time itself, from its first increment to its last commit.
fn component(product: &Product, wasm: &Path, data: &Path, mode: &str, count: u64) -> Result<f64> {
    let mut command = product.command();
    command
        .arg("run")
        .arg(wasm)
        .arg("--data")
        .arg(data)
        .current_dir(data.parent().context("no parent folder")?);
    command.args(["--env", &format!("BENCH_MODE={mode}"), "--env", &format!("BENCH_COUNT={count}")]);
    let out = command.output()?;
    ensure!(out.status.success(), "{command:?} ended with {}", out.status);
    let nanos: f64 =
        String::from_utf8(out.stdout)?.trim().parse().context("the guest did not print its time")?;
    Ok(count as f64 / (nanos / 1e9))
}

/// The same calls on the replica, by a task as the component is one: a thread that only waits is woken later.
fn replica(data: &Path, mode: &'static str, count: u64) -> Result<f64> {
    let replica = Replica::open(ReplicaConfig::new(data, NodeId([7; 32])))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let took = runtime.block_on(runtime.spawn(calls(replica.clone(), mode, count)))??;
    runtime.block_on(replica.shutdown()).map_err(anyhow::Error::msg)?;
    Ok(count as f64 / took.as_secs_f64())
}

/// From the first increment to the last commit.
async fn calls(replica: Replica, mode: &str, count: u64) -> Result<Duration> {
    let start = Instant::now();
    let mut draft = Draft::new(replica.reader(), 1);
    draft.load_inline(true);
    match mode {
        "one-turn" => {
            let key = key("bench:one")?;
            for _ in 0..count {
                draft.g_counter_increment(&key, 1)?;
            }
        }
        "commit-each" => {
            let key = key("bench:each")?;
            for _ in 0..count {
                draft.g_counter_increment(&key, 1)?;
                replica.commit(draft.take()).await?;
            }
        }
        "spread" => {
            let keys: Vec<Key> = (0..SPREAD).map(|at| key(&format!("bench:{at}"))).collect::<Result<_>>()?;
            for round in 0..usize::try_from(count)? {
                let place = round % SPREAD;
                draft.g_counter_increment(&keys[place], 1)?;
                if place + 1 == SPREAD {
                    replica.commit(draft.take()).await?;
                }
            }
        }
        other => bail!("no mode {other}"),
    }
    if !draft.is_empty() {
        replica.commit(draft.take()).await?;
    }
    Ok(start.elapsed())
}

fn key(text: &str) -> Result<Key> {
    Ok(Key::new(text.as_bytes().to_vec())?)
}
