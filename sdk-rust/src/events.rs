//! What this module wants to hear of. Call these in the function of [`lifecycle!`](crate::lifecycle) or
//! [`on_init!`](crate::on_init); a module without one says the same in its policy's `[events]` section.

use crate::bindings::imports::numax::runtime::events as raw;
use crate::{Error, Kind, Result};
use std::time::Duration;

pub use raw::Scope;

/// Calls the tick handler with this name every `period` (from one millisecond to seven weeks), counted from the end of
/// the last call.
///
/// # Errors
/// `Invalid` for another period, outside of `init`, and from 1,000 registrations on; `Denied`.
pub fn every(name: impl AsRef<str>, period: Duration) -> Result<()> {
    let ms = milliseconds(period)?;
    Ok(raw::every(name.as_ref(), ms)?)
}

/// Calls the tick handler with this name by a five-field cron expression, in UTC. Not in this version.
///
/// # Errors
/// `Unavailable`, always in this version; `Denied`.
pub fn cron(name: impl AsRef<str>, expression: impl AsRef<str>, scope: Scope) -> Result<()> {
    Ok(raw::cron(name.as_ref(), expression.as_ref(), scope)?)
}

/// Calls the change handler for keys that begin with `prefix` and that the module may read, of one family or (`None`) of
/// all. What this very instance wrote is left out.
///
/// # Errors
/// `Denied` when it may read none of them; `Invalid` outside of `init`, and from 1,000 registrations on.
pub fn watch(kind: impl Into<Option<Kind>>, prefix: impl AsRef<str>) -> Result<()> {
    Ok(raw::watch(kind.into(), prefix.as_ref())?)
}

/// Calls the message handler for a topic; `*` stands for one segment, a last `>` for the rest. Not in this version.
///
/// # Errors
/// `Unavailable`, always in this version; `Denied`, `Invalid` (no topic).
pub fn subscribe(topic: impl AsRef<str>) -> Result<()> {
    Ok(raw::subscribe(topic.as_ref())?)
}

/// A period as the host takes it.
fn milliseconds(period: Duration) -> Result<u32> {
    match u32::try_from(period.as_millis()) {
        Ok(ms) if ms > 0 => Ok(ms),
        _ => Err(Error::Invalid(format!(
            "the period is {period:?}; it must be between 1 and 2^32-1 milliseconds (49 days)"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_fit_32_bits_of_milliseconds() {
        let most = u64::from(u32::MAX);
        for (period, ms) in [(Duration::from_micros(1999), 1), (Duration::from_millis(most), u32::MAX)] {
            assert_eq!(milliseconds(period), Ok(ms));
        }
        for wrong in
            [Duration::ZERO, Duration::from_micros(999), Duration::from_millis(most + 1), Duration::MAX]
        {
            let refused = milliseconds(wrong).unwrap_err().to_string();
            assert!(refused.starts_with("invalid: the period is "), "{refused}");
        }
    }
}
