//! Runs that repeat: the same seed, the same bytes in the log.

use crate::built;
use crate::guests::Guest;
use crate::logs;
use crate::node::{OPEN, policy};
use numax_crdt::{Key, NodeId};
use numax_replica::{CoreConfig, Draft, Durability, IdSeed, Replica, ReplicaConfig};
use numax_runtime::{
    Backend, Deterministic, Engine, EngineConfig, Module, ModuleOptions, PeerView, RunError, Runtime,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// What a node is in such a run, on real files.
struct World {
    replica: Replica,
    seed: Arc<Deterministic>,
}

#[async_trait::async_trait]
impl Backend for World {
    async fn replica(&self) -> Result<Replica, String> {
        Ok(self.replica.clone())
    }

    async fn node_id(&self) -> Result<NodeId, String> {
        Ok(self.seed.node_id())
    }

    fn peers(&self) -> Vec<PeerView> {
        Vec::new()
    }

    fn id_seed(&self) -> IdSeed {
        self.seed.id_seed()
    }
}

/// What may differ between two runs.
struct Around {
    engine: numax_replica::Engine,
    cache_rows: usize,
    durability: Durability,
}

const USUAL: Around =
    Around { engine: numax_replica::Engine::Sled, cache_rows: 65_536, durability: Durability::Fsync };

fn grants() -> String {
    let more = "random = true\ncrdt.rga = [\"*\"]\ncrdt.text = [\"*\"]\ndb.write";
    OPEN.replace("db.write", more).replace("\"local*\"", "\"local*\", \"last\"")
}

/// Runs the command and answers how it ended, and the files of the log.
async fn run(
    seed: u64,
    dir: &Path,
    policy_text: &str,
    what: &str,
    around: &Around,
) -> (Result<i32, RunError>, BTreeMap<String, Vec<u8>>, Replica) {
    logs::start();
    let seed = Deterministic::new(seed);
    let config = ReplicaConfig {
        engine: around.engine,
        core: CoreConfig {
            cache_rows: around.cache_rows,
            durability: around.durability,
            segment_bytes: 1 << 10,
            ..CoreConfig::new(seed.node_id())
        },
        given: Some(seed.given()),
        ..ReplicaConfig::new(dir, seed.node_id())
    };
    let replica = Replica::open(config).unwrap();
    let cache_dir = Some(built::cache().join("code"));
    let engine =
        Engine::new(EngineConfig { cache_dir, deterministic: Some(seed.clone()), ..EngineConfig::default() })
            .unwrap();
    let args = vec!["command".to_owned(), what.to_owned()];
    let options = ModuleOptions { name: "command".to_owned(), args, ..ModuleOptions::default() };
    let module = Module::load(&engine, Guest::Command.path(), policy(policy_text), options).unwrap();
    let ended =
        Runtime::new(engine, Arc::new(World { replica: replica.clone(), seed })).run_command(&module).await;
    replica.shutdown().await.unwrap();
    let files = std::fs::read_dir(dir.join("log")).unwrap().map(|entry| entry.unwrap());
    let log =
        files.map(|file| (file.file_name().into_string().unwrap(), std::fs::read(file.path()).unwrap()));
    (ended, log.collect(), replica)
}

#[tokio::test]
async fn one_seed_is_one_log_whatever_the_machine_does() {
    let dir = tempfile::tempdir().unwrap();
    let mut logs = Vec::new();
    let none = Around { durability: Durability::None, ..USUAL };
    let redb = Around { engine: numax_replica::Engine::Redb, cache_rows: 0, ..none };
    let fjall = Around { engine: numax_replica::Engine::Fjall, durability: Durability::default(), ..none };
    for (number, around) in [USUAL, redb, fjall].iter().enumerate() {
        let (ended, log, _) = run(7, &dir.path().join(number.to_string()), &grants(), "world", around).await;
        assert_eq!(ended.unwrap(), 0);
        assert!(log.len() > 2, "several segments");
        logs.push(log);
    }
    assert!(logs.iter().all(|log| log == &logs[0]), "the logs differ");
    let (ended, other, _) = run(8, &dir.path().join("other"), &grants(), "world", &USUAL).await;
    assert_eq!(ended.unwrap(), 0);
    assert_ne!(other, logs[0], "another seed is another run");
}

#[tokio::test]
async fn waiting_takes_no_time_and_the_earliest_comes_first() {
    let dir = tempfile::tempdir().unwrap();
    let (ended, _, _) = run(1, dir.path(), &grants(), "wait", &USUAL).await;
    assert_eq!(ended.unwrap(), 0);
    let seed = Deterministic::new(1);
    let config =
        ReplicaConfig { given: Some(seed.given()), ..ReplicaConfig::new(dir.path(), seed.node_id()) };
    let replica = Replica::open(config).unwrap();
    let mut draft = Draft::new(replica.reader(), 0);
    draft.load_inline(true);
    let waited = draft.register_get(&Key::new("waited").unwrap()).unwrap().unwrap();
    assert_eq!(waited, "[1] 60 3600");
    replica.shutdown().await.unwrap();
}

#[tokio::test]
async fn instructions_stand_for_processor_time() {
    let dir = tempfile::tempdir().unwrap();
    let policy = format!("{}\n[quotas]\ncpu_ms_per_run = 30\n", grants());
    let mut logs = Vec::new();
    for name in ["one", "two"] {
        let (ended, log, _) = run(1, &dir.path().join(name), &policy, "spin", &USUAL).await;
        let error = ended.unwrap_err();
        assert!(matches!(error, RunError::Fuel) && error.to_string().contains("cpu_ms_per_run"), "{error}");
        logs.push(log);
    }
    assert_eq!(logs[0], logs[1]);
}
