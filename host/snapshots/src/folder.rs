//! A folder of snapshots, and one snapshot of it.

use std::{
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use crate::{
    Progress,
    error::{SnapshotError, failed},
    files, id,
    manifest::{self, Manifest},
};

/// What names of snapshots begin with while they are made.
const TEMPORARY: &str = ".new-";
/// Held by whoever writes to the folder.
const LOCK: &str = ".lock";

/// A folder of snapshots.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
}

/// What lies in a folder.
#[derive(Debug)]
pub struct Found {
    /// The snapshot's name.
    pub id: String,
    /// The snapshot, or why it cannot be used.
    pub snapshot: Result<Snapshot, SnapshotError>,
}

/// A whole snapshot. Its files were not looked at yet.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(crate) path: PathBuf,
    pub(crate) manifest: Manifest,
}

/// The right to write to a folder, and the place where a snapshot is made. Removes what is left there when dropped.
pub(crate) struct Draft {
    folder: PathBuf,
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// The folder at a path. It need not exist.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What lies there, oldest first. Damaged ones are listed, with what is wrong.
    ///
    /// # Errors
    /// When the folder cannot be read; that it does not exist is no error.
    pub fn list(&self) -> Result<Vec<Found>, SnapshotError> {
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed("listing", &self.path))?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed("listing", &self.path))?;
            let Some(id) = entry.file_name().to_str().filter(|id| id::is_valid(id)).map(str::to_owned) else {
                continue;
            };
            if entry.path().join(manifest::FILE).exists() {
                found.push(Found { id, snapshot: Snapshot::open(&entry.path()) });
            }
        }
        found.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(found)
    }

    /// The snapshot whose id is or begins with `id`; `latest` is the newest one.
    ///
    /// # Errors
    /// [`SnapshotError::NotFound`], [`SnapshotError::Ambiguous`], or why the one that was found cannot be used.
    pub fn find(&self, id: &str) -> Result<Snapshot, SnapshotError> {
        let mut fitting = self.list()?;
        if id == "latest" {
            fitting.retain(|found| found.snapshot.is_ok());
            fitting.drain(..fitting.len().saturating_sub(1));
        } else if fitting.iter().any(|found| found.id == id) {
            fitting.retain(|found| found.id == id);
        } else {
            fitting.retain(|found| !id.is_empty() && found.id.starts_with(id));
        }
        let names: Vec<&str> = fitting.iter().map(|found| found.id.as_str()).collect();
        match names.len() {
            0 => Err(SnapshotError::NotFound { id: id.to_string(), folder: self.path.display().to_string() }),
            1 => fitting.remove(0).snapshot,
            _ => Err(SnapshotError::Ambiguous { id: id.to_string(), found: names.join(", ") }),
        }
    }

    /// Removes the oldest snapshots until `keep` are left; damaged ones neither count nor go. Answers what was removed.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub fn prune(&self, keep: usize) -> Result<Vec<String>, SnapshotError> {
        let mut found = self.list()?;
        found.retain(|found| found.snapshot.is_ok());
        found.truncate(found.len().saturating_sub(keep));
        let mut removed = Vec::new();
        for found in found {
            // First out of the list, then file by file: nobody sees half a snapshot.
            let (path, gone) =
                (self.path.join(&found.id), self.path.join(format!("{TEMPORARY}{}", found.id)));
            fs::rename(&path, &gone).map_err(failed("renaming", &path))?;
            files::sync_dir(&self.path)?;
            fs::remove_dir_all(&gone).map_err(failed("removing", &gone))?;
            removed.push(found.id);
        }
        Ok(removed)
    }

    /// Begins to make a snapshot. Removes what others left that were interrupted.
    pub(crate) fn draft(&self) -> Result<Draft, SnapshotError> {
        fs::create_dir_all(&self.path).map_err(failed("creating", &self.path))?;
        let path = self.path.join(LOCK);
        let options = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = options.map_err(failed("opening", &path))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(SnapshotError::Busy { folder: self.path.display().to_string() });
            }
            Err(errno) => return Err(failed("locking", &path)(errno.into())),
        }
        for entry in fs::read_dir(&self.path).map_err(failed("listing", &self.path))? {
            let entry = entry.map_err(failed("listing", &self.path))?;
            if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                fs::remove_dir_all(entry.path()).map_err(failed("removing", &entry.path()))?;
            }
        }
        let path = self.path.join(format!("{TEMPORARY}{}", std::process::id()));
        fs::create_dir(&path).map_err(failed("creating", &path))?;
        Ok(Draft { folder: self.path.clone(), path, _lock: lock })
    }
}

impl Draft {
    /// Where to write.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Hashes and syncs what was written, completes the manifest, and gives the snapshot its name. A manifest that has
    /// an id keeps it.
    pub(crate) fn finish(
        self,
        mut manifest: Manifest,
        progress: Progress<'_>,
    ) -> Result<Snapshot, SnapshotError> {
        files::sync_all(&self.path)?;
        manifest.chunk_bytes = files::CHUNK;
        manifest.files = files::hash(&self.path, progress)?;
        if manifest.id.is_empty() {
            manifest.id = id::new(manifest.created_ms, &manifest.content());
        }
        manifest.seal();
        self.publish(manifest)
    }

    /// Gives the snapshot that lies here, complete and synced but for its manifest, its name.
    pub(crate) fn publish(self, manifest: Manifest) -> Result<Snapshot, SnapshotError> {
        manifest.store(&self.path)?;
        files::sync_dir(&self.path)?;
        let path = self.folder.join(&manifest.id);
        if path.exists() {
            return Err(SnapshotError::Exists { path: path.display().to_string() });
        }
        fs::rename(&self.path, &path).map_err(failed("renaming", &self.path))?;
        files::sync_dir(&self.folder)?;
        Ok(Snapshot { path, manifest })
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After success there is nothing under this name any more.
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl Snapshot {
    /// The snapshot in a folder of its own.
    ///
    /// # Errors
    /// When there is none, or its manifest is damaged or of a newer program.
    pub fn open(path: &Path) -> Result<Self, SnapshotError> {
        Ok(Self { path: path.to_path_buf(), manifest: Manifest::load(path)? })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it is.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Reads every file and compares it with the manifest. Blocks.
    ///
    /// # Errors
    /// [`SnapshotError::Damaged`] names the first file that differs.
    pub fn verify(&self, progress: Progress<'_>) -> Result<(), SnapshotError> {
        files::verify(&self.manifest, &self.path, progress)
    }
}
