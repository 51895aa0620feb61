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
