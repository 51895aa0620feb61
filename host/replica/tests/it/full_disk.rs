//! A datastore on a disk that is really full: it is read and sent from, takes no writes, loses nothing, and goes on by
//! itself once there is space.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use numax_crdt::NodeId;
use numax_replica::{CommitError, Draft, Engine, OpenError, Replica, ReplicaConfig};
use tempfile::TempDir;

use crate::{common::key, small_disk::SmallDisk};

const MIB: u64 = 1 << 20;

fn config(dir: &Path, engine: Engine) -> ReplicaConfig {
    let mut config = ReplicaConfig { engine, ..ReplicaConfig::new(dir, NodeId([1; 32])) };
    // Every read goes to the engine.
    config.core.cache_rows = 0;
    config.core.segment_bytes = 2 << 20;
    config.flush_interval = Duration::from_millis(20);
    config
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn draft(replica: &Replica) -> Draft {
    let mut draft = Draft::new(replica.reader(), 1);
    draft.load_inline(true);
    draft
}

fn value(n: u32) -> Bytes {
    n.to_le_bytes().into_iter().cycle().map(|byte| byte.wrapping_mul(17)).take(20_000).collect()
}

fn write(replica: &Replica, n: u32) -> Result<(), CommitError> {
    let mut draft = draft(replica);
    draft.register_set(&key(&format!("r{n}")), value(n)).unwrap();
    draft.g_counter_increment(&key("n"), 1).unwrap();
    run(replica.commit(draft.take())).map(|_| ())
}

fn check(replica: &Replica, written: u32, when: &str) {
    let mut draft = draft(replica);
    for n in 0..written {
        let found =
            draft.register_get(&key(&format!("r{n}"))).unwrap_or_else(|error| panic!("{when}: {error}"));
        assert!(found == Some(value(n)), "{when}: r{n}");
    }
    assert_eq!(draft.g_counter_value(&key("n")).unwrap(), u64::from(written), "{when}");
}

/// Tries for as long as an engine may take to be opened again.
fn soon<E: std::fmt::Display>(mut attempt: impl FnMut() -> Result<(), E>) {
    let mut tries = 0;
    while let Err(error) = attempt() {
        tries += 1;
        assert!(tries < 200, "{error}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Gives one replica everything that the other has and it lacks.
fn send(from: &Replica, to: &Replica) -> Result<(), CommitError> {
    let (mut cursor, vector) = (None, to.vector());
    loop {
        let page = from.batches_after(&vector, cursor, 1 << 20).unwrap();
        run(to.ingest(page.batches))?;
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(()),
        }
    }
}

#[test]
fn a_full_disk_refuses_writes_and_nothing_else() {
    for engine in Engine::ALL {
        let Some(disk) = SmallDisk::new(160) else { return };
        disk.fill(45 * MIB);
        let dir = disk.path().join("data");
        let elsewhere = TempDir::new().unwrap();
        // Not sled: its databases in one process wait for each other.
        let peer =
            ReplicaConfig { engine: Engine::Redb, ..ReplicaConfig::new(elsewhere.path(), NodeId([2; 32])) };
        let peer = Replica::open(peer).unwrap();
        let replica = Replica::open(config(&dir, engine)).unwrap();
        let mut written = 0;
        let refused = loop {
            match write(&replica, written) {
                Ok(()) => written += 1,
                Err(error) => break error,
            }
        };
        assert!(
            matches!(refused, CommitError::Unavailable(_)) && written > 100,
            "{engine}: {refused} ({written})"
        );
        assert!(refused.to_string().contains("goes on by itself"), "{refused}");
        check(&replica, written, "when writes are refused");
        disk.fill(0);
        std::thread::sleep(Duration::from_millis(300));
        // An engine whose write found no space is opened again, which a read may fall into.
        soon(|| draft(&replica).register_get(&key("r0")).map(drop));
        check(&replica, written, "when others have filled the disk");
        // What it has goes to peers; what they have has to wait.
        send(&replica, &peer).unwrap();
        assert_eq!(peer.state_hash().unwrap(), replica.state_hash().unwrap(), "{engine}");
        write(&peer, written).unwrap();
        assert!(matches!(send(&peer, &replica), Err(CommitError::Unavailable(_))), "{engine}");
        // It can be started on a full disk, as long as what is kept for that is there.
        let _ = run(replica.shutdown());
        drop(replica);
        let replica = match Replica::open(config(&dir, engine)) {
            Ok(replica) => {
                assert_eq!(replica.origin().epoch, 0, "{engine}");
                check(&replica, written, "started on a full disk");
                // An engine gives back what it does not need when it is opened.
                disk.fill(0);
                std::thread::sleep(Duration::from_millis(20));
                assert!(matches!(write(&replica, 0), Err(CommitError::Unavailable(_))), "{engine}");
                disk.free();
                replica
            }
            // A sled that found no space for the file of a large node can never be ended: it keeps its lock until the
            // process ends. The whole-product test of a full disk starts another process.
            Err(OpenError::Locked { .. }) if engine == Engine::Sled => continue,
            // What was kept for a start was needed before, to open the engine again. Nothing is lost by it.
            Err(error) if error.to_string().contains("no space left") => {
                disk.free();
                Replica::open(config(&dir, engine)).unwrap_or_else(|error| panic!("{engine}: {error}"))
            }
            Err(error) => panic!("{engine}: {error}"),
        };
        // And goes on.
        let mut tries = 0;
        while let Err(error) = send(&peer, &replica) {
            tries += 1;
            assert!(matches!(error, CommitError::Unavailable(_)) && tries < 100, "{engine}: {error}");
            std::thread::sleep(Duration::from_millis(50));
        }
        written += 1;
        soon(|| write(&replica, written));
        assert_eq!(draft(&replica).register_get(&key(&format!("r{written}"))).unwrap(), Some(value(written)));
        check_after(&replica, written, engine);
        run(replica.shutdown()).unwrap();
        drop(replica);
        let replica = Replica::open(config(&dir, engine)).unwrap();
        check_after(&replica, written, engine);
        run(replica.shutdown()).unwrap();
        run(peer.shutdown()).unwrap();
    }
}

fn check_after(replica: &Replica, written: u32, engine: Engine) {
    check(replica, written + 1, engine.name());
}
