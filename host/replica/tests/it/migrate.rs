//! Moving rows between engines, also when it is cut short.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

use bytes::Bytes;
use numax_crdt::NodeId;
use numax_replica::{
    Draft, Engine, OpenError, Replica, ReplicaConfig, engine_of,
    migrate::{Migrated, Progress, migrate},
    schema::Chain,
};
use tempfile::TempDir;

use crate::common::key;

const DIR: &str = "NUMAX_TEST_MIGRATE_DIR";
const TO: &str = "NUMAX_TEST_MIGRATE_TO";

fn config(dir: &Path, engine: Engine) -> ReplicaConfig {
    ReplicaConfig { engine, ..ReplicaConfig::new(dir, NodeId([1; 32])) }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Opens the datastore, writes, and stops; answers the state's digest.
fn write(dir: &Path, engine: Engine, from: u32, until: u32) -> [u8; 32] {
    let replica = Replica::open(config(dir, engine)).unwrap();
    for n in from..until {
        let mut draft = Draft::new(replica.reader(), 1);
        draft.load_inline(true);
        draft.register_set(&key(&format!("r{n}")), Bytes::from(vec![n as u8; 2000])).unwrap();
        draft.kv_set(format!("k{n}").as_bytes(), Bytes::from(vec![n as u8; 100])).unwrap();
        run(replica.commit(draft.take())).unwrap();
    }
    let hash = replica.state_hash().unwrap();
    run(replica.shutdown()).unwrap();
    hash
}

fn local(dir: &Path, engine: Engine, name: &str) -> Option<Bytes> {
    let replica = Replica::open(config(dir, engine)).unwrap();
    let mut draft = Draft::new(replica.reader(), 1);
    draft.load_inline(true);
    let found = draft.kv_get(name.as_bytes()).unwrap();
    run(replica.shutdown()).unwrap();
    found
}

fn to_engine(dir: &Path, to: Engine) -> Result<Option<Migrated>, OpenError> {
    migrate(dir, Chain::CURRENT, Some(to), |_| ())
}

fn left_over(dir: &Path) -> Vec<String> {
    let names =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("rows.")).collect()
}

#[test]
fn any_engine_to_any_other() {
    let dir = TempDir::new().unwrap();
    use Engine::{Fjall, Redb, Sled};
    let hash = write(dir.path(), Sled, 0, 100);
    let mut from = Sled;
    for to in [Redb, Fjall, Sled, Fjall, Redb, Sled] {
        let migrated = to_engine(dir.path(), to).unwrap().unwrap();
        assert_eq!((migrated.engine, migrated.schema), ((from, to), (1, 1)));
        assert!(migrated.rows > 200);
        assert_eq!(engine_of(dir.path()).unwrap(), Some(to));
        assert_eq!(left_over(dir.path()), [""; 0]);
        assert!(matches!(Replica::open(config(dir.path(), from)).map(|_| ()), Err(OpenError::Store(_))));
        from = to;
    }
    assert_eq!(write(dir.path(), Sled, 0, 0), hash);
    assert_eq!(local(dir.path(), Sled, "k99"), Some(Bytes::from(vec![99; 100])));
    assert_eq!(to_engine(dir.path(), Sled).unwrap(), None);
}

#[test]
fn a_datastore_in_use_or_none_at_all_is_refused() {
    let dir = TempDir::new().unwrap();
    assert!(matches!(to_engine(dir.path(), Engine::Redb), Err(OpenError::NoDatastore { .. })));
    let replica = Replica::open(config(dir.path(), Engine::Sled)).unwrap();
    assert!(matches!(to_engine(dir.path(), Engine::Redb), Err(OpenError::Locked { .. })));
    run(replica.shutdown()).unwrap();
}

/// The process that is killed: says what it does, and waits for a word at each step.
#[test]
#[ignore = "runs in a process of its own, started by the tests below"]
fn migrating() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let to = Engine::from_name(&std::env::var(TO).unwrap()).unwrap();
    let say = |text: String| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "step {text}").unwrap();
        out.flush().unwrap();
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).unwrap();
    };
    migrate(dir.as_ref(), Chain::CURRENT, Some(to), |progress| match progress {
        // What was changed is looked at in `schema`, without a process for each.
        Progress::Stored(_) => {}
        progress => say(format!("{progress:?}")),
    })
    .unwrap();
    say("End".to_string());
}

/// Kills a migration at its n-th step; answers what it had said, none when it ended before.
fn kill_at(dir: &Path, to: Engine, step: usize) -> Option<Vec<String>> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["migrate::migrating", "--exact", "--ignored", "--nocapture"])
        .env(DIR, dir)
        .env(TO, to.name())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut said = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        let Some((_, text)) = line.split_once("step ") else { continue };
        said.push(text.to_string());
        if text == "End" {
            writeln!(stdin).unwrap();
            child.wait().unwrap();
            return None;
        }
        if said.len() > step {
            child.kill().unwrap();
            break;
        }
        writeln!(stdin).unwrap();
    }
    child.wait().unwrap();
    Some(said)
}

#[test]
fn a_migration_that_is_killed_at_any_step_goes_on() {
    for to in [Engine::Redb, Engine::Fjall] {
        let dir = TempDir::new().unwrap();
        let hash = write(dir.path(), Engine::Sled, 0, 1200);
        let mut resumed = 0;
        for step in 0.. {
            let Some(said) = kill_at(dir.path(), to, step) else { break };
            resumed += usize::from(said[0].starts_with("Resumed"));
            assert_eq!(engine_of(dir.path()).unwrap(), Some(Engine::Sled), "the change is the last step");
            assert!(step < 30, "it never ends: {said:?}");
        }
        assert!(resumed > 0 || to == Engine::Redb, "{to}: it always began anew");
        assert_eq!(engine_of(dir.path()).unwrap(), Some(to));
        assert_eq!(left_over(dir.path()), [""; 0]);
        assert_eq!(write(dir.path(), to, 0, 0), hash);
    }
}

#[test]
fn a_copy_of_older_rows_is_not_gone_on_with() {
    let dir = TempDir::new().unwrap();
    write(dir.path(), Engine::Sled, 0, 1200);
    let said = kill_at(dir.path(), Engine::Fjall, 1).unwrap();
    assert!(said.iter().all(|step| step.starts_with("Copied")), "{said:?}");
    let hash = write(dir.path(), Engine::Sled, 1000, 1300);
    let mut steps = Vec::new();
    migrate(dir.path(), Chain::CURRENT, Some(Engine::Fjall), |step| steps.push(step)).unwrap().unwrap();
    assert!(!steps.iter().any(|step| matches!(step, Progress::Resumed(_))));
    assert_eq!(write(dir.path(), Engine::Fjall, 0, 0), hash);
}
