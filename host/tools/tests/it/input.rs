//! Bad input: one clear error each.

use std::{
    fs,
    path::{Path, PathBuf},
};

use numax_crdt::NodeId;
use numax_replica::{Engine, at_rest::LogAtRest};
use numax_tools::{ToolError, log::Lines, replay::replay, store::Store};
use tempfile::TempDir;

use crate::nodes::{Node, hash, key, write_all};

fn open(dir: &Path) -> String {
    Store::open(dir, None).unwrap_err().to_string()
}

fn segment(datastore: &Path) -> PathBuf {
    fs::read_dir(datastore.join("log")).unwrap().next().unwrap().unwrap().path()
}

#[test]
fn folders_that_are_no_datastores_are_called_what_they_are() {
    let dir = TempDir::new().unwrap();
    let node = Node::new(&dir, "node", 1, Engine::Sled);
    write_all(&node);
    let hurt = |name: &str, hurt: &dyn Fn(&Path)| -> PathBuf {
        let path = dir.path().join(name);
        crate::nodes::copy(&node.dir, &path);
        hurt(&path);
        path
    };
    let meta = |from: &'static str, to: &'static str| {
        move |path: &Path| {
            let text = fs::read_to_string(path.join("meta.json")).unwrap();
            fs::write(path.join("meta.json"), text.replace(from, to)).unwrap();
        }
    };
    let file = dir.path().join("file");
    fs::write(&file, "mine").unwrap();
    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let table: [(PathBuf, &str); 11] = [
        (dir.path().join("none"), "holds no datastore"),
        (file, "holds no datastore"),
        (empty, "holds no datastore"),
        (hurt("newer", &meta("\"format\": 1", "\"format\": 9")), "knows schemas up to 1"),
        (hurt("no json", &|path| fs::write(path.join("meta.json"), "{").unwrap()), "meta.json is damaged"),
        (hurt("no node", &meta("0101010101", "zz")), "no node id"),
        (hurt("other node", &meta("0101010101", "0202020202")), "another node"),
        (hurt("no log", &|path| fs::remove_file(segment(path)).unwrap()), "numax repair"),
        (hurt("foreign log", &|path| fs::write(path.join("log/notes.txt"), "mine").unwrap()), "no segment"),
        (
            hurt("foreign rows", &|path| {
                fs::remove_dir_all(path.join("rows")).unwrap();
                fs::create_dir(path.join("rows")).unwrap();
                fs::write(path.join("rows/photo.jpg"), "mine").unwrap();
            }),
            "numax did not write",
        ),
        (
            hurt("damaged log", &|path| {
                // Behind what the rows include: they go, and the log says more than it can.
                fs::remove_dir_all(path.join("rows")).unwrap();
                let mut bytes = fs::read(segment(path)).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                fs::write(segment(path), bytes).unwrap();
                let text = fs::read_to_string(path.join("meta.json")).unwrap();
                assert!(text.contains("clean_end"));
            }),
            "",
        ),
    ];
    for (path, words) in table {
        let before = path.is_dir().then(|| hash(&path));
        if words.is_empty() {
            // A copy may have lost its end, as after a power cut: it shows the good beginning.
            drop(Store::open(&path, None));
        } else {
            let error = open(&path);
            assert!(error.contains(words), "{}: {error}", path.display());
        }
        assert_eq!(path.is_dir().then(|| hash(&path)), before, "{}", path.display());
    }
    let nowhere = Store::open(&node.dir, Some(&dir.path().join("nowhere"))).unwrap_err().to_string();
    assert!(nowhere.contains("nowhere") && nowhere.contains("scratch"), "{nowhere}");
    let log = LogAtRest::open(&dir.path().join("empty")).unwrap_err().to_string();
    assert!(log.contains("neither a datastore nor segments"), "{log}");
}

