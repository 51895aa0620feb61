//! What this crate promises, with real files and real tools.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod examples;
mod generated;
mod js;
mod python;
mod refusals;
mod sdk_names;
mod wit;
