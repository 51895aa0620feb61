//! `numax inspect`, `keys`, `get`, `diff`, `log export` and `replay`, and the walk of the guide "Finding a divergence".

use std::fs;
use std::path::Path;

use numax_store::{Engine, Table, WriteBatch};

use super::program::{Running, run};

/// Writers of the log below.
const ADA: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/0/0000000000000001";
const BOB: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb/0/0000000000000001";

/// A log with so many visits of Ada, and some things of Bob.
fn log(visits: u64) -> String {
    let mut lines = vec![r#"{"numax_log":1,"complete":true}"#.to_owned()];
    for seq in 1..=visits {
        lines.push(format!(
            r#"{{"end":{seq},"dot":"{ADA}#{seq}","hlc":"17000000000{seq:02}.0","ops":[{{"kind":"gcounter","key":"demo:visits","total":{}}}]}}"#,
            seq * 3
        ));
    }
    lines.push(format!(
        r#"{{"end":99,"dot":"{BOB}#1","hlc":"1700000000500.0","deps":["{ADA}#1"],"ops":[{{"kind":"orset","key":"demo:visits","add":"go","replaces":[]}},{{"kind":"lww_register","key":"raw\\xff","hlc":"1700000000500.0","value":"größe"}},{{"kind":"lww_map","key":"gone","field":"f","hlc":"1700000000500.0","value":null}}]}}"#
    ));
    lines.join("\n")
}

/// A datastore with that log.
fn datastore(folder: &Path, name: &str, engine: &str, visits: u64) {
    fs::write(folder.join("log.jsonl"), log(visits)).unwrap();
    run(folder, &["replay", "log.jsonl", name, "--storage", engine]).expect(0, &["numax diff"]);
}

#[test]
fn what_is_in_a_datastore_is_shown_for_people_and_programs() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    datastore(folder, "a", "sled", 2);
    let out = |args: &str| run(folder, &args.split(' ').collect::<Vec<_>>()).expect(0, &[]).out;
    assert_eq!(out("keys --data a"), "gcounter demo:visits\nlww_register raw\\xff\norset demo:visits\n");
    assert_eq!(out("keys g --data a --removed"), "lww_map gone (removed)\n");
    assert_eq!(out("get demo:visits --data a"), "gcounter demo:visits = 6\norset demo:visits = [go]\n");
    assert_eq!(out("get raw\\xff --data a --kind lww_register"), "lww_register raw\\xff = größe\n");
    let shown = out("inspect demo:visits --data a --kind gcounter");
    for words in
        ["gcounter demo:visits = 6", "total 6, by aaaaaaaa/0/0000000000000001#2", "2023-11-14T22:13:20.002Z"]
    {
        assert!(shown.contains(words), "{words:?} is not in:\n{shown}");
    }
    let one =
        run(folder, &["inspect", "demo:visits", "--row", "element go", "--data", "a"]).expect(0, &[]).out;
    assert!(
        one.contains("orset demo:visits") && one.contains("element go: ") && !one.contains("gcounter"),
        "{one}"
    );
    run(folder, &["inspect", "demo:visits", "--row", "element no", "--data", "a"])
        .expect(1, &["has no row \"element no\""]);
    let json = |args: &str| -> serde_json::Value { serde_json::from_str(&out(args)).unwrap() };
    assert_eq!(json("keys --data a --json")[2]["key"], "demo:visits");
    assert_eq!(json("keys nothing --data a --json"), serde_json::json!([]));
    assert_eq!(json("get demo:visits --data a --json")[0]["value"], 6);
    let rows = json("inspect gone --data a --json");
    assert_eq!((&rows[0]["tombstones"], &rows[0]["rows"][0]["row"]["field"]), (&1.into(), &"f".into()));
    assert_eq!(rows[0]["rows"][0]["written_by"][0], format!("{BOB}#1"));
}

