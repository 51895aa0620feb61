//! SIGKILL of a real process: nothing that was acknowledged may be lost.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    time::Duration,
};

use numax_crdt::NodeId;
use numax_replica::{Draft, Durability, Engine, Replica, ReplicaConfig};
use tempfile::TempDir;

use crate::common::key;

const DIR: &str = "NUMAX_TEST_DIR";
const DURABILITY: &str = "NUMAX_TEST_DURABILITY";
const ENGINE: &str = "NUMAX_TEST_ENGINE";
/// How often each kind of datastore is killed; for the long run
/// `NUMAX_KILL_ROUNDS=500 cargo test -p numax-replica --test it -- child::sigkill`.
const ROUNDS: &str = "NUMAX_KILL_ROUNDS";

fn config(dir: &std::path::Path, engine: Engine, durability: &str) -> ReplicaConfig {
    let mut config = ReplicaConfig { engine, ..ReplicaConfig::new(dir, NodeId([1; 32])) };
    // So that kills meet flushes, and new segments.
    config.flush_interval = Duration::from_millis(10);
    config.core.durability = match durability {
        "fsync" => Durability::Fsync,
        _ => Durability::Interval(Duration::from_millis(100)),
    };
    config.core.segment_bytes = 64 << 10;
    config
}

/// The process that is killed: writes for ever, and says so after each acknowledgement.
#[test]
#[ignore = "runs in a process of its own, started by the test below"]
fn writer() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let durability = std::env::var(DURABILITY).unwrap();
    let engine = Engine::from_name(&std::env::var(ENGINE).unwrap()).unwrap();
    let replica = Replica::open(config(dir.as_ref(), engine, &durability)).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..32)
            .map(|task| {
                let replica = replica.clone();
                tokio::spawn(async move {
                    let mut durable = replica.durable();
                    loop {
                        let mut draft = Draft::new(replica.reader(), task);
                        draft.load_inline(true);
                        draft.g_counter_increment(&key("n"), 1).unwrap();
                        draft.kv_set(format!("task{task}").as_bytes(), "x".into()).unwrap();
                        let ticket = replica.commit(draft.take()).await.unwrap();
                        durable.wait_for(|durable| durable.position >= ticket.position).await.unwrap();
                        let mut out = std::io::stdout().lock();
                        out.write_all(b"ack\n").unwrap();
                        out.flush().unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            // They end only by failing.
            let _ = task.await;
        }
    });
}

#[test]
fn sigkill_loses_nothing_that_was_acknowledged() {
    let rounds = std::env::var(ROUNDS).map_or(2, |rounds| rounds.parse().unwrap());
    for engine in Engine::ALL {
        for durability in ["fsync", "interval"] {
            kill_often(engine, durability, rounds);
        }
    }
}

fn kill_often(engine: Engine, durability: &str, rounds: u64) {
    let what = format!("{engine}, {durability}");
    let dir = TempDir::new().unwrap();
    let mut acknowledged = 0;
    for round in 1..=rounds {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child::writer", "--exact", "--ignored", "--nocapture"])
            .env(DIR, dir.path())
            .env(DURABILITY, durability)
            .env(ENGINE, engine.name())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let is_ack = |line: &String| line.ends_with("ack");
        // At another place each time.
        let want = 100 + (round * 379 % 500) as usize;
        let acks = lines.by_ref().filter(is_ack).take(want).count();
        assert_eq!(acks, want, "{what}: the child ended by itself in round {round}");
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged += (acks + lines.filter(is_ack).count()) as u64;

        let replica = Replica::open(config(dir.path(), engine, durability)).unwrap();
        assert_eq!(replica.origin().epoch, 0, "{what}: the end of a process keeps the epoch");
        assert_eq!(replica.vector().iter().count(), 1, "{what}: one origin, however often it was killed");
        let mut draft = Draft::new(replica.reader(), 0);
        draft.load_inline(true);
        let counted = draft.g_counter_value(&key("n")).unwrap();
        assert!(counted >= acknowledged, "{what}: {counted} of {acknowledged} are left after {round}");
        assert!(counted <= acknowledged + 32, "{what}: {counted} of {acknowledged} after {round}");
        // Also what came after the last acknowledgement, was killed, and is there now.
        acknowledged = counted;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(replica.shutdown()).unwrap();
        let aside = std::fs::read_dir(dir.path()).unwrap().filter_map(Result::ok);
        let aside = aside.filter(|entry| entry.file_name().to_string_lossy().contains("damaged")).count();
        assert_eq!(aside, 0, "{what}: nothing was damaged");
    }
}
