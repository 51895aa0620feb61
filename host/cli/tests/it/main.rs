//! The program as its users meet it: exit codes, stdout for data, stderr for the rest.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod ca;
mod datastore;
mod policy;
mod program;
mod run;
mod snapshot;
#[cfg(feature = "object-store")]
mod snapshot_bucket;
mod tools;
mod usage;
