//! What the replica promises, on simulated hardware where it can be, on real files where it must.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod basics;
mod child;
mod common;
mod cost;
mod crash;
mod draft;
mod epochs;
mod faults;
mod flips;
mod forget;
mod frozen;
mod full_disk;
mod held;
mod ingest;
mod large;
mod limits;
mod lists;
mod logged;
mod logs;
mod migrate;
mod misses;
mod next_schema;
mod pack;
mod repair;
mod schema;
#[path = "../../../store/tests/it/small_disk.rs"]
mod small_disk;
#[cfg(feature = "text")]
mod text;
mod threads;
mod transfer;
mod wrong_rows;
