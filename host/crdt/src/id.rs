//! Who wrote something: node, origin and dot.

use std::{fmt, str::FromStr};

/// A node's name: the SHA-256 of its public key (SPKI, DER). It never changes for a datastore.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NodeId(pub [u8; 32]);

impl NodeId {
    /// The first eight hexadecimal digits, for people and logs. Not unique by contract.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(8);
        text
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({})", self.short())
    }
}

/// A text that is not a node id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a node id is 64 hexadecimal digits, this is {text:?}; `numax id` prints the id of a node")]
pub struct ParseNodeIdError {
    /// The text that was given, cut to 80 characters.
    pub text: String,
}

impl FromStr for NodeId {
    type Err = ParseNodeIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut id = [0; 32];
        match hex::decode_to_slice(text, &mut id) {
            Ok(()) => Ok(Self(id)),
            Err(_) => Err(ParseNodeIdError { text: text.chars().take(80).collect() }),
        }
    }
}

/// One uninterrupted life of a node's datastore: all its writes are numbered within it.
///
/// A new epoch begins when the datastore was restored, imported or cloned; the nonce is random, so that two clones
/// that start apart cannot meet on one origin. The order (node, epoch, nonce) breaks ties between equal timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Origin {
    /// The node that writes.
    pub node: NodeId,
    /// How often its datastore began anew.
    pub epoch: u64,
    /// Drawn when the epoch began.
    pub nonce: u64,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{:016x}", self.node.short(), self.epoch, self.nonce)
    }
}

/// The name of one batch: the `seq`-th of its origin, counted from 1 without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dot {
    /// Whose batch.
    pub origin: Origin,
    /// Its number, from 1.
    pub seq: u64,
}

impl fmt::Display for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.origin, self.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_ids_round_trip_as_text_and_refuse_anything_else() {
        let id = NodeId(std::array::from_fn(|i| i as u8));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.short(), "00010203");
        for bad in ["", "00", &"g".repeat(64), &"0".repeat(63), &"0".repeat(66)] {
            assert!(bad.parse::<NodeId>().is_err(), "{bad:?} was taken for a node id");
        }
    }

    #[test]
    fn origins_order_by_node_then_epoch_then_nonce() {
        let of = |node, epoch, nonce| Origin { node: NodeId([node; 32]), epoch, nonce };
        let sorted = [of(0, 9, 9), of(1, 0, 9), of(1, 1, 0), of(1, 1, 1)];
        assert!(sorted.is_sorted());
    }
}
