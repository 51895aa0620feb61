//! The examples' policies are the least ones: with them everything is answered, and without any line of them not.

use super::Bench;
use crate::cluster::{Answer, Node};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Everything that the examples do.
const ASKED: &[(&str, &str)] = &[
    ("GET", "/"),
    ("POST", "/visits?by=2"),
    ("PUT", "/languages/cobol"),
    ("DELETE", "/languages/cobol"),
    ("GET", "/"),
];

pub fn policies(bench: &Bench) -> Result<()> {
    for (language, wasm) in &bench.guests {
        one(bench, language.name(), wasm).with_context(|| format!("the {} example", language.name()))?;
    }
    Ok(())
}

fn one(bench: &Bench, name: &str, wasm: &Path) -> Result<()> {
    let committed = crate::shell::root().join(format!("{}/policy.toml", example(name)));
    let whole = fs::read_to_string(&committed).with_context(|| committed.display().to_string())?;
    let module = bench.home.join(format!("{name}.wasm"));
    fs::copy(wasm, &module)?;
    let policy = bench.home.join(format!("{name}.policy.toml"));

    fs::write(&policy, &whole)?;
    let refused = run(bench, &format!("{name}-whole"), &module)?;
    ensure!(refused.is_empty(), "its own policy refuses {refused:?}");

    for (at, line) in whole.lines().enumerate().filter(|(_, line)| grant(line).is_some()) {
        let without: Vec<_> = whole.lines().enumerate().filter(|(i, _)| *i != at).map(|(_, l)| l).collect();
        fs::write(&policy, without.join("\n"))?;
        let refused = run(bench, &format!("{name}-{at}"), &module)?;
        ensure!(!refused.is_empty(), "its policy has a line that it does not need: {line}");
        let key = grant(line).unwrap_or_default();
        let named = refused.iter().all(|(_, log)| log.contains(key));
        ensure!(named, "without the line {line:?} the log does not say so: {refused:?}");
    }
    Ok(())
}

/// The capability that a line grants.
fn grant(line: &str) -> Option<&str> {
    let (key, _) = line.split_once('=')?;
    let key = key.trim();
    (!key.starts_with('#') && key != "version").then_some(key)
}

fn example(language: &str) -> String {
    format!("examples/visits-{}", if language == "javascript" { "js" } else { language })
}

/// What a fresh node with this module does not answer with 200, each with the node's log.
fn run(bench: &Bench, name: &str, module: &Path) -> Result<Vec<(String, String)>> {
    let mut node = Node::new(&bench.numax, &bench.home, name, module)?;
    node.start()?;
    let mut refused = Vec::new();
    for (method, target) in ASKED {
        let answer = answer(&mut node, method, target)?;
        if answer.as_ref().is_none_or(|answer| answer.status != 200) {
            refused.push((format!("{method} {target}: {answer:?}"), node.log()));
        }
    }
    node.kill()?;
    Ok(refused)
}

/// The answer, or nothing when the node says that there will be none: it ended, or runs no HTTP.
fn answer(node: &mut Node, method: &str, target: &str) -> Result<Option<Answer>> {
    let start = Instant::now();
    loop {
        match node.ask(method, target) {
            Ok(answer) => return Ok(Some(answer)),
            Err(_) if node.ended()?.is_some() || node.log().contains("network.serve") => return Ok(None),
            Err(error) => {
                ensure!(start.elapsed() < Duration::from_secs(120), "{error:#}; its log:\n{}", node.tail());
            }
        }
        sleep(Duration::from_millis(20));
    }
}
