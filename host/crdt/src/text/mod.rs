//! Collaborative text: Yjs documents with one plain text, as data and as something to edit.
//!
//! The state of a text is a set: what is known of each inserted UTF-16 unit (what it was inserted between, and what it
//! is), and which units are deleted. Updates are parts of that set, and merging is their union ([`State`]), so it needs
//! no order and no document in memory, cannot fail, and comes to the same bytes on every replica. Where the units
//! stand in the text is a function of the set; that, and editing, is what [Yrs](https://docs.rs/yrs) is for
//! (`Document`, with the Cargo feature `text`). A program without it stores, merges and forwards texts all the same.
//!
//! Bytes of others never reach Yrs as they came: they are read here ([`State::read_update`]), and a document is fed
//! only with items whose neighbours it has.
//!
//! - [`read`], [`write`](mod@write): the Yjs update format, version 1, as far as plain text goes;
//! - [`state`], [`merge`], [`ranges`]: the set and its normal form;
//! - [`ready`]: which items have their neighbours;
//! - `document`: editing; `order`: finding the place of an edit; `yjs`: what is left to Yrs.
//!
//! The format and the merge algorithm behind it: Nicolaescu et al., *Near Real-Time Peer-to-Peer Shared Editing on
//! Extensible Data Types* (YATA), GROUP 2016, and the documentation of Yjs.

#[cfg(feature = "text")]
mod document;
mod merge;
#[cfg(feature = "text")]
mod order;
mod ranges;
mod read;
mod ready;
mod state;
mod write;
#[cfg(feature = "text")]
mod yjs;

#[cfg(feature = "text")]
pub use document::{Document, EditError};
pub use read::{UpdateError, read_state_vector};
pub use ready::Ready;
pub use state::{Item, ItemId, State};
pub use write::write_state_vector;

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::{codec, id::Origin};

/// The name of the root type that holds the text: `doc.getText("text")` in Yjs.
pub const ROOT: &str = "text";

/// How many units each client has inserted, without gaps: what Yjs calls a state vector.
pub type Clocks = BTreeMap<u64, u32>;

/// The client id under which an origin edits texts: the first 53 bits of the SHA-256 of its encoding, because Yjs
/// keeps client ids in JavaScript numbers. A new epoch is a new client.
pub fn client_id(origin: &Origin) -> u64 {
    let mut bytes = Vec::with_capacity(48);
    codec::put_origin(&mut bytes, origin);
    let hash: [u8; 32] = Sha256::digest(&bytes).into();
    let first = hash.first_chunk::<8>().copied().unwrap_or_default();
    u64::from_be_bytes(first) >> 11
}
