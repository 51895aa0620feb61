//! Replicated values.
//!
//! A value is named by its family and its key: the counter `a` and the set `a` are two values. Opening one makes
//! nothing; a value that was never written reads as zero, none or empty. Every node has its own copy, reads and writes
//! it at once, and exchanges what was written; copies that have seen the same writes are equal.
//!
//! What one turn of a guest writes (until it blocks, answers or returns) becomes one batch, applied as a whole on every
//! node. Several increments of one counter in a turn cost as much as one.

mod counter;
mod list;
mod map;
mod register;
mod set;
mod text;

pub use counter::{GCounter, PnCounter};
pub use list::Rga;
pub use map::LwwMap;
pub use register::LwwRegister;
pub use set::OrSet;
pub use text::Text;

use crate::bindings::imports::numax::runtime::crdt as raw;
use crate::{Kind, Pages};

/// The keys of one family that begin with `prefix` and that this module may read, in byte order.
pub fn keys(kind: Kind, prefix: &str) -> Pages<'_, String> {
    Pages::new(move |after: Option<&String>, limit| {
        let page = raw::keys(kind, prefix, after.map(String::as_str), limit)?;
        Ok((page.keys, page.next))
    })
}