#[test]
fn wrong_input_gets_one_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    datastore(folder, "a", "sled", 1);
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    fs::create_dir(folder.join("photos")).unwrap();
    fs::write(folder.join("photos/1.jpg"), "mine").unwrap();
    let long = "k".repeat(9000);
    let table: &[(&[&str], i32, &[&str])] = &[
        (&["inspect"], 2, &["<KEY>"]),
        (&["inspect", "k"], 1, &[".numax/data holds no datastore", "--data"]),
        (&["inspect", "k", "--data", "photos"], 1, &["photos holds no datastore"]),
        (&["get", "k", "--data", "notes.txt"], 1, &["notes.txt holds no datastore"]),
        (&["get", "k", "--data", "a"], 1, &["nothing under \"k\"", "numax keys"]),
        (&["get", "k\\q", "--data", "a"], 2, &["KEY", "backslash"]),
        (&["get", &long, "--data", "a"], 2, &["9000 bytes", "at most 8192"]),
        (&["get", "k", "--kind", "list", "--data", "a"], 2, &["`list` is no family", "rga"]),
        (&["keys", "\\x", "--data", "a"], 2, &["PREFIX"]),
        (&["diff", "a"], 2, &["<B>"]),
        (&["diff", "a", "none"], 2, &["none holds no datastore"]),
        (&["diff", "a", "a", "--kind", "x"], 2, &["no family"]),
        (&["diff", "a", "a", "--scratch", "none"], 2, &["scratch directory in none"]),
        (&["log"], 2, &["export"]),
        (&["log", "export", "--data", "none"], 1, &["none"]),
        (&["log", "export", "--data", "photos"], 1, &["photos", "neither a datastore nor segments"]),
        (&["log", "export", "--data", "a", "--origin", "xyz"], 2, &["--origin xyz"]),
        (&["log", "export", "--data", "a", "--seq", "5..1"], 2, &["--seq 5..1"]),
        (&["replay", "none", "new"], 1, &["none does not exist"]),
        (&["replay", "notes.txt", "new"], 1, &["line 1", "no JSON object"]),
        (&["replay", "photos", "new"], 1, &["photos", "neither a datastore nor segments"]),
        (&["replay", "log.jsonl", "a"], 1, &["a is there already"]),
        (&["replay", "log.jsonl", "new", "--storage", "x"], 2, &["`x` is no engine", "redb"]),
    ];
    for (args, code, words) in table {
        run(folder, args).expect(*code, words);
        assert!(!folder.join("new").exists(), "{args:?} left something behind");
    }
    assert_eq!(fs::read_to_string(folder.join("notes.txt")).unwrap(), "mine");
}

#[test]
fn a_running_node_s_datastore_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Running::start(folder.path(), "node", &["run", "--data", "d", "--listen", "127.0.0.1:0"]);
    node.line("cluster listening");
    for args in [
        &["keys", "--data", "d"][..],
        &["log", "export", "--data", "d"],
        &["diff", "d", "d"],
        &["replay", "d", "new"],
    ] {
        let code = if args[0] == "diff" { 2 } else { 1 };
        run(folder.path(), args).expect(code, &["open in a running node", "stop it first"]);
    }
    node.signal("TERM");
    node.end().expect(0, &[]);
    run(folder.path(), &["keys", "--data", "d"]).expect(0, &[]);
}

/// Adds one to the last byte of the counter's row of one origin, in the engine and behind the log's back.
fn plant(datastore: &Path) {
    let engine = numax_store::open(Engine::Redb, &datastore.join("rows")).unwrap();
    let prefix = [&[1], &b"demo:visits"[..], &[0, 1, 1]].concat();
    let rows = engine.scan(Table::Rows, std::ops::Bound::Unbounded, &prefix, 10).unwrap();
    let (row, value) = rows.into_iter().next().unwrap();
    let mut value = value.to_vec();
    *value.last_mut().unwrap() += 1;
    let mut batch = WriteBatch::new();
    batch.put(Table::Rows, row, value);
    engine.commit(batch).unwrap();
    engine.sync().unwrap();
}

