//! Two processes that write under one origin, because a datastore was copied behind the program's back.

use super::Bench;
use crate::cluster::Node;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant, UNIX_EPOCH};

pub fn origin(bench: &Bench) -> Result<()> {
    let mut original = Node::new(&bench.numax, &bench.home, "original", bench.rust()?)?;
    let mut copy = Node::new(&bench.numax, &bench.home, "copy", bench.rust()?)?;
    original.join(&[copy.cluster]);
    copy.join(&[original.cluster]);
    original.start()?;
    original.ready()?;
    original.visit(1)?;
    original.terminate()?;
    original.wait(Duration::from_secs(20))?;
    pass_off(&original.data, &copy.data).context("copying the datastore")?;

    for node in [&mut original, &mut copy] {
        node.start()?;
        node.ready()?;
    }
    let start = Instant::now();
    for node in [&original, &copy] {
        // Until they have met each of them may write.
        while node.ask("POST", "/visits")?.status == 200 {
            ensure!(start.elapsed() < Duration::from_secs(30), "node {} goes on writing", node.name);
            sleep(Duration::from_millis(20));
        }
        let refused = node.ask("POST", "/visits")?;
        ensure!(refused.status == 503, "{}: a write that cannot be gave {refused:?}", node.name);
        ensure!(node.ask("GET", "/")?.status == 200, "{} must go on reading", node.name);
        ensure!(node.log().contains("identity"), "{} does not say why:\n{}", node.name, node.tail());
    }
    Ok(())
}

/// Copies a closed datastore so that the copy passes for the original: left as it is, it would notice that it lies
/// elsewhere, and begin an origin of its own.
fn pass_off(from: &Path, to: &Path) -> Result<()> {
    copy(from, to)?;
    let path = to.join("meta.json");
    let text = fs::read_to_string(&path)?;
    let changed = text.replace(&disk_id(from)?, &disk_id(to)?);
    ensure!(changed != text, "a datastore is known by something else now: {text}");
    Ok(fs::write(&path, changed)?)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// How a datastore knows its disk.
fn disk_id(datastore: &Path) -> Result<String> {
    let log = fs::metadata(datastore.join("log"))?;
    let born = log.created().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    Ok(format!("{:x}-{:x}", log.ino(), born.map_or(0, |at| at.as_nanos())))
}
