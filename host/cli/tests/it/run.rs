//! `numax run` without guests: bad input, datastores, shutdown.

use super::policy::EMPTY;
use super::program::{Running, run};
use std::fs;
use std::path::Path;

fn module(folder: &Path, bytes: &[u8]) {
    fs::write(folder.join("app.wasm"), bytes).unwrap();
    fs::write(folder.join("app.policy.toml"), "version = 1\n").unwrap();
}

#[test]
fn bad_components_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let table: &[(&[u8], &str)] = &[
        (EMPTY, "exports nothing that numax can run"),
        (b"\0asm\x01\0\0\0", "core WebAssembly module"),
        (b"not wasm at all", "not a valid WebAssembly component"),
        (b"\0asm\x0d\0\x01\0\x01\xff\xff", "not a valid WebAssembly component"),
        (b"", "not a valid WebAssembly component"),
    ];
    for (bytes, words) in table {
        module(folder.path(), bytes);
        run(folder.path(), &["run", "app.wasm"]).expect(1, &["app", words]);
    }
    run(folder.path(), &["run", "none.wasm"]).expect(1, &["none.wasm does not exist"]);
}

#[test]
fn a_module_that_is_not_built_names_the_command() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("shop")).unwrap();
    fs::write(folder.path().join("shop/app.py"), "").unwrap();
    run(folder.path(), &["run", "shop/dist/shop.wasm"]).expect(1, &["numax build shop"]);
}

#[test]
fn values_are_printed_in_their_formats() {
    let folder = tempfile::tempdir().unwrap();
    let line = "run --data d --print-gcounter a --print-pncounter b --print-lww-register c --print-lww-map d --print-orset e --print-rga f --print-text g";
    let ended = run(folder.path(), &line.split(' ').collect::<Vec<_>>()).expect(0, &[]);
    assert_eq!(ended.out, "a = 0\nb = 0\nc = <unset>\nd = {}\ne = []\nf = []\ng = \n");
}

#[test]
fn a_node_alone_in_its_cluster_ends_in_order() {
    let folder = tempfile::tempdir().unwrap();
    for signal in ["INT", "TERM"] {
        let mut node = Running::start(
            folder.path(),
            signal,
            &["run", "--data", "d", "--listen", "127.0.0.1:0", "--print-gcounter", "k"],
        );
        let line = node.line("cluster listening on 127.0.0.1:");
        assert_eq!(line.rsplit(' ').next().unwrap().len(), 64, "{line}");
        node.signal(signal);
        let ended = node.end().expect(0, &["shutting down"]);
        assert_eq!(ended.out, "k = 0\n");
    }
}

#[test]
fn a_datastore_belongs_to_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Running::start(folder.path(), "one", &["run", "--data", "d", "--listen", "127.0.0.1:0"]);
    node.line("cluster listening");
    run(folder.path(), &["run", "--data", "d", "--print-gcounter", "k"])
        .expect(1, &["in use by another process"]);
    node.signal("TERM");
    node.end().expect(0, &[]);
    run(folder.path(), &["run", "--data", "d", "--print-gcounter", "k"]).expect(0, &[]);
}

#[test]
fn a_taken_address_is_an_error_when_it_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    run(folder.path(), &["run", "--data", "d", "--listen", &address]).expect(1, &[&address]);
}

#[test]
fn a_datastore_of_another_format_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let values = ["run", "--data", "d", "--print-gcounter", "k"];
    run(folder.path(), &values).expect(0, &[]);

    let meta = folder.path().join("d/meta.json");
    let text = fs::read_to_string(&meta).unwrap();
    fs::write(&meta, text.replace("\"format\": 1", "\"format\": 77")).unwrap();
    run(folder.path(), &values).expect(1, &["schema 77", "which knows schemas up to 1", "newer"]);
    fs::write(&meta, &text).unwrap();

    // The version stands behind the eight bytes of the magic.
    let segment = fs::read_dir(folder.path().join("d/log")).unwrap().next().unwrap().unwrap().path();
    let bytes = fs::read(&segment).unwrap();
    assert_eq!(&bytes[..8], b"numaxlog");
    let mut newer = bytes.clone();
    newer[8] = 77;
    fs::write(&segment, &newer).unwrap();
    run(folder.path(), &values).expect(1, &["version 77", "this program reads 1"]);
    fs::write(&segment, &bytes).unwrap();

    run(folder.path(), &values).expect(0, &[]);
}

#[test]
fn a_file_that_is_no_datastore_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("d"), "mine").unwrap();
    run(folder.path(), &["run", "--data", "d", "--print-gcounter", "k"]).expect(1, &["d"]);
    assert_eq!(fs::read_to_string(folder.path().join("d")).unwrap(), "mine");
}

#[test]
fn a_run_that_repeats_lets_nothing_in_from_outside() {
    let folder = tempfile::tempdir().unwrap();
    module(folder.path(), EMPTY);
    fs::write(folder.path().join("bad.jsonl"), "{\"path\": \"/\"}\n\n{\"path\": \"x\"}\n").unwrap();
    fs::write(folder.path().join("back.jsonl"), "{\"path\": \"/\", \"at_ms\": 5}\n{\"path\": \"/\"}\n")
        .unwrap();
    let table: &[(&[&str], i32, &[&str])] = &[
        (&["--deterministic"], 2, &["--seed <N>"]),
        (&["--seed", "1"], 2, &["--deterministic"]),
        (&["--deterministic", "--seed", "x"], 2, &["'x'"]),
        (&["--deterministic", "--seed", "1", "--listen", "127.0.0.1:0"], 2, &["no listener", "--listen"]),
        (&["--deterministic", "--seed", "1", "--peer", "127.0.0.1:1"], 2, &["no peer", "--peer"]),
        (&["--deterministic", "--seed", "1", "--http", "127.0.0.1:0"], 2, &["no listener", "--http"]),
        (&["--deterministic", "--seed", "1", "--input", "none"], 1, &["none"]),
        (&["--deterministic", "--seed", "1", "--input", "bad.jsonl"], 2, &["line 3 of bad.jsonl", "`path`"]),
        (&["--deterministic", "--seed", "1", "--input", "back.jsonl"], 2, &["line 2", "goes back"]),
        (&["--deterministic", "--seed", "1"], 1, &["exports nothing that numax can run"]),
    ];
    for (args, code, words) in table {
        run(folder.path(), &[&["run", "app.wasm", "--data", "d"], *args].concat()).expect(*code, words);
        assert!(!folder.path().join("d").exists(), "{args:?} made a datastore");
    }
}

#[test]
fn a_variable_that_sets_nothing_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let values = ["run", "--data", "d", "--print-gcounter", "k"];
    let variables = [("NX_PEER", "127.0.0.1:1"), ("NX_CLOUD_TOKEN", "x"), ("NX_LOG_FORMAT", "json")];
    let ended = super::program::run_with(folder.path(), &values, &variables);
    ended.expect(0, &["NX_PEER is no setting", "did you mean NX_PEERS?", "NX_CLOUD_TOKEN is no setting"]);
    run(folder.path(), &["run", "--peer", "nowhere"]).expect(2, &["--peer", "nowhere"]);
    let help = run(folder.path(), &["run", "--help"]).expect(0, &[]);
    assert!(help.out.contains("[NX_PEERS]") && help.out.contains("[NX_SNAPSHOT_KEEP]"), "{}", help.out);
}
