//! What the operator is told of: clocks that are wrong, and rows that were gone.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use numax_crdt::{Key, NodeId};
use numax_net::ca::{self, IssueOptions};
use numax_replica::{Draft, Given, HostFacts, Replica, ReplicaConfig};

use super::duplicate::disk_id;
use super::logs;
use super::world::{Running, World};

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// Makes a datastore, in which three batches were written while its clock was so far ahead. Its machine is this one.
async fn written_ahead(world: &World, name: &str, ahead: Duration) -> NodeId {
    let dir = world.path(name);
    let (issued, _) = ca::issue(&world.path("ca"), &dir, &IssueOptions::default(), None).unwrap();
    fs::create_dir_all(dir.join("log")).unwrap();
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let facts = HostFacts { boot_id: boot_id.trim().to_owned(), disk_id: disk_id(&dir), nonce: 5 };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + ahead;
    let now_ms = u64::try_from(now.as_millis()).unwrap();
    let given = Given { now_ms: Arc::new(move || now_ms), facts };
    let config = ReplicaConfig { given: Some(given), ..ReplicaConfig::new(&dir, issued.node) };
    let opened = tokio::task::spawn_blocking(|| Replica::open(config).unwrap());
    let replica = opened.await.unwrap();
    for _ in 0..3 {
        let mut draft = Draft::new(replica.reader(), 1);
        draft.load_inline(true);
        draft.register_set(&Key::new("both").unwrap(), Bytes::from("from ahead")).unwrap();
        draft.g_counter_increment(&Key::new("c").unwrap(), 1).unwrap();
        replica.commit(draft.take()).await.unwrap();
    }
    replica.shutdown().await.unwrap();
    issued.node
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_whose_clock_was_a_year_ahead_is_named_and_what_is_written_here_stays() {
    logs::start();
    let world = World::new();
    let a = world.node("a", &[]).await;
    a.set("both", "before").await;
    a.set("own", "mine").await;
    let ahead = written_ahead(&world, "b", YEAR).await;
    let b = Running::start(&world.path("b"), &[&a], &[]).await.unwrap();
    assert_eq!(b.replica.origin().node, ahead);
    a.reaches("c", 3).await;
    // Merged as it is: it is later.
    assert_eq!(a.get("both").await.as_deref(), Some("from ahead"));

    let told = |what: &str| {
        let lines = logs::of(&ahead.to_string());
        lines.into_iter().filter(|line| line.contains(what)).collect::<Vec<_>>()
    };
    let lines = told("the clock of a node is ahead of this one; set it right");
    assert_eq!(lines.len(), 1, "once, and not for each batch: {lines:?}");
    assert!(lines[0].starts_with("WARN") && lines[0].contains("by_ms=3153"), "{lines:?}");
    let clocks = a.replica.clocks();
    let by = Duration::from_millis(clocks.ahead[&ahead]);
    assert!(by > YEAR - Duration::from_secs(600) && by <= YEAR, "{clocks:?}");

    // What is written here from now on wins here and there, and the other's time was not taken over.
    a.set("both", "after").await;
    a.increment("c", 1).await;
    assert_eq!(a.get("both").await.as_deref(), Some("after"));
    b.reaches("c", 4).await;
    assert_eq!(b.get("both").await.as_deref(), Some("after"));
    assert_eq!(a.replica.clocks().set_back_ms, 0, "it has its own clock still");
    for node in [&a, &b] {
        assert_eq!(node.get("own").await.as_deref(), Some("mine"));
    }

    // The other one's clock is right by now, so it is behind what it has written.
    assert_eq!(told("it was set back"), [""; 0]);
    b.increment("c", 1).await;
    a.reaches("c", 5).await;
    let lines = told("this node's clock is behind what it has written before");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(b.replica.clocks().set_back_ms > 300 * 24 * 3600 * 1000);
    assert_eq!(a.get("both").await.as_deref(), Some("after"));
    for node in [a, b] {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_were_gone_are_built_anew_and_that_is_said_once() {
    logs::start();
    let world = World::new();
    let node = world.node("rowless", &[]).await;
    node.increment("k", 7).await;
    node.stop().await;
    fs::remove_dir_all(world.path("rowless/rows")).unwrap();
    let node = world.node("rowless", &[]).await;
    assert_eq!(node.value("k").await, 7);
    node.stop().await;
    // Of all the nodes of these tests only this one: new ones have none either, and say nothing.
    let lines = logs::of("the datastore had no rows; they were built anew from the log");
    assert_eq!(lines.len(), 1, "{lines:?}");
}
