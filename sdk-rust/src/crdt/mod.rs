//! Replicated values.
//!
//! A value is named by its family and its key: the counter `a` and the set `a` are two values. Opening one makes
//! nothing; a value that was never written reads as zero, none or empty. Every node has its own copy, reads and writes
//! it at once, and exchanges what was written; copies that have seen the same writes are equal.
//!
//! What one turn of a guest writes (until it blocks, answers or returns) becomes one batch, applied as a whole on every
//! node. Several increments of one counter in a turn cost as much as one.
//!
//! # Limits
//! A key has at most 8 KiB and does not begin with `__nx/`; a field's name has at most 8 KiB; a value, an element or a
//! field's value 1 MiB. A turn's batch has at most 10,000 operations and 4 MiB. [`Text`] has limits of its own.
//!
//! # Errors
//! [`Error`](crate::Error) says what each kind means. Reading fails with `Denied` and `Unavailable`; writing with `Quota`
//! as well, and with `Invalid` when the turn's batch would pass its limits. An argument that breaks a limit is `Invalid`
//! everywhere. What else can fail stands with the call. A call that failed has changed nothing, and what the turn wrote
//! before it stays.

/// A handle on a value of one family, and how it is opened.
macro_rules! value {
    ($what:literal, $(#[$about:meta])* $name:ident) => {
        $(#[$about])*
        #[derive(Debug)]
        pub struct $name(raw::$name);

        impl $name {
            #[doc = concat!("A handle on the ", $what, " of this key.")]
            ///
            /// # Errors
            /// `Denied` when the policy grants nothing under this key, `Invalid` when the key is longer than 8 KiB or
            /// begins with `__nx/`.
            pub fn open(key: impl AsRef<str>) -> Result<Self> {
                Ok(Self(raw::$name::open(key.as_ref())?))
            }
        }
    };
}

/// What is the same for values that hold entries: how many there are, and clearing them.
macro_rules! collection {
    ($name:ident, $entry:literal, $concurrent:literal) => {
        impl $name {
            #[doc = concat!("The number of ", $entry, "s.")]
            ///
            /// # Errors
            /// `Denied`, `Unavailable`.
            pub fn size(&self) -> Result<u64> {
                Ok(self.0.size()?)
            }

            #[doc = concat!("Removes every ", $entry, " seen here; what others ", $concurrent, " at the same time stays.")]
            ///
            /// # Errors
            /// `Invalid` when they are more than fit one batch (10,000): remove them one by one then, in several turns;
            /// `Denied`, `Quota`, `Unavailable`.
            pub fn clear(&self) -> Result<()> {
                Ok(self.0.clear()?)
            }
        }
    };
}

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

/// The keys of one family that begin with `prefix` and that this module may read, in byte order. Keys that are not UTF-8
/// are left out.
///
/// # Errors
/// Of the iterator's items: `Denied` when the module may read nothing below `prefix`; `Unavailable`.
pub fn keys(kind: Kind, prefix: &str) -> Pages<'_, String> {
    Pages::new(move |after: Option<&String>, limit| {
        let page = raw::keys(kind, prefix, after.map(String::as_str), limit)?;
        Ok((page.keys, page.next))
    })
}
