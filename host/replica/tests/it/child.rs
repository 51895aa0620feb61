//! SIGKILL of a real process: nothing that was acknowledged may be lost.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    time::Duration,
};

use numax_crdt::NodeId;
use numax_replica::{Draft, Durability, Replica, ReplicaConfig};
use tempfile::TempDir;

use crate::common::key;

const DIR: &str = "NUMAX_TEST_DIR";
const DURABILITY: &str = "NUMAX_TEST_DURABILITY";

fn config(dir: &std::path::Path, durability: &str) -> ReplicaConfig {
    let mut config = ReplicaConfig::new(dir, NodeId([1; 32]));
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
    let replica = Replica::open(config(dir.as_ref(), &durability)).unwrap();
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
    for durability in ["fsync", "interval"] {
        let dir = TempDir::new().unwrap();
        let mut acknowledged = 0;
        for round in 1..=3 {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["child::writer", "--exact", "--ignored", "--nocapture"])
                .env(DIR, dir.path())
                .env(DURABILITY, durability)
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
            let is_ack = |line: &String| line.ends_with("ack");
            let acks = lines.by_ref().filter(is_ack).take(500 * round).count();
            assert_eq!(acks, 500 * round, "the child ended by itself");
            child.kill().unwrap();
            child.wait().unwrap();
            acknowledged += acks + lines.filter(is_ack).count();

            let replica = Replica::open(config(dir.path(), durability)).unwrap();
            assert_eq!(replica.origin().epoch, 0, "the end of a process keeps the epoch");
            let mut draft = Draft::new(replica.reader(), 0);
            draft.load_inline(true);
            let counted = draft.g_counter_value(&key("n")).unwrap();
            assert!(counted >= acknowledged as u64, "{durability}: {counted} of {acknowledged} are left");
            assert!(
                counted <= acknowledged as u64 + 32 * round as u64,
                "{durability}: {counted} of {acknowledged}"
            );
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(replica.shutdown()).unwrap();
        }
    }
}
