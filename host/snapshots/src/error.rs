//! Why a snapshot could not be made, read or put back.

use std::{
    io::{self, ErrorKind},
    path::Path,
};

use numax_replica::OpenError;
use numax_store::KvError;

/// Why a snapshot could not be made, read or put back. Each says what was left as it was.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// There is no such snapshot.
    #[error("there is no snapshot {id} in {folder}; `numax snapshot list` shows what is there")]
    NotFound {
        /// What was asked for.
        id: String,
        /// Where.
        folder: String,
    },
    /// The beginning of an id fits several snapshots.
    #[error("{id} fits several snapshots: {found}; write more of the id")]
    Ambiguous {
        /// What was asked for.
        id: String,
        /// What fits.
        found: String,
    },
    /// There is one of that name already.
    #[error("{path} exists already; remove it, or choose another place")]
    Exists {
        /// What exists.
        path: String,
    },
    /// Another process is making a snapshot there.
    #[error("another process is writing a snapshot to {folder}; wait for it, or choose another folder")]
    Busy {
        /// The folder.
        folder: String,
    },
    /// What was written is not what is read.
    #[error(
        "{file} is damaged: {detail}; nothing was changed. Use another snapshot (`numax snapshot list`), or copy this \
         file again from where it came"
    )]
    Damaged {
        /// The file.
        file: String,
        /// What is wrong, and where in it.
        detail: String,
    },
    /// It was not written by numax.
    #[error("{file} is no numax snapshot: {detail}")]
    Foreign {
        /// The file.
        file: String,
        /// Why not.
        detail: String,
    },
    /// It was written by a newer program.
    #[error(
        "{what} has version {found}, this program reads up to {want}; use the program that wrote it ({program})"
    )]
    Newer {
        /// What has a version.
        what: String,
        /// The version found.
        found: u64,
        /// The newest known.
        want: u64,
        /// The program that wrote it.
        program: String,
    },
    /// Its rows lie in an engine that this program does not have.
    #[error(
        "the snapshot's rows are in engine {engine:?}, which this program does not have; export it with the program \
         that wrote it, and import the file here"
    )]
    Engine {
        /// The engine's name.
        engine: String,
    },
    /// It belongs to another cluster.
    #[error(
        "the snapshot is of cluster {found}, this datastore belongs to cluster {want}: the data of both would be mixed \
         on every node; if that is what you want, say --other-cluster"
    )]
    OtherCluster {
        /// The snapshot's cluster.
        found: String,
        /// The datastore's.
        want: String,
    },
    /// There is not enough room.
    #[error("{path} has {have} bytes free and {need} are needed; free some space. Nothing was changed")]
    NoRoom {
        /// Where.
        path: String,
        /// Bytes needed.
        need: u64,
        /// Bytes free.
        have: u64,
    },
    /// The system refused.
    #[error("{what} failed: {detail}")]
    Io {
        /// What was being done, with the path.
        what: String,
        /// The operating system's word.
        detail: String,
    },
    /// The datastore.
    #[error(transparent)]
    Datastore(#[from] OpenError),
    /// The engine.
    #[error(transparent)]
    Store(#[from] KvError),
}

/// Turns the system's error into ours.
pub(crate) fn failed(what: &str, path: &Path) -> impl FnOnce(io::Error) -> SnapshotError {
    let what = format!("{what} {}", path.display());
    move |error| {
        let full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
        let more = if full { "; free some space and try again" } else { "" };
        SnapshotError::Io { what, detail: format!("{error}{more}") }
    }
}

/// A damaged file.
pub(crate) fn damaged(file: impl std::fmt::Display, detail: impl Into<String>) -> SnapshotError {
    SnapshotError::Damaged { file: file.to_string(), detail: detail.into() }
}
