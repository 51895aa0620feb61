//! A small file system of its own, for tests that fill it. It takes root, and a system that may mount; elsewhere the
//! tests say that they were skipped.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::fs::{FallocateFlags, fallocate};
use tempfile::TempDir;

pub struct SmallDisk {
    root: PathBuf,
    _dir: TempDir,
}

fn runs(program: &str, args: &[&str]) -> bool {
    let status = Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

impl SmallDisk {
    /// An ext4 in a file, or else a file system in memory; none when this process may not mount.
    pub fn new(mib: u64) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let (image, root) = (dir.path().join("image"), dir.path().join("root"));
        fs::create_dir(&root).unwrap();
        File::create(&image).unwrap().set_len(mib << 20).unwrap();
        let (image, at) = (image.to_str().unwrap(), root.to_str().unwrap());
        let ext4 =
            runs("mkfs.ext4", &["-q", "-F", "-m", "0", image]) && runs("mount", &["-o", "loop", image, at]);
        if !ext4 && !runs("mount", &["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs", at]) {
            eprintln!("SKIPPED: a small file system cannot be mounted here (needs root)");
            return None;
        }
        Some(Self { root, _dir: dir })
    }

    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Takes all that is free but so many bytes, as another program may.
    pub fn fill(&self, leave: u64) {
        let file = File::options().create(true).append(true).open(self.filler()).unwrap();
        for step in [4 << 20, 256 << 10, 4 << 10] {
            while numax_store::free_bytes(&self.root).unwrap() >= leave + step {
                let end = file.metadata().unwrap().len();
                if fallocate(&file, FallocateFlags::empty(), end, step).is_err() {
                    break;
                }
            }
        }
    }

    /// Gives back what was taken.
    pub fn free(&self) {
        let _ = fs::remove_file(self.filler());
    }

    fn filler(&self) -> PathBuf {
        self.root.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a test that failed may still have files open.
        runs("umount", &["-l", self.root.to_str().unwrap()]);
    }
}
