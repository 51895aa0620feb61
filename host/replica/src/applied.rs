//! Change notices: what was applied, in the order of the log.

use bytes::Bytes;
use numax_crdt::{Dot, Key, Kind, OpKind};

use crate::draft::WriterId;

/// A batch, or a page of a peer's rows, that was applied and is committed at the configured durability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The log position behind it.
    pub position: u64,
    /// Its name. A page of rows has none: then only the node of the origin means something, and says who sent it.
    pub dot: Dot,
    /// Its bytes, as they go to peers; none for a page of rows.
    pub bytes: Bytes,
    /// Whether it goes to peers as a batch. Not while it is held back; when it is so no longer it comes again, with what
    /// changed for a reader by that. Nor what came as rows.
    pub for_peers: bool,
    /// Whether it came from a peer.
    pub remote: bool,
    /// Which guest's instance wrote it, if it was written here.
    pub writer: Option<WriterId>,
    /// What changed for a reader: one entry per value, with the last operation's kind.
    pub changes: Vec<Change>,
}

/// One value has changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// The value's kind.
    pub kind: Kind,
    /// The value's key.
    pub key: Key,
    /// The last operation on it.
    pub op: OpKind,
}
