//! What can go wrong, by who has to act.

use numax_crdt::{ApplyError, CodecError, Key, Kind, RowError};
use numax_replica::{DraftError, LogError, OpenError, at_rest::RestError};

use crate::escape::escape;

/// Why a tool did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// An argument cannot be.
    #[error("{0}")]
    Usage(String),
    /// The datastore cannot be looked at.
    #[error(transparent)]
    Rest(#[from] RestError),
    /// Rows cannot be read, or are damaged.
    #[error("{path}: {detail}")]
    Rows {
        /// The datastore.
        path: String,
        /// What is wrong.
        detail: String,
    },
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A batch in the log cannot be read.
    #[error("a batch in the log cannot be read: {0}; `numax repair` says more")]
    Batch(#[from] CodecError),
    /// A line of an exported log is none.
    #[error("line {line} of the log cannot be read: {detail}")]
    Line {
        /// The line's number, from 1.
        line: u64,
        /// What is wrong with it.
        detail: String,
    },
    /// The new datastore could not be made.
    #[error("the new datastore could not be made: {0}")]
    Build(#[from] OpenError),
    /// The log does not lead to a datastore.
    #[error("{0}")]
    Unfit(String),
    /// A file could not be read or written.
    #[error("{what} failed: {source}")]
    Io {
        /// What was being done, with the path.
        what: String,
        /// The system's word.
        source: std::io::Error,
    },
}

impl ToolError {
    /// For errors of reading a value of the datastore at `path`.
    pub(crate) fn value(path: &str, kind: Kind, key: &Key) -> impl Fn(ApplyError) -> Self {
        move |error| Self::of_value(path, kind, key, &error)
    }

    /// The same, for reads through a draft.
    pub(crate) fn draft(path: &str, kind: Kind, key: &Key) -> impl Fn(DraftError) -> Self {
        move |error| Self::of_value(path, kind, key, &error)
    }

    /// The same, for rows without a family.
    pub(crate) fn row(path: &str) -> impl Fn(RowError) -> Self {
        move |error| Self::Rows { path: path.to_string(), detail: error.to_string() }
    }

    fn of_value(path: &str, kind: Kind, key: &Key, error: &dyn std::fmt::Display) -> Self {
        let detail = format!("{} {}: {error}", kind.config_name(), escape(key.as_bytes()));
        Self::Rows { path: path.to_string(), detail }
    }

    /// For files.
    pub fn io(what: String) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}
