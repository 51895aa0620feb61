//! The load: tasks that write as guests' turns do, one batch each, and wait for each commit.

use crate::machine;
use anyhow::Result;
use bytes::Bytes;
use numax_crdt::{Key, NodeId};
use numax_replica::{Draft, DraftError, Durability, LogStats, Replica, ReplicaConfig};
use numax_store::Engine;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Bytes of a key plus those of a counter's total: what a user would call the data of an operation.
pub const LOGICAL_BYTES: f64 = 20.0;

/// The node that writes.
pub const NODE: NodeId = NodeId([1; 32]);

/// The name of key number `n`: 12 bytes.
pub fn key(n: u64) -> Result<Key> {
    Ok(Key::new(format!("ctr:{n:08}"))?)
}

/// A datastore's settings.
pub fn config(dir: &Path, engine: Engine, durability: Durability) -> ReplicaConfig {
    let mut config = ReplicaConfig::new(dir, NODE);
    config.engine = engine;
    config.core.durability = durability;
    config
}

/// Opens a datastore on a thread that may block.
pub async fn open(config: ReplicaConfig) -> Result<Replica> {
    Ok(tokio::task::spawn_blocking(move || Replica::open(config)).await??)
}

/// Numbers that look random and are the same in every run.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Adds to a counter in a draft; loads what is not in memory.
pub async fn increment(draft: &mut Draft, key: &Key) -> Result<()> {
    while let Err(error) = draft.g_counter_increment(key, 1) {
        match error {
            DraftError::Miss(miss) => draft.supply(tokio::task::spawn_blocking(|| miss.load()).await??),
            other => return Err(other.into()),
        }
    }
    Ok(())
}

/// Writes every key once, as registers of `bytes` bytes or, without, as counters: 100 in a batch.
pub async fn fill(replica: &Replica, keys: u64, bytes: Option<usize>) -> Result<()> {
    const AT_ONCE: u64 = 100;
    let mut draft = Draft::new(replica.reader(), 0);
    draft.load_inline(true);
    for first in (0..keys).step_by(AT_ONCE as usize) {
        for n in first..keys.min(first + AT_ONCE) {
            match bytes {
                None => increment(&mut draft, &key(n)?).await?,
                Some(len) => draft.register_set(&key(n)?, Bytes::from(vec![n as u8; len]))?,
            }
        }
        replica.commit(draft.take()).await?;
    }
    Ok(())
}

/// What came of a run.
pub struct Run {
    /// Operations a second.
    pub rate: f64,
    /// Half of the operations were acknowledged within this, in microseconds.
    pub p50_us: f64,
    /// 99 of 100 were.
    pub p99_us: f64,
    /// User and system time of the process for each, in microseconds.
    pub cpu_us: f64,
    /// How many there were.
    pub ops: f64,
    /// What the log wrote.
    pub log: LogStats,
    /// Bytes handed to write calls in the run, those of the orderly end included.
    pub written: u64,
}

/// `writers` tasks increment random counters for a time. An operation counts when it is committed at the configured
/// durability.
pub async fn run(replica: Replica, writers: usize, keys: u64, time: Duration) -> Result<Run> {
    fill(&replica, keys, None).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let before = stats(&replica).await?;
    let (cpu, written, begin) = (machine::cpu_seconds()?, machine::written_bytes()?, Instant::now());
    let writing = tokio::spawn(until(replica.clone(), writers, keys, stop.clone()));
    tokio::time::sleep(time).await;
    stop.store(true, Relaxed);
    let waits = writing.await??;
    let (seconds, cpu) = (begin.elapsed().as_secs_f64(), machine::cpu_seconds()? - cpu);
    let after = stats(&replica).await?;
    replica.shutdown().await.map_err(anyhow::Error::msg)?;
    let at = |part: f64| quantile(&waits, part);
    let ops = waits.len() as f64;
    Ok(Run {
        rate: ops / seconds,
        p50_us: at(0.5),
        p99_us: at(0.99),
        cpu_us: cpu * 1e6 / ops,
        ops,
        log: LogStats {
            records: after.records - before.records,
            record_bytes: after.record_bytes - before.record_bytes,
            written_bytes: after.written_bytes - before.written_bytes,
            syncs: after.syncs - before.syncs,
            synced_bytes: after.synced_bytes - before.synced_bytes,
        },
        written: machine::written_bytes()? - written,
    })
}

/// `writers` tasks increment random counters until they are told to stop. Answers the wait of each operation in
/// microseconds, sorted.
pub async fn until(replica: Replica, writers: usize, keys: u64, stop: Arc<AtomicBool>) -> Result<Vec<u32>> {
    let tasks: Vec<_> =
        (0..writers).map(|n| tokio::spawn(write(replica.clone(), n as u64, keys, stop.clone()))).collect();
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await??);
    }
    waits.sort_unstable();
    Ok(waits)
}

/// The value below which a part of sorted waits lies; 0 of none.
pub fn quantile(waits: &[u32], part: f64) -> f64 {
    let at = ((waits.len() as f64 * part) as usize).min(waits.len().saturating_sub(1));
    waits.get(at).copied().unwrap_or(0).into()
}

/// One writer; answers the wait of each operation in microseconds.
async fn write(replica: Replica, number: u64, keys: u64, stop: Arc<AtomicBool>) -> Result<Vec<u32>> {
    let mut random = Random::new(number);
    let mut draft = Draft::new(replica.reader(), number);
    let mut durable = replica.durable();
    let mut waits = Vec::new();
    while !stop.load(Relaxed) {
        let key = key(random.below(keys))?;
        let begin = Instant::now();
        increment(&mut draft, &key).await?;
        let ticket = replica.commit(draft.take()).await?;
        acknowledged(&mut durable, ticket.position).await?;
        waits.push(u32::try_from(begin.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
    Ok(waits)
}

/// Returns when the log is committed up to a position at the configured durability.
async fn acknowledged(durable: &mut watch::Receiver<numax_replica::Durable>, position: u64) -> Result<()> {
    let state = durable.wait_for(|state| state.position >= position || state.failed.is_some()).await?;
    match &state.failed {
        Some(reason) if state.position < position => anyhow::bail!("the log failed: {reason}"),
        _ => Ok(()),
    }
}

/// What the log wrote so far.
pub async fn stats(replica: &Replica) -> Result<LogStats> {
    let replica = replica.clone();
    Ok(tokio::task::spawn_blocking(move || replica.log_stats()).await?)
}
