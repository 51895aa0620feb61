//! The runtime with real guests over a real replica.
#![cfg(feature = "components")]

mod client;
mod commands;
mod denials;
mod failures;
mod guests;
mod handlers;
mod http;
mod limits;
mod loading;
mod logs;
mod node;
mod server;
mod turns;
