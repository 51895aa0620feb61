//! The lock of a datastore that is looked at.

use std::{
    fs::{self, File},
    io::ErrorKind,
    path::Path,
    time::Instant,
};

use numax_store::LOCK_PATIENCE;
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use super::RestError;
use crate::error::OpenError;

/// Keeps a node from starting while the datastore is read; several may read. None where no node ever was: a copy
/// without the lock's file, which is not made here.
pub(super) fn lock_to_read(dir: &Path) -> Result<Option<File>, RestError> {
    let path = dir.join("lock");
    let io = |what: &str, error: std::io::Error| RestError::Open {
        path: dir.display().to_string(),
        source: OpenError::Io { what: format!("{what} {}", path.display()), detail: error.to_string() },
    };
    if !fs::metadata(dir).is_ok_and(|dir| dir.is_dir()) {
        return Err(RestError::NoDatastore { path: dir.display().to_string() });
    }
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io("opening", error)),
    };
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => return Ok(Some(file)),
            Err(Errno::WOULDBLOCK) if Instant::now() < deadline => {
                std::thread::sleep(LOCK_PATIENCE / 20);
            }
            Err(Errno::WOULDBLOCK) => {
                return Err(RestError::InUse { path: dir.display().to_string() });
            }
            Err(error) => return Err(io("locking", error.into())),
        }
    }
}
