//! A node on a disk that others have filled: it answers, refuses what it would have to keep, and goes on by itself.

use super::Bench;
use crate::cluster::Node;
use crate::small_disk::SmallDisk;
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};

/// How long a node may take to notice that there is space again.
const NOTICES: Duration = Duration::from_secs(20);

pub fn refuses_writes_and_goes_on(bench: &Bench) -> Result<()> {
    let disk = match SmallDisk::mount(&bench.home.join("full").join("data")) {
        Ok(disk) => disk,
        Err(error) => {
            eprintln!("   skipped: a small file system cannot be mounted here ({error:#})");
            return Ok(());
        }
    };
    let mut node = Node::new(&bench.numax, &bench.home, "full", bench.rust()?)?;
    node.start()?;
    node.ready()?;
    ensure!(node.visit(1)?.visits == 1, "the first visit does not count");
    disk.fill()?;
    std::thread::sleep(Duration::from_millis(100));
    for life in ["running", "started on the full disk"] {
        let refused = node.ask("POST", "/visits?by=1")?;
        ensure!(refused.status == 503, "{life}: POST answered {}: {}", refused.status, refused.body);
        let read = node.ask("GET", "/")?;
        ensure!(read.status == 200, "{life}: GET answered {}: {}", read.status, read.body);
        ensure!(node.state()?.visits == 1, "{life}: the counter is {}", node.state()?.visits);
        if life == "running" {
            node.kill()?;
            node.start()?;
            node.ready()?;
            // Opening gave back what the killed process had reserved for its log.
            disk.fill()?;
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    ensure!(node.log().contains("the disk is nearly full"), "the operator is not told:\n{}", node.tail());
    disk.free()?;
    let start = Instant::now();
    while node.ask("POST", "/visits?by=1")?.status != 200 {
        ensure!(start.elapsed() < NOTICES, "it does not go on:\n{}", node.tail());
        std::thread::sleep(Duration::from_millis(50));
    }
    ensure!(node.state()?.visits == 2, "the counter is {} and not 2", node.state()?.visits);
    node.kill()?;
    node.start()?;
    node.ready()?;
    ensure!(node.state()?.visits == 2, "after a restart the counter is {}", node.state()?.visits);
    node.kill()
}
