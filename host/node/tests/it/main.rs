//! What this crate promises.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../../../runtime/tests/it/built.rs"]
mod built;
mod cluster;
mod config;
mod duplicate;
mod families;
#[path = "../../../runtime/tests/it/logs.rs"]
mod logs;
mod snapshot;
mod told;
mod world;
