//! `numax migrate` and `numax repair`.

use std::fs;
use std::path::Path;

use super::program::run;

/// A node without modules makes its datastore and stops.
fn datastore(folder: &Path, args: &[&str]) {
    let args =
        [&["run", "--data", "data", "--listen", "127.0.0.1:0", "--settle-for", "0s"][..], args].concat();
    run(folder, &args).expect(0, &[]);
}

#[test]
fn a_datastore_moves_to_another_engine_and_back() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &["migrate", "--data", "data"]).expect(1, &["holds no datastore"]);
    datastore(folder.path(), &[]);
    let shown = run(folder.path(), &["migrate", "--data", "data"]).expect(0, &[]);
    assert!(shown.out.contains("nothing to do: engine sled, schema 1"), "{}", shown.out);
    run(folder.path(), &["migrate", "--data", "data", "--to", "rocksdb"]).expect(2, &["sled, redb, fjall"]);
    for to in ["redb", "fjall", "sled"] {
        let moved = run(folder.path(), &["migrate", "--data", "data", "--to", to, "--json"]).expect(0, &[]);
        let json: serde_json::Value = serde_json::from_str(&moved.out).unwrap();
        assert_eq!((&json["engine"], &json["schema"]), (&to.into(), &1.into()));
        assert!(json["last_opened_by"].as_str().unwrap().starts_with("numax "), "{json}");
        // Without a word about the engine it is the datastore's own; with another one it says what to do.
        datastore(folder.path(), &[]);
        let other = if to == "sled" { "redb" } else { "sled" };
        let refused = ["run", "--data", "data", "--listen", "127.0.0.1:0", "--storage", other];
        run(folder.path(), &refused).expect(1, &[&format!("numax migrate --to {other}")]);
    }
    let again = run(folder.path(), &["migrate", "--data", "data", "--to", "sled"]).expect(0, &[]);
    assert!(again.out.contains("nothing to do"), "{}", again.out);
}

#[test]
fn a_datastore_of_a_newer_program_is_refused_and_the_program_is_named() {
    let folder = tempfile::tempdir().unwrap();
    datastore(folder.path(), &[]);
    let meta = folder.path().join("data/meta.json");
    let mut text: serde_json::Value = serde_json::from_slice(&fs::read(&meta).unwrap()).unwrap();
    text["format"] = 7.into();
    text["program"] = "numax 9.1.0".into();
    fs::write(&meta, text.to_string()).unwrap();
    for command in [
        &["run", "--listen", "127.0.0.1:0", "--data", "data"][..],
        &["migrate", "--data", "data"],
        &["repair", "--data", "data"],
        &["snapshot", "create", "--data", "data"],
    ] {
        run(folder.path(), command).expect(1, &["schema 7", "numax 9.1.0", "start it with that program"]);
    }
}

#[test]
fn a_damaged_datastore_is_repaired() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &["repair", "--data", "data"]).expect(1, &["holds no datastore"]);
    datastore(folder.path(), &[]);
    let well = run(folder.path(), &["repair", "--data", "data"]).expect(0, &[]);
    assert!(well.out.contains("nothing had to be repaired"), "{}", well.out);
    let log = folder.path().join("data/log");
    for entry in fs::read_dir(log).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let refused = ["run", "--data", "data", "--listen", "127.0.0.1:0"];
    run(folder.path(), &refused).expect(1, &["numax repair"]);
    run(folder.path(), &["repair", "--data", "data"]).expect(1, &["numax repair --accept-loss"]);
    let done = run(folder.path(), &["repair", "--data", "data", "--accept-loss"]).expect(0, &[]);
    assert!(done.out.contains("began a new epoch"), "{}", done.out);
    let lifted =
        run(folder.path(), &["repair", "--data", "data", "--new-epoch", "--lift-quarantine"]).expect(0, &[]);
    assert!(lifted.out.contains("begins a new epoch"), "{}", lifted.out);
    datastore(folder.path(), &[]);
}
