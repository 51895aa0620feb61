//! The node protocol: who is ready, what to push to whom, and how two nodes find out what each of them lacks.
//!
//! Sans-IO: [`Cluster::step`] takes the time, an [`Event`] and gives [`Effect`]s. It opens no socket, reads no clock or
//! log and draws randomness only from the seed it was made with; it iterates nothing whose order is left to chance and
//! decides nothing with floats. The same code runs under tokio in a node and under the simulator, and the same events
//! give the same effects.
//!
//! # How batches spread
//! 1. **Push.** A batch that was applied here for the first time, written here or received, goes to K ready peers that
//!    are not known to have it ([`fanout`]). It is pushed once and then forgotten. Push makes operations fast; it is
//!    allowed to fail, and under load it is dropped.
//! 2. **Anti-entropy.** About once a second a random ready peer gets the digest of our version vector, and at once when
//!    it becomes ready. If its own differs it answers with its vector. Who sees that it lacks something pulls pages from
//!    the other's log until it has everything; who sees that only the other lacks something says its own vector, so that
//!    the other can pull. Whatever push lost, this brings, also after a long absence.
//!
//! Version vectors suffice because batches are numbered without gaps per origin and applied in causal order: a vector
//! names exactly the set of batches that a node has.
//!
//! # Forgetting
//! With anti-entropy nodes also tell each other what every member has received for certain, so that each can forget
//! what all have (`acks`). Who lacks what the others have forgotten gets a transfer of their state (`state`). Both are
//! optional messages: they are sent to peers only whose hello says that they understand them.
//!
//! After an old copy of its datastore was put back a node holds back what it writes until it has caught up (`settle`).
//!
//! # What bounds memory
//! A node has one page asked for at a time, and asks for the next one when the last was applied. It reads at most one
//! page per link and a few at once. Pushes to a peer whose transport is behind, and pushes from a peer whose batches we
//! cannot apply fast enough, are dropped.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod acks;
mod cluster;
mod config;
mod event;
pub mod fanout;
mod hello;
mod link;
mod push;
mod serve;
mod settle;
mod state;
mod sync;

pub use cluster::Cluster;
pub use config::{Config, Identity};
pub use event::{Effect, Event, IngestOutcome, LinkId, Millis, PeerView, Report};
pub use numax_replica::{Ack, LogCursor, PageRequest, SentPage, TransferState};
