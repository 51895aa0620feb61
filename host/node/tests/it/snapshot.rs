//! New nodes that begin with a peer's snapshot.

use std::path::{Path, PathBuf};

use numax_net::NodeKey;
use numax_net::ca::{self, IssueOptions};
use numax_snapshots::{AwsVariables, Location, Repository, RestoreOptions, quiet};

use super::world::{Running, World};

/// Restores the newest snapshot into a new datastore, as `numax snapshot restore` does.
async fn restore(place: Location, aws: AwsVariables, datastore: PathBuf) {
    let restored = tokio::task::spawn_blocking(move || {
        let repository = Repository::open(&place, &aws, &datastore.join("snapshots")).unwrap();
        let node = NodeKey::load_or_create(&datastore).unwrap().id();
        let options = RestoreOptions { node, engine: None, cluster: None, other_cluster: false };
        repository.find("latest").unwrap().restore(&datastore, &options, &quiet).unwrap()
    });
    assert!(restored.await.unwrap().other_node);
}

async fn hash(node: &Running) -> [u8; 32] {
    let replica = node.replica.clone();
    tokio::task::spawn_blocking(move || replica.state_hash().unwrap()).await.unwrap()
}

/// A node makes a snapshot, goes on, and another joins from it.
async fn join_from(place: &str, aws: AwsVariables) {
    const BEFORE: u64 = 40;
    const AFTER: u64 = 7;
    let world = World::new();
    let member = |name: &str| {
        let datastore = world.path(name);
        ca::issue(&world.path("ca"), &datastore, &IssueOptions::default(), None).unwrap();
        datastore
    };
    let flags = [("--snapshot-dir", place)];
    let a = Running::with_store(&member("a"), &[], &flags, aws.clone()).await.unwrap();
    for _ in 0..BEFORE {
        a.increment("k", 1).await;
    }
    let made = a.node.snapshot().await.unwrap();
    for _ in 0..AFTER {
        a.increment("k", 1).await;
    }

    let datastore = member("b");
    restore(place.parse().unwrap(), aws, datastore.clone()).await;
    let b = Running::start(&datastore, &[], &[]).await.unwrap();
    assert_eq!(b.value("k").await, BEFORE);
    let vector: Vec<u64> = b.replica.vector().iter().map(|(_, seq)| seq).collect();
    assert_eq!(vector, made.vector.iter().map(|entry| entry.seq).collect::<Vec<_>>());
    b.stop().await;
    let b = Running::start(&datastore, &[&a], &[]).await.unwrap();
    b.reaches("k", BEFORE + AFTER).await;
    assert_eq!(
        b.replica.log_stats().records,
        AFTER,
        "batches that came: from the snapshot on, and not from the first"
    );
    b.increment("k", 100).await;
    a.reaches("k", BEFORE + AFTER + 100).await;
    assert_eq!(hash(&a).await, hash(&b).await);

    // Who has no snapshot gets every batch.
    let late = Running::start(&member("late"), &[&a], &[]).await.unwrap();
    late.reaches("k", BEFORE + AFTER + 100).await;
    assert_eq!(late.replica.log_stats().records, BEFORE + AFTER + 1);
    for node in [late, b, a] {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_node_joins_from_a_folder_and_catches_up_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let path: &Path = folder.path();
    join_from(path.to_str().unwrap(), AwsVariables::default()).await;
}

#[cfg(feature = "object-store")]
#[tokio::test(flavor = "multi_thread")]
async fn a_new_node_joins_from_a_bucket_and_catches_up_from_there() {
    let started = tokio::task::spawn_blocking(numax_testing::S3Server::start).await.unwrap();
    let Some(server) = started else { return };
    let aws = numax_testing::S3Server::variables().into_iter().collect();
    join_from(&server.url("nodes/a"), aws).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_none_ends_the_start() {
    let world = World::new();
    let flags = [("--snapshot-dir", "s3://backups?endpoint=http://127.0.0.1:1")];
    let error = Running::start(&world.path("x"), &[], &flags).await.err().unwrap().to_string();
    #[cfg(feature = "object-store")]
    assert!(error.contains("allow_http=true"), "{error}");
    #[cfg(not(feature = "object-store"))]
    assert!(error.contains("feature object-store"), "{error}");
}
