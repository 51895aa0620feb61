//! A disk of few megabytes for one node, which others can fill.

use anyhow::{Context, Result, ensure};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What others fill it with. A datastore has no file of this name.
const FILLER: &str = "filler";

/// A file system of 64 MiB in a folder, as long as this lives.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Makes one, of ext4 if this machine has it; an error says why this machine does not let us.
    pub fn mount(at: &Path) -> Result<Self> {
        fs::create_dir_all(at)?;
        let image = at.with_extension("image");
        File::create(&image)?.set_len(64 << 20)?;
        let (image, folder) = (image.display().to_string(), at.display().to_string());
        let ext4 = call("mkfs.ext4", &["-q", "-F", "-m", "0", &image])
            .and_then(|()| call("mount", &["-o", "loop", &image, &folder]));
        if ext4.is_err() {
            call("mount", &["-t", "tmpfs", "-o", "size=64m", "tmpfs", &folder])?;
        }
        Ok(Self(at.into()))
    }

    /// Takes all that is free, also what was freed since the last time.
    pub fn fill(&self) -> Result<()> {
        let mut file = File::options().create(true).append(true).open(self.0.join(FILLER))?;
        for step in [1 << 20, 4 << 10] {
            while file.write_all(&vec![1; step]).and_then(|()| file.sync_data()).is_ok() {}
        }
        Ok(())
    }

    /// Gives all of it back.
    pub fn free(&self) -> Result<()> {
        fs::remove_file(self.0.join(FILLER)).context("removing what filled the disk")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = call("umount", &["-l", &self.0.display().to_string()]);
    }
}

fn call(program: &str, args: &[&str]) -> Result<()> {
    let done = Command::new(program).args(args).output().with_context(|| program.to_string())?;
    ensure!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr).trim());
    Ok(())
}
