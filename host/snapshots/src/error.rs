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
    /// It was written by an older program.
    #[error(
        "{what} has version {found}, this program writes {want}: restore it with the program that wrote it ({program}), \
         and bring the datastore up to date with `numax migrate` of this one; nothing was changed"
    )]
    Older {
        /// What has a version.
        what: String,
        /// The version found.
        found: u64,
        /// The one of this program.
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
    /// Where snapshots lie is not written right.
    #[error(transparent)]
    Location(#[from] crate::LocationError),
    /// This program was built without object stores.
    #[error(
        "{url} is in an object store, and this numax was built without: build it with its feature object-store, or use \
         a folder"
    )]
    NoObjectStores {
        /// The place.
        url: String,
    },
    /// A variable is wrong.
    #[error("{name} is wrong: {detail}")]
    Setting {
        /// Its name.
        name: String,
        /// Why.
        detail: String,
    },
    /// The way to an object store is not encrypted.
    #[error(
        "{endpoint} would be reached without encryption: use https://, or say that you want that with allow_http=true in \
         the URL or AWS_ALLOW_HTTP=true"
    )]
    PlainHttp {
        /// The server.
        endpoint: String,
    },
    /// There is no such bucket.
    #[error(
        "there is no bucket {bucket} at {server}; make it, or correct its name, the endpoint or the region"
    )]
    NoBucket {
        /// Its name.
        bucket: String,
        /// Where it was looked for.
        server: String,
    },
    /// The object store does not know who asks.
    #[error(
        "{server} did not take the credentials ({detail}); check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and \
         AWS_SESSION_TOKEN, the region, and this machine's clock"
    )]
    Credentials {
        /// The server.
        server: String,
        /// What it said.
        detail: String,
    },
    /// The object store knows who asks, and does not let them.
    #[error(
        "{what} is not allowed with these credentials ({detail}); they need s3:ListBucket on the bucket, and \
         s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload on what lies in it"
    )]
    Denied {
        /// What was being done.
        what: String,
        /// What the server said.
        detail: String,
    },
    /// The object store cannot be reached.
    #[error(
        "{server} cannot be reached: {detail}; check the network, the endpoint and the region, and try again"
    )]
    Unreachable {
        /// The server.
        server: String,
        /// What happened to the connection.
        detail: String,
    },
    /// The object store refused for another reason.
    #[error("{what} failed: {server} said {detail}")]
    Server {
        /// What was being done.
        what: String,
        /// The server.
        server: String,
        /// What it said.
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
