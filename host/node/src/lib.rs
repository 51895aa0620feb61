//! Puts a node together: its configuration, its datastore, its identity, its cluster and its
//! modules, started and stopped in order.

pub mod config;
