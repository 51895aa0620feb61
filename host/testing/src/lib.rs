//! Real servers of others that tests start: installed when they are needed, on a free port, gone with the test.
//!
//! - [`S3Server`]: an S3-compatible object store.
//!
//! Only tests depend on this crate.

#![forbid(unsafe_code)]
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot be prepared fails by panicking")]

mod install;
mod s3;

pub use s3::{S3Server, Tls};
