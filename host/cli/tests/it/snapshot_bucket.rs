//! `numax snapshot` and a running node, with snapshots in a bucket of a real server.

use numax_testing::S3Server;

use super::program::{Ended, Running, run_with};

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_node_keeps_its_snapshots_in_a_bucket_and_another_begins_with_one() {
    let Some(server) = S3Server::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let url = server.url("node-1");
    let variables = S3Server::variables();
    let numax = |args: &[&str]| -> Ended { run_with(at, args, &variables) };
    let config = format!("[storage]\npath = \"data\"\nsnapshot_dir = \"{url}\"\nsnapshot_keep = 2\n");
    std::fs::write(at.join("numax.toml"), config).unwrap();

    let args = ["run", "--listen", "127.0.0.1:0", "--snapshot-interval", "1s"];
    let mut node = Running::with(at, "node", &args, &variables);
    node.line("cluster listening on");
    node.signal("USR1");
    node.line("snapshot 2");
    node.line("an old snapshot was removed");
    node.signal("TERM");
    let ended = node.end();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(!ended.err.contains(S3Server::SECRET_KEY), "{}", ended.err);

    let listed = json(&numax(&["snapshot", "list", "--verify", "--json"]).expect(0, &[]).out);
    assert!((2..=3).contains(&listed.as_array().unwrap().len()), "{listed}");
    let made = json(&numax(&["snapshot", "create", "--json"]).expect(0, &[]).out);
    let id = made["id"].as_str().unwrap();
    assert_eq!(made["path"], format!("s3://{}/node-1/{id}", S3Server::BUCKET));
    numax(&["snapshot", "restore", "latest"]).expect(0, &["begins a new epoch"]);

    // Another datastore, by the URL alone.
    let one = url.replacen("node-1", &format!("node-1/{id}"), 1);
    numax(&["snapshot", "restore", &one, "--data", "other", "--json"]).expect(0, &[]);
    numax(&["snapshot", "export", id, "x.numaxpak"]).expect(0, &[]);
    let other = server.url("node-2");
    let import = ["snapshot", "import", "x.numaxpak", "--data", "other", "--snapshots", &other];
    assert_eq!(numax(&import).expect(0, &[]).out.trim(), id);

    let wrong = [("AWS_ACCESS_KEY_ID", "nobody"), ("AWS_SECRET_ACCESS_KEY", "hush")];
    let refused = run_with(at, &["snapshot", "list"], &wrong).expect(1, &["check AWS_ACCESS_KEY_ID"]);
    assert!(!refused.err.contains("hush"), "{}", refused.err);
    let plain = url.replace("&allow_http=true", "");
    numax(&["snapshot", "list", "--snapshots", &plain]).expect(1, &["without encryption", "allow_http=true"]);
    numax(&["snapshot", "list", "--snapshots", "gs://backups"]).expect(2, &["gs:// is not known"]);
}
