//! What the tools promise, on real datastores of every engine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod diff;
mod input;
mod look;
mod nodes;
mod plant;
mod replay;
