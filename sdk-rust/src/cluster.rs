//! The members of the cluster, as this node sees them.

use crate::bindings::imports::numax::runtime::cluster as raw;
use crate::{NodeId, Result};

pub use raw::{Peer, PeerState};

/// The id of the node that this guest runs on. Needs no grant.
///
/// # Errors
/// `Unavailable` when the node has no identity, because its storage cannot be opened.
pub fn self_id() -> Result<NodeId> {
    Ok(raw::self_id()?)
}

/// The other members that this node knows. Needs `net.peers` in the policy.
///
/// # Errors
/// `Denied`, `Unavailable`.
pub fn peers() -> Result<Vec<Peer>> {
    Ok(raw::peers()?)
}
