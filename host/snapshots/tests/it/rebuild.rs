//! Damaged rows, sled's first of all, from a snapshot and the log behind it, on real files.

use std::fs;

use numax_replica::{OpenError, Replica, ReplicaConfig};
use numax_snapshots::{CreateOptions, Folder, Repository, quiet};
use numax_store::Engine;

use crate::common::{Open, node};

fn config(dir: &std::path::Path, engine: Engine) -> ReplicaConfig {
    let mut config = ReplicaConfig { engine, ..ReplicaConfig::new(dir, node(1)) };
    // The log keeps less than was ever written.
    config.core.segment_bytes = 16 << 10;
    config.core.op_log_budget = 128 << 10;
    config
}

#[test]
fn damaged_rows_come_back_from_the_newest_snapshot_that_fits_and_the_log() {
    for engine in [Engine::Sled, Engine::Redb] {
        let dir = tempfile::tempdir().unwrap();
        let (data, folder) = (dir.path().join("data"), Folder::new(dir.path().join("snapshots")));
        let open = Open::with_config(config(&data, engine));
        open.turns(0..150);
        folder.create(&open.replica, &CreateOptions::default(), &quiet).unwrap();
        open.turns(150..170);
        // As an engine of another kind: rows are rows.
        let other = CreateOptions { engine: Some(Engine::Fjall), ..CreateOptions::default() };
        let newest = folder.create(&open.replica, &other, &quiet).unwrap();
        open.turns(170..190);
        let (hash, state, origin) = (open.replica.state_hash().unwrap(), open.state(), open.replica.origin());
        open.close();

        let repository = Repository::Folder(folder.clone());
        assert_eq!(repository.rebuild_rows(&config(&data, engine), &quiet).unwrap(), None, "all is well");
        let main = data.join("rows").join(if engine == Engine::Sled { "db" } else { "rows.redb" });
        let bytes = fs::read(&main).unwrap();
        fs::write(&main, &bytes[..bytes.len().min(3000)]).unwrap();
        let refused = Replica::open(config(&data, engine)).map(|_| ()).unwrap_err();
        assert!(matches!(refused, OpenError::RowsLost { .. }), "{engine}: {refused}");

        // The newest one is damaged, too: the one before does.
        let file =
            fs::read_dir(newest.path().unwrap().join("rows")).unwrap().map(|entry| entry.unwrap().path());
        let file = file.filter(|path| path.is_file()).max_by_key(|path| fs::metadata(path).unwrap().len());
        fs::write(file.unwrap(), "nothing").unwrap();
        let report = repository.rebuild_rows(&config(&data, engine), &quiet).unwrap().unwrap();
        assert!(report.done[0].contains("from a snapshot"), "{report:?}");

        let open = Open::with_config(config(&data, engine));
        assert_eq!(open.replica.state_hash().unwrap(), hash, "{engine}");
        assert_eq!((open.state(), open.replica.origin()), (state, origin), "{engine}: nothing is lost");
        open.close();
        assert!(data.join("rows.damaged-1").exists() && !data.join("rows.base").exists());
    }
}

#[test]
fn snapshots_of_others_and_of_another_time_are_of_no_use() {
    let dir = tempfile::tempdir().unwrap();
    let (data, folder) = (dir.path().join("data"), Folder::new(dir.path().join("snapshots")));
    let open = Open::with_config(config(&data, Engine::Sled));
    open.turns(0..10);
    folder.create(&open.replica, &CreateOptions::default(), &quiet).unwrap();
    // The log has left it behind.
    open.turns(10..400);
    open.close();
    fs::remove_dir_all(data.join("rows")).unwrap();
    let repository = Repository::Folder(folder);
    assert_eq!(repository.rebuild_rows(&config(&data, Engine::Sled), &quiet).unwrap(), None);
    assert!(!data.join("rows.damaged-1").exists() && !data.join("rows.base").exists());
}
