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

    // What a datastore belongs to is not changed by mistake.
    run(folder.path(), &["ca", "init", "./other"]).expect(0, &[]);
    let issue = ["ca", "issue", "--ca", "other", "--datastore", "data"];
    run(folder.path(), &issue).expect(1, &[&cluster, "--other-cluster"]);
    let shown = run(folder.path(), &["ca", "show", "data/identity/ca.pem"]).expect(0, &[]);
    assert!(shown.out.contains(&cluster), "{}", shown.out);
    run(folder.path(), &[&issue[..], &["--other-cluster"]].concat()).expect(0, &[]);
}

#[test]
fn a_request_is_signed_where_the_key_is_not() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &["ca", "init", "./ca"]).expect(0, &[]);
    let request = run(folder.path(), &["ca", "request", "--datastore", "data"]).expect(0, &[]);
    assert!(
        request.out.contains("CERTIFICATE REQUEST") && !request.out.contains("PRIVATE"),
        "{}",
        request.out
    );
    std::fs::write(folder.path().join("node.csr"), &request.out).unwrap();
    let issue = ["ca", "issue", "--ca", "ca", "--request", "node.csr"];
    run(folder.path(), &issue).expect(2, &["--out"]);
    let issued = run(folder.path(), &[&issue[..], &["--out", "node"]].concat()).expect(0, &["identity"]);
    for file in ["cert.pem", "ca.pem"] {
        std::fs::copy(folder.path().join("node").join(file), folder.path().join("data/identity").join(file))
            .unwrap();
    }
    // The datastore's own key is the one that was signed: the node takes the certificate and listens with it.
    let listen =
        ["run", "--data", "data", "--listen", "127.0.0.1:0", "--print-gcounter", "k", "--settle-for", "1ms"];
    let node = issued.out.trim().strip_prefix("node ").unwrap();
    run(folder.path(), &listen).expect(0, &[node]);
    std::fs::write(folder.path().join("node.csr"), "nothing").unwrap();
    run(folder.path(), &[&issue[..], &["--out", "node"]].concat()).expect(1, &["request"]);
}

#[test]
fn a_certificate_that_nobody_could_use_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &["ca", "init", "./ca"]).expect(0, &[]);
    for (flag, value) in
        [("--valid-for", "0s"), ("--valid-for", "soon"), ("--host", "bad host!"), ("--host", "")]
    {
        run(folder.path(), &["ca", "issue", "--datastore", "data", flag, value]).expect(2, &[flag]);
    }
    assert!(!folder.path().join("data/identity/cert.pem").exists());
    run(folder.path(), &["ca", "issue", "--datastore", "data", "--host", "*.example.com", "--host", "::1"])
        .expect(0, &[]);
}

#[test]
fn a_datastore_is_its_owners_alone_and_belongs_to_its_key() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let values =
        ["run", "--data", "d/e", "--listen", "127.0.0.1:0", "--print-gcounter", "k", "--settle-for", "1ms"];
    run(folder.path(), &values).expect(0, &[]);
    let data = folder.path().join("d/e");
    assert_eq!(std::fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);

    // A lost key is a lost identity; with a copy of the key it is none.
    let key = data.join("identity/key.pem");
    std::fs::rename(&key, data.join("copy")).unwrap();
    run(folder.path(), &values).expect(1, &["is not this node's datastore", "put its old key back"]);
    std::fs::rename(data.join("copy"), &key).unwrap();
    run(folder.path(), &values).expect(0, &[]);
}

#[test]
fn an_address_for_others_needs_ones_own_certificate() {
    let folder = tempfile::tempdir().unwrap();
    for args in [["--listen", "0.0.0.0:0"], ["--peer", "node1.example.com:9000"]] {
        let args = [&["run", "--data", "data"][..], &args].concat();
        run(folder.path(), &args).expect(1, &["numax ca init", "numax ca issue --ca ./ca --datastore data"]);
    }
}
