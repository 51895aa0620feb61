//! Nodes agree: across languages, after a kill, after a long absence, and when they come late.

use super::Bench;
use crate::cluster::{Node, State, agree};
use crate::setup::Language;
use anyhow::{Result, ensure};
use std::net::SocketAddr;

/// Starts a node of every guest given; all know all.
pub fn mesh(bench: &Bench, guests: &[(String, std::path::PathBuf)]) -> Result<Vec<Node>> {
    let mut nodes = Vec::new();
    for (name, wasm) in guests {
        nodes.push(Node::new(&bench.numax, &bench.home, name, wasm)?);
    }
    let addresses: Vec<SocketAddr> = nodes.iter().map(|node| node.cluster).collect();
    for node in &mut nodes {
        let others: Vec<_> = addresses.iter().copied().filter(|address| *address != node.cluster).collect();
        node.join(&others);
    }
    nodes.iter_mut().try_for_each(Node::start)?;
    nodes.iter_mut().try_for_each(Node::ready)?;
    Ok(nodes)
}

/// `count` nodes of the Rust guest; all know all.
pub fn rust_mesh(bench: &Bench, count: usize) -> Result<Vec<Node>> {
    let wasm = bench.rust()?.to_path_buf();
    let guests: Vec<_> = (0..count).map(|at| (format!("n{at}"), wasm.clone())).collect();
    mesh(bench, &guests)
}

pub fn four_languages(bench: &Bench) -> Result<()> {
    let guests: Vec<_> =
        bench.guests.iter().map(|(language, wasm)| (language.name().into(), wasm.clone())).collect();
    let mut nodes = mesh(bench, &guests)?;
    let mut wanted = State { visits: 0, languages: Language::ALL.iter().map(|l| l.name().into()).collect() };
    wanted.languages.retain(|name| nodes.iter().any(|node| &node.name == name));
    wanted.languages.sort();
    for round in 0..20 {
        for node in &nodes {
            node.visit(round)?;
            wanted.visits += round;
        }
    }
    agree(&nodes.iter().collect::<Vec<_>>(), &wanted)?;
    for victim in 0..nodes.len() {
        nodes[victim].visit(1000)?;
        nodes[victim].kill()?;
        wanted.visits += 1000;
        for node in nodes.iter().enumerate().filter(|(at, _)| *at != victim).map(|(_, node)| node) {
            node.visit(7)?;
            wanted.visits += 7;
        }
        nodes[victim].start()?;
        nodes[victim].ready()?;
    }
    agree(&nodes.iter().collect::<Vec<_>>(), &wanted)?;
    Ok(())
}

pub fn late_node(bench: &Bench) -> Result<()> {
    let mut nodes = rust_mesh(bench, 3)?;
    let mut wanted = State { visits: 0, languages: vec!["rust".into()] };
    for node in &nodes {
        for _ in 0..100 {
            node.visit(1)?;
            wanted.visits += 1;
        }
    }
    let mut late = Node::new(&bench.numax, &bench.home, "late", bench.rust()?)?;
    late.join(&[nodes[1].cluster]);
    late.start()?;
    late.ready()?;
    nodes.push(late);
    agree(&nodes.iter().collect::<Vec<_>>(), &wanted)?;
    nodes[3].visit(5)?;
    wanted.visits += 5;
    agree(&nodes.iter().collect::<Vec<_>>(), &wanted)?;
    Ok(())
}

pub fn long_absence(bench: &Bench) -> Result<()> {
    let mut nodes = rust_mesh(bench, 2)?;
    let mut wanted = State { visits: 0, languages: vec!["rust".into()] };
    // Neither side sees the other: both write alone, then meet.
    nodes[1].kill()?;
    for _ in 0..500 {
        wanted.visits += 3;
        nodes[0].visit(3)?;
    }
    nodes[0].kill()?;
    nodes[1].start()?;
    nodes[1].ready()?;
    for _ in 0..500 {
        wanted.visits += 2;
        nodes[1].visit(2)?;
    }
    ensure!(nodes[1].state()?.visits == 1000, "a node alone must see its own writes, and only those");
    nodes[0].start()?;
    nodes[0].ready()?;
    agree(&nodes.iter().collect::<Vec<_>>(), &wanted)?;
    Ok(())
}

/// A name with everything that a JSON writer may treat in its own way, and how it stands in a path.
const ODD: (&str, &str) = (
    "q\"b\\s/\u{8}\u{c}\n\r\t\u{1}\u{1f}\u{7f}<&>ä€\u{1f600} +",
    "q%22b%5Cs%2F%08%0C%0A%0D%09%01%1F%7F%3C%26%3E%C3%A4%E2%82%AC%F0%9F%98%80%20+",
);
/// The same in an answer.
const ODD_JSON: &str = "\"q\\\"b\\\\s/\\b\\f\\n\\r\\t\\u0001\\u001f\u{7f}<&>ä€\u{1f600} +\"";

pub fn same_answers(bench: &Bench) -> Result<()> {
    let guests: Vec<_> =
        bench.guests.iter().map(|(language, wasm)| (language.name().into(), wasm.clone())).collect();
    let nodes = mesh(bench, &guests)?;
    let all: Vec<_> = nodes.iter().collect();
    for node in &nodes {
        // Each takes the name in, and out again; the last one leaves it.
        for (method, languages) in
            [("PUT", vec![ODD.0.to_string()]), ("DELETE", vec![]), ("PUT", vec![ODD.0.into()])]
        {
            let answer = node.ask(method, &format!("/languages/{}", ODD.1))?;
            ensure!(answer.status == 200, "{}: {method} gave {answer:?}", node.name);
            agree(&all, &State { visits: 0, languages })?;
        }
        for other in &nodes {
            let get = other.ask("GET", "/")?;
            let wanted = format!(r#"{{"visits":0,"languages":[{ODD_JSON}]}}"#);
            ensure!(get.body == wanted, "{} answers {}, and not {wanted}", other.name, get.body);
            let head = other.ask("HEAD", "/")?;
            ensure!(head.body.is_empty(), "{}: HEAD has the body {:?}", other.name, head.body);
            ensure!(
                (head.status, &head.kind) == (200, &get.kind) && head.kind == "application/json",
                "{}: HEAD gave {head:?}, GET {get:?}",
                other.name
            );
            let lost = other.ask("HEAD", "/nowhere")?;
            ensure!(lost.status == 404, "{}: HEAD of nothing gave {lost:?}", other.name);
        }
    }
    // What is no UTF-8 is U+FFFD in every language: what one took in, the next takes out.
    for (node, next) in nodes.iter().zip(nodes.iter().cycle().skip(1)) {
        for (method, by, languages) in
            [("PUT", node, vec![ODD.0.to_string(), "\u{fffd}".into()]), ("DELETE", next, vec![ODD.0.into()])]
        {
            let answer = by.ask(method, "/languages/%FF")?;
            ensure!(answer.status == 200, "{}: {method} of %FF gave {answer:?}", by.name);
            agree(&all, &State { visits: 0, languages })?;
        }
    }
    Ok(())
}
