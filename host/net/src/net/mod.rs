//! The manager: one connection per pair of nodes, kept alive, found again, and never a reason to wait for another.
//!
//! Tasks: one accepts, one per configured address dials, and each link has one that owns its connection, a writer per
//! class and a reader per stream. They share a table of links behind a mutex that is never held across an await.
//!
//! A link begins with a short exchange on a stream of its own: the dialler says READY, the acceptor answers READY. In TLS
//! 1.3 the dialler finishes its handshake before the acceptor has judged it; READY tells it that it was let in. The
//! dialler looks into its table before it says READY, the acceptor when it hears it (see [`table`]).

mod accept;
mod config;
mod dial;
mod events;
mod handle;
mod link;
mod outbox;
mod ready;
mod report;
mod shared;
mod table;

pub use config::{NetConfig, NetError, Timing};
pub use events::{NetEvent, NetEvents};
pub use handle::{LinkInfo, Net, NetHandle};
pub use outbox::SendError;
pub use report::{Direction, Problem, Report};

/// How many classes of frames there are; each has a stream and a queue of its own per link, so that a long answer in one
/// does not hold up another. A lower class is sent first.
pub const CLASSES: u8 = 3;
