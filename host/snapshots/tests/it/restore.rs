//! Putting snapshots back: on the same node, on another, and what is refused.

use numax_crdt::Origin;
use numax_replica::OpenError;
use numax_snapshots::{CreateOptions, Folder, RestoreOptions, Restored, SnapshotError, quiet};
use numax_store::Engine;
use tempfile::TempDir;

use crate::common::{Open, State, create, node, options};

#[test]
fn a_node_goes_back_and_gets_what_came_later_from_its_peer() {
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("data");
    let folder = Folder::new(dir.path().join("snapshots"));
    let open = Open::new(&data, 1);
    open.turns(0..100);
    let snapshot = create(&folder, &open);
    let then = open.state();
    open.turns(100..150);
    let peer = Open::new(&dir.path().join("peer"), 2);
    peer.pull(&open);
    let old = open.replica.origin();

    let busy = snapshot.restore(&data, &options(1), &quiet);
    assert!(matches!(busy, Err(SnapshotError::Datastore(OpenError::Locked { .. }))), "{busy:?}");
    open.close();
    let done = snapshot.restore(&data, &options(1), &quiet).unwrap();
    assert_eq!(done, Restored { replaced: true, other_node: false });
    let open = Open::new(&data, 1);
    assert_eq!(open.state(), then);
    let origin = open.replica.origin();
    assert_eq!((origin.node, origin.epoch), (old.node, old.epoch + 1));
    // It writes under its new origin, and what it forgot comes back.
    open.turn(1000);
    open.pull(&peer);
    peer.pull(&open);
    assert_eq!(open.state().turns, 151);
    assert_eq!(open.replica.state_hash().unwrap(), peer.replica.state_hash().unwrap());
    open.close();
    // Once more: the epoch grows on, although the snapshot's has not.
    snapshot.restore(&data, &options(1), &quiet).unwrap();
    let open = Open::new(&data, 1);
    assert_eq!(open.replica.origin().epoch, old.epoch + 2);
    open.close();
    peer.close();
}

#[test]
fn a_new_node_joins_from_a_peers_snapshot() {
    let dir = TempDir::new().unwrap();
    let open = Open::new(&dir.path().join("data"), 1);
    open.turns(0..100);
    let snapshot = create(&Folder::new(dir.path().join("snapshots")), &open);
    open.turns(100..120);

    let done = snapshot.restore(&dir.path().join("joiner"), &options(2), &quiet).unwrap();
    assert_eq!(done, Restored { replaced: false, other_node: true });
    let joiner = Open::new(&dir.path().join("joiner"), 2);
    let Origin { node: own, .. } = joiner.replica.origin();
    assert_eq!(own, node(2));
    let State { turns, local, .. } = joiner.state();
    assert_eq!((turns, local), (100, None), "the node-local store stays at home");
    joiner.turn(500);
    joiner.pull(&open);
    open.pull(&joiner);
    assert_eq!(joiner.state().turns, 121);
    assert_eq!(joiner.replica.state_hash().unwrap(), open.replica.state_hash().unwrap());
    joiner.close();
    open.close();
}

#[test]
fn what_does_not_belong_is_refused() {
    let dir = TempDir::new().unwrap();
    let open = Open::new(&dir.path().join("data"), 1);
    open.turn(0);
    let folder = Folder::new(dir.path().join("snapshots"));
    let of = CreateOptions { cluster: Some("aa".repeat(32)), ..CreateOptions::default() };
    let snapshot = folder.create(&open.replica, &of, &quiet).unwrap();
    open.close();

    let target = dir.path().join("target");
    let elsewhere = RestoreOptions { cluster: Some("bb".repeat(32)), ..options(1) };
    let refused = snapshot.restore(&target, &elsewhere, &quiet);
    assert!(matches!(refused, Err(SnapshotError::OtherCluster { .. })), "{refused:?}");
    assert!(!target.exists());
    let wanted = RestoreOptions { other_cluster: true, ..elsewhere };
    snapshot.restore(&target, &wanted, &quiet).unwrap();

    // A key that does not fit the data that is there.
    let refused = snapshot.restore(&dir.path().join("data"), &options(9), &quiet);
    assert!(matches!(refused, Err(SnapshotError::Foreign { .. })), "{refused:?}");
    let open = Open::new(&dir.path().join("data"), 1);
    assert_eq!(open.state().turns, 1);
    open.close();
}

#[test]
fn a_snapshot_can_be_read_row_by_row() {
    let dir = TempDir::new().unwrap();
    let open = Open::new(&dir.path().join("data"), 1);
    open.turns(0..200);
    let snapshot = create(&Folder::new(dir.path().join("snapshots")), &open);
    open.close();
    let scratch = dir.path().join("scratch");
    let rows = snapshot.rows(&scratch, &quiet).unwrap();
    assert_eq!(rows.facts().vector.iter().map(|(_, seq)| seq).collect::<Vec<_>>(), [200]);
    let rows: Vec<_> = rows.collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len() as u64, snapshot.manifest().rows);
    assert!(rows.is_sorted_by(|a, b| (a.0, &a.1) < (b.0, &b.1)));
    assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0, "the copy is gone");
    snapshot.verify(&quiet).unwrap();
}

#[test]
fn every_engine_is_restored_as_it_is_and_as_any_other() {
    for from in Engine::ALL {
        let dir = TempDir::new().unwrap();
        let data = dir.path().join("data");
        let open = Open::with(&data, 1, from);
        open.turns(0..60);
        let snapshot = create(&Folder::new(dir.path().join("snapshots")), &open);
        assert_eq!(snapshot.manifest().engine, from.name());
        let hash = open.replica.state_hash().unwrap();
        open.turns(60..80);
        open.close();
        for to in [Some(from), Some(Engine::Sled), Some(Engine::Redb), Some(Engine::Fjall)] {
            snapshot.restore(&data, &RestoreOptions { engine: to, ..options(1) }, &quiet).unwrap();
            assert_eq!(numax_replica::engine_of(&data).unwrap(), to);
            let open = Open::new(&data, 1);
            assert_eq!(open.replica.state_hash().unwrap(), hash, "{from} as {to:?}");
            open.close();
        }
        // As it is now when nobody says anything, whatever the snapshot is.
        snapshot.restore(&data, &options(1), &quiet).unwrap();
        assert_eq!(numax_replica::engine_of(&data).unwrap(), Some(Engine::Fjall));
    }
}