/// The steps of docs/guides/finding-a-divergence.md, in their order.
#[test]
fn a_planted_divergence_is_found_by_the_guide() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    datastore(folder, "a", "sled", 9);
    datastore(folder, "b", "redb", 9);
    plant(&folder.join("b"));

    // 1: do they differ, and is it more than being behind?
    let found = run(folder, &["diff", "a", "b"]).expect(1, &[]).out;
    for words in [
        "vectors: equal",
        "gcounter demo:visits, origin aaaaaaaa",
        "A: total 27",
        "B: total 28",
        "B is wrong",
    ] {
        assert!(found.contains(words), "{words:?} is not in:\n{found}");
    }
    let json = run(folder, &["diff", "a", "b", "--all", "--json"]).expect(1, &[]).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["differences"].as_array().unwrap().len(), 1);
    assert_eq!(json["differences"][0]["cause"]["verdict"], "rows-of-b");

    // 2: what each holds, and what wrote it.
    let seen =
        run(folder, &["inspect", "demo:visits", "--kind", "gcounter", "--data", "b"]).expect(0, &[]).out;
    assert!(seen.contains("total 28, by aaaaaaaa/0/0000000000000001#9"), "{seen}");
    let export = ["log", "export", "--data", "b", "--key", "demo:visits", "--kind", "gcounter", "--seq", "9"];
    let batch = run(folder, &export).expect(0, &[]).out;
    assert!(batch.contains(r#""total":27"#), "{batch}");

    // 3: the log alone, built anew, agrees with A and not with B.
    run(folder, &["replay", "b", "anew"]).expect(0, &[]);
    run(folder, &["diff", "a", "anew"]).expect(0, &[]);
    run(folder, &["diff", "b", "anew"]).expect(1, &[]);

    // 4: the rows are built anew from the log.
    fs::rename(folder.join("b/rows"), folder.join("b/rows.wrong")).unwrap();
    let repaired = ["run", "--data", "b", "--storage", "redb", "--print-gcounter", "demo:visits"];
    assert_eq!(run(folder, &repaired).expect(0, &[]).out, "demo:visits = 27\n");
    run(folder, &["diff", "a", "b"]).expect(0, &[]);
}

#[test]
fn a_node_that_is_behind_is_called_so() {
    let folder = tempfile::tempdir().unwrap();
    datastore(folder.path(), "a", "sled", 4);
    datastore(folder.path(), "b", "fjall", 6);
    let found = run(folder.path(), &["diff", "a", "b"]).expect(1, &[]).out;
    for words in ["A is behind B", "A lacks 2 batches of aaaaaaaa", "no fault", "#6", "only B has it"] {
        assert!(found.contains(words), "{words:?} is not in:\n{found}");
    }
}

#[test]
fn a_tool_that_is_interrupted_leaves_no_copy_of_rows() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // More names than a pipe takes, so that it waits for whoever reads them.
    let keys: Vec<String> =
        (0..2000).map(|n| format!(r#"{{"kind":"gcounter","key":"{n:0>100}","total":1}}"#)).collect();
    let head = r#"{"numax_log":1,"complete":true}"#;
    let batch = format!(r#"{{"end":1,"dot":"{ADA}#1","hlc":"1700000000001.0","ops":[{}]}}"#, keys.join(","));
    fs::write(folder.join("log.jsonl"), format!("{head}\n{batch}")).unwrap();
    run(folder, &["replay", "log.jsonl", "a"]).expect(0, &[]);
    let scratch = folder.join("scratch");
    fs::create_dir(&scratch).unwrap();
    let copies = || fs::read_dir(&scratch).unwrap().count();
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let mut keys = Running::start(folder, "keys", &["keys", "--data", "a", "--scratch", "scratch"]);
        // It prints when the rows are copied.
        keys.out();
        assert_eq!(copies(), 1, "{signal}");
        keys.signal(signal);
        assert_eq!(keys.end().code, Some(code), "{signal}");
        assert_eq!(copies(), 0, "{signal}");
    }
    // One that is killed leaves it to the next.
    let mut killed = Running::start(folder, "keys", &["keys", "--data", "a", "--scratch", "scratch"]);
    killed.out();
    killed.signal("KILL");
    killed.end();
    assert_eq!(copies(), 1);
    let next = run(folder, &["keys", "--data", "a", "--scratch", "scratch"]).expect(0, &[]);
    assert_eq!((next.out.lines().count(), copies()), (2000, 0));
}
