//! Puts a node together: its configuration, its datastore, its identity and its cluster, started
//! when they are needed and stopped in order.
//!
//! What a node does for its modules is [`Node`], which is the runtime's
//! [`Backend`](numax_runtime::Backend). The cluster's protocol is sans-IO; [`cluster`] is the one
//! task that carries its effects out.

mod cluster;
pub mod config;
mod datastore;
mod error;
mod identity;
mod node;
mod snapshots;

pub use error::NodeError;
pub use node::{ClusterAddress, Node};
pub use snapshots::cluster_of;
