//! Texts.

use crate::session::error::fits;
use crate::session::{Session, SessionError};
use bytes::Bytes;
use numax_crdt::limits::MAX_TEXT_UPDATE;
use numax_crdt::{Key, Kind};

impl Session {
    /// Inserts into a text before the UTF-16 unit at `index`. The first edit of a text in a turn waits until nobody
    /// else's open turn edits it.
    ///
    /// # Errors
    /// See [`SessionError`]; so for all calls of a session. Unavailable when others hold the text for too long, or
    /// wait themselves for one that this turn holds.
    pub async fn text_insert(&mut self, key: &Key, index: u32, chunk: &str) -> Result<(), SessionError> {
        fits("chunk", chunk.len(), MAX_TEXT_UPDATE)?;
        self.may_write(Kind::Text, key, chunk.len())?;
        self.step(|d| d.text_insert(key, index, chunk)).await
    }

    /// Removes `len` UTF-16 units of a text from `index` on.
    ///
    /// # Errors
    /// As [`Session::text_insert`].
    pub async fn text_remove(&mut self, key: &Key, index: u32, len: u32) -> Result<(), SessionError> {
        self.may_write(Kind::Text, key, 0)?;
        self.step(|d| d.text_remove(key, index, len)).await
    }

    /// The whole text.
    ///
    /// # Errors
    /// See [`SessionError`].
    pub async fn text_read(&mut self, key: &Key) -> Result<String, SessionError> {
        self.may_read(Kind::Text, key)?;
        self.step(|d| d.text_read(key)).await
    }

    /// How many UTF-16 units a text has.
    ///
    /// # Errors
    /// See [`SessionError`].
    pub async fn text_size(&mut self, key: &Key) -> Result<u32, SessionError> {
        self.may_read(Kind::Text, key)?;
        self.step(|d| d.text_size(key)).await
    }

    /// Removes all text that this node has seen.
    ///
    /// # Errors
    /// As [`Session::text_insert`].
    pub async fn text_clear(&mut self, key: &Key) -> Result<(), SessionError> {
        self.may_write(Kind::Text, key, 0)?;
        self.step(|d| d.text_clear(key)).await
    }

    /// A text's Yjs state vector.
    ///
    /// # Errors
    /// See [`SessionError`].
    pub async fn text_state_vector(&mut self, key: &Key) -> Result<Bytes, SessionError> {
        self.may_read(Kind::Text, key)?;
        self.step(|d| d.text_state_vector(key)).await
    }

    /// What a Yjs replica with the state vector `since` lacks of a text (none: everything).
    ///
    /// # Errors
    /// See [`SessionError`].
    pub async fn text_diff(&mut self, key: &Key, since: Option<&[u8]>) -> Result<Bytes, SessionError> {
        self.may_read(Kind::Text, key)?;
        fits("state vector", since.map_or(0, <[u8]>::len), MAX_TEXT_UPDATE)?;
        self.step(|d| d.text_diff(key, since)).await
    }

    /// Merges a Yjs update into a text.
    ///
    /// # Errors
    /// As [`Session::text_insert`]; invalid also when it is no update of a plain text, or builds on edits that are not
    /// here.
    pub async fn text_apply_update(&mut self, key: &Key, update: &[u8]) -> Result<(), SessionError> {
        fits("text update", update.len(), MAX_TEXT_UPDATE)?;
        self.may_write(Kind::Text, key, update.len())?;
        self.step(|d| d.text_apply_update(key, update)).await
    }
}
