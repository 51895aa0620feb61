//! What this crate promises.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod cluster;
mod config;
mod duplicate;
mod snapshot;
mod world;
