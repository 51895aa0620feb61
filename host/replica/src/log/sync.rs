//! Syncs of the log, which may run beside its writer.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use numax_store::{DiskError, DiskFile};

/// What all syncs of a log have come to. They run one after the other: of two that run at once the system tells only one
/// of an error, and the other would pass for proof that the data is safe.
#[derive(Debug)]
pub(crate) struct Syncs {
    /// One has failed, or no more may succeed.
    failed: Mutex<bool>,
    /// Everything before is synced.
    synced: AtomicU64,
}

impl Syncs {
    /// Of a log that is synced up to here.
    pub(super) fn new(synced: u64) -> Self {
        Self { failed: Mutex::new(false), synced: AtomicU64::new(synced) }
    }

    fn failed(&self) -> MutexGuard<'_, bool> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn synced(&self) -> u64 {
        self.synced.load(Ordering::Acquire)
    }

    /// Everything before this position is synced.
    pub(super) fn reached(&self, position: u64) {
        self.synced.fetch_max(position, Ordering::AcqRel);
    }

    /// Lets none succeed any more; one that runs is waited for. Answers up to where all is synced.
    pub(super) fn settle(&self) -> u64 {
        *self.failed() = true;
        self.synced()
    }
}

/// A sync that may run beside the writer.
pub(crate) struct LogSync {
    file: Arc<dyn DiskFile>,
    until: u64,
    syncs: Arc<Syncs>,
}

impl LogSync {
    pub(super) fn new(file: Arc<dyn DiskFile>, until: u64, syncs: Arc<Syncs>) -> Self {
        Self { file, until, syncs }
    }

    /// Returns when everything written before the job was made survives a power cut.
    pub(crate) fn run(&self) -> Result<(), DiskError> {
        let mut failed = self.syncs.failed();
        if *failed {
            let source = io::Error::other("an earlier sync failed, so this one would prove nothing");
            return Err(DiskError::Io { what: "syncing the log".to_string(), source });
        }
        // Another job may have done it meanwhile.
        if self.syncs.synced() >= self.until {
            return Ok(());
        }
        let result = self.file.sync();
        match &result {
            Ok(()) => self.syncs.reached(self.until),
            Err(_) => *failed = true,
        }
        result
    }
}
