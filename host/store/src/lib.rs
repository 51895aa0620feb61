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

mod engine;
mod fingerprint;
mod rng;
mod room;

pub use disk::{Disk, DiskError, DiskFile, fs::FsDisk, mem::MemDisk, view::ViewDisk, view::copy_dir};
pub use engine::{Engine, LOCK_PATIENCE, Options, engine_of, open, open_with};
pub use fault::{FaultPlan, Faults, Survives};
pub use fingerprint::{Fingerprint, fingerprint, for_each_row};
pub use kv::{KvBackend, KvError, KvStats, MAX_ROW, Schemas, Table, WriteBatch};
pub use room::{Low, Reserve, Room, Use, free_bytes};
