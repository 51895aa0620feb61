//! Forgetting: what the log and the rows need not keep, and how a node knows.
//!
//! - [`members`]: who belongs to the cluster and what each has certainly received (*acknowledgements*).
//! - [`receipts`]: what this node itself has certainly received, to tell the others.
//! - [`trim`]: segments of the log that go.
//! - [`collect`]: tombstones that go.
//! - [`stale`]: what is left of transfers of state that were given up.
//!
//! All of it is decided by each node for itself, from acknowledgements alone, and nothing of it is logged: a crash takes
//! back what had not reached the engine, and it is decided again.

mod collect;
mod members;
mod receipts;
mod stale;
mod trim;

pub(crate) use collect::Collector;
pub use members::{Ack, Member, Members, StaticMembers};
pub(crate) use receipts::Receipts;
pub use trim::Forgot;
