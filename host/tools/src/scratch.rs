//! Scratch directories for copies of rows, which may be as large as the datastore: none may be left behind.
//!
//! One goes with its value. A process that is about to end by a signal calls [`remove_all`]. What a process that was killed
//! has left is removed by the next one that makes one in the same place: it knows it by a lock file that nobody holds.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tempfile::TempDir;

/// What their names begin with.
const PREFIX: &str = "numax-look-";
/// The file that is locked while the directory is in use.
const LOCK: &str = "lock";
/// How often [`remove_all`] tries: whoever fills the directory does not know yet that it goes.
const TRIES: u32 = 100;

/// Those of this process.
static MADE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn made() -> MutexGuard<'static, Vec<PathBuf>> {
    MADE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A directory that goes with this value.
#[derive(Debug)]
pub(crate) struct Scratch {
    dir: TempDir,
    _lock: File,
}

impl Scratch {
    /// Makes one within a directory, and removes there what ended processes have left.
    pub(crate) fn make(within: &Path) -> io::Result<Self> {
        remove_left(within);
        let mut all = made();
        let dir = tempfile::Builder::new().prefix(PREFIX).tempdir_in(within)?;
        all.push(dir.path().to_path_buf());
        drop(all);
        // It gets its name when it is locked, so that nobody takes it for one that is not.
        let early = dir.path().join("new");
        let lock = File::create(&early)?;
        lock.lock()?;
        fs::rename(&early, dir.path().join(LOCK))?;
        Ok(Self { dir, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        made().retain(|path| path != self.dir.path());
    }
}

/// Removes all scratch directories of this process, in use or not; no more can be made. For one that ends now.
pub fn remove_all() {
    // Held from here on, so that no other begins.
    let mut all = made();
    for path in all.drain(..) {
        for _ in 0..TRIES {
            match fs::remove_dir_all(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {}
                _ => break,
            }
        }
    }
    std::mem::forget(all);
}

/// Removes those whose processes have ended. What cannot be removed, or is another user's, stays.
fn remove_left(within: &Path) {
    let Ok(entries) = fs::read_dir(within) else { return };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let Ok(lock) = File::open(entry.path().join(LOCK)) else { continue };
        match lock.try_lock() {
            Ok(()) => drop(fs::remove_dir_all(entry.path())),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_ended_process_left_goes_and_what_is_in_use_stays() {
        let dir = tempfile::tempdir().unwrap();
        let left = dir.path().join("numax-look-left");
        fs::create_dir(&left).unwrap();
        fs::write(left.join(LOCK), b"").unwrap();
        fs::write(left.join("rows"), b"rows").unwrap();
        let others = dir.path().join("numax-look-of-somebody-else");
        fs::create_dir(&others).unwrap();
        let used = Scratch::make(dir.path()).unwrap();
        assert!(!left.exists() && others.exists());
        let second = Scratch::make(dir.path()).unwrap();
        assert!(used.path().exists() && second.path().exists());
        let path = used.path().to_path_buf();
        drop(used);
        assert!(!path.exists());
    }
}
