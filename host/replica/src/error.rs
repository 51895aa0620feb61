//! What can go wrong, by who has to act on it.

use numax_crdt::{ApplyError, CodecError, RowError};
use numax_store::{DiskError, KvError};

use crate::{draft::Miss, texts::Busy, transfer::PageError};

/// Why the log could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A record or header is damaged and was not the torn end of the log.
    #[error(
        "the log is damaged: {file} at byte {offset}: {detail}; `numax repair` says what is lost and goes on without it, \
         or restore the datastore from a snapshot"
    )]
    Corrupt {
        /// The segment's file.
        file: String,
        /// Where in the file.
        offset: u64,
        /// What is wrong there.
        detail: String,
    },
    /// A file in the log's directory is not ours.
    #[error(
        "{file} is no segment of a numax log; choose an empty directory for the datastore, or, if it was one and is \
         damaged, see what `numax repair` says"
    )]
    Foreign {
        /// The file.
        file: String,
    },
    /// A segment of another version.
    #[error(
        "{file} has version {found} of the log's format, this program reads {want}; use the program that wrote it, \
         or a newer one"
    )]
    Schema {
        /// The segment's file.
        file: String,
        /// The version found.
        found: u32,
        /// The version wanted.
        want: u32,
    },
    /// The reader asks for what the log no longer has.
    #[error("the log no longer reaches back to what was asked for; the peer needs a transfer of state")]
    Behind,
}

/// Why a datastore could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds it.
    #[error(
        "{path} is in use by another process; a datastore belongs to one at a time: stop that node first"
    )]
    Locked {
        /// The directory.
        path: String,
    },
    /// There is none, where one is needed.
    #[error("{path} holds no datastore")]
    NoDatastore {
        /// The directory.
        path: String,
    },
    /// It belongs to another node, or to no numax node.
    #[error(
        "{path} is not this node's datastore: {detail}; give the node its own directory, or put its old key back into identity/"
    )]
    Foreign {
        /// The directory or file.
        path: String,
        /// What does not fit.
        detail: String,
    },
    /// The file that says under which name the datastore writes is damaged. Nothing that was written stands in it.
    #[error(
        "{file} is damaged ({detail}); nothing that was written is lost by that: `numax repair --data DIR` moves it \
         aside, and the datastore goes on like an old copy of itself, in a new epoch"
    )]
    Meta {
        /// The file.
        file: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// It was written by a newer program.
    #[error(
        "the datastore has schema {found}, and this is {this}, which knows schemas up to {want}: it was last open in {by}; \
         start it with that program or a newer one (to go back to this one, restore a snapshot that was made before)"
    )]
    NewSchema {
        /// The datastore's schema.
        found: u64,
        /// The newest known.
        want: u64,
        /// This program.
        this: &'static str,
        /// The program that wrote it.
        by: String,
    },
    /// It was written by an older program.
    #[error(
        "the datastore has schema {found}, and this program writes schema {want}; stop the node and bring it up to date \
         with `numax migrate`, after making a snapshot with the program that ran it so far"
    )]
    OldSchema {
        /// The datastore's schema.
        found: u64,
        /// The one of this program.
        want: u64,
    },
    /// A migration could not make something of a row.
    #[error("the datastore cannot be brought to the next schema: {detail}; nothing was changed")]
    Migration {
        /// What and where.
        detail: String,
    },
    /// Rows are missing that cannot be built anew from the log.
    #[error(
        "rows are lost, and the log alone does not bring them back: {detail}; `numax repair --data DIR` looks for a snapshot \
         from which the log leads on, which loses nothing. If there is none: restore a snapshot, or begin anew and let \
         peers fill it with `numax repair --accept-loss --data DIR`"
    )]
    RowsLost {
        /// Why not.
        detail: String,
    },
    /// A repair would give up data that nobody else may have, and was not told to.
    #[error("{detail}; to go on without it: `numax repair --accept-loss --data DIR`")]
    WouldLose {
        /// What would be lost.
        detail: String,
    },
    /// Its parts do not fit together.
    #[error("the datastore is damaged: {detail}; `numax repair` says more, or restore it from a snapshot")]
    Corrupt {
        /// What does not fit.
        detail: String,
    },
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The engine.
    #[error(transparent)]
    Store(#[from] KvError),
    /// It is open, and cannot do what was asked.
    #[error(transparent)]
    Busy(#[from] CommitError),
    /// A file or thread could not be made.
    #[error("{what} failed: {detail}")]
    Io {
        /// What was being done, with the path.
        what: String,
        /// The operating system's word.
        detail: String,
    },
}

impl From<DiskError> for OpenError {
    fn from(error: DiskError) -> Self {
        Self::Log(LogError::Disk(error))
    }
}

/// Why a batch was not committed. Nothing of it is there, now or later; of batches of peers that were appended before a
/// sync failed ([`ReadOnly`](Self::ReadOnly)) nobody knows until the next start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The batch cannot be committed as it is, for example because a counter would overflow.
    #[error("{0}")]
    Invalid(String),
    /// Not now: the disk is full, or an engine call failed. Nothing was changed; a later try may succeed.
    #[error("{0}")]
    Unavailable(String),
    /// The datastore takes no more writes until the node is started again.
    #[error("the datastore is read-only: {0}; fix the disk and restart the node")]
    ReadOnly(String),
    /// Another node writes under this node's origin.
    #[error(
        "another node writes with this node's identity: its datastore is a copy. Stop one of the two for good; stop the \
         other, let it begin a new epoch with `numax repair --new-epoch`, and start it again. Until then this one takes no \
         writes, also after a restart"
    )]
    DuplicateOrigin,
    /// The replica was shut down.
    #[error("the datastore is closed")]
    Closed,
}

/// What a call on a [`Draft`](crate::Draft) may end with.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// A row is not in memory. Load it on a thread that may block, supply it, and call again: the draft is as before.
    #[error("a row has to be loaded first")]
    Miss(Miss),
    /// Somebody else edits the text. Wait for the turn, admit the permit, and call again: the draft is as before.
    #[error("the text {:?} is being edited by somebody else", .0.key())]
    Busy(Busy),
    /// An argument or the batch is beyond a limit. The draft is as before the call.
    #[error("{0}")]
    Invalid(String),
    /// A list's element is not there (any more).
    #[error("{0}")]
    NotFound(String),
    /// Storage cannot be read.
    #[error("{0}")]
    Unavailable(String),
}

/// What goes wrong inside the core, before it is decided whom it concerns.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CoreError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Store(#[from] KvError),
    #[error(transparent)]
    Apply(#[from] ApplyError),
    #[error("rows are lost: {0}")]
    RowsLost(String),
    #[error("a batch in the log cannot be read: {0}")]
    Batch(#[from] CodecError),
    #[error("transferred state: {0}")]
    Page(#[from] PageError),
    #[error("{0}")]
    Invalid(String),
    /// One request of a group is refused; the others go on.
    #[error(transparent)]
    Refused(CommitError),
}

impl From<RowError> for CoreError {
    fn from(error: RowError) -> Self {
        Self::Apply(ApplyError::Row(error))
    }
}

impl From<CoreError> for OpenError {
    fn from(error: CoreError) -> Self {
        match error {
            CoreError::Log(error) => Self::Log(error),
            CoreError::Store(error) => Self::Store(error),
            CoreError::RowsLost(detail) => Self::RowsLost { detail },
            other => Self::Corrupt { detail: other.to_string() },
        }
    }
}
