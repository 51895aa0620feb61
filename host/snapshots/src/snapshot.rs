//! One snapshot, wherever it lies.

use std::{path::Path, sync::Arc};

use crate::{
    Progress, SnapshotError, files,
    manifest::Manifest,
    source::{FolderSource, Source},
};

/// A whole snapshot. Its files were not looked at yet.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) manifest: Manifest,
}

/// What lies where snapshots are.
#[derive(Debug)]
pub struct Found {
    /// The snapshot's name.
    pub id: String,
    /// The snapshot, or why it cannot be used.
    pub snapshot: Result<Snapshot, SnapshotError>,
}

impl Snapshot {
    /// The snapshot in a folder of its own.
    ///
    /// # Errors
    /// When there is none, or its manifest is damaged or of a newer program.
    pub fn open(path: &Path) -> Result<Self, SnapshotError> {
        let manifest = Manifest::load(path)?;
        Ok(Self { source: Arc::new(FolderSource(path.to_path_buf())), manifest })
    }

    /// Where it is: a path or a URL.
    #[must_use]
    pub fn place(&self) -> String {
        self.source.name()
    }

    /// Its folder, if it lies in one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.source.path()
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
        files::verify(&self.manifest, &*self.source, progress)
    }
}
