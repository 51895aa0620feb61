//! The protocol, driven by hand and between nodes in memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod handshake;
mod mesh;
mod node;
mod pages;
mod pushes;
mod rounds;
mod settle;
mod state;
