//! Bugs on purpose, so that a simulator can show that it would find them.
//!
//! Without the feature `planted-bugs` nothing of this can be switched on, and the compiler removes the questions.

use std::sync::Arc;

use numax_store::Disk;

use crate::{
    config::{CoreConfig, Durability},
    meta::{HostFacts, Meta},
    settling::Settling,
};

/// A bug to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// The epoch goes on whatever happened to the datastore, so that dots are used again.
    DotReuse,
    /// The log is not synced, though syncing says it succeeded.
    SkippedFsync,
    /// Batches of others are applied again when they come again.
    DoubleApply,
    /// Batches do not wait for those of others that they depend on.
    NoCausality,
    /// Tombstones go by acknowledgements that cover what has not been applied here.
    EarlyCollection,
    /// A transfer of state keeps rows that the sender has removed.
    KeptRows,
    /// A record that is torn at the log's end stays there, and the next stands behind it.
    KeptTail,
    /// A damaged record at the log's end passes for a torn one, and for one that nobody was told of.
    DamageIsTorn,
    /// A group that could not be appended is answered as if it had been.
    AnsweredAnyway,
    /// Batches carry what the wall clock says, also when it was set back.
    BareClock,
    /// What is written over a row has a time that does not know of the row's.
    BlindWrites,
    /// What an engine holds at the start counts as synced, though the last process may have left that to the system.
    TrustedEngine,
    /// Every start begins a new epoch.
    EpochAtEachStart,
    /// A node that finds its origin elsewhere goes on writing.
    TwinWrites,
    /// Under `fsync`, what is appended leaves before it is synced.
    LeavesUnsynced,
    /// A node that began empty holds nothing back.
    NewcomerWrites,
    /// A node that was put back to an old copy holds nothing back.
    RestoredWrites,
    /// Pages of a transfer are merged as they come.
    MergedByHalves,
}

impl CoreConfig {
    /// Whether the core is to have this bug.
    pub(crate) fn has_bug(&self, bug: Planted) -> bool {
        #[cfg(feature = "planted-bugs")]
        return self.planted == Some(bug);
        #[cfg(not(feature = "planted-bugs"))]
        {
            let _ = bug;
            false
        }
    }
}

/// What the datastore's file would say if nothing had happened to it.
pub(crate) fn innocent(found: Meta, facts: &HostFacts) -> Meta {
    Meta {
        boot_id: facts.boot_id.clone(),
        disk_id: facts.disk_id.clone(),
        durability: Durability::Fsync.config_name().to_string(),
        clean_end: None,
        restored: false,
        settling: Settling::Settled.into(),
        ..found
    }
}

/// The disk, or one that forgets to do something to the log's files.
pub(crate) fn disk(disk: Arc<dyn Disk>, config: &CoreConfig) -> Arc<dyn Disk> {
    let forgets =
        Forgets { sync: config.has_bug(Planted::SkippedFsync), truncate: config.has_bug(Planted::KeptTail) };
    match forgets {
        Forgets { sync: false, truncate: false } => disk,
        forgets => Arc::new(forgetful::Forgetful(disk, forgets)),
    }
}

/// What a disk forgets.
#[derive(Debug, Clone, Copy)]
struct Forgets {
    sync: bool,
    truncate: bool,
}

mod forgetful {
    use bytes::Bytes;
    use numax_store::{Disk, DiskError, DiskFile};

    use super::{Arc, Forgets};

    /// A disk that forgets to do something to the log's files.
    pub(super) struct Forgetful<T: ?Sized>(pub Arc<T>, pub Forgets);

    fn forgetful(
        name: &str,
        file: Result<Arc<dyn DiskFile>, DiskError>,
        forgets: Forgets,
    ) -> Result<Arc<dyn DiskFile>, DiskError> {
        let log = name.starts_with(crate::log::DIR);
        file.map(|file| if log { Arc::new(Forgetful(file, forgets)) as Arc<dyn DiskFile> } else { file })
    }

    impl Disk for Forgetful<dyn Disk> {
        fn list(&self, dir: &str) -> Result<Vec<String>, DiskError> {
            self.0.list(dir)
        }
        fn create_dir(&self, dir: &str) -> Result<(), DiskError> {
            self.0.create_dir(dir)
        }
        fn create(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError> {
            forgetful(name, self.0.create(name), self.1)
        }
        fn open_append(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError> {
            forgetful(name, self.0.open_append(name), self.1)
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

    impl DiskFile for Forgetful<dyn DiskFile> {
        fn append(&self, bytes: &[u8]) -> Result<(), DiskError> {
            self.0.append(bytes)
        }
        fn read_at(&self, offset: u64, len: usize) -> Result<Bytes, DiskError> {
            self.0.read_at(offset, len)
        }
        fn sync(&self) -> Result<(), DiskError> {
            if self.1.sync { Ok(()) } else { self.0.sync() }
        }
        fn truncate(&self, len: u64) -> Result<(), DiskError> {
            if self.1.truncate { Ok(()) } else { self.0.truncate(len) }
        }
        fn len(&self) -> Result<u64, DiskError> {
            self.0.len()
        }
    }
}
