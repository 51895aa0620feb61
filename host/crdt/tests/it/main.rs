//! What the crate promises: families converge under every causal order, and the batch format is frozen.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails may panic, also in its helpers")]

mod batch;
mod families;
mod history;
mod laws;
mod lists;
mod merge;
mod places;
mod rows;
mod text;
