//! Exported files, to other engines and other nodes.

use std::fs;

use numax_snapshots::{Folder, SnapshotError, quiet};
use numax_store::Engine;
use tempfile::TempDir;

use crate::common::{Open, create, options};

#[test]
fn an_exported_file_becomes_a_snapshot_elsewhere_in_any_engine() {
    let dir = TempDir::new().unwrap();
    let open = Open::new(&dir.path().join("data"), 1);
    open.turns(0..200);
    let snapshot = create(&Folder::new(dir.path().join("snapshots")), &open);
    let hash = open.replica.state_hash().unwrap();
    open.close();
    let file = dir.path().join("export.numaxpak");
    let bytes = snapshot.export(&file, dir.path(), &quiet).unwrap();
    assert_eq!(bytes, fs::metadata(&file).unwrap().len());
    let again = snapshot.export(&file, dir.path(), &quiet);
    assert!(matches!(again, Err(SnapshotError::Exists { .. })));

    for engine in [None, Some(Engine::Redb), Some(Engine::Fjall)] {
        let name = engine.unwrap_or_default().name();
        let folder = Folder::new(dir.path().join(name));
        let imported = folder.import(&file, engine, &quiet).unwrap();
        let (there, here) = (imported.manifest(), snapshot.manifest());
        assert_eq!((&there.id, &there.vector, there.rows), (&here.id, &here.vector, here.rows));
        assert_eq!(there.engine, name);
        assert!(matches!(folder.import(&file, engine, &quiet), Err(SnapshotError::Exists { .. })));
        let data = dir.path().join(format!("node-{name}"));
        folder.find("latest").unwrap().restore(&data, &options(2), &quiet).unwrap();
        let open = Open::new(&data, 2);
        assert_eq!(open.replica.state_hash().unwrap(), hash);
        assert_eq!(open.state().local, None);
        open.close();
    }

    // A damaged file leaves nothing.
    let mut bad = fs::read(&file).unwrap();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    let bad_file = dir.path().join("bad");
    fs::write(&bad_file, bad).unwrap();
    let folder = Folder::new(dir.path().join("empty"));
    assert!(matches!(folder.import(&bad_file, None, &quiet), Err(SnapshotError::Damaged { .. })));
    assert!(folder.list().unwrap().is_empty());
    let left = fs::read_dir(folder.path()).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir());
    assert_eq!(left.count(), 0);
}
