//! Remote batches: how fast what comes from peers is applied.

use crate::load;
use crate::report::{Figure, Goal, Subject};
use crate::{Settings, engine_name, machine};
use anyhow::{Result, ensure};
use bytes::Bytes;
use futures_util::stream::{FuturesOrdered, StreamExt};
use numax_crdt::{Batch, Body, Hlc, NodeId, Op, Origin};
use numax_replica::{CommitError, Durability, Ingested, Replica};
use numax_store::Engine;
use std::time::Instant;

const KEYS: u64 = 10_000;
/// Batches in one call, about what a frame of the wire holds.
const CALL: usize = 512;
/// Calls that are under way at once.
const AT_ONCE: usize = 4;

/// All figures of the group for one engine.
pub fn run(settings: &Settings, engine: Engine) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (durability, peers) in
        [(Durability::default(), 1), (Durability::default(), 3), (Durability::Fsync, 3)]
    {
        let subject = Subject {
            engine: engine_name(engine),
            durability: durability.config_name(),
            keys: KEYS,
            writers: peers as usize,
        };
        let calls = batches(settings.batches, peers)?;
        let (mut rates, mut cpu) = (Vec::new(), Vec::new());
        for _ in 0..settings.rounds {
            let dir = tempfile::tempdir_in(&settings.dir)?;
            let config = load::config(&dir.path().join("data"), engine, durability);
            let (rate, us) =
                settings.runtime.block_on(async { apply(load::open(config).await?, calls.clone()).await })?;
            rates.push(rate);
            cpu.push(us);
        }
        let figure = Figure::new("remote batches applied", &subject, "ops/s", rates).cpu(&cpu);
        figures.push(match durability {
            Durability::Interval(_) => figure.goal(Goal::AtLeast(200e3)),
            _ => figure,
        });
    }
    Ok(figures)
}

async fn apply(replica: Replica, calls: Vec<Vec<Bytes>>) -> Result<(f64, f64)> {
    let total: usize = calls.iter().map(Vec::len).sum();
    let (cpu, begin) = (machine::cpu_seconds()?, Instant::now());
    let mut under_way = FuturesOrdered::new();
    let mut applied = 0;
    for call in calls {
        if under_way.len() == AT_ONCE
            && let Some(done) = under_way.next().await
        {
            applied += count(done)?;
        }
        under_way.push_back(replica.ingest(call));
    }
    while let Some(done) = under_way.next().await {
        applied += count(done)?;
    }
    ensure!(applied == total, "{applied} of {total} batches were applied");
    let (seconds, cpu) = (begin.elapsed().as_secs_f64(), machine::cpu_seconds()? - cpu);
    drop(under_way);
    replica.shutdown().await.map_err(anyhow::Error::msg)?;
    Ok((total as f64 / seconds, cpu * 1e6 / total as f64))
}

fn count(answer: Result<Ingested, CommitError>) -> Result<usize> {
    Ok(answer?.applied)
}

/// The origin of a peer.
pub fn origin(peer: u64) -> Origin {
    Origin { node: NodeId([100 + peer as u8; 32]), epoch: 0, nonce: peer }
}

/// Batches of so many peers in turns, one increment each, as calls. Each peer has seen the batch before its own, as peers
/// that talk to each other have.
pub fn batches(count: u64, peers: u64) -> Result<Vec<Vec<Bytes>>> {
    let mut random = load::Random::new(99);
    let mut out: Vec<Vec<Bytes>> = Vec::new();
    let dot = |n: u64| (origin(n % peers), n / peers + 1);
    for n in 0..count {
        let (origin, seq) = dot(n);
        let batch = Batch {
            origin,
            seq,
            deps: (peers > 1 && n > 0).then(|| dot(n - 1)).into_iter().collect(),
            hlc: Hlc::from_parts(1_700_000_000_000 + n, 0),
            ops: vec![Op { key: load::key(random.below(KEYS))?, body: Body::GCounter { total: seq } }],
        };
        match out.last_mut() {
            Some(call) if call.len() < CALL => call.push(batch.encode()),
            _ => out.push(vec![batch.encode()]),
        }
    }
    Ok(out)
}
