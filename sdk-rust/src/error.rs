//! What a call can answer instead of doing what it was asked to.

use crate::bindings::imports::numax::runtime::common as raw;
use std::fmt;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The module's policy does not grant this; here is the line that would.
    Denied(String),
    /// An argument is out of its range: an oversized key, an overflow, a batch too large.
    Invalid(String),
    /// An element or a position that does not exist (any more).
    NotFound,
    /// A quota of the module's policy is used up for now; try again later.
    Quota(String),
    /// The node cannot do this at present: its storage is full or read-only, or it is shutting down.
    Unavailable(String),
}

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(line) => write!(f, "denied by the module's policy, which lacks: {line}"),
            Self::Invalid(what) => write!(f, "invalid: {what}"),
            Self::NotFound => f.write_str("not found"),
            Self::Quota(what) => write!(f, "over quota: {what}"),
            Self::Unavailable(why) => write!(f, "not available at present: {why}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<raw::Error> for Error {
    fn from(e: raw::Error) -> Self {
        match e {
            raw::Error::Denied(s) => Self::Denied(s),
            raw::Error::Invalid(s) => Self::Invalid(s),
            raw::Error::NotFound => Self::NotFound,
            raw::Error::Quota(s) => Self::Quota(s),
            raw::Error::Unavailable(s) => Self::Unavailable(s),
        }
    }
}
