//! Texts.

use super::raw;
use crate::Result;

value! {
    "text",
    /// A text that several hands edit at once, compatible with [Yjs](https://yjs.dev): its root type is
    /// `doc.getText("text")`, plain text without formatting.
    ///
    /// Indexes and sizes count UTF-16 code units, as Yjs and browsers do; [`units`](Self::units) tells those of a string.
    /// From its first edit on a turn holds the text: other turns that edit it wait until this one ends.
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
    /// `Invalid` beyond the end, within a character, or when the text or the turn's edits become too large; `Denied`,
    /// `Quota`, `Unavailable`.
    pub fn insert(&self, index: u32, chunk: impl AsRef<str>) -> Result<()> {
        Ok(self.0.insert(index, chunk.as_ref())?)
    }

    /// Removes `len` units from `index` on.
    ///
    /// # Errors
    /// See [`insert`](Self::insert).
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
    /// `Denied`, `Quota`, `Unavailable`.
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
    /// `Invalid` when it is none, holds something other than plain text, or builds on edits that are not here;
    /// `Denied`, `Quota`, `Unavailable`.
    pub fn apply_update(&self, update: impl AsRef<[u8]>) -> Result<()> {
        Ok(self.0.apply_update(update.as_ref())?)
    }
}
