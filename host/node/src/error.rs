//! Why a node cannot start or go on.

use std::path::PathBuf;

use numax_net::{IdentityError, NetError};
use numax_replica::OpenError;

/// Why a node cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The datastore.
    #[error("cannot open the datastore {}: {source}", path.display())]
    Datastore {
        /// Its folder.
        path: PathBuf,
        /// Why.
        source: OpenError,
    },
    /// Keys or certificates.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The cluster would be open to other machines, and nobody said whom to trust.
    #[error(
        "{reason}, so this node needs a certificate by your own authority; make both in two commands:\n  \
         numax ca init ./ca\n  \
         numax ca issue --ca ./ca --datastore {}",
        datastore.display()
    )]
    NeedsCertificate {
        /// Which address is not loopback.
        reason: String,
        /// The datastore to issue it for.
        datastore: PathBuf,
    },
    /// A peer or an allowed node is not written right.
    #[error("{0}")]
    Setting(String),
    /// The cluster's sockets.
    #[error(transparent)]
    Net(#[from] NetError),
    /// A snapshot.
    #[error(transparent)]
    Snapshot(#[from] numax_snapshots::SnapshotError),
    /// Something that ran in the background ended without an answer.
    #[error("{0}")]
    Internal(String),
}
