//! How many commits a second a datastore takes: `commit_rate [fsync|interval|none] [tasks] [seconds] [keys]`.
//!
//! Each task increments random counters, one per batch, and waits for each commit as a guest's turn does.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use numax_crdt::{Key, NodeId};
use numax_replica::{Draft, DraftError, Durability, Replica, ReplicaConfig};

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let durability = match args.next().as_deref() {
        Some("fsync") => Durability::Fsync,
        Some("none") => Durability::None,
        _ => Durability::default(),
    };
    let mut number = |default: u64| args.next().and_then(|arg| arg.parse().ok()).unwrap_or(default);
    let (tasks, seconds, keys) = (number(256), number(3), number(10_000).max(1));
    let dir = std::env::temp_dir().join(format!("numax-commit-rate-{}", std::process::id()));
    let mut config = ReplicaConfig::new(&dir, NodeId([1; 32]));
    config.core.durability = durability;
    let replica = tokio::task::spawn_blocking(move || Replica::open(config)).await??;

    static STOP: AtomicBool = AtomicBool::new(false);
    static DONE: AtomicU64 = AtomicU64::new(0);
    let begin = Instant::now();
    let running: Vec<_> =
        (0..tasks).map(|task| tokio::spawn(write(replica.clone(), task, keys, &STOP, &DONE))).collect();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    STOP.store(true, Relaxed);
    let mut waits = Vec::new();
    for task in running {
        waits.extend(task.await??);
    }
    let rate = DONE.load(Relaxed) as f64 / begin.elapsed().as_secs_f64();
    waits.sort_unstable();
    let at = |part: f64| waits.get((waits.len() as f64 * part) as usize).copied().unwrap_or_default();
    println!(
        "{} {tasks} tasks, {keys} keys: {rate:.0} commits/s, p50 {:?}, p99 {:?}",
        durability.config_name(),
        at(0.5),
        at(0.99)
    );
    let begin = Instant::now();
    replica.shutdown().await?;
    println!("stopped in {:?}", begin.elapsed());
    drop(replica);
    Ok(std::fs::remove_dir_all(dir)?)
}

async fn write(
    replica: Replica,
    task: u64,
    keys: u64,
    stop: &AtomicBool,
    done: &AtomicU64,
) -> Result<Vec<Duration>, Failure> {
    let mut random = task.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut draft = Draft::new(replica.reader(), task);
    let mut waits = Vec::new();
    while !stop.load(Relaxed) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let key = Key::new(format!("ctr:{:08}", random % keys))?;
        let begin = Instant::now();
        while let Err(error) = draft.g_counter_increment(&key, 1) {
            match error {
                DraftError::Miss(miss) => {
                    draft.supply(tokio::task::spawn_blocking(|| miss.load()).await??);
                }
                other => return Err(other.into()),
            }
        }
        replica.commit(draft.take()).await?;
        waits.push(begin.elapsed());
        done.fetch_add(1, Relaxed);
    }
    Ok(waits)
}
