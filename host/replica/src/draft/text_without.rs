//! The texts of a draft in a program without the Cargo feature `text`: there are none.

use bytes::Bytes;
use numax_crdt::Key;

use super::{Draft, allowed};
use crate::{error::DraftError, texts::Permit};

fn none<T>(key: &Key) -> Result<T, DraftError> {
    allowed(key.as_bytes())?;
    Err(DraftError::Unavailable("this program was built without texts (Cargo feature `text`)".to_string()))
}

impl Draft {
    /// Answers that there are no texts, as every function here.
    ///
    /// # Errors
    /// Always.
    pub fn text_insert(&mut self, key: &Key, _index: u32, _chunk: &str) -> Result<(), DraftError> {
        none(key)
    }

    /// See [`text_insert`](Self::text_insert).
    ///
    /// # Errors
    /// Always.
    pub fn text_remove(&mut self, key: &Key, _index: u32, _len: u32) -> Result<(), DraftError> {
        none(key)
    }

    /// See [`text_insert`](Self::text_insert).
    ///
    /// # Errors
    /// Always.
    pub fn text_clear(&mut self, key: &Key) -> Result<(), DraftError> {
        none(key)
    }

    /// See [`text_insert`](Self::text_insert).
    ///
    /// # Errors
    /// Always.
    pub fn text_apply_update(&mut self, key: &Key, _update: &[u8]) -> Result<(), DraftError> {
        none(key)
    }

    /// See [`text_insert`](Self::text_insert).
    ///
    /// # Errors
    /// Always.
    pub fn text_read(&mut self, key: &Key) -> Result<String, DraftError> {
        none(key)
    }

    /// See [`text_insert`](Self::text_insert).
    ///
    /// # Errors
    /// Always.
    pub fn text_size(&mut self, key: &Key) -> Result<u32, DraftError> {
        none(key)
    }

    /// See [`text_insert`](Self::text_insert).
    ///
    /// # Errors
    /// Always.
    pub fn text_state_vector(&mut self, key: &Key) -> Result<Bytes, DraftError> {
        none(key)
    }

    /// See [`text_insert`](Self::text_insert).
    ///
    /// # Errors
    /// Always.
    pub fn text_diff(&mut self, key: &Key, _since: Option<&[u8]>) -> Result<Bytes, DraftError> {
        none(key)
    }

    /// Cannot be called.
    pub fn admit(&mut self, permit: Permit) {
        match permit.0 {}
    }

    pub(super) fn take_texts(&mut self) -> (Vec<(Key, Bytes)>, crate::texts::Holds) {
        Default::default()
    }

    pub(super) fn drop_texts(&mut self) {}
}
