//! What this crate promises: files that are right mean what they say, files that are wrong are
//! told apart by exactly these words.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod files;
mod init;
mod policy;
