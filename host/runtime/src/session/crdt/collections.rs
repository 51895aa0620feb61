//! Maps and sets.

use crate::session::error::fits;
use crate::session::page::{filtered, is_text, limit};
use crate::session::{Page, Session, SessionError};
use bytes::Bytes;
use numax_crdt::limits::{MAX_FIELD, MAX_VALUE};
use numax_crdt::{Key, Kind};

impl Session {
    /// Sets a field of a map.
    ///
    /// # Errors
    /// See [`SessionError`]; so for all calls of a session.
    pub async fn map_set(&mut self, key: &Key, field: &str, value: Bytes) -> Result<(), SessionError> {
        fits("field", field.len(), MAX_FIELD)?;
        fits("value", value.len(), MAX_VALUE)?;
        self.may_write(Kind::LwwMap, key, field.len() + value.len())?;
        self.step(|d| d.map_set(key, field.as_bytes(), value.clone())).await
    }

    /// A field's value.
    ///
    /// # Errors
    /// As [`Session::map_set`].
    pub async fn map_get(&mut self, key: &Key, field: &str) -> Result<Option<Bytes>, SessionError> {
        fits("field", field.len(), MAX_FIELD)?;
        self.may_read(Kind::LwwMap, key)?;
        self.step(|d| d.map_get(key, field.as_bytes())).await
    }

    /// Whether a map has a field.
    ///
    /// # Errors
    /// As [`Session::map_set`].
    pub async fn map_contains(&mut self, key: &Key, field: &str) -> Result<bool, SessionError> {
        fits("field", field.len(), MAX_FIELD)?;
        self.may_read(Kind::LwwMap, key)?;
        self.step(|d| d.map_contains(key, field.as_bytes())).await
    }

    /// Removes a field.
    ///
    /// # Errors
    /// As [`Session::map_set`].
    pub async fn map_remove(&mut self, key: &Key, field: &str) -> Result<(), SessionError> {
        fits("field", field.len(), MAX_FIELD)?;
        self.may_write(Kind::LwwMap, key, field.len())?;
        self.step(|d| d.map_remove(key, field.as_bytes())).await
    }

    /// A page of a map's fields, in byte order after `after`. Fields that are not UTF-8 are left out.
    ///
    /// # Errors
    /// As [`Session::map_set`].
    pub async fn map_entries(
        &mut self,
        key: &Key,
        after: Option<&str>,
        asked: u32,
    ) -> Result<Page<(Bytes, Bytes)>, SessionError> {
        self.may_read(Kind::LwwMap, key)?;
        let limit = limit(asked)?;
        let mut from = after.map(|a| Bytes::copy_from_slice(a.as_bytes()));
        loop {
            let raw = self.step(|d| d.map_entries(key, from.as_deref(), limit)).await?;
            match filtered(raw, |(field, _)| field, |field| is_text(field)) {
                Ok(page) => return Ok(page),
                Err(next) => from = Some(next),
            }
        }
    }

    /// How many fields a map has.
    ///
    /// # Errors
    /// As [`Session::map_set`].
    pub async fn map_size(&mut self, key: &Key) -> Result<u64, SessionError> {
        self.may_read(Kind::LwwMap, key)?;
        self.step(|d| d.map_size(key)).await
    }

    /// Removes every field that this node has seen.
    ///
    /// # Errors
    /// As [`Session::map_set`].
    pub async fn map_clear(&mut self, key: &Key) -> Result<(), SessionError> {
        self.may_write(Kind::LwwMap, key, 0)?;
        self.step(|d| d.map_clear(key)).await
    }

    /// Adds an element to a set.
    ///
    /// # Errors
    /// As [`Session::map_set`].
    pub async fn set_add(&mut self, key: &Key, element: Bytes) -> Result<(), SessionError> {
        fits("element", element.len(), MAX_VALUE)?;
        self.may_write(Kind::OrSet, key, element.len())?;
        self.step(|d| d.set_add(key, element.clone())).await
    }

    /// Removes an element from a set.
    ///
    /// # Errors
    /// As [`Session::map_set`].
    pub async fn set_remove(&mut self, key: &Key, element: &[u8]) -> Result<(), SessionError> {
        fits("element", element.len(), MAX_VALUE)?;
        self.may_write(Kind::OrSet, key, element.len())?;
        self.step(|d| d.set_remove(key, element)).await
    }

    /// Whether a set has an element.
    ///
    /// # Errors
    /// As [`Session::map_set`].
    pub async fn set_contains(&mut self, key: &Key, element: &[u8]) -> Result<bool, SessionError> {
        fits("element", element.len(), MAX_VALUE)?;
        self.may_read(Kind::OrSet, key)?;
        self.step(|d| d.set_contains(key, element)).await
    }

    /// A page of a set's elements, in byte order after `after`.
    ///
    /// # Errors
    /// As [`Session::map_set`].
    pub async fn set_elements(
        &mut self,
        key: &Key,
        after: Option<&[u8]>,
        asked: u32,
    ) -> Result<Page<Bytes>, SessionError> {
        self.may_read(Kind::OrSet, key)?;
        let limit = limit(asked)?;
        self.step(|d| d.set_elements(key, after, limit)).await
    }

    /// How many elements a set has.
    ///
    /// # Errors
    /// As [`Session::map_set`].
    pub async fn set_size(&mut self, key: &Key) -> Result<u64, SessionError> {
        self.may_read(Kind::OrSet, key)?;
        self.step(|d| d.set_size(key)).await
    }

    /// Removes every element that this node has seen.
    ///
    /// # Errors
    /// As [`Session::map_set`].
    pub async fn set_clear(&mut self, key: &Key) -> Result<(), SessionError> {
        self.may_write(Kind::OrSet, key, 0)?;
        self.step(|d| d.set_clear(key)).await
    }
}
