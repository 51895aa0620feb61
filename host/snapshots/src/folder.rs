//! A folder of snapshots.

use std::{
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::{FlockOperation, flock};

use crate::{
    Found, Progress, Snapshot,
    error::{SnapshotError, failed},
    files, id,
    manifest::{self, Manifest},
    shelf::Shelf,
    source::FolderSource,
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
        Shelf::list(self)
    }

    /// The snapshot whose id is or begins with `id`; `latest` is the newest one that is not damaged.
    ///
    /// # Errors
    /// [`SnapshotError::NotFound`], [`SnapshotError::Ambiguous`], or why the one that was found, of all damaged ones the
    /// newest, cannot be used.
    pub fn find(&self, id: &str) -> Result<Snapshot, SnapshotError> {
        Shelf::find(self, id)
    }

    /// Removes the oldest snapshots until `keep` are left, and answers what was removed. With a node named, only those
    /// that it made count and go; damaged ones do neither.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub fn prune(&self, keep: usize, node: Option<&str>) -> Result<Vec<String>, SnapshotError> {
        Shelf::prune(self, keep, node)
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

impl Shelf for Folder {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn ids(&self) -> Result<Vec<String>, SnapshotError> {
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed("listing", &self.path))?,
        };
        let mut ids = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed("listing", &self.path))?;
            let Some(id) = entry.file_name().to_str().filter(|id| id::is_valid(id)).map(str::to_owned) else {
                continue;
            };
            if entry.path().join(manifest::FILE).exists() {
                ids.push(id);
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }

    fn load(&self, id: &str) -> Result<Snapshot, SnapshotError> {
        Snapshot::open(&self.path.join(id))
    }

    fn remove(&self, id: &str) -> Result<(), SnapshotError> {
        // First out of the list, then file by file: nobody sees half a snapshot.
        let (path, gone) = (self.path.join(id), self.path.join(format!("{TEMPORARY}{id}")));
        fs::rename(&path, &gone).map_err(failed("renaming", &path))?;
        files::sync_dir(&self.path)?;
        fs::remove_dir_all(&gone).map_err(failed("removing", &gone))
    }
}

impl Draft {
    /// Where to write.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Hashes and syncs what was written, and completes the manifest. One that has an id keeps it.
    pub(crate) fn seal(
        &self,
        mut manifest: Manifest,
        progress: Progress<'_>,
    ) -> Result<Manifest, SnapshotError> {
        files::sync_all(&self.path)?;
        manifest.chunk_bytes = files::CHUNK;
        manifest.files = files::hash(&self.path, progress)?;
        if manifest.id.is_empty() {
            manifest.id = id::new(manifest.created_ms, &manifest.content());
        }
        manifest.seal();
        Ok(manifest)
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
        Ok(Snapshot { source: Arc::new(FolderSource(path)), manifest })
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After success there is nothing under this name any more.
        let _ = fs::remove_dir_all(&self.path);
    }
}
