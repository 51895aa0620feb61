//! Changes of replicated values, pulled: for a handler that streams them to a browser. Not in this version: opening a feed
//! fails with `Unavailable`. [`on_change!`](crate::on_change) is there.

use crate::bindings::imports::numax::runtime::changes as raw;
use crate::{Kind, Result};

pub use raw::News;

/// An open feed of changes.
#[derive(Debug)]
pub struct Feed(raw::Feed);

impl Feed {
    /// Follows the keys that begin with `prefix` and that the module may read, of one family or (`None`) of all.
    /// `since` resumes after a position that a feed gave before.
    ///
    /// # Errors
    /// `Unavailable`, always in this version; `Denied`; `NotFound` when the log does not reach back to `since`.
    pub fn open(kind: impl Into<Option<Kind>>, prefix: impl AsRef<str>, since: Option<u64>) -> Result<Self> {
        Ok(Self(raw::Feed::open(kind.into(), prefix.as_ref(), since)?))
    }

    /// Waits until something has changed since the last call, and gives it. Waiting ends the turn: what it wrote is
    /// committed.
    ///
    /// # Errors
    /// `Unavailable` when the node shuts down.
    pub fn next(&self) -> Result<News> {
        self.0.subscribe().block();
        self.try_next()
    }

    /// What has changed since the last call, without waiting; maybe nothing.
    ///
    /// # Errors
    /// `Unavailable` when the node shuts down.
    pub fn try_next(&self) -> Result<News> {
        Ok(self.0.next()?)
    }
}
