//! What was acknowledged is there afterwards, and a node ends in order.

use super::Bench;
use super::convergence::rust_mesh;
use crate::cluster::Node;
use anyhow::{Result, bail, ensure};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// A lone node is killed in the middle of concurrent writes, several times; the counter must then hold at least what was
/// acknowledged and at most what was tried.
fn sigkill(bench: &Bench, durability: &str) -> Result<()> {
    let mut node = Node::new(&bench.numax, &bench.home, "alone", bench.rust()?)?;
    node.flag("--durability", durability);
    let (acknowledged, tried) = (AtomicU64::new(0), AtomicU64::new(0));
    for _ in 0..4 {
        node.start()?;
        node.ready()?;
        let found = node.state()?.visits;
        let (least, most) = (acknowledged.load(Ordering::SeqCst), tried.load(Ordering::SeqCst));
        ensure!(least <= found && found <= most, "{found} found, {least} acknowledged, {most} tried");
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !stop.load(Ordering::SeqCst) {
                        tried.fetch_add(1, Ordering::SeqCst);
                        match node.visit(1) {
                            Ok(_) => acknowledged.fetch_add(1, Ordering::SeqCst),
                            Err(_) => return,
                        };
                    }
                });
            }
            let before = acknowledged.load(Ordering::SeqCst);
            while acknowledged.load(Ordering::SeqCst) < before + 200 {
                std::thread::sleep(Duration::from_millis(1));
            }
            let killed = node.signal_kill();
            stop.store(true, Ordering::SeqCst);
            killed
        })?;
        node.kill()?;
    }
    node.start()?;
    node.ready()?;
    let found = node.state()?.visits;
    let (least, most) = (acknowledged.load(Ordering::SeqCst), tried.load(Ordering::SeqCst));
    ensure!(least <= found && found <= most, "{found} found, {least} acknowledged, {most} tried");
    Ok(())
}

pub fn sigkill_interval(bench: &Bench) -> Result<()> {
    sigkill(bench, "interval")
}

pub fn sigkill_fsync(bench: &Bench) -> Result<()> {
    sigkill(bench, "fsync")
}

pub fn sigterm(bench: &Bench) -> Result<()> {
    let mut nodes = rust_mesh(bench, 2)?;
    nodes[0].visit(1)?;
    nodes[0].terminate()?;
    let status = nodes[0].wait(Duration::from_secs(20))?;
    ensure!(status.success(), "SIGTERM ended with {status}; the log:\n{}", nodes[0].tail());
    nodes[1].visit(1)?;
    nodes[0].start()?;
    nodes[0].ready()?;
    crate::cluster::agree(
        &nodes.iter().collect::<Vec<_>>(),
        &crate::cluster::State { visits: 2, languages: vec!["rust".into()] },
    )?;
    Ok(())
}

pub fn second_process(bench: &Bench) -> Result<()> {
    let nodes = rust_mesh(bench, 1)?;
    nodes[0].visit(1)?;
    let out = Command::new(&bench.numax)
        .args(["run", &bench.rust()?.display().to_string(), "--http", "127.0.0.1:0", "--data"])
        .arg(&nodes[0].data)
        .args(["--print-gcounter", "demo:visits"])
        .current_dir(&bench.home)
        .output()?;
    let text = String::from_utf8_lossy(&out.stderr);
    if out.status.success() || !text.contains("another process") {
        bail!("a second process on one datastore: {}, {text}", out.status);
    }
    nodes[0].visit(1)?;
    ensure!(nodes[0].state()?.visits == 2, "the first process must go on");
    Ok(())
}
