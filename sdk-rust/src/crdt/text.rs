//! Texts.

use super::raw;
use crate::Result;

value! {
    "text",
    /// A text that several hands edit at once, compatible with [Yjs](https://yjs.dev): its root type is
    /// `doc.getText("text")`, plain text without formatting.
    ///
    /// Indexes and sizes count UTF-16 code units, as Yjs and browsers do; [`units`](Self::units) tells those of a string.
    /// From its first edit on a turn holds the text: other turns that edit it wait until this one ends, and fail with
    /// `Unavailable` after 10 s or when two wait for each other.
    ///
    /// The edits of one text in a turn take at most 1 MiB together, each up to 48 bytes more than what it inserts in UTF-8,
    /// and a text at most 2 MiB as it is stored, with what tells of removed units; an edit that would pass that is
    /// `Invalid`, and removing makes room.
    Text
}

impl Text {
    /// How many UTF-16 code units a string has.
    pub fn units(text: &str) -> u32 {
        u32::try_from(text.encode_utf16().count()).unwrap_or(u32::MAX)
    }

    /// Inserts `chunk` before the unit at `index`.
    ///
    /// # Errors
    /// `Invalid` beyond the end, within a surrogate pair, or when the text or the turn's edits of it become too large;
    /// `Denied`, `Quota`, `Unavailable`.
    pub fn insert(&self, index: u32, chunk: impl AsRef<str>) -> Result<()> {
        Ok(self.0.insert(index, chunk.as_ref())?)
    }

    /// Removes `len` units from `index` on.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn remove(&self, index: u32, len: u32) -> Result<()> {
        Ok(self.0.remove(index, len)?)
    }

    /// The whole text.
    ///
    /// # Errors
    /// `Denied`, `Unavailable`.
    pub fn read(&self) -> Result<String> {
        Ok(self.0.read()?)
    }

    /// The length of the text in UTF-16 code units.
    ///
    /// # Errors
    /// `Denied`, `Unavailable`.
    pub fn size(&self) -> Result<u32> {
        Ok(self.0.size()?)
    }

    /// Removes all text seen here; what others insert at the same time stays.
    ///
    /// # Errors
    /// `Denied`, `Invalid` (too large for one batch), `Quota`, `Unavailable`.
    pub fn clear(&self) -> Result<()> {
        Ok(self.0.clear()?)
    }

    /// The Yjs state vector: what an editor that is a replica itself sends to ask for the rest.
    ///
    /// # Errors
    /// `Denied`, `Unavailable`.
    pub fn state_vector(&self) -> Result<Vec<u8>> {
        Ok(self.0.state_vector()?)
    }

    /// What a replica with the state vector `since` lacks (none: everything), as a Yjs update.
    ///
    /// # Errors
    /// `Invalid` when `since` is no state vector; `Denied`, `Unavailable`.
    pub fn diff(&self, since: Option<&[u8]>) -> Result<Vec<u8>> {
        Ok(self.0.diff(since)?)
    }

    /// Merges a Yjs update of at most 1 MiB.
    ///
    /// # Errors
    /// `Invalid` when it is none, holds something other than plain text, builds on edits that are not here, or when the
    /// text or the turn's edits of it become too large; `Denied`, `Quota`, `Unavailable`.
    pub fn apply_update(&self, update: impl AsRef<[u8]>) -> Result<()> {
        Ok(self.0.apply_update(update.as_ref())?)
    }
}
