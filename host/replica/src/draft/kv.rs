//! The node-local store of a draft: durable, ordered, never replicated; its writes are part of the turn's batch.

use bytes::Bytes;
use numax_crdt::limits::{MAX_BATCH_OPS, MAX_KEY, MAX_VALUE, RESERVED_PREFIX};

use super::{Cost, Draft, Page, allowed, page, within};
use crate::{error::DraftError, rows::name};

impl Draft {
    /// A key's value.
    ///
    /// # Errors
    /// See [`DraftError`], as for every function here.
    pub fn kv_get(&mut self, key: &[u8]) -> Result<Option<Bytes>, DraftError> {
        kv_key(key)?;
        match self.local.get(key) {
            Some(own) => Ok(own.clone()),
            None => self.kv_committed(key),
        }
    }

    /// Writes a key.
    ///
    /// # Errors
    /// See [`DraftError`].
    pub fn kv_set(&mut self, key: &[u8], value: Bytes) -> Result<(), DraftError> {
        kv_key(key)?;
        within("value", &value, MAX_VALUE)?;
        self.kv_write(key, Some(value))
    }

    /// Deletes a key; that it is not there is no error.
    ///
    /// # Errors
    /// See [`DraftError`].
    pub fn kv_delete(&mut self, key: &[u8]) -> Result<(), DraftError> {
        kv_key(key)?;
        self.kv_write(key, None)
    }

    /// Deletes every key with a prefix; answers how many there were.
    ///
    /// # Errors
    /// [`DraftError::Invalid`] when they are more than a batch may hold.
    pub fn kv_delete_prefix(&mut self, prefix: &[u8]) -> Result<u64, DraftError> {
        let mut keys: Vec<Bytes> = Vec::new();
        loop {
            let after = keys.last().cloned();
            let part = self.kv_scan(prefix, after.as_deref(), page::CLEAR_STEP)?;
            keys.extend(part.items.into_iter().map(|(key, _)| key));
            if keys.len() > MAX_BATCH_OPS {
                let prefix = prefix.escape_ascii();
                return Err(DraftError::Invalid(format!(
                    "batch too large: more than {MAX_BATCH_OPS} keys begin with \"{prefix}\", and one turn deletes no more; \
                     delete them a part at a time, each part in a turn of its own"
                )));
            }
            if part.next.is_none() {
                break;
            }
        }
        let cost =
            |key: &[u8]| self.local.get(key).map_or(Cost::default(), |own| Cost::local(key, own.as_deref()));
        let old = keys.iter().fold(Cost::default(), |sum, key| sum.plus(cost(key)));
        let new = keys.iter().fold(Cost::default(), |sum, key| sum.plus(Cost::local(key, None)));
        self.usage.replace(old, new)?;
        let count = keys.len() as u64;
        self.local.extend(keys.into_iter().map(|key| (key, None)));
        Ok(count)
    }

    /// Whether a key is there.
    ///
    /// # Errors
    /// See [`DraftError`].
    pub fn kv_exists(&mut self, key: &[u8]) -> Result<bool, DraftError> {
        Ok(self.kv_get(key)?.is_some())
    }

    /// Keys with a prefix and their values, in byte order, after the key `after`; at most 1 MiB of them, or one.
    ///
    /// # Errors
    /// See [`DraftError`].
    pub fn kv_scan(
        &mut self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Page<(Bytes, Bytes)>, DraftError> {
        within("key", prefix, MAX_KEY)?;
        let row_prefix = name::local(prefix);
        page::merged(
            after,
            limit,
            |after, until| {
                let own = page::between(&self.local, after, until).filter(|(key, _)| key.starts_with(prefix));
                own.map(|(key, value)| (key.clone(), value.clone())).collect()
            },
            |after, limit| {
                let after = after.map_or(Vec::new(), name::local);
                self.access(|access| {
                    let mut found = Vec::new();
                    let mut after = Bytes::from(after.clone());
                    loop {
                        let (rows, next) = access.rows(&row_prefix, &after, limit - found.len(), false)?;
                        // The system's own are there for nobody.
                        let last_is_ours = rows.last().is_some_and(|(row, _)| ours(row.get(1..)));
                        let rows = rows.into_iter().map(|(row, value)| (row.slice(1..), value));
                        found.extend(rows.filter(|(key, _)| !ours(Some(key))));
                        match next {
                            // Past all of them at once.
                            Some(_) if last_is_ours => after = name::local(PAST_RESERVED).into(),
                            Some(next) if found.len() < limit => after = next,
                            _ => return Ok(found),
                        }
                        if found.len() >= limit {
                            return Ok(found);
                        }
                    }
                })
            },
            Bytes::len,
        )
    }

    fn kv_committed(&self, key: &[u8]) -> Result<Option<Bytes>, DraftError> {
        self.access(|access| Ok(access.row(&name::local(key))?))
    }

    fn kv_write(&mut self, key: &[u8], value: Option<Bytes>) -> Result<(), DraftError> {
        let old = self.local.get(key).map_or(Cost::default(), |own| Cost::local(key, own.as_deref()));
        self.usage.replace(old, Cost::local(key, value.as_deref()))?;
        self.local.insert(Bytes::copy_from_slice(key), value);
        Ok(())
    }
}

/// A key greater than all that begin with the system's prefix, and not greater than those behind them.
const PAST_RESERVED: &[u8] = b"__nx/\xff\xff\xff\xff\xff\xff\xff\xff";

/// Whether a key is the system's.
fn ours(key: Option<&[u8]>) -> bool {
    key.is_some_and(|key| key.starts_with(RESERVED_PREFIX.as_bytes()))
}

fn kv_key(key: &[u8]) -> Result<(), DraftError> {
    allowed(key)?;
    within("key", key, MAX_KEY)
}
