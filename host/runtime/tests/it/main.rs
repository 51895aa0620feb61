//! The runtime with real guests over a real replica.
#![cfg(feature = "components")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod built;
mod client;
mod commands;
mod denials;
mod deterministic;
mod failures;
mod families;
mod guests;
mod handlers;
mod held;
mod http;
mod limits;
mod loading;
mod logs;
mod node;
mod server;
mod texts;
mod turns;
