//! The key-value store of this node: durable, ordered, never replicated. What a turn writes here and to replicated
//! values is one batch.
//!
//! A key has at most 8 KiB and does not begin with `__nx/`, a value has at most 1 MiB, a turn's batch 10,000 operations and
//! 4 MiB; what passes that is `Invalid`. A call that failed has changed nothing.

use crate::bindings::imports::numax::runtime::kv as raw;
use crate::{Pages, Result};

/// The value of a key; `None` when there is none.
///
/// # Errors
/// `Denied`, `Invalid`, `Unavailable`.
pub fn get(key: impl AsRef<str>) -> Result<Option<Vec<u8>>> {
    Ok(raw::get(key.as_ref())?)
}

/// Writes a value of at most 1 MiB under a key of at most 8 KiB.
///
/// # Errors
/// `Invalid` when one is larger; `Denied`, `Quota`, `Unavailable`.
pub fn set(key: impl AsRef<str>, value: impl AsRef<[u8]>) -> Result<()> {
    Ok(raw::set(key.as_ref(), value.as_ref())?)
}

/// Removes a key; nothing happens when there is none.
///
/// # Errors
/// `Denied`, `Invalid`, `Quota`, `Unavailable`.
pub fn delete(key: impl AsRef<str>) -> Result<()> {
    Ok(raw::delete(key.as_ref())?)
}

/// Removes every key that begins with `prefix` and says how many there were.
///
/// # Errors
/// `Denied` when the module may not write all of them; `Invalid` when they are more than fit one batch (10,000): remove
/// them in several turns then; `Quota`, `Unavailable`.
pub fn delete_prefix(prefix: impl AsRef<str>) -> Result<u64> {
    Ok(raw::delete_prefix(prefix.as_ref())?)
}

/// Whether a key has a value.
///
/// # Errors
/// `Denied`, `Invalid`, `Unavailable`.
pub fn exists(key: impl AsRef<str>) -> Result<bool> {
    Ok(raw::exists(key.as_ref())?)
}

/// The entries whose keys begin with `prefix` and that the module may read, in byte order. Keys that are not UTF-8 are left
/// out.
///
/// # Errors
/// Of the iterator's items: `Denied` when the module may read nothing below `prefix`; `Unavailable`.
pub fn scan(prefix: &str) -> Pages<'_, (String, Vec<u8>)> {
    Pages::new(move |after: Option<&String>, limit| {
        let page = raw::scan(prefix, after.map(String::as_str), limit)?;
        Ok((page.entries, page.next))
    })
}
