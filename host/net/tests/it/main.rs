//! The crate's promises, kept with real files and real sockets.

mod figures;
mod identity;
mod manager;
mod refusals;
mod rogue;
mod support;
