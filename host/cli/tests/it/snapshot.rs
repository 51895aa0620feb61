//! `numax snapshot`, and the snapshots of a running node.

use std::path::Path;

use super::program::{Running, run};

/// A datastore with something in it: a node that ran and was stopped.
fn stopped_node(folder: &Path, data: &str) {
    run(folder, &["run", "--data", data, "--settle-for", "0s", "--listen", "127.0.0.1:0"]).expect(0, &[]);
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_stopped_datastore_is_saved_put_back_and_carried_to_another_node() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    run(at, &["snapshot", "create", "--data", "data"]).expect(1, &["data holds no datastore", "--data"]);
    stopped_node(at, "data");

    let made = json(&run(at, &["snapshot", "create", "--data", "data", "--json"]).expect(0, &[]).out);
    let id = made["id"].as_str().unwrap();
    let listed = run(at, &["snapshot", "list", "--data", "data", "--verify"]).expect(0, &[]).out;
    assert!(listed.starts_with(id) && listed.lines().count() == 1, "{listed}");
    let restored =
        json(&run(at, &["snapshot", "restore", "latest", "--data", "data", "--json"]).expect(0, &[]).out);
    assert_eq!((&restored["node"], &restored["replaced"]), (&made["node"], &true.into()));
    stopped_node(at, "data");

    run(at, &["snapshot", "export", id, "x.numaxpak", "--data", "data"]).expect(0, &[]);
    run(at, &["snapshot", "export", id, "x.numaxpak", "--data", "data"]).expect(1, &["exists already"]);
    let import = ["snapshot", "import", "x.numaxpak", "--data", "other", "--storage", "redb"];
    let next = format!("numax snapshot restore {id} --data other\n");
    let imported = run(at, &import).expect(0, &[&next]).out;
    assert_eq!(imported.trim(), id);
    let other = run(at, &["snapshot", "restore", id, "--data", "other", "--json"]).expect(0, &[]).out;
    assert_ne!(json(&other)["node"], made["node"], "the identity is the new datastore's own");
    assert_eq!(json(&other)["other_node"], true);
    stopped_node(at, "other");
    // Straight from the other's folder, too.
    let path = format!("data/snapshots/{id}");
    run(at, &["snapshot", "restore", &path, "--data", "third"]).expect(0, &["of another node"]);
    for there in ["data/snapshots/latest", &path[..path.len() - 4]] {
        run(at, &["snapshot", "restore", there, "--data", "third"]).expect(0, &["of another node"]);
    }
    let missing = ["snapshot", "restore", "data/nothing/latest", "--data", "third"];
    run(at, &missing).expect(1, &["there is no snapshot latest in data/nothing"]);

    run(at, &["snapshot", "restore", "2019", "--data", "data"]).expect(1, &["numax snapshot list"]);
    run(at, &["snapshot", "import", "x.numaxpak", "--storage", "postgres"]).expect(2, &["sled, redb, fjall"]);
    let manifest = at.join("data/snapshots").join(id).join("manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap().replace("\"epoch\": 0", "\"epoch\": 7");
    std::fs::write(&manifest, text).unwrap();
    let listed = run(at, &["snapshot", "list", "--data", "data"]).expect(1, &["manifest.json", "checksum"]);
    assert!(listed.out.contains("damaged"), "{}", listed.out);
}

#[test]
fn a_running_node_makes_snapshots_when_asked_and_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let args = [
        "run",
        "--data",
        "data",
        "--listen",
        "127.0.0.1:0",
        "--snapshot-dir",
        "kept",
        "--snapshot-interval",
        "1s",
        "--snapshot-keep",
        "2",
    ];
    let mut node = Running::start(at, "node", &args);
    node.line("cluster listening on");
    run(at, &["snapshot", "create", "--data", "data"]).expect(1, &["in use by another process"]);
    node.signal("USR1");
    let line = node.line("snapshot 2");
    // Also while one is being made by itself: nothing is refused.
    for _ in 0..20 {
        node.signal("USR1");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let id = line.rsplit(' ').next().unwrap();
    let listed = run(at, &["snapshot", "list", "--snapshots", "kept", "--json"]).expect(0, &[]).out;
    assert!(listed.contains(id), "{listed}");
    node.line("an old snapshot was removed");
    node.signal("TERM");
    let ended = node.end();
    assert!(ended.code == Some(0) && !ended.err.contains("no snapshot was made"), "{}", ended.err);
    let listed = json(&run(at, &["snapshot", "list", "--snapshots", "kept", "--json"]).expect(0, &[]).out);
    assert!(listed.as_array().unwrap().len() >= 2, "{listed}");
}
