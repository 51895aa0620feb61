//! What snapshots promise, on real files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[cfg(feature = "object-store")]
mod bucket;
mod common;
mod create;
mod damage;
mod kill;
mod portable;
mod rebuild;
mod restore;
