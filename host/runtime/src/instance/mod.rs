//! An instance: one component in one store, with its session, its limits and its empty WASI context.

mod cpu;
mod data;
mod memory;
mod store;

pub(crate) use data::Data;
pub(crate) use store::{Stdio, classify, metered, metered_start, new_store, refuel};
