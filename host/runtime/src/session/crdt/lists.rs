//! Lists.

use crate::session::error::fits;
use crate::session::page::limit;
use crate::session::{Session, SessionError};
use bytes::Bytes;
use numax_crdt::limits::MAX_VALUE;
use numax_crdt::{ElementId, Key, Kind};
use numax_replica::ListPage;

/// The id of an element as a guest names it.
fn element(id: &str) -> Result<ElementId, SessionError> {
    id.parse().map_err(|e: numax_crdt::ParseElementIdError| SessionError::Invalid(e.to_string()))
}

impl Session {
    /// Inserts an element right behind another, or at the head; gives its id.
    ///
    /// # Errors
    /// [`SessionError::NotFound`] when `after` is no element any more. See [`SessionError`]; so for all calls of a
    /// session.
    pub async fn list_insert(
        &mut self,
        key: &Key,
        after: Option<&str>,
        value: Bytes,
    ) -> Result<ElementId, SessionError> {
        fits("value", value.len(), MAX_VALUE)?;
        self.may_write(Kind::Rga, key, value.len() + ElementId::LEN)?;
        let after = after.map(element).transpose()?;
        let seed = self.backend.id_seed();
        self.step(|d| d.list_insert(key, after, value.clone(), seed)).await
    }

    /// Inserts an element at the end; gives its id.
    ///
    /// # Errors
    /// As [`Session::list_insert`].
    pub async fn list_push(&mut self, key: &Key, value: Bytes) -> Result<ElementId, SessionError> {
        fits("value", value.len(), MAX_VALUE)?;
        self.may_write(Kind::Rga, key, value.len() + ElementId::LEN)?;
        let seed = self.backend.id_seed();
        self.step(|d| d.list_push(key, value.clone(), seed)).await
    }

    /// An element's value.
    ///
    /// # Errors
    /// As [`Session::list_insert`].
    pub async fn list_get(&mut self, key: &Key, id: &str) -> Result<Option<Bytes>, SessionError> {
        self.may_read(Kind::Rga, key)?;
        let id = element(id)?;
        self.step(|d| d.list_get(key, id)).await
    }

    /// Removes an element.
    ///
    /// # Errors
    /// As [`Session::list_insert`].
    pub async fn list_remove(&mut self, key: &Key, id: &str) -> Result<(), SessionError> {
        self.may_write(Kind::Rga, key, ElementId::LEN)?;
        let id = element(id)?;
        self.step(|d| d.list_remove(key, id)).await
    }

    /// A page of a list, from behind the element `after`.
    ///
    /// # Errors
    /// As [`Session::list_insert`].
    pub async fn list_entries(
        &mut self,
        key: &Key,
        after: Option<&str>,
        asked: u32,
    ) -> Result<ListPage, SessionError> {
        self.may_read(Kind::Rga, key)?;
        let limit = limit(asked)?;
        let after = after.map(element).transpose()?;
        self.step(|d| d.list_entries(key, after, limit)).await
    }

    /// How many elements a list has.
    ///
    /// # Errors
    /// As [`Session::list_insert`].
    pub async fn list_size(&mut self, key: &Key) -> Result<u64, SessionError> {
        self.may_read(Kind::Rga, key)?;
        self.step(|d| d.list_size(key)).await
    }

    /// Removes every element that this node has seen.
    ///
    /// # Errors
    /// As [`Session::list_insert`].
    pub async fn list_clear(&mut self, key: &Key) -> Result<(), SessionError> {
        self.may_write(Kind::Rga, key, 0)?;
        self.step(|d| d.list_clear(key)).await
    }
}
