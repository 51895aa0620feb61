//! Snapshots and schemas: one of an older schema is refused whole, and what the refusal says to do works.

use std::{fs, sync::Arc};

use numax_replica::{
    HostFacts, Replica, ReplicaConfig,
    migrate::{Progress, migrate},
};
use numax_snapshots::{Folder, Manifest, SnapshotError, quiet};
use numax_store::{FsDisk, Options, open_with};
use tempfile::TempDir;

use crate::common::{Open, create, key, node, options};
use crate::next_schema::{self, NextSchema};

#[test]
fn a_snapshot_of_an_older_schema_is_refused_with_what_to_do_and_nothing_is_changed() {
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("data");
    let open = Open::new(&data, 1);
    open.turns(0..10);
    let folder = Folder::new(dir.path().join("snapshots"));
    let snapshot = create(&folder, &open);
    open.turns(10..20);
    open.close();
    // As an older program would have written it.
    let path = snapshot.path().unwrap().join("manifest.json");
    let mut manifest: Manifest = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    *manifest.schema.values_mut().next().unwrap() -= 1;
    manifest.program = "numax 0.0.9".to_owned();
    manifest.check = String::new();
    manifest.check = blake3::hash(&serde_json::to_vec(&manifest).unwrap()).to_hex().to_string();
    fs::write(&path, serde_json::to_vec_pretty(&manifest).unwrap()).unwrap();

    let snapshot = folder.find(&manifest.id).unwrap();
    let fresh = dir.path().join("fresh");
    for place in [&data, &fresh] {
        let error = snapshot.restore(place, &options(1), &quiet).unwrap_err();
        let said = error.to_string();
        assert!(matches!(error, SnapshotError::Older { found: 0, want: 1, .. }), "{said}");
        assert!(said.contains("numax 0.0.9") && said.contains("`numax migrate`"), "{said}");
    }
    assert!(!fresh.exists(), "nothing is made");
    let open = Open::new(&data, 1);
    assert_eq!((open.state().turns, open.replica.origin().epoch), (20, 0), "nothing is changed");
    open.close();
}

/// The old program restores, the next one migrates what has never been open since.
#[test]
fn a_restored_datastore_is_brought_to_the_next_schema() {
    let dir = TempDir::new().unwrap();
    let open = Open::new(&dir.path().join("data"), 1);
    open.turns(0..30);
    let folder = Folder::new(dir.path().join("snapshots"));
    let snapshot = create(&folder, &open);
    open.close();
    let restored = dir.path().join("restored");
    snapshot.restore(&restored, &options(1), &quiet).unwrap();

    let chain = next_schema::chain();
    let done = migrate(&restored, chain, None, |_: Progress| ()).unwrap().unwrap();
    assert_eq!(done.schema, (1, 2));
    let rows = Options { schemas: chain.tables(2), ..Options::default() };
    let rows = open_with(done.engine.1, &restored.join("rows"), &rows).unwrap();
    let mut config = ReplicaConfig::new(&restored, node(1));
    config.core.schemas = chain;
    let facts = HostFacts { boot_id: "boot".to_owned(), disk_id: "disk".to_owned(), nonce: 7 };
    let disk = Arc::new(FsDisk::open(&restored).unwrap());
    let replica = Replica::open_on(config, disk, Arc::new(NextSchema(rows)), &facts).unwrap();
    assert!(replica.origin().epoch > 0, "the mark of the restore is still there");
    let mut draft = numax_replica::Draft::new(replica.reader(), 1);
    draft.load_inline(true);
    assert_eq!(draft.g_counter_value(&key("turns")).unwrap(), 30);
    assert_eq!(draft.kv_get(b"turn").unwrap().unwrap(), "29");
}
