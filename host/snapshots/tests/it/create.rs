//! Making snapshots: exact while writers write, whole or not there.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use numax_snapshots::{CreateOptions, Folder, SnapshotError, quiet};
use tempfile::TempDir;

use crate::common::{Open, create, node, options};

#[test]
fn a_snapshot_under_writes_is_the_state_of_one_moment() {
    let dir = TempDir::new().unwrap();
    let open = Open::new(&dir.path().join("data"), 1);
    open.turns(0..300);
    let folder = Folder::new(dir.path().join("snapshots"));
    let stop = AtomicBool::new(false);
    let (snapshot, written) = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut number = 300;
            while !stop.load(Ordering::Relaxed) {
                open.turn(number);
                number += 1;
            }
            number
        });
        // Not before the writer writes.
        while open.state().turns < 310 {
            thread::yield_now();
        }
        let snapshot = create(&folder, &open);
        stop.store(true, Ordering::Relaxed);
        (snapshot, writer.join().unwrap())
    });
    let manifest = snapshot.manifest();
    assert_eq!((&manifest.node, manifest.epoch), (&node(1).to_string(), 0));
    let [entry] = &manifest.vector[..] else { panic!("{:?}", manifest.vector) };
    assert!((310..=written).contains(&entry.seq), "{} of {written}", entry.seq);
    snapshot.verify(&quiet).unwrap();

    let copy = dir.path().join("copy");
    snapshot.restore(&copy, &options(1), &quiet).unwrap();
    let restored = Open::new(&copy, 1);
    let state = restored.state();
    // The number of batches, the counter, the counted and the listed elements, the local store: all of one moment.
    assert_eq!(state.turns, entry.seq);
    assert_eq!(state.size, state.listed);
    assert_eq!(state.local, Some((entry.seq - 1).to_string()));
    assert_eq!(restored.replica.origin().epoch, 1);
    restored.pull(&open);
    assert_eq!(restored.state().turns, written);
    assert_eq!(restored.replica.state_hash().unwrap(), open.replica.state_hash().unwrap());
    restored.close();
    open.close();
}

#[test]
fn a_folder_lists_finds_and_prunes() {
    let dir = TempDir::new().unwrap();
    let open = Open::new(&dir.path().join("data"), 1);
    let folder = Folder::new(dir.path().join("snapshots"));
    assert!(folder.list().unwrap().is_empty());
    assert!(matches!(folder.find("latest"), Err(SnapshotError::NotFound { .. })));
    let ids: Vec<String> = (0..3)
        .map(|number| {
            open.turn(number);
            create(&folder, &open).manifest().id.clone()
        })
        .collect();
    open.close();
    let listed: Vec<String> = folder.list().unwrap().into_iter().map(|found| found.id).collect();
    assert_eq!(listed, ids);
    assert_eq!(folder.find("latest").unwrap().manifest().id, ids[2]);
    assert_eq!(folder.find(&ids[0]).unwrap().manifest().id, ids[0]);
    assert!(matches!(folder.find("20"), Err(SnapshotError::Ambiguous { .. })));
    assert!(matches!(folder.find(""), Err(SnapshotError::NotFound { .. })));

    // What an interrupted one left is no snapshot, and goes with the next.
    let left = folder.path().join(".new-1");
    fs::create_dir_all(left.join("rows")).unwrap();
    assert_eq!(folder.list().unwrap().len(), 3);
    assert_eq!(folder.prune(2, None).unwrap(), ids[..1]);
    assert_eq!(folder.list().unwrap().len(), 2);
    let open = Open::new(&dir.path().join("data"), 1);
    create(&folder, &open);
    assert!(!left.exists());
    open.close();
}

#[test]
fn one_snapshot_at_a_time_and_none_after_the_end() {
    let dir = TempDir::new().unwrap();
    let open = Open::new(&dir.path().join("data"), 1);
    open.turn(0);
    let folder = Folder::new(dir.path().join("snapshots"));
    let tried = AtomicBool::new(false);
    let nested = |_: u64, _: u64| {
        if !tried.swap(true, Ordering::Relaxed) {
            let second = folder.create(&open.replica, &CreateOptions::default(), &quiet);
            assert!(matches!(second, Err(SnapshotError::Busy { .. })), "{second:?}");
        }
    };
    folder.create(&open.replica, &CreateOptions::default(), &nested).unwrap();
    assert!(tried.load(Ordering::Relaxed));
    let replica = open.replica.clone();
    open.close();
    assert!(folder.create(&replica, &CreateOptions::default(), &quiet).is_err());
    let hidden = fs::read_dir(folder.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".new"));
    assert_eq!(hidden.count(), 0, "nothing is left of a failed one");
}
