//! A disk whose syncs wait until they are let go: what was appended stays visible and not durable for as long as a test
//! likes.

use bytes::Bytes;
use numax_store::{Disk, DiskError, DiskFile};
use std::sync::{Arc, Condvar, Mutex};

/// Holds syncs up.
#[derive(Default)]
pub struct Hold {
    held: Mutex<bool>,
    changed: Condvar,
}

impl Hold {
    /// From now on syncs wait, or do not any more.
    pub fn set(&self, held: bool) {
        *self.held.lock().unwrap() = held;
        self.changed.notify_all();
    }

    fn pass(&self) {
        drop(self.changed.wait_while(self.held.lock().unwrap(), |held| *held).unwrap());
    }
}

/// The disk, or a file of it.
pub struct Held<T: ?Sized>(pub Arc<T>, pub Arc<Hold>);

impl Held<dyn Disk> {
    fn file(&self, file: Result<Arc<dyn DiskFile>, DiskError>) -> Result<Arc<dyn DiskFile>, DiskError> {
        Ok(Arc::new(Held(file?, self.1.clone())))
    }
}

impl Disk for Held<dyn Disk> {
    fn list(&self, dir: &str) -> Result<Vec<String>, DiskError> {
        self.0.list(dir)
    }
    fn create_dir(&self, dir: &str) -> Result<(), DiskError> {
        self.0.create_dir(dir)
    }
    fn create(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError> {
        self.file(self.0.create(name))
    }
    fn open_append(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError> {
        self.file(self.0.open_append(name))
    }
    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        self.0.rename(from, to)
    }
    fn remove(&self, name: &str) -> Result<(), DiskError> {
        self.0.remove(name)
    }
    fn sync_dir(&self, dir: &str) -> Result<(), DiskError> {
        self.0.sync_dir(dir)
    }
}

impl DiskFile for Held<dyn DiskFile> {
    fn append(&self, bytes: &[u8]) -> Result<(), DiskError> {
        self.0.append(bytes)
    }
    fn read_at(&self, offset: u64, len: usize) -> Result<Bytes, DiskError> {
        self.0.read_at(offset, len)
    }
    fn sync(&self) -> Result<(), DiskError> {
        self.1.pass();
        self.0.sync()
    }
    fn truncate(&self, len: u64) -> Result<(), DiskError> {
        self.0.truncate(len)
    }
    fn len(&self) -> Result<u64, DiskError> {
        self.0.len()
    }
}
