//! The messages.

use crate::{ProtocolRange, WireError};
use bytes::Bytes;
use numax_crdt::{NodeId, Origin, VersionVector};

/// Which of a connection's streams a message takes. Order holds within a class only, so a big page on `Bulk` never
/// delays a small message on `Control`.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Small messages that keep a link alive and nodes in step.
    Control = 0,
    /// New operations, pushed as they happen.
    Ops = 1,
    /// Pages of older operations.
    Bulk = 2,
}

impl Class {
    /// The class with this number.
    #[must_use]
    pub fn from_u8(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Control),
            1 => Some(Self::Ops),
            2 => Some(Self::Bulk),
            _ => None,
        }
    }
}

/// The first message on a link, in both directions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The protocol versions that the sender speaks.
    pub protocol: ProtocolRange,
    /// SHA-256 of the authority's public key. Nodes of different clusters do not talk.
    pub cluster_id: [u8; 32],
    /// The sender; must be what the transport authenticated.
    pub node: NodeId,
    /// Under which origin the sender writes now.
    pub origin: Origin,
    /// Random per process: tells a node that dialled itself from a copy of its datastore.
    pub instance: u64,
    /// A name for people; not unique.
    pub name: String,
    /// Where others can dial the sender, if anywhere, as `host:port`.
    pub listen: Option<String>,
    /// Optional features, one bit each; a bit that is not known is ignored.
    pub features: u64,
}

/// The bit of [`Hello::features`] of a node that understands [`Message::Acks`], [`Message::Behind`],
/// [`Message::PullState`] and [`Message::State`]. To others they are not sent.
pub const FORGETTING: u64 = 1;

/// One message between two nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Who the sender is. First on every link.
    Hello(Hello),
    /// Digest of the sender's version vector: "do we have the same?". Not answered if so.
    Digest([u8; 16]),
    /// The sender's version vector: what it has applied.
    Vector(VersionVector),
    /// "Send me one page of what `after` does not cover."
    Pull {
        /// Chosen by the sender, given back in the page.
        id: u64,
        /// What the sender has applied.
        after: VersionVector,
    },
    /// Batches that the sender has just applied, encoded, in the order it applied them.
    Push(Vec<Bytes>),
    /// The answer to a [`Message::Pull`].
    Batches {
        /// The number of the request.
        id: u64,
        /// Encoded batches in the order the sender applied them.
        batches: Vec<Bytes>,
        /// Whether the sender had nothing more for that request.
        done: bool,
    },
    /// What members of the cluster have received for certain, the sender first: a member's origin, and a vector that
    /// survives a power cut there.
    Acks(Vec<(Origin, VersionVector)>),
    /// The answer to a [`Message::Pull`] when the sender's log does not reach back to what the receiver lacks, or not
    /// past what it has sent: ask another, or for a transfer of state.
    Behind {
        /// The number of the request.
        id: u64,
    },
    /// "Send me a page of your state."
    PullState {
        /// Chosen by the sender, given back in the page.
        id: u64,
        /// Which of the receiver's pictures of its state the pages before were of; 0 for none.
        picture: u64,
        /// The name that the page begins after; empty for the beginning.
        from: Bytes,
        /// What the picture of the first page knew; empty at the beginning.
        floor: VersionVector,
    },
    /// The answer to a [`Message::PullState`].
    State {
        /// The number of the request.
        id: u64,
        /// Which picture of the sender's state it is of.
        picture: u64,
        /// The page, as the replica encodes it.
        page: Bytes,
    },
    /// Something is wrong; most errors end the link.
    Error(WireError),
    /// An optional message that this build does not know. To be ignored.
    Skipped {
        /// Its type; the high bit is set.
        kind: u16,
    },
}

pub(crate) const HELLO: u16 = 1;
pub(crate) const DIGEST: u16 = 2;
pub(crate) const VECTOR: u16 = 3;
pub(crate) const PULL: u16 = 4;
pub(crate) const PUSH: u16 = 5;
pub(crate) const BATCHES: u16 = 6;
pub(crate) const ERROR: u16 = 7;
pub(crate) const ACKS: u16 = 0x8010;
pub(crate) const BEHIND: u16 = 0x8011;
pub(crate) const PULL_STATE: u16 = 0x8012;
pub(crate) const STATE: u16 = 0x8013;
/// Types from here on may be skipped by who does not know them.
pub(crate) const OPTIONAL: u16 = 0x8000;

impl Message {
    /// The stream that the message takes.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Push(_) => Class::Ops,
            Self::Batches { .. } | Self::State { .. } => Class::Bulk,
            _ => Class::Control,
        }
    }

    /// The number that stands for the message's type in a frame.
    #[must_use]
    pub fn kind(&self) -> u16 {
        match self {
            Self::Hello(_) => HELLO,
            Self::Digest(_) => DIGEST,
            Self::Vector(_) => VECTOR,
            Self::Pull { .. } => PULL,
            Self::Push(_) => PUSH,
            Self::Batches { .. } => BATCHES,
            Self::Acks(_) => ACKS,
            Self::Behind { .. } => BEHIND,
            Self::PullState { .. } => PULL_STATE,
            Self::State { .. } => STATE,
            Self::Error(_) => ERROR,
            Self::Skipped { kind } => *kind,
        }
    }

    /// The type's name, for logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Hello(_) => "hello",
            Self::Digest(_) => "digest",
            Self::Vector(_) => "vector",
            Self::Pull { .. } => "pull",
            Self::Push(_) => "push",
            Self::Batches { .. } => "batches",
            Self::Acks(_) => "acks",
            Self::Behind { .. } => "behind",
            Self::PullState { .. } => "pull state",
            Self::State { .. } => "state",
            Self::Error(_) => "error",
            Self::Skipped { .. } => "skipped",
        }
    }
}
