//! Every family from guests of all languages, and texts from Yjs editors.

use super::Bench;
use super::convergence::mesh;
use crate::cluster::{AGREE, Node};
use crate::setup::{self, Language};
use crate::shell;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant};

/// Calls on values of the key `K`, each a turn, with its answer. Ids of a list's elements are `#1`, `#2` and so on,
/// in the order in which they are met.
fn script() -> Result<Vec<(Value, Value)>> {
    serde_json::from_str(include_str!("families.json")).context("families.json")
}

/// What shows all that the script leaves behind, on any node.
const SHOWS: [&str; 9] = [
    r#"["g-counter","K","value"]"#,
    r#"["pn-counter","K","value"]"#,
    r#"["lww-register","K","get"]"#,
    r#"["lww-map","K","entries"]"#,
    r#"["or-set","K","elements"]"#,
    r#"["rga","K","entries"]"#,
    r#"["text","K","read"]"#,
    r#"["text","K","state-vector"]"#,
    r#"["text","K","diff",null]"#,
];

const CLEARS: [&str; 4] = [
    r#"["lww-map","K","clear"]"#,
    r#"["or-set","K","clear"]"#,
    r#"["rga","K","clear"]"#,
    r#"["text","K","clear"]"#,
];

/// Calls with a text that is none (by U+E000, see the guests' README), and what the error calls it.
const NO_TEXTS: [(&str, &str); 17] = [
    ("a key", r#"["g-counter","\ue000","increment",1]"#),
    ("a key", r#"["pn-counter","K\ue000","value"]"#),
    ("a key", r#"["lww-register","\ue000","get"]"#),
    ("a key", r#"["lww-map","\ue000","size"]"#),
    ("a key", r#"["or-set","\ue000","size"]"#),
    ("a key", r#"["rga","\ue000","size"]"#),
    ("a key", r#"["text","\ue000","read"]"#),
    ("a field", r#"["lww-map","K","set","ä\ue000","v"]"#),
    ("a field", r#"["lww-map","K","get","\ue000"]"#),
    ("a field", r#"["lww-map","K","contains","\ue000"]"#),
    ("a field", r#"["lww-map","K","remove","\ue000"]"#),
    ("an id", r#"["rga","K","insert","\ue000","v"]"#),
    ("an id", r#"["rga","K","get","\ue000"]"#),
    ("an id", r#"["rga","K","remove","\ue000"]"#),
    ("a chunk", r#"["text","K","insert",0,"\ue000"]"#),
    ("a prefix", r#"["keys","\ue000","rga"]"#),
    ("a prefix", r#"["keys","K\ue000","text"]"#),
];

/// The same of bytes, which are texts in JavaScript and Python where the caller likes; in Go they are any bytes.
const NO_TEXTS_AS_BYTES: [(&str, &str); 7] = [
    ("the value", r#"["lww-register","K","set","\ue000"]"#),
    ("the expected value", r#"["lww-register","K","compare-and-set","\ue000","v"]"#),
    ("the value", r#"["lww-map","K","set","f","\ue000"]"#),
    ("an element", r#"["or-set","K","add","\ue000"]"#),
    ("an element", r#"["or-set","K","contains","\ue000"]"#),
    ("the value", r#"["rga","K","push","\ue000"]"#),
    ("the value", r#"["rga","K","insert",null,"\ue000"]"#),
];

/// Indexes far beyond the end: an engine may take those from 2^31 on for others.
const FAR: [&str; 6] = [
    r#"["text","K","insert",2147483647,"x"]"#,
    r#"["text","K","insert",2147483648,"x"]"#,
    r#"["text","K","insert",2147483649,"x"]"#,
    r#"["text","K","insert",4292870144,"x"]"#,
    r#"["text","K","remove",2147483648,1]"#,
    r#"["text","K","remove",0,2147483649]"#,
];

/// Calls, on values of this key.
fn on(key: &str, calls: &[&str]) -> String {
    format!("[{}]", calls.join(",").replace("\"K\"", &json!(key).to_string()))
}

/// What a turn answers, as it is.
fn tell(node: &Node, calls: &str) -> Result<String> {
    let answer = node.post("/", calls)?;
    ensure!(answer.status == 200, "{}: {calls} gave {answer:?}; its log:\n{}", node.name, node.tail());
    Ok(answer.body)
}

/// Waits until all nodes answer with the same bytes, and gives them.
fn alike(nodes: &[Node], calls: &str, good: impl Fn(&str) -> bool) -> Result<String> {
    let start = Instant::now();
    loop {
        let answers = nodes.iter().map(|node| tell(node, calls)).collect::<Result<Vec<_>>>()?;
        if let Some(first) = answers.first()
            && answers.iter().all(|answer| answer == first)
            && good(first)
        {
            return Ok(first.clone());
        }
        ensure!(start.elapsed() < AGREE, "{calls}: the nodes do not agree after {AGREE:?}: {answers:#?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs the script on one node, a turn for each call as ids are told by answers.
fn perform(node: &Node) -> Result<()> {
    let mut ids: Vec<String> = Vec::new();
    for (call, wanted) in script()? {
        let mut text = call.to_string().replace("\"K\"", &json!(node.name).to_string());
        for (at, id) in ids.iter().enumerate() {
            text = text.replace(&format!("\"#{}\"", at + 1), &json!(id).to_string());
        }
        let mut answer = tell(node, &format!("[{text}]"))?;
        if call[2] == "push" || call[2] == "insert" && call[0] == "rga" {
            let given: Vec<Value> = serde_json::from_str(&answer)?;
            ids.extend(given.first().and_then(Value::as_str).map(str::to_owned));
        }
        for (at, id) in ids.iter().enumerate() {
            answer = answer.replace(id, &format!("#{}", at + 1));
        }
        let wanted = json!([wanted]).to_string().replace("\"K\"", &json!(node.name).to_string());
        ensure!(answer == wanted, "{}: {text} gave {answer}, and not {wanted}", node.name);
    }
    Ok(())
}

/// What cannot cross into the host, or would be something else there, is `invalid` in every language: it neither ends the
/// instance nor changes a value.
fn refuse(node: &Node) -> Result<()> {
    let refused = |call: &str| -> Result<String> {
        let answer: Value = serde_json::from_str(&tell(node, &on(&node.name, &[call]))?)?;
        ensure!(answer[0]["error"] == "invalid", "{}: {call} gave {answer}", node.name);
        Ok(answer[0]["why"].as_str().unwrap_or_default().to_owned())
    };
    let before = tell(node, &on(&node.name, &SHOWS))?;
    for call in FAR {
        refused(call)?;
    }
    let bytes: &[_] = if node.name == "go" { &[] } else { &NO_TEXTS_AS_BYTES };
    // Rust has no such texts.
    for (what, call) in NO_TEXTS.iter().chain(bytes).filter(|_| node.name != "rust") {
        let why = refused(call)?;
        let wanted = format!("{what} must be Unicode text; its ");
        ensure!(why.starts_with(&wanted), "{}: {call} is refused as {why:?}, and not {wanted:?}", node.name);
    }
    let after = tell(node, &on(&node.name, &SHOWS))?;
    ensure!(before == after, "{}: what was refused changed {before} to {after}", node.name);
    Ok(())
}

/// The guests of all languages that this machine can build.
fn guests(bench: &Bench) -> Result<Vec<(String, std::path::PathBuf)>> {
    let languages = bench.guests.iter().map(|(language, _)| *language);
    languages
        .map(|language| Ok((language.name().into(), setup::component(&bench.numax, language.families())?)))
        .collect()
}

/// Each language's guest gives the answers of the script, and then all show the same of what all did.
pub fn every_language(bench: &Bench) -> Result<()> {
    let nodes = mesh(bench, &guests(bench)?)?;
    for node in &nodes {
        perform(node)?;
        refuse(node)?;
    }
    for key in nodes.iter().map(|node| node.name.as_str()) {
        let shown = alike(&nodes, &on(key, &SHOWS), |answer| answer.contains("a𝔘ä"))?;
        let wanted = r#"["5","-3","z",[["c",""],["ä","1"]],["","x"],[["#;
        ensure!(shown.starts_with(wanted), "{key}: all show {shown}, which does not begin with {wanted}");
    }
    // All of them on the same values, each turn right after the other's and before it has come.
    for round in 0..5 {
        for node in &nodes {
            let name = format!("{} {round} ", node.name);
            let calls = json!([
                ["g-counter", "all", "increment", 1],
                ["pn-counter", "all", "decrement", 1],
                ["lww-register", "all", "set", name],
                ["lww-map", "all", "set", node.name, name],
                ["or-set", "all", "add", name],
                ["rga", "all", "push", name],
                ["text", "all", "insert", 0, name],
            ]);
            let answer = tell(node, &calls.to_string())?;
            ensure!(!answer.contains("error"), "{}: {answer}", node.name);
        }
    }
    let turns = 5 * nodes.len();
    let shown = alike(&nodes, &on("all", &SHOWS), |answer| {
        answer.starts_with(&format!("[\"{turns}\",\"-{turns}\""))
    })?;
    let shown: Value = serde_json::from_str(&shown)?;
    for node in &nodes {
        let last = format!("{} 4 ", node.name);
        ensure!(shown[3].to_string().contains(&last), "the map lacks {last:?}: {}", shown[3]);
        for round in 0..5 {
            let name = format!("{} {round} ", node.name);
            for (what, at) in [("set", 4), ("list", 5), ("text", 6)] {
                let times = shown[at].to_string().matches(&name).count();
                ensure!(times == 1, "the {what} has {name:?} {times} times: {}", shown[at]);
            }
        }
    }
    // A text goes from one to another as a Yjs update, and has the same bytes then.
    let [from, to] = [&nodes[0], &nodes[nodes.len() - 1]];
    let whole: Value = serde_json::from_str(&tell(from, &on(&from.name, &[SHOWS[8]]))?)?;
    let update = json!([["text", "copy", "apply-update", whole[0]], ["text", "copy", "diff", null]]);
    let copied = tell(to, &update.to_string())?;
    let wanted = json!(["ok", whole[0]]).to_string();
    ensure!(copied == wanted, "{}: {copied}, and not {wanted}", to.name);
    // What a turn did goes with it when the guest traps in its middle. The other SDKs answer exceptions themselves, with
    // what was written before.
    for node in nodes.iter().filter(|node| node.name == "rust") {
        let calls = json!([["or-set", "all", "add", "lost"], ["text", "all", "insert", 0, "lost"], ["trap"]]);
        let failed = node.post("/", &calls.to_string())?;
        ensure!(failed.status == 500, "{}: a guest that fails gave {failed:?}", node.name);
    }
    let left = alike(&nodes, &on("all", &SHOWS[3..7]), |_| true)?;
    ensure!(!left.contains("lost"), "the turns of guests that failed left something: {left}");
    tell(from, &on("all", &CLEARS))?;
    let wanted = r#"[[],[],[],""]"#;
    alike(&nodes, &on("all", &SHOWS[3..7]), |answer| answer == wanted)?;
    Ok(())
}

/// Two Yjs editors, each with a node of its own, and guests that edit the same text.
pub fn yjs_editors(bench: &Bench) -> Result<()> {
    if !Language::JavaScript.present() {
        eprintln!("   skipped: Yjs editors need node and npm, which are not on this machine");
        return Ok(());
    }
    let folder = shell::root().join("xtask/yjs");
    if !folder.join("node_modules/yjs/package.json").is_file() {
        let install = ["--prefix", "xtask/yjs", "ci", "--no-audit", "--no-fund", "--loglevel", "error"];
        shell::run(shell::program("npm").args(install)).context("installing Yjs from npm into xtask/yjs")?;
    }
    let wasm = setup::component(&bench.numax, Language::Rust.families())?;
    let nodes = mesh(bench, &[("a".into(), wasm.clone()), ("b".into(), wasm)])?;
    let urls = nodes.iter().map(|node| format!("http://{}/", node.http));
    let output = Command::new("node").arg(folder.join("editors.mjs")).args(urls).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("the editors: {said}{}", String::from_utf8_lossy(&output.stderr));
    }
    eprint!("   {said}");
    Ok(())
}
