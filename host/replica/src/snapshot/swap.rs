//! The exchange of a datastore's data for a restored one, whole or not at all.
//!
//! Everything happens inside the datastore's directory, which may be a mount point and cannot be renamed then:
//!
//! 1. the new data is put together in `restore.new/` and synced;
//! 2. `restore.new/` is renamed to `restore/`: **from here on the new data counts**;
//! 3. one after the other, `meta.json`, `rows/` and `log/` go to `replaced/`, and those of `restore/` into their place;
//! 4. `restore/` is removed, then `replaced/`.
//!
//! Whoever opens the datastore calls [`settle`] first: it drops what never came to 2, and completes what did. So a
//! process or machine that ends at any moment leaves the old data or the new, never a mixture. The identity and
//! everything else in the directory stays where it is.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use crate::{error::OpenError, log, meta, replica::ROWS};

/// The data that is being put together.
const STAGING: &str = "restore.new";
/// The data that counts and is not in its place yet.
const COMMITTED: &str = "restore";
/// The data that counted before.
const REPLACED: &str = "replaced";
/// What is exchanged, in this order.
const PARTS: [&str; 3] = [meta::FILE, ROWS, log::DIR];

/// An empty directory, inside the datastore's, to put the new data together in. Whoever calls holds the datastore's
/// lock, as for every function here.
///
/// # Errors
/// When the system refuses.
pub fn staging(dir: &Path) -> Result<PathBuf, OpenError> {
    settle(dir)?;
    let staging = dir.join(STAGING);
    fs::create_dir_all(&staging).map_err(failed("creating", &staging))?;
    Ok(staging)
}

/// Exchanges the data for what is in the staging directory, which is complete and synced.
///
/// # Errors
/// When the system refuses. Then either nothing was exchanged, or the next open completes it.
pub fn exchange(dir: &Path) -> Result<(), OpenError> {
    commit(dir)?;
    settle(dir)
}

/// The moment from which on the new data counts.
fn commit(dir: &Path) -> Result<(), OpenError> {
    let staging = dir.join(STAGING);
    for part in PARTS {
        let path = staging.join(part);
        fs::symlink_metadata(&path).map_err(failed("finding", &path))?;
    }
    sync_dir(&staging)?;
    rename(&staging, &dir.join(COMMITTED))?;
    sync_dir(dir)
}

/// Brings a datastore's directory into order after an exchange that was cut short; does nothing in any other.
///
/// # Errors
/// When the system refuses. To be tried again: nothing is lost.
pub fn settle(dir: &Path) -> Result<(), OpenError> {
    let committed = dir.join(COMMITTED);
    if committed.is_dir() {
        let replaced = dir.join(REPLACED);
        fs::create_dir_all(&replaced).map_err(failed("creating", &replaced))?;
        for part in PARTS {
            let (new, place, old) = (committed.join(part), dir.join(part), replaced.join(part));
            if !exists(&new)? {
                continue;
            }
            if exists(&place)? {
                rename(&place, &old)?;
                sync_dir(&replaced)?;
                sync_dir(dir)?;
            }
            rename(&new, &place)?;
            sync_dir(dir)?;
            sync_dir(&committed)?;
        }
        remove(&committed)?;
        sync_dir(dir)?;
    }
    remove(&dir.join(STAGING))?;
    remove(&dir.join(REPLACED))
}

/// Where the rows that count lie, also when an exchange was cut short.
pub(crate) fn rows(dir: &Path) -> PathBuf {
    place(dir, ROWS)
}

/// Where the part of a datastore lies that counts (`meta.json`, `rows` or `log`), also when an exchange was cut short.
/// Changes nothing.
pub(crate) fn place(dir: &Path, part: &str) -> PathBuf {
    let new = dir.join(COMMITTED).join(part);
    if new.exists() { new } else { dir.join(part) }
}

