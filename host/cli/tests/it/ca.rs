//! `numax ca`.

use super::program::run;

#[test]
fn an_authority_issues_for_datastores() {
    let folder = tempfile::tempdir().unwrap();
    let made = run(folder.path(), &["ca", "init", "./ca", "--name", "test"]).expect(0, &["numax ca issue"]);
    let cluster = made.out.trim().strip_prefix("cluster ").unwrap().to_owned();
    assert_eq!(cluster.len(), 64);
    run(folder.path(), &["ca", "init", "./ca"]).expect(1, &["exists already"]);

    let issued =
        run(folder.path(), &["ca", "issue", "--ca", "ca", "--datastore", "data", "--json"]).expect(0, &[]);
    let json: serde_json::Value = serde_json::from_str(&issued.out).unwrap();
    assert_eq!(json["cluster"], cluster.as_str());
    let node = json["node"].as_str().unwrap();

    let shown = run(folder.path(), &["ca", "show", "data"]).expect(0, &[]);
    assert!(shown.out.contains(&format!("node {node}")) && shown.out.contains("expires"), "{}", shown.out);
    let shown = run(folder.path(), &["ca", "show", "ca", "--json"]).expect(0, &[]);
    let json: serde_json::Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(json["cluster"], cluster.as_str());
    assert_eq!(json["authority"], true);

    run(folder.path(), &["ca", "issue", "--ca", "nowhere", "--datastore", "data"])
        .expect(1, &["numax ca init"]);
    run(folder.path(), &["ca", "show", "nowhere"]).expect(1, &["nowhere"]);
}

#[test]
fn an_address_for_others_needs_ones_own_certificate() {
    let folder = tempfile::tempdir().unwrap();
    for args in [["--listen", "0.0.0.0:0"], ["--peer", "node1.example.com:9000"]] {
        let args = [&["run", "--data", "data"][..], &args].concat();
        run(folder.path(), &args).expect(1, &["numax ca init", "numax ca issue --ca ./ca --datastore data"]);
    }
}
