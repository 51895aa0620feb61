//! The crate's promises: frames keep their bytes, round trips lose nothing, no input makes the decoder panic.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod golden;
mod properties;
