//! Replicated values: who may touch which, and the calls of each family.

mod collections;
mod lists;
mod scalars;
mod texts;

use super::page::{filtered, is_text, limit};
use super::{Page, Session, SessionError};
use bytes::Bytes;
use numax_crdt::{Key, Kind};
use numax_policy::Capability;

impl Session {
    /// The key of a value that a guest opens. It must be allowed to read or write it.
    ///
    /// # Errors
    /// A key that is too long or reserved, and a key that the policy does not name.
    pub fn open_value(&self, kind: Kind, key: String) -> Result<Key, SessionError> {
        let key = Key::new(key).map_err(|e| SessionError::Invalid(e.to_string()))?;
        Self::not_reserved(key.as_bytes())?;
        let access = self.grant.policy().crdt(kind);
        if access.can_read(key.as_bytes()) || access.can_write(key.as_bytes()) {
            Ok(key)
        } else {
            Err(self.denied(Capability::CrdtWrite(kind), key.as_bytes()))
        }
    }

    pub(super) fn may_read(&self, kind: Kind, key: &Key) -> Result<(), SessionError> {
        if self.grant.policy().crdt(kind).can_read(key.as_bytes()) {
            Ok(())
        } else {
            Err(self.denied(Capability::CrdtRead(kind), key.as_bytes()))
        }
    }

    /// Checks the right to write and charges the quotas with that many bytes beside the key.
    pub(super) fn may_write(&self, kind: Kind, key: &Key, bytes: usize) -> Result<(), SessionError> {
        if !self.grant.policy().crdt(kind).can_write(key.as_bytes()) {
            return Err(self.denied(Capability::CrdtWrite(kind), key.as_bytes()));
        }
        self.grant.charge(key.as_bytes().len() + bytes)
    }

    /// A page of the keys of one family below a prefix that the module may read. Keys that are not UTF-8 are left out.
    ///
    /// # Errors
    /// Denied if the policy lets it read nothing below the prefix; see [`SessionError`].
    pub async fn keys(
        &mut self,
        kind: Kind,
        prefix: &str,
        after: Option<&str>,
        asked: u32,
    ) -> Result<Page<Bytes>, SessionError> {
        let limit = limit(asked)?;
        if !self.grant.policy().crdt(kind).may_read_below(prefix.as_bytes()) {
            return Err(self.denied(Capability::CrdtRead(kind), format!("{prefix}*").as_bytes()));
        }
        let mut from = after.map(|a| Bytes::copy_from_slice(a.as_bytes()));
        loop {
            let raw = self.step(|d| d.keys(kind, prefix.as_bytes(), from.as_deref(), limit)).await?;
            match filtered(raw, |key| key, |key| self.grant.policy().crdt(kind).can_read(key) && is_text(key))
            {
                Ok(page) => return Ok(page),
                Err(next) => from = Some(next),
            }
        }
    }
}
