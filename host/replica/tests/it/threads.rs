//! The replica with its threads, on real files.

use std::{
    path::Path,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Waker},
};

use numax_crdt::NodeId;
use numax_replica::{
    CommitError, Draft, DraftError, Durability, Health, LocalBatch, OpenError, Replica, ReplicaConfig,
};
use numax_store::{FaultPlan, Faults, MemDisk, mem::MemBackend};
use tempfile::TempDir;

use crate::common::{bytes, key};

fn config(dir: &TempDir, durability: Durability) -> ReplicaConfig {
    let mut config = ReplicaConfig::new(dir.path(), NodeId([1; 32]));
    config.core.durability = durability;
    config
}

fn increment(replica: &Replica, name: &str, writer: u64) -> LocalBatch {
    let mut draft = Draft::new(replica.reader(), writer);
    draft.load_inline(true);
    draft.g_counter_increment(&key(name), 1).unwrap();
    draft.take()
}

fn counter(replica: &Replica, name: &str) -> u64 {
    let mut draft = Draft::new(replica.reader(), 0);
    draft.load_inline(true);
    draft.g_counter_value(&key(name)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_share_groups_and_all_of_it_is_there_after_a_stop() {
    for durability in [Durability::Fsync, Durability::default(), Durability::None] {
        let dir = TempDir::new().unwrap();
        let replica = Replica::open(config(&dir, durability)).unwrap();
        let mut notices = replica.applied();
        let tasks: Vec<_> = (0..32u64)
            .map(|task| {
                let replica = replica.clone();
                tokio::spawn(async move {
                    let mut durable = replica.durable();
                    for _ in 0..20 {
                        let ticket = replica.commit(increment(&replica, "hits", task)).await.unwrap();
                        assert_eq!(ticket.dot.unwrap().origin, replica.origin());
                        let reached =
                            durable.wait_for(|durable| durable.position >= ticket.position).await.unwrap();
                        assert_eq!(reached.failed, None);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(counter(&replica, "hits"), 640);
        let mut last = 0;
        for seq in 1..=640 {
            let applied = notices.recv().await.unwrap();
            assert!(applied.dot.seq == seq && applied.position > last, "notices come in log order");
            last = applied.position;
        }
        replica.shutdown().await.unwrap();
        assert_eq!(replica.shutdown().await, Ok(()), "a second stop is the same stop");
        let late = replica.commit(increment(&replica, "hits", 0)).await;
        assert_eq!(late, Err(CommitError::Closed));
        let origin = replica.origin();
        drop(replica);

        let replica = Replica::open(config(&dir, durability)).unwrap();
        assert_eq!((replica.origin(), counter(&replica, "hits")), (origin, 640));
        assert_eq!(replica.batches_after(&Default::default(), None, usize::MAX).unwrap().batches.len(), 640);
        replica.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_datastore_is_open_once() {
    let dir = TempDir::new().unwrap();
    let replica = Replica::open(config(&dir, Durability::Fsync)).unwrap();
    match Replica::open(config(&dir, Durability::Fsync)) {
        Err(OpenError::Locked { path }) => assert!(path.contains(&*dir.path().to_string_lossy())),
        other => panic!("{other:?}"),
    }
    replica.shutdown().await.unwrap();
    Replica::open(config(&dir, Durability::Fsync)).unwrap().shutdown().await.unwrap();
}

#[tokio::test]
async fn a_dropped_future_does_not_take_back_what_was_submitted() {
    let dir = TempDir::new().unwrap();
    let replica = Replica::open(config(&dir, Durability::default())).unwrap();
    {
        let mut commit = pin!(replica.commit(increment(&replica, "n", 1)));
        let _ = commit.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
    let ticket = replica.commit(increment(&replica, "n", 1)).await.unwrap();
    assert_eq!((ticket.dot.unwrap().seq, counter(&replica, "n")), (2, 2));
    // A future that never ran has submitted nothing.
    drop(replica.commit(increment(&replica, "n", 1)));
    replica.commit(increment(&replica, "n", 1)).await.unwrap();
    assert_eq!(counter(&replica, "n"), 3);
    replica.shutdown().await.unwrap();
}

#[tokio::test]
async fn two_datastores_exchange_what_they_lack() {
    let (one_dir, two_dir) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let one = Replica::open(config(&one_dir, Durability::default())).unwrap();
    let mut other = config(&two_dir, Durability::default());
    other.core.node = NodeId([2; 32]);
    let two = Replica::open(other).unwrap();
    for _ in 0..10 {
        one.commit(increment(&one, "n", 1)).await.unwrap();
        two.commit(increment(&two, "n", 1)).await.unwrap();
    }
    let mut notices = two.applied();
    let page = one.batches_after(&two.vector(), None, usize::MAX).unwrap();
    assert_eq!((page.batches.len(), page.next), (10, None));
    let ingested = two.ingest(page.batches.clone()).await.unwrap();
    assert_eq!((ingested.applied, two.ingest(page.batches).await.unwrap().duplicates), (10, 10));
    let notice = notices.recv().await.unwrap();
    assert!(notice.remote && notice.writer.is_none() && notice.dot.origin == one.origin());
    one.ingest(two.batches_after(&one.vector(), None, usize::MAX).unwrap().batches).await.unwrap();
    assert_eq!((counter(&one, "n"), counter(&two, "n")), (20, 20));
    assert_eq!(one.state_hash().unwrap(), two.state_hash().unwrap());
    assert_eq!((one.vector(), one.health()), (two.vector(), Health::Ok));
    one.shutdown().await.unwrap();
    two.shutdown().await.unwrap();
}

#[tokio::test]
async fn rows_move_to_the_engine_and_are_read_from_there() {
    let dir = TempDir::new().unwrap();
    let mut small = config(&dir, Durability::default());
    small.core.cache_rows = 0;
    small.flush_rows = 1;
    let replica = Replica::open(small).unwrap();
    for n in 0..50 {
        replica.commit(increment(&replica, &format!("n{n}"), 1)).await.unwrap();
    }
    // A read of a row that only the engine has misses: that is how the flush shows.
    let mut draft = Draft::new(replica.reader(), 1);
    let miss = loop {
        match draft.g_counter_value(&key("n0")) {
            Err(DraftError::Miss(miss)) => break miss,
            Ok(1) => replica.commit(increment(&replica, "other", 1)).await.map(drop).unwrap(),
            other => panic!("{other:?}"),
        }
    };
    let loaded = tokio::task::spawn_blocking(|| miss.load()).await.unwrap().unwrap();
    draft.supply(loaded);
    loop {
        match draft.g_counter_value(&key("n0")) {
            Ok(value) => break assert_eq!(value, 1),
            Err(DraftError::Miss(miss)) => draft.supply(miss.load().unwrap()),
            Err(error) => panic!("{error}"),
        }
    }
    replica.shutdown().await.unwrap();
}

#[tokio::test]
async fn compare_and_set_lets_one_of_many_through() {
    let dir = TempDir::new().unwrap();
    let replica = Replica::open(config(&dir, Durability::default())).unwrap();
    let tasks: Vec<_> = (0..20u64)
        .map(|n| {
            let replica = replica.clone();
            tokio::spawn(async move {
                replica.compare_and_set(key("lock"), None, bytes(&format!("{n}")), n).await.unwrap().0
            })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        won += u32::from(task.await.unwrap());
    }
    assert_eq!(won, 1);
    replica.shutdown().await.unwrap();
}

#[tokio::test]
async fn submitting_waits_for_room() {
    let dir = TempDir::new().unwrap();
    let mut tight = config(&dir, Durability::default());
    tight.queue_bytes = 4 << 10;
    let replica = Arc::new(Replica::open(tight).unwrap());
    let tasks: Vec<_> = (0..40)
        .map(|n| {
            let replica = replica.clone();
            tokio::spawn(async move {
                let mut draft = Draft::new(replica.reader(), 1);
                draft.load_inline(true);
                // Larger than the whole queue: it goes alone.
                draft.register_set(&key(&format!("r{n}")), vec![b'x'; 20_000].into()).unwrap();
                replica.commit(draft.take()).await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(replica.vector().get(&replica.origin()), 40);
    replica.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_never_go_back_while_rows_move() {
    let dir = TempDir::new().unwrap();
    let mut moving = config(&dir, Durability::None);
    moving.core.cache_rows = 4;
    moving.flush_rows = 1;
    let replica = Replica::open(moving).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = [true, false]
        .into_iter()
        .map(|inline| {
            let (reader, done) = (replica.reader(), done.clone());
            std::thread::spawn(move || {
                let (mut last, mut reads) = ([0; 6], 0);
                while !done.load(Relaxed) {
                    for (n, last) in last.iter_mut().enumerate() {
                        let mut draft = Draft::new(reader.clone(), 1);
                        draft.load_inline(inline);
                        let value = loop {
                            match draft.g_counter_value(&key(&format!("n{n}"))) {
                                Ok(value) => break value,
                                Err(DraftError::Miss(miss)) => draft.supply(miss.load().unwrap()),
                                Err(error) => panic!("{error}"),
                            }
                        };
                        assert!(value >= *last, "{value} after {last}");
                        *last = value;
                        reads += 1;
                    }
                }
                reads
            })
        })
        .collect();
    for n in 0..3000 {
        replica.commit(increment(&replica, &format!("n{}", n % 6), 1)).await.unwrap();
    }
    done.store(true, Relaxed);
    for reader in readers {
        assert!(reader.join().unwrap() > 0);
    }
    for n in 0..6 {
        assert_eq!(counter(&replica, &format!("n{n}")), 500);
    }
    replica.shutdown().await.unwrap();
}

#[tokio::test]
async fn on_hardware_that_fails_to_sync_the_threads_stop_writing_and_go_on_reading() {
    let faults = Faults::default();
    let (disk, engine) = (MemDisk::with_faults(faults.clone()), MemBackend::with_faults(faults.clone()));
    let mut config = ReplicaConfig::new("/nowhere", NodeId([1; 32]));
    config.core.durability = Durability::Fsync;
    // Only the log syncs here.
    config.flush_interval = std::time::Duration::from_secs(3600);
    let replica =
        Replica::open_on(config, Arc::new(disk), Arc::new(engine), &crate::common::facts()).unwrap();
    let ticket = replica.commit(increment(&replica, "n", 1)).await.unwrap();
    let mut durable = replica.durable();
    durable.wait_for(|durable| durable.position >= ticket.position).await.unwrap();
    faults.set_plan(FaultPlan { fail_sync: Some(0), ..FaultPlan::default() });
    // Whether it is told by the commit or only by what waits for durability: it is told.
    let failed = match replica.commit(increment(&replica, "n", 1)).await {
        Err(CommitError::ReadOnly(_)) => true,
        Err(error) => panic!("{error}"),
        Ok(ticket) => {
            let at = durable.wait_for(|d| d.failed.is_some() || d.position >= ticket.position).await.unwrap();
            at.failed.is_some()
        }
    };
    assert!(failed && matches!(replica.health(), Health::ReadOnly(_)));
    assert!(matches!(replica.commit(increment(&replica, "n", 1)).await, Err(CommitError::ReadOnly(_))));
    assert_eq!(counter(&replica, "n"), 1);
    assert_eq!(replica.vector().get(&replica.origin()), 1);
    assert!(replica.shutdown().await.is_err());
    assert!(!Path::new("/nowhere").exists());
}

#[tokio::test]
async fn under_fsync_peers_are_told_of_what_is_synced_and_their_batches_are_answered_then() {
    let dir = TempDir::new().unwrap();
    let replica = Replica::open(config(&dir, Durability::Fsync)).unwrap();
    let mut peer = crate::common::Node::new(2);
    let mut notices = replica.applied();
    for n in 1..=20 {
        let batch = peer.commit(|draft| draft.g_counter_increment(&key("n"), 1).unwrap()).bytes.clone();
        let (ticket, ingested) = tokio::join!(
            async {
                let ticket = replica.commit(increment(&replica, "n", 1)).await.unwrap();
                // Visible, and maybe not durable yet: what a reader saw is no less than that.
                let reader = replica.reader();
                assert!(reader.seen(reader.mark()) >= ticket.position);
                ticket
            },
            replica.ingest(vec![batch])
        );
        assert_eq!(ingested.unwrap().applied, 1);
        assert_eq!(replica.vector().get(&peer.core.origin()), n, "what is answered is told of");
        replica.durable().wait_for(|durable| durable.position >= ticket.position).await.unwrap();
        for _ in 0..2 {
            let notice = notices.recv().await.unwrap();
            assert!(notice.position <= replica.durable().borrow().position);
        }
        assert_eq!(replica.vector().get(&replica.origin()), n);
        let all = replica.batches_after(&Default::default(), None, usize::MAX).unwrap();
        assert_eq!(all.batches.len() as u64, 2 * n);
    }
    replica.shutdown().await.unwrap();
}
