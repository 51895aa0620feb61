//! Damaged snapshots are named, and nothing is changed.

use std::{fs, path::Path};

use numax_snapshots::{Folder, SnapshotError, quiet};
use tempfile::TempDir;

use crate::common::{Open, create, options};

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_changed_byte_is_found_and_its_file_named() {
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("data");
    let open = Open::new(&data, 1);
    open.turns(0..20);
    let folder = Folder::new(dir.path().join("snapshots"));
    let snapshot = create(&folder, &open);
    open.turns(20..30);
    open.close();

    for entry in &snapshot.manifest().files {
        let path = snapshot.path().unwrap().join(&entry.name);
        for at in [0, entry.bytes as usize / 2, entry.bytes as usize - 1] {
            flip(&path, at);
            let verified = snapshot.verify(&quiet).unwrap_err();
            let restored = snapshot.restore(&data, &options(1), &quiet).unwrap_err();
            for error in [verified, restored] {
                let SnapshotError::Damaged { file, .. } = &error else { panic!("{error}") };
                assert_eq!(Path::new(file), path);
            }
            flip(&path, at);
        }
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[1..]).unwrap();
        assert!(matches!(snapshot.verify(&quiet), Err(SnapshotError::Damaged { .. })), "shorter");
        fs::remove_file(&path).unwrap();
        assert!(matches!(snapshot.verify(&quiet), Err(SnapshotError::Damaged { .. })), "missing");
        fs::write(&path, bytes).unwrap();
    }
    snapshot.verify(&quiet).unwrap();

    let manifest = snapshot.path().unwrap().join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    for (from, to) in [("\"epoch\": 0", "\"epoch\": 1"), ("\"rows\": ", "\"rows\": 1"), ("rows/", "rows/../")]
    {
        fs::write(&manifest, text.replacen(from, to, 1)).unwrap();
        let [found] = &folder.list().unwrap()[..] else { panic!() };
        assert!(matches!(found.snapshot, Err(SnapshotError::Damaged { .. })), "{from}");
        assert!(folder.find(&found.id).is_err());
    }
    fs::write(&manifest, text.replacen("\"format\": 1", "\"format\": 2", 1)).unwrap();
    let newer = folder.find(&snapshot.manifest().id).unwrap_err();
    assert!(matches!(newer, SnapshotError::Newer { found: 2, want: 1, .. }), "{newer}");

    // After all these tries the datastore is as it was.
    let names: Vec<String> = fs::read_dir(&data)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("re"))
        .collect();
    assert!(names.is_empty(), "{names:?}");
    let open = Open::new(&data, 1);
    assert_eq!((open.state().turns, open.replica.origin().epoch), (30, 0));
    open.close();
}
