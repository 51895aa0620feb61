//! A node on a disk that others have filled: it answers, refuses what it would have to keep, and goes on by itself.

use super::Bench;
use crate::cluster::Node;
use anyhow::{Result, ensure};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a node may take to notice that there is space again.
const NOTICES: Duration = Duration::from_secs(20);

/// A file system of 64 MiB in a folder, as long as this lives.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None where this process may not mount.
    fn at(folder: &Path) -> Result<Option<Self>> {
        fs::create_dir_all(folder)?;
        let image = folder.with_extension("image");
        File::create(&image)?.set_len(64 << 20)?;
        let (image, at) = (image.display().to_string(), folder.display().to_string());
        let ext4 = quiet("mkfs.ext4", &["-q", "-F", "-m", "0", &image])
            && quiet("mount", &["-o", "loop", &image, &at]);
        let mounted = ext4 || quiet("mount", &["-t", "tmpfs", "-o", "size=64m", "tmpfs", &at]);
        Ok(mounted.then(|| Self(folder.to_path_buf())))
    }

    /// Takes all that is free, also what was freed since the last time.
    fn fill(&self) -> Result<()> {
        let mut file = File::options().create(true).append(true).open(self.0.join("filler"))?;
        for step in [1 << 20, 4 << 10] {
            while file.write_all(&vec![1; step]).and_then(|()| file.sync_data()).is_ok() {}
        }
        Ok(())
    }

    fn free(&self) -> Result<()> {
        Ok(fs::remove_file(self.0.join("filler"))?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        quiet("umount", &["-l", &self.0.display().to_string()]);
    }
}

fn quiet(program: &str, args: &[&str]) -> bool {
    let status = Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

pub fn refuses_writes_and_goes_on(bench: &Bench) -> Result<()> {
    let Some(disk) = SmallDisk::at(&bench.home.join("full").join("data"))? else {
        eprintln!("   skipped: a small file system cannot be mounted here (needs root)");
        return Ok(());
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
