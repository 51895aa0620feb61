//! Two nodes that write under one origin, because a datastore was copied behind the program's back.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use numax_replica::{CommitError, Health};

use super::world::{Running, World};

/// Copies a closed datastore and lets the copy pass for the original: without this it would begin an epoch of its own.
fn copy_unnoticed(from: &Path, to: &Path) {
    copy(from, to);
    let meta = to.join("meta.json");
    let text = std::fs::read_to_string(&meta).unwrap();
    let changed = text.replace(&disk_id(from), &disk_id(to));
    assert_ne!(changed, text, "the way in which a datastore is known has changed");
    std::fs::write(&meta, changed).unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// How a datastore knows its disk.
pub fn disk_id(datastore: &Path) -> String {
    let log = std::fs::metadata(datastore.join("log")).unwrap();
    let born =
        log.created().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map_or(0, |at| at.as_nanos());
    format!("{:x}-{born:x}", log.ino())
}

/// Waits until a node has stopped writing.
async fn stops(node: &Running) {
    let stopped = async {
        while node.replica.health() != Health::DuplicateOrigin {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), stopped).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_write_under_one_origin_stop_writing_and_go_on_reading() {
    let world = World::new();
    let a = world.node("a", &[]).await;
    a.increment("k", 1).await;
    a.stop().await;
    copy_unnoticed(&world.path("a"), &world.path("copy"));
    let a = world.node("a", &[]).await;
    // Each of the two has a friend of its own, whom it goes on to replicate with.
    let friend = world.node("friend", &[&a]).await;
    let copy = world.node("copy", &[&a]).await;
    assert_eq!(copy.replica.origin(), a.replica.origin());
    let others_friend = world.node("others-friend", &[&copy]).await;
    for node in [&a, &copy] {
        stops(node).await;
        let refused = node.try_increment("k", 1).await.unwrap_err();
        assert!(matches!(refused, CommitError::DuplicateOrigin), "{refused}");
        assert!(refused.to_string().contains("identity"), "{refused}");
    }
    friend.increment("k", 10).await;
    others_friend.increment("k", 100).await;
    a.reaches("k", 11).await;
    copy.reaches("k", 101).await;
    others_friend.reaches("k", 101).await;
    for node in [a, friend, others_friend] {
        node.stop().await;
    }
    // It is written down: nobody has to be there to tell it so again.
    copy.stop().await;
    let copy = Running::start(&world.path("copy"), &[], &[]).await.unwrap();
    let refused = copy.try_increment("k", 1).await.unwrap_err();
    assert!(matches!(refused, CommitError::DuplicateOrigin), "{refused}");
    assert_eq!(copy.value("k").await, 101);
    copy.stop().await;
}
