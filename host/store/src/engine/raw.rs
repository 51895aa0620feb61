//! What an engine has to do: keep one ordered map of bytes.

use std::{ops::Bound, path::Path};

use bytes::Bytes;

use crate::{Engine, kv::KvError};

/// Writes of a batch with whole keys; a value of none removes. Of several writes to one key the last counts.
pub(super) type Writes = Vec<(Vec<u8>, Option<Bytes>)>;

/// An engine as one ordered map. Panics inside an engine's code are caught by the caller.
///
/// [`KvError::NoSpace`] of any function means that the engine may be opened again, once there is space, without having
/// lost what was synced; a sync that failed in any other way means that nobody knows.
pub(super) trait Raw: Send + Sync + Sized {
    /// Which one.
    const ENGINE: Engine;

    /// Opens the files in a directory that exists, or makes them.
    fn open(dir: &Path) -> Result<Self, KvError>;

    /// The same for reading only, of a database that was made: nothing is written in the background, which would find no
    /// space on a full disk. None when the engine need not be told.
    fn open_quietly(dir: &Path) -> Option<Result<Self, KvError>> {
        let _ = dir;
        None
    }

    /// Whether it was not opened quietly, but can be.
    fn writes_by_itself(&self) -> bool {
        false
    }

    /// Makes the files of a new database durable, with their names.
    fn establish(&self) -> Result<(), KvError>;

    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, KvError>;

    /// Rows in key order from a bound on, until `visit` answers `false`.
    fn scan(&self, from: Bound<Vec<u8>>, visit: &mut dyn FnMut(&[u8], Bytes) -> bool) -> Result<(), KvError>;

    /// Applies a batch, atomically. One call at a time.
    fn apply(&self, writes: Writes) -> Result<(), KvError>;

    /// Returns when everything applied before survives a power cut. One call at a time.
    fn sync(&self) -> Result<(), KvError>;

    /// Bytes on disk.
    fn disk_bytes(&self) -> u64;
}
