//! What lies between the replica and the disk: the engine that holds rows ([`KvBackend`]) and the files of the log
//! ([`Disk`]).
//!
//! Both come twice: for real ([`open`], [`FsDisk`]) and in memory with the faults of real hardware
//! ([`mem::MemBackend`], [`MemDisk`]), so that tests and simulation can crash them at every operation. This crate
//! knows nothing of replication: keys and values are bytes.

#![forbid(unsafe_code)]

pub mod disk;
pub mod kv;

pub use disk::{Disk, DiskError, DiskFile};
pub use kv::{KvBackend, KvError, KvStats, Table, WriteBatch};