#[test]
fn lines_that_are_no_log_are_refused_with_their_number() {
    const HEAD: &str = r#"{"numax_log":1,"complete":true}"#;
    let origin = format!("{}/0/0000000000000001", "01".repeat(32));
    let line = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut line = serde_json::json!({
            "end": 9, "dot": format!("{origin}#1"), "hlc": "1700000000000.0", "deps": [],
            "ops": [{ "kind": "gcounter", "key": "n", "total": 1 }],
        });
        change(&mut line);
        format!("{HEAD}\n\n{line}\n")
    };
    let table: Vec<(String, &str)> = vec![
        (String::new(), "line 1 of the log cannot be read: it is empty"),
        ("hello".to_string(), "no JSON"),
        ("[]".to_string(), "no JSON object"),
        (r#"{"visits":1}"#.to_string(), "no log exported by numax"),
        (r#"{"numax_log":2}"#.to_string(), "version 2"),
        (line(&|line| line["dot"] = "x".into()), "line 3 of the log cannot be read: `x` is no batch's name"),
        (line(&|line| line["hlc"] = "soon".into()), "no time"),
        (line(&|line| line["ops"][0]["kind"] = "tree".into()), "`tree` is no family"),
        (line(&|line| line["ops"][0]["key"] = "\\q".into()), "backslash"),
        (line(&|line| line["ops"][0]["key"] = "k".repeat(9000).into()), "key too large"),
        (line(&|line| line["ops"][0]["total"] = "1".into()), "`total` is no number"),
        (line(&|line| line["ops"] = "none".into()), "`ops` is no list"),
        (line(&|line| line["page"] = "xy".into()), "hexadecimal"),
        (line(&|line| line["deps"] = serde_json::json!([format!("{origin}#1")])), "malformed"),
        (format!("{HEAD}\n{{\"end\":3}}\n"), "no batch"),
    ];
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("log.jsonl");
    for (text, words) in &table {
        let read = || {
            let mut lines = Lines::new(text.as_bytes())?;
            while lines.next_record()?.is_some() {}
            Ok::<_, ToolError>(())
        };
        let error = read().unwrap_err().to_string();
        assert!(error.contains(words), "{text}\n{error}");
        fs::write(&path, text).unwrap();
        let new = dir.path().join("new");
        let _ = fs::remove_dir_all(&new);
        replay(&path, &new, NodeId([9; 32]), Engine::Sled).unwrap_err();
    }
}

#[test]
fn a_log_with_a_gap_and_a_datastore_that_is_there_are_refused() {
    let dir = TempDir::new().unwrap();
    let node = Node::new(&dir, "node", 1, Engine::Sled);
    write_all(&node);
    let mut out = Vec::new();
    let log = LogAtRest::open(&node.dir).unwrap();
    numax_tools::log::export(&log, &Default::default(), &mut out).unwrap();
    drop(log);
    let text = String::from_utf8(out).unwrap();
    let gap: Vec<&str> = text.lines().enumerate().filter(|(at, _)| *at != 2).map(|(_, line)| line).collect();
    let path = dir.path().join("gap.jsonl");
    fs::write(&path, gap.join("\n")).unwrap();
    let refused =
        replay(&path, &dir.path().join("new"), NodeId([9; 32]), Engine::Sled).unwrap_err().to_string();
    assert!(refused.contains("lack others that they depend on"), "{refused}");

    let before = hash(&node.dir.join("log"));
    let there = replay(&path, &node.dir, NodeId([1; 32]), Engine::Sled).unwrap_err().to_string();
    assert!(there.contains("there is a datastore already"), "{there}");
    assert_eq!(hash(&node.dir.join("log")), before);
    node.commit(|draft| draft.g_counter_increment(&key("visits"), 1).unwrap());
}

#[test]
fn records_behind_damage_are_not_left_out_in_silence() {
    let dir = TempDir::new().unwrap();
    let node = Node::new(&dir, "node", 1, Engine::Sled);
    for _ in 0..3 {
        write_all(&node);
    }
    let path = segment(&node.dir);
    let whole = fs::read(&path).unwrap();
    let mut hurt = whole.clone();
    hurt[whole.len() / 2] ^= 1;
    fs::write(&path, hurt).unwrap();
    for log in [node.dir.clone(), node.dir.join("log")] {
        let error = LogAtRest::open(&log).unwrap_err().to_string();
        assert!(error.contains("checksum") && error.contains("numax repair"), "{error}");
        replay(&log, &dir.path().join("new"), NodeId([9; 32]), Engine::Sled).unwrap_err();
    }

    // What only ends in the middle of a record has been written by somebody who was killed.
    fs::write(&path, &whole[..whole.len() - 3]).unwrap();
    let log = LogAtRest::open(&node.dir).unwrap();
    let mut out = Vec::new();
    let done = numax_tools::log::export(&log, &Default::default(), &mut out).unwrap();
    assert!(done.records > 0 && done.complete, "{done:?}");
}
