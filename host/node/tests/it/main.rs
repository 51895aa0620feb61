//! What this crate promises.

mod config;
