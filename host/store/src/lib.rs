//! What lies between the replica and the disk: the engine that holds rows ([`KvBackend`]) and the files of the log
//! ([`Disk`]).
//!
//! Both come twice: for real ([`open`], [`FsDisk`]) and in memory with the faults of real hardware
//! ([`mem::MemBackend`], [`MemDisk`], [`Faults`]), so that tests and simulation can crash them at every operation.
//! This crate knows nothing of replication: keys and values are bytes.

#![forbid(unsafe_code)]

pub mod disk;
pub mod fault;
pub mod kv;
pub mod mem;

mod rng;
mod sled_kv;

use std::{path::Path, sync::Arc};

pub use disk::{Disk, DiskError, DiskFile, fs::FsDisk, mem::MemDisk};
pub use fault::{FaultPlan, Faults, Survives};
pub use kv::{KvBackend, KvError, KvStats, MAX_ROW, Table, WriteBatch};

/// An engine to hold rows on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Engine {
    /// sled 0.34.
    #[default]
    Sled,
}

/// Opens the engine's files in `dir`, which is made when it is not there. Blocks.
///
/// # Errors
/// [`KvError::Foreign`], [`KvError::Schema`], [`KvError::Corrupt`], [`KvError::Locked`]: the directory is not what
/// this program can use, and was not changed. [`KvError::Io`], [`KvError::NoSpace`]: the system refused.
pub fn open(engine: Engine, dir: &Path) -> Result<Arc<dyn KvBackend>, KvError> {
    match engine {
        Engine::Sled => Ok(Arc::new(sled_kv::SledBackend::open(dir)?)),
    }
}
