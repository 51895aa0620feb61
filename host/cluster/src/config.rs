//! What can be set, and who we are.

use numax_crdt::{NodeId, Origin};
use numax_wire::{ProtocolRange, SUPPORTED};

/// Who this node is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Hash of the node's public key.
    pub node: NodeId,
    /// What the node writes under now.
    pub origin: Origin,
    /// Hash of the authority's public key.
    pub cluster_id: [u8; 32],
    /// A name for people.
    pub name: String,
    /// Where others can dial this node, if anywhere.
    pub listen: Option<String>,
}

/// Settings. The defaults are right for a LAN and for a WAN; tests change them.
#[derive(Clone, Debug)]
pub struct Config {
    /// Protocol versions to offer.
    pub protocol: ProtocolRange,
    /// The mean time between two anti-entropy rounds in milliseconds; each is up to a fifth shorter or longer, so that
    /// nodes do not fall into step.
    pub sync_interval_ms: u64,
    /// How long a new link may take to say hello, in milliseconds.
    pub hello_timeout_ms: u64,
    /// How long a page may take to come before anti-entropy is free to ask somebody else, in milliseconds.
    pub pull_timeout_ms: u64,
    /// Bytes of batches in a page, unless a single batch is larger. Small enough that a page does not hold up the
    /// receiver for long, large enough that a round trip for each does not matter.
    pub page_bytes: usize,
    /// Pages being read from the log at once, over all links.
    pub reads_at_once: usize,
    /// Bytes of pushed batches from one link that may be on their way into the log; more are dropped.
    pub ingest_bytes: usize,
    /// Bytes that may wait in the transport of one link before pushes to it are dropped.
    pub backlog_bytes: u64,
    /// How long a transfer of state may stand still before it is given up, in milliseconds: a sender that comes back
    /// within that time is gone on with.
    pub transfer_patience_ms: u64,
    /// How long a node that holds back what it writes, after an old copy was put back, waits among peers that do the same
    /// before all of them go on, in milliseconds. Longer than a partition usually lasts: a peer that has settled may be
    /// on its other side.
    pub settle_patience_ms: u64,
    /// The same for a node that began empty: how long it meets only others that did before it takes the cluster for a new
    /// one, unless it has met all its peers before.
    pub join_patience_ms: u64,
    /// Added to the fanout: how many peers beyond the logarithm of the cluster's size get a push.
    pub fanout_extra: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            protocol: SUPPORTED,
            sync_interval_ms: 1_000,
            hello_timeout_ms: 10_000,
            pull_timeout_ms: 5_000,
            page_bytes: 256 * 1024,
            reads_at_once: 3,
            ingest_bytes: 16 * 1024 * 1024,
            backlog_bytes: 8 * 1024 * 1024,
            transfer_patience_ms: 60_000,
            settle_patience_ms: 60_000,
            join_patience_ms: 10_000,
            fanout_extra: 1,
        }
    }
}
