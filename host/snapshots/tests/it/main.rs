//! What snapshots promise, on real files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[cfg(feature = "object-store")]
mod bucket;
mod common;
mod create;
mod damage;
mod kill;
#[path = "../../../replica/tests/it/next_schema.rs"]
#[allow(dead_code, reason = "the replica's tests use more of it")]
mod next_schema;
mod portable;
mod rebuild;
mod restore;
mod schema;
