//! The files of the log, as a trait: append-only files below one directory, with explicit durability.
//!
//! What survives what:
//! - the end of the **process** keeps everything that was appended;
//! - a **power cut** keeps of a file what was there at its last [`sync`](DiskFile::sync), and anything or nothing of
//!   what was appended after it; of names it keeps those at the last [`sync_dir`](Disk::sync_dir), and any or none of
//!   the changes after it.

pub mod fs;
pub mod mem;
pub mod view;

use std::{io, sync::Arc};

use bytes::Bytes;

use crate::room::Low;

/// A directory tree of files. Names are relative, with `/` between parts; parts are never `.` or `..`. All calls
/// block.
pub trait Disk: Send + Sync {
    /// The names of the files in a directory (`""` is the root), sorted, without their directory. Empty when there is
    /// no such directory.
    ///
    /// # Errors
    /// See [`DiskError`], as for every function here.
    fn list(&self, dir: &str) -> Result<Vec<String>, DiskError>;

    /// Makes a directory and those above it; that it exists is no error. Durable after `sync_dir` of those above.
    ///
    /// # Errors
    /// See [`DiskError`].
    fn create_dir(&self, dir: &str) -> Result<(), DiskError>;

    /// Makes an empty file, for appending.
    ///
    /// # Errors
    /// [`DiskError::Exists`] when there is one.
    fn create(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError>;

    /// Opens a file, for reading and appending.
    ///
    /// # Errors
    /// [`DiskError::NotFound`] when there is none.
    fn open_append(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError>;

    /// Gives a file another name in the same tree; replaces a file of that name.
    ///
    /// # Errors
    /// [`DiskError::NotFound`] when there is none.
    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError>;

    /// Removes a file. Open handles of it stay usable.
    ///
    /// # Errors
    /// [`DiskError::NotFound`] when there is none.
    fn remove(&self, name: &str) -> Result<(), DiskError>;

    /// Makes the names in a directory durable: files created, renamed and removed before.
    ///
    /// # Errors
    /// See [`DiskError`].
    fn sync_dir(&self, dir: &str) -> Result<(), DiskError>;

    /// Whether there is room for new batches. Cheap enough to be asked before every group of them.
    ///
    /// # Errors
    /// [`Low`] when what is kept free is reached. An append may find no space all the same.
    fn check_room(&self) -> Result<(), Low> {
        Ok(())
    }
}

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Appends bytes. An error may leave a part of them: the caller truncates to the length before, or gives up.
    ///
    /// # Errors
    /// [`DiskError::NoSpace`] when the disk is full.
    fn append(&self, bytes: &[u8]) -> Result<(), DiskError>;

    /// Up to `len` bytes from an offset; fewer at the end of the file.
    ///
    /// # Errors
    /// See [`DiskError`].
    fn read_at(&self, offset: u64, len: usize) -> Result<Bytes, DiskError>;

    /// Returns when what was appended before survives a power cut.
    ///
    /// # Errors
    /// See [`DiskError`]. After an error nobody knows what reached the disk: the caller must not append on.
    fn sync(&self) -> Result<(), DiskError>;

    /// Cuts the file to a length. Durable after `sync`.
    ///
    /// # Errors
    /// See [`DiskError`].
    fn truncate(&self, len: u64) -> Result<(), DiskError>;

    /// The bytes of the file.
    ///
    /// # Errors
    /// See [`DiskError`].
    fn len(&self) -> Result<u64, DiskError>;

    /// Whether the file has no bytes.
    ///
    /// # Errors
    /// See [`DiskError`].
    fn is_empty(&self) -> Result<bool, DiskError> {
        Ok(self.len()? == 0)
    }

    /// Asks the file system to set aside room for `bytes` bytes of the file without changing its length, so that
    /// appends do not have to. Only a hint: a file system that cannot does nothing.
    ///
    /// # Errors
    /// [`DiskError::NoSpace`] when there is no such room.
    fn reserve(&self, bytes: u64) -> Result<(), DiskError> {
        let _ = bytes;
        Ok(())
    }
}

/// Why the disk could not do something.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The disk is full.
    #[error("no space left on the disk while {what}; free some space: a node that runs goes on by itself")]
    NoSpace {
        /// What was being done, with the path.
        what: String,
    },
    /// There is no such file.
    #[error("{name}: no such file")]
    NotFound {
        /// The name.
        name: String,
    },
    /// There is such a file already.
    #[error("{name}: the file exists already")]
    Exists {
        /// The name.
        name: String,
    },
    /// The operating system refused.
    #[error("{what} failed: {source}; check the disk and the permissions of the datastore directory")]
    Io {
        /// What was being done, with the path.
        what: String,
        /// The operating system's word.
        source: io::Error,
    },
    /// A simulated disk has lost its power.
    #[error("the disk has lost power")]
    PowerLost,
}
