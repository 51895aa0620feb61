//! Where a snapshot's files are read from.

use std::{
    fmt::Debug,
    fs::{self, File},
    io::ErrorKind,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use crate::{SnapshotError, error::failed, manifest::FileEntry};

/// The files of one snapshot. Calls block, and come from several threads.
pub(crate) trait Source: Debug + Send + Sync {
    /// What people call the snapshot: a path or a URL.
    fn name(&self) -> String;

    /// The folder, if it is one.
    fn path(&self) -> Option<&Path> {
        None
    }

    /// The lengths of files; none for one that is missing.
    fn lengths(&self, files: &[FileEntry]) -> Result<Vec<Option<u64>>, SnapshotError>;

    /// Fills the buffer with what a file has at an offset.
    fn read(&self, file: &str, offset: u64, buffer: &mut [u8]) -> Result<(), SnapshotError>;

    /// How many reads at once are worth their memory.
    fn threads(&self) -> usize;

    /// Bytes that one read had best take.
    fn block(&self) -> usize;

    /// What errors call a file of it.
    fn name_of(&self, file: &str) -> String {
        format!("{}/{file}", self.name())
    }
}

/// A snapshot in a folder of its own.
#[derive(Debug)]
pub(crate) struct FolderSource(pub(crate) PathBuf);

impl Source for FolderSource {
    fn name(&self) -> String {
        self.0.display().to_string()
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.0)
    }

    fn lengths(&self, files: &[FileEntry]) -> Result<Vec<Option<u64>>, SnapshotError> {
        let length = |entry: &FileEntry| {
            let path = self.0.join(&entry.name);
            match fs::metadata(&path) {
                Ok(found) => Ok(Some(found.len())),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(failed("reading", &path)(error)),
            }
        };
        files.iter().map(length).collect()
    }

    fn read(&self, file: &str, offset: u64, buffer: &mut [u8]) -> Result<(), SnapshotError> {
        let path = self.0.join(file);
        let file = File::open(&path).map_err(failed("opening", &path))?;
        file.read_exact_at(buffer, offset).map_err(failed("reading", &path))
    }

    /// More only wait for the disk.
    fn threads(&self) -> usize {
        4
    }

    /// What is read stays in a processor's own cache while it is hashed and written.
    fn block(&self) -> usize {
        256 << 10
    }
}
