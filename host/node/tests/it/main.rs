//! What this crate promises.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../../../runtime/tests/it/built.rs"]
mod built;
mod cluster;
mod config;
mod duplicate;
mod families;
mod snapshot;
mod world;
