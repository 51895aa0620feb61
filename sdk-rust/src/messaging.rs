//! Messages between modules: at most once, to the members that are reachable now. Not in this version: publishing fails
//! with `Unavailable`.

use crate::bindings::imports::numax::runtime::messaging as raw;
use crate::{NodeId, Result};

/// A message of another module, as [`on_message!`](crate::on_message) hands it over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The node it came from.
    pub source: NodeId,
    /// The topic it was published on.
    pub topic: String,
    /// What it says.
    pub payload: Vec<u8>,
}

impl Message {
    #[doc(hidden)]
    pub fn new(source: NodeId, topic: String, payload: Vec<u8>) -> Self {
        Self { source, topic, payload }
    }
}

/// Sends a message to every module that has subscribed to `topic`. What this turn has written is committed first.
///
/// # Errors
/// `Unavailable`, always in this version; `Denied`, `Invalid` (a topic with `*` or `>`, a payload too large), `Quota`.
pub fn publish(topic: impl AsRef<str>, payload: impl AsRef<[u8]>) -> Result<()> {
    Ok(raw::publish(topic.as_ref(), payload.as_ref())?)
}
