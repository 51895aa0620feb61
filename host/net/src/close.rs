//! Why connections end.

use std::fmt;

/// The code a connection is closed with; part of the protocol, so a number never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(pub u32);

impl CloseCode {
    /// The node shuts down in order; it will be back or not.
    pub const SHUTDOWN: Self = Self(1);
    /// Another connection between the two nodes is kept instead.
    pub const DUPLICATE: Self = Self(2);
    /// The peer is not let in.
    pub const REFUSED: Self = Self(3);
    /// The peer does not keep to the format.
    pub const MALFORMED: Self = Self(4);
    /// The peer does not take or give what was agreed in time.
    pub const TIMEOUT: Self = Self(5);
    /// A failure of our own.
    pub const INTERNAL: Self = Self(6);
    /// The protocol above ended it; the reason says why.
    pub const PROTOCOL: Self = Self(7);

    fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::SHUTDOWN => "shutdown",
            Self::DUPLICATE => "duplicate",
            Self::REFUSED => "refused",
            Self::MALFORMED => "malformed",
            Self::TIMEOUT => "timeout",
            Self::INTERNAL => "internal",
            Self::PROTOCOL => "protocol",
            _ => return None,
        })
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "code {}", self.0),
        }
    }
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// We closed it.
    #[error("closed by this node ({code}): {reason}")]
    Here {
        /// As what.
        code: CloseCode,
        /// Why, for people.
        reason: String,
    },
    /// The peer closed it.
    #[error("closed by the peer ({code}): {reason}")]
    Peer {
        /// As what.
        code: CloseCode,
        /// Why, in the peer's words, cut to a sane length and free of control characters.
        reason: String,
    },
    /// Nothing was heard from the peer for the idle time.
    #[error("nothing was heard from the peer for too long")]
    TimedOut,
    /// The line or the other side failed.
    #[error("the connection broke: {0}")]
    Broken(String),
}

impl Closed {
    /// We close it.
    pub fn here(code: CloseCode, reason: impl Into<String>) -> Self {
        Self::Here { code, reason: reason.into() }
    }

    /// What a peer says is shown to people: no control characters, no novel.
    pub(crate) fn peer(code: u32, reason: &[u8]) -> Self {
        let reason = String::from_utf8_lossy(reason).chars().filter(|c| !c.is_control()).take(200).collect();
        Self::Peer { code: CloseCode(code), reason }
    }

    /// The code, if either side gave one.
    pub fn code(&self) -> Option<CloseCode> {
        match self {
            Self::Here { code, .. } | Self::Peer { code, .. } => Some(*code),
            _ => None,
        }
    }
}
