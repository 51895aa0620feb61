//! The node-local store.

use super::error::fits;
use super::page::{filtered, is_text, limit};
use super::{Page, Session, SessionError};
use bytes::Bytes;
use numax_crdt::limits::{MAX_KEY, MAX_VALUE, RESERVED_PREFIX};
use numax_policy::Capability;

/// Entries that are read at a time when keys are removed one by one.
const CHUNK: usize = 256;

impl Session {
    fn db_read(&self, key: &[u8]) -> Result<(), SessionError> {
        Self::db_key(key)?;
        if self.grant.policy().db().can_read(key) {
            Ok(())
        } else {
            Err(self.denied(Capability::DbRead, key))
        }
    }

    fn db_write(&self, key: &[u8], bytes: usize) -> Result<(), SessionError> {
        Self::db_key(key)?;
        if !self.grant.policy().db().can_write(key) {
            return Err(self.denied(Capability::DbWrite, key));
        }
        self.grant.charge(key.len() + bytes)
    }

    fn db_key(key: &[u8]) -> Result<(), SessionError> {
        fits("key", key.len(), MAX_KEY)?;
        Self::not_reserved(key)
    }

    /// The value under a key.
    ///
    /// # Errors
    /// See [`SessionError`]; so for all calls of a session.
    pub async fn kv_get(&mut self, key: &str) -> Result<Option<Bytes>, SessionError> {
        self.db_read(key.as_bytes())?;
        self.step(|d| d.kv_get(key.as_bytes())).await
    }

    /// Puts a value under a key.
    ///
    /// # Errors
    /// As [`Session::kv_get`].
    pub async fn kv_set(&mut self, key: &str, value: Bytes) -> Result<(), SessionError> {
        fits("value", value.len(), MAX_VALUE)?;
        self.db_write(key.as_bytes(), value.len())?;
        self.step(|d| d.kv_set(key.as_bytes(), value.clone())).await
    }

    /// Removes a key.
    ///
    /// # Errors
    /// As [`Session::kv_get`].
    pub async fn kv_delete(&mut self, key: &str) -> Result<(), SessionError> {
        self.db_write(key.as_bytes(), 0)?;
        self.step(|d| d.kv_delete(key.as_bytes())).await
    }

    /// Whether there is a value under a key.
    ///
    /// # Errors
    /// As [`Session::kv_get`].
    pub async fn kv_exists(&mut self, key: &str) -> Result<bool, SessionError> {
        self.db_read(key.as_bytes())?;
        self.step(|d| d.kv_exists(key.as_bytes())).await
    }

    /// Removes every key with a prefix and says how many there were. The module must be allowed to write them all.
    ///
    /// # Errors
    /// As [`Session::kv_get`].
    pub async fn kv_delete_prefix(&mut self, prefix: &str) -> Result<u64, SessionError> {
        Self::db_key(prefix.as_bytes())?;
        // No pattern but one that covers everything below the prefix matches this: it is no text, so none can name it.
        let beyond = [prefix.as_bytes(), &[0xff]].concat();
        if !self.grant.policy().db().can_write(&beyond) {
            return Err(self.denied(Capability::DbWrite, format!("{prefix}*").as_bytes()));
        }
        self.grant.charge(prefix.len())?;
        if !RESERVED_PREFIX.starts_with(prefix) {
            return self.step(|d| d.kv_delete_prefix(prefix.as_bytes())).await;
        }
        // The prefix is so short that it covers the reserved keys too: those stay.
        let (mut after, mut removed) = (None::<Bytes>, 0);
        loop {
            let page = self.step(|d| d.kv_scan(prefix.as_bytes(), after.as_deref(), CHUNK)).await?;
            for (key, _) in &page.items {
                if !key.starts_with(RESERVED_PREFIX.as_bytes()) {
                    self.step(|d| d.kv_delete(key)).await?;
                    removed += 1;
                }
            }
            match page.next {
                None => return Ok(removed),
                next => after = next,
            }
        }
    }

    /// A page of the keys with a prefix that the module may read. Keys that are not UTF-8 are left out.
    ///
    /// # Errors
    /// As [`Session::kv_get`]; denied if the policy lets it read nothing below the prefix.
    pub async fn kv_scan(
        &mut self,
        prefix: &str,
        after: Option<&str>,
        asked: u32,
    ) -> Result<Page<(Bytes, Bytes)>, SessionError> {
        let limit = limit(asked)?;
        if !self.grant.policy().db().may_read_below(prefix.as_bytes()) {
            return Err(self.denied(Capability::DbRead, format!("{prefix}*").as_bytes()));
        }
        let mut from = after.map(|a| Bytes::copy_from_slice(a.as_bytes()));
        loop {
            let raw = self.step(|d| d.kv_scan(prefix.as_bytes(), from.as_deref(), limit)).await?;
            match filtered(raw, |(key, _)| key, |key| self.grant.policy().db().can_read(key) && is_text(key))
            {
                Ok(page) => return Ok(page),
                Err(next) => from = Some(next),
            }
        }
    }
}
