//! What an engine has to do: keep one ordered map of bytes.

use std::{fs::File, ops::Bound, path::Path};

use bytes::Bytes;

use crate::{Engine, kv::KvError};

/// Writes of a batch with whole keys; a value of none removes. Of several writes to one key the last counts.
pub(super) type Writes = Vec<(Vec<u8>, Option<Bytes>)>;

/// An ordered map of bytes to be read.
pub(super) trait Look: Send + Sync {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, KvError>;

    /// Rows in key order from a bound on, until `visit` answers `false`.
    fn scan(&self, from: Bound<Vec<u8>>, visit: &mut dyn FnMut(&[u8], Bytes) -> bool) -> Result<(), KvError>;
}

/// An engine as one ordered map. Panics inside an engine's code are caught by the caller.
///
/// [`KvError::NoSpace`] of any function means that the engine may be opened again, once there is space, without having
/// lost what was synced; a sync that failed in any other way means that nobody knows.
pub(super) trait Raw: Look + Sized {
    /// Which one.
    const ENGINE: Engine;

    /// Opens the files in a directory that exists, or makes them.
    fn open(dir: &Path) -> Result<Self, KvError>;

    /// Reads the files without the engine, whoever has them open: at least what was synced, as long as nothing new is
    /// written. Takes no room. None when only the engine can.
    fn look(dir: &Path) -> Option<Result<Box<dyn Look>, KvError>> {
        let _ = dir;
        None
    }

    /// Whether [`free_files`](Self::free_files) can.
    const CAN_FREE: bool = false;

    /// Makes it possible to open files again that an engine will never let go of, see [`close`](Self::close). Answers
    /// the one that it holds, of which nobody needs what it holds.
    fn free_files(dir: &Path) -> Result<File, KvError> {
        let path = dir.display().to_string();
        Err(KvError::Locked { path })
    }

    /// Makes the files of a new database durable, with their names.
    fn establish(&self) -> Result<(), KvError>;

    /// Applies a batch, atomically. One call at a time.
    fn apply(&self, writes: Writes) -> Result<(), KvError>;

    /// Returns when everything applied before survives a power cut. One call at a time.
    fn sync(&self) -> Result<(), KvError>;

    /// Closes it. Whether its files are free to be opened again.
    fn close(self) -> bool {
        drop(self);
        true
    }

    /// Bytes on disk.
    fn disk_bytes(&self) -> u64;
}
