//! What a node tells its peer when it will not go on.

use crate::ProtocolRange;
use std::time::Duration;
use thiserror::Error;

/// An error as one node tells it to another, and as the reason of a closed link.
///
/// "This node" in the texts is the one that raised the error; a node that received one should say so when it prints
/// it. The numeric codes are stable: they are also the transport's close codes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WireError {
    /// The two nodes share no protocol version.
    #[error(
        "no common protocol version: this node speaks {ours}, the peer {theirs}; update the older of the two nodes"
    )]
    ProtocolMismatch {
        /// What the node that raised this speaks.
        ours: ProtocolRange,
        /// What its peer offered.
        theirs: ProtocolRange,
    },
    /// The peer belongs to another cluster, that is, to another authority.
    #[error("the peer belongs to another cluster; give both nodes certificates of the same authority")]
    ClusterMismatch,
    /// Two live nodes write under one origin: a datastore was copied and both copies run.
    #[error(
        "another live node writes under this node's origin: its datastore is a copy; stop one of the two, \
         and restore the copy instead of copying its files"
    )]
    DuplicateOrigin,
    /// A batch was refused.
    #[error("a batch was refused: {detail}")]
    OpRejected {
        /// What was wrong with it.
        detail: String,
    },
    /// The peer asks for more than this node gives at the moment.
    #[error("too much asked for at once; ask again in {retry_after_ms} ms")]
    RateLimited {
        /// When to ask again, in milliseconds.
        retry_after_ms: u64,
    },
    /// The peer is not who it says it is, or not allowed here.
    #[error("not authorised: {detail}")]
    NotAuthorized {
        /// Which check failed.
        detail: String,
    },
    /// A message made no sense, or came when it may not.
    #[error("malformed message: {detail}")]
    Malformed {
        /// What was wrong with it.
        detail: String,
    },
    /// Something failed inside the node that raised this.
    #[error("internal error: {detail}")]
    Internal {
        /// What failed.
        detail: String,
    },
    /// The node is shutting down.
    #[error("the node is shutting down")]
    Shutdown,
}

impl WireError {
    /// The stable number of the error's kind, from 1.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::ProtocolMismatch { .. } => 1,
            Self::ClusterMismatch => 2,
            Self::DuplicateOrigin => 3,
            Self::OpRejected { .. } => 4,
            Self::RateLimited { .. } => 5,
            Self::NotAuthorized { .. } => 6,
            Self::Malformed { .. } => 7,
            Self::Internal { .. } => 8,
            Self::Shutdown => 9,
        }
    }

    /// Whether trying again is useless until a person changes something. Such an error is shown to that person;
    /// reconnecting goes on, but rarely.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        matches!(
            self,
            Self::ProtocolMismatch { .. }
                | Self::ClusterMismatch
                | Self::DuplicateOrigin
                | Self::NotAuthorized { .. }
        )
    }

    /// Whether the link ends with this error. Only being asked to slow down leaves it open.
    #[must_use]
    pub fn closes_link(&self) -> bool {
        !matches!(self, Self::RateLimited { .. })
    }

    /// How long to leave the peer alone after the `attempt`-th such error in a row, from 0; without jitter, which the
    /// caller adds.
    ///
    /// Fatal errors wait a minute at once, because only a person can mend them and a minute is still short for one.
    /// Others double from a start that says how soon the cause may be gone, up to 30 seconds.
    #[must_use]
    pub fn backoff(&self, attempt: u32) -> Duration {
        let (start, most) = match self {
            Self::ProtocolMismatch { .. }
            | Self::ClusterMismatch
            | Self::DuplicateOrigin
            | Self::NotAuthorized { .. } => (60_000, 300_000),
            Self::RateLimited { retry_after_ms } => (*retry_after_ms, (*retry_after_ms).max(30_000)),
            Self::OpRejected { .. } | Self::Malformed { .. } => (5_000, 30_000),
            Self::Internal { .. } | Self::Shutdown => (1_000, 30_000),
        };
        let doubled = u64::saturating_mul(start, 1_u64.checked_shl(attempt).unwrap_or(u64::MAX));
        Duration::from_millis(doubled.min(most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_to_its_limit_and_never_overflows() {
        let error = WireError::Shutdown;
        assert_eq!(error.backoff(0), Duration::from_secs(1));
        assert_eq!(error.backoff(3), Duration::from_secs(8));
        for attempt in [10, 63, 64, u32::MAX] {
            assert_eq!(error.backoff(attempt), Duration::from_secs(30));
        }
        assert_eq!(WireError::ClusterMismatch.backoff(0), Duration::from_secs(60));
        let slow = WireError::RateLimited { retry_after_ms: 90_000 };
        assert_eq!(slow.backoff(5), Duration::from_secs(90));
        assert!(!slow.closes_link() && !slow.is_fatal());
    }
}
