//! `cargo xtask demo`: the product's main job, from a fresh clone to nodes that agree.

use crate::cluster::{Node, State, agree};
use crate::setup::{self, Language};
use crate::shell::step;
use anyhow::{Result, bail};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Options of `cargo xtask demo`.
#[derive(clap::Args)]
pub struct Options {
    /// Keep the nodes' folders (datastores, logs) for a look afterwards.
    #[arg(long)]
    keep: bool,
}

/// A line of the table that is printed last.
struct Row {
    what: String,
    visits: u64,
    nodes: usize,
    took: Duration,
}

/// Builds everything and shows it.
pub fn run(options: &Options) -> Result<()> {
    setup::toolchain()?;
    let numax = step("build numax (the first time this compiles every dependency)", setup::numax)?;
    let mut guests = Vec::new();
    for language in Language::available() {
        let wasm = step(&format!("build the {} guest", language.name()), || setup::guest(&numax, language))?;
        guests.push((language, wasm));
    }
    if guests.len() < 2 {
        bail!("the demo needs guests of at least two languages; install Go, Node or Python");
    }
    let home = tempfile::Builder::new().prefix("numax-demo-").tempdir()?;
    let shown = show(&numax, home.path(), &guests);
    if options.keep {
        eprintln!("   kept: {}", home.keep().display());
    }
    let rows = shown?;
    println!("\n{:<58} {:>7} {:>6} {:>9}", "what", "visits", "nodes", "agreed in");
    for row in &rows {
        println!("{:<58} {:>7} {:>6} {:>7} ms", row.what, row.visits, row.nodes, row.took.as_millis());
    }
    println!("\nevery node agreed, every time");
    Ok(())
}

fn show(numax: &std::path::Path, home: &std::path::Path, guests: &[(Language, PathBuf)]) -> Result<Vec<Row>> {
    let mut nodes = Vec::new();
    for (language, wasm) in guests {
        nodes.push(Node::new(numax, home, language.name(), wasm)?);
    }
    let addresses: Vec<SocketAddr> = nodes.iter().map(|node| node.cluster).collect();
    for node in &mut nodes {
        let others: Vec<_> = addresses.iter().copied().filter(|address| *address != node.cluster).collect();
        node.join(&others);
    }
    step(&format!("start {} nodes (the first time this compiles the guests)", nodes.len()), || {
        nodes.iter_mut().try_for_each(Node::start)?;
        nodes.iter_mut().try_for_each(Node::ready)
    })?;

    let mut rows = Vec::new();
    let mut languages: Vec<String> = guests.iter().map(|(language, _)| language.name().to_string()).collect();
    languages.sort();
    let mut wanted = State { visits: 0, languages };

    for (place, node) in nodes.iter().enumerate() {
        let by = 10_u64.pow(u32::try_from(place)?);
        node.visit(by)?;
        wanted.visits += by;
    }
    rows.push(row("each node increments by its own power of ten", &nodes, &wanted)?);

    let victim = nodes.len() - 2;
    let name = nodes[victim].name.clone();
    nodes[victim].visit(5000)?;
    nodes[victim].kill()?;
    wanted.visits += 5000;
    eprintln!("   node {name}: SIGKILL right after it acknowledged an increment of 5000");
    // Whether the killed node's last increment already reached the others is open; their own writes are not.
    let survivors: Vec<&Node> =
        nodes.iter().enumerate().filter(|(at, _)| *at != victim).map(|(_, node)| node).collect();
    for node in &survivors {
        for _ in 0..10 {
            node.visit(1)?;
        }
    }
    wanted.visits += 10 * u64::try_from(survivors.len())?;
    step(&format!("restart node {name}"), || {
        nodes[victim].start()?;
        nodes[victim].ready()
    })?;
    rows.push(row(&format!("{name} killed, the others go on, {name} restarted"), &nodes, &wanted)?);

    let (language, wasm) = &guests[0];
    let mut late = Node::new(numax, home, &format!("{}-late", language.name()), wasm)?;
    late.join(&addresses[..1]);
    step("start a late node that knows one address", || {
        late.start()?;
        late.ready()
    })?;
    nodes.push(late);
    rows.push(row("a late node receives everything", &nodes, &wanted)?);
    if let Some(late) = nodes.last() {
        late.visit(100_000)?;
    }
    wanted.visits += 100_000;
    rows.push(row("the late node writes", &nodes, &wanted)?);
    stop(&mut nodes)?;
    Ok(rows)
}

fn row(what: &str, nodes: &[Node], wanted: &State) -> Result<Row> {
    let all: Vec<&Node> = nodes.iter().collect();
    let took = step(what, || agree(&all, wanted))?;
    Ok(Row { what: what.into(), visits: wanted.visits, nodes: nodes.len(), took })
}

/// SIGTERM to all: a node that does not end in order is a failure of the demo.
fn stop(nodes: &mut [Node]) -> Result<()> {
    step("stop every node", || {
        nodes.iter().try_for_each(Node::terminate)?;
        for node in nodes.iter_mut() {
            let status = node.wait(Duration::from_secs(30))?;
            if !status.success() {
                bail!("node {} ended with {status} after SIGTERM; its log:\n{}", node.name, node.tail());
            }
        }
        Ok(())
    })
}