fn exists(path: &Path) -> Result<bool, OpenError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed("finding", path)(error)),
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), OpenError> {
    cut::here()?;
    fs::rename(from, to).map_err(failed("renaming", from))
}

fn remove(path: &Path) -> Result<(), OpenError> {
    cut::here()?;
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("removing", path)(error)),
        _ => Ok(()),
    }
}

fn sync_dir(path: &Path) -> Result<(), OpenError> {
    cut::here()?;
    File::open(path).and_then(|dir| dir.sync_all()).map_err(failed("syncing the directory", path))
}

fn failed(what: &str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let what = format!("{what} {}", path.display());
    move |error| OpenError::Io { what, detail: error.to_string() }
}

/// Where a test ends the process, as far as the file system can tell: everything that changes it asks here first.
#[cfg(not(test))]
mod cut {
    pub(super) fn here() -> Result<(), crate::error::OpenError> {
        Ok(())
    }
}

#[cfg(test)]
mod cut {
    use std::cell::Cell;

    use crate::error::OpenError;

    thread_local! {
        /// Steps that are still done; none: all.
        pub(super) static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    }

    pub(super) fn here() -> Result<(), OpenError> {
        match LEFT.get() {
            Some(0) => Err(OpenError::Io { what: "the process".to_string(), detail: "cut".to_string() }),
            Some(left) => {
                LEFT.set(Some(left - 1));
                Ok(())
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn put(dir: &Path, text: &str) {
        fs::create_dir_all(dir.join(ROWS)).unwrap();
        fs::create_dir_all(dir.join(log::DIR)).unwrap();
        fs::write(dir.join(meta::FILE), text).unwrap();
        fs::write(dir.join(ROWS).join("db"), text).unwrap();
        fs::write(dir.join(log::DIR).join("0.seg"), text).unwrap();
    }

    /// What the data is; all parts must say the same.
    fn read(dir: &Path) -> String {
        let text = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
        let all = [text("meta.json"), text("rows/db"), text("log/0.seg")];
        assert!(all.iter().all(|part| *part == all[0]), "{all:?}");
        let [text, ..] = all;
        text
    }

    #[test]
    fn an_exchange_that_is_cut_at_any_step_leaves_the_old_data_or_the_new() {
        let mut seen = Vec::new();
        for steps in 0.. {
            let dir = TempDir::new().unwrap();
            put(dir.path(), "old");
            fs::write(dir.path().join("identity"), "key").unwrap();
            put(&staging(dir.path()).unwrap(), "new");
            cut::LEFT.set(Some(steps));
            let result = exchange(dir.path());
            // The next opening may be cut, too.
            cut::LEFT.set(Some(steps / 2));
            let _ = settle(dir.path());
            cut::LEFT.set(None);
            settle(dir.path()).unwrap();
            let data = read(dir.path());
            let names = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
            let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
            names.sort_unstable();
            assert_eq!(names, ["identity", "log", "meta.json", "rows"], "after {steps} steps");
            seen.push(data);
            if result.is_ok() {
                break;
            }
        }
        // First the old, from one step on the new, and never back.
        assert!(seen.is_sorted_by(|a, b| a >= b), "{seen:?}");
        assert_eq!((seen.first().unwrap().as_str(), seen.last().unwrap().as_str()), ("old", "new"));
        assert!(seen.len() > 15, "{}", seen.len());
    }

    #[test]
    fn a_first_restore_needs_no_old_data_and_half_a_copy_does_not_count() {
        let dir = TempDir::new().unwrap();
        put(&staging(dir.path()).unwrap(), "new");
        exchange(dir.path()).unwrap();
        assert_eq!(read(dir.path()), "new");
        fs::create_dir_all(staging(dir.path()).unwrap().join(ROWS)).unwrap();
        exchange(dir.path()).unwrap_err();
        settle(dir.path()).unwrap();
        assert_eq!(read(dir.path()), "new");
    }
}
