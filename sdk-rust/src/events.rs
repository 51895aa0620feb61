//! What this module wants to hear of. Call these in the function of [`lifecycle!`](crate::lifecycle) or
//! [`on_init!`](crate::on_init); a module without one says the same in its policy's `[events]` section.

use crate::bindings::imports::numax::runtime::events as raw;
use crate::{Kind, Result};
use std::time::Duration;

pub use raw::Scope;

/// Calls the tick handler with this name every `period` (from one millisecond to seven weeks), counted from the end of
/// the last call.
///
/// # Errors
/// `Denied`, `Invalid` (a period of zero).
pub fn every(name: impl AsRef<str>, period: Duration) -> Result<()> {
    let ms = u32::try_from(period.as_millis()).unwrap_or(u32::MAX);
    Ok(raw::every(name.as_ref(), ms)?)
}

/// Calls the tick handler with this name by a five-field cron expression, in UTC.
///
/// # Errors
/// `Denied`, `Invalid` (an expression that cannot be read).
pub fn cron(name: impl AsRef<str>, expression: impl AsRef<str>, scope: Scope) -> Result<()> {
    Ok(raw::cron(name.as_ref(), expression.as_ref(), scope)?)
}

/// Calls the change handler for keys that begin with `prefix`, of one family or (`None`) of all.
///
/// # Errors
/// `Denied`, `Invalid`.
pub fn watch(kind: impl Into<Option<Kind>>, prefix: impl AsRef<str>) -> Result<()> {
    Ok(raw::watch(kind.into(), prefix.as_ref())?)
}

/// Calls the message handler for a topic; `*` stands for one segment, a last `>` for the rest.
///
/// # Errors
/// `Denied`, `Invalid`.
pub fn subscribe(topic: impl AsRef<str>) -> Result<()> {
    Ok(raw::subscribe(topic.as_ref())?)
}
