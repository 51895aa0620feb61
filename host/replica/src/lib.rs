//! The replicated keyspace of one node: an append-only log of batches, rows in an engine, and the turn's open draft.
//!
//! - [`Draft`] is what a guest's turn writes; [`Reader`] is what it reads from.
//! - [`Core`] is the datastore as a deterministic machine without threads, clock or sockets; the simulator runs it.
//! - [`Replica`] puts threads around a core: group commit, syncing, moving rows to the engine.
//!
//! Below the datastore's directory: `log/` (segments of the log), `rows/` (the engine), `meta.json` (whose datastore it
//! is and under which origin it writes), `lock`.
//!
//! **The log is the truth.** A commit is an append. Rows in the engine carry the log position that they include and
//! may lag; opening replays the log from there. The log is synced up to a position before the engine may carry it.

#![forbid(unsafe_code)]

mod applied;
pub mod at_rest;
mod config;
pub mod core;
mod draft;
mod error;
pub mod forget;
mod log;
mod meta;
pub mod migrate;
mod planted;
mod reader;
pub mod repair;
mod replica;
mod rows;
pub mod schema;
mod seldom;
mod settling;
pub mod snapshot;
mod texts;
pub mod transfer;

pub use self::core::{
    Clocks, CommitTicket, Core, GroupOutcome, Health, Ingested, LogPage, Request, Response,
};
pub use applied::{Applied, Change};
pub use config::{CoreConfig, Durability, Given, ReplicaConfig};
pub use draft::{Draft, IdSeed, ListPage, Loaded, LocalBatch, Miss, Page, WriterId};
pub use error::{CommitError, DraftError, LogError, OpenError};
pub use forget::{Ack, Forgot, Member, Members, StaticMembers};
pub use log::{LogCursor, LogStats};
pub use meta::{HostFacts, mark_restored};
pub use numax_store::{Engine, Table};
#[cfg(feature = "planted-bugs")]
pub use planted::Planted;
pub use reader::{Mark, Reader};
pub use replica::{DirLock, Durable, Replica, engine_of, lock};
pub use rows::frozen::{FrozenError, FrozenPage, FrozenRows};
pub use seldom::Seldom;
pub use settling::Settling;
pub use texts::{Busy, Permit};
pub use transfer::{PageRequest, SentPage, TransferState, Transferred};
