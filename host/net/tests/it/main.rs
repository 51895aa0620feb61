//! The crate's promises, kept with real files and real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers as well"
)]

mod figures;
mod identity;
mod manager;
mod refusals;
mod rogue;
mod support;
