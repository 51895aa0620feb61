//! Maps.

use super::raw;
use crate::{Pages, Result};

/// Fields, each of which is a value whose last write wins.
#[derive(Debug)]
pub struct LwwMap(raw::LwwMap);

impl LwwMap {
    /// A handle on the map of this key.
    ///
    /// # Errors
    /// `Denied` when the policy grants nothing under this key, `Invalid` when the key is too long.
    pub fn open(key: impl AsRef<str>) -> Result<Self> {
        Ok(Self(raw::LwwMap::open(key.as_ref())?))
    }

    /// Writes a field; its name has at most 8 KiB, its value 1 MiB.
    ///
    /// # Errors
    /// `Invalid` beyond those; `Denied`, `Quota`, `Unavailable`.
    pub fn set(&self, field: impl AsRef<str>, value: impl AsRef<[u8]>) -> Result<()> {
        Ok(self.0.set(field.as_ref(), value.as_ref())?)
    }

    /// A field's value; `None` when there is none.
    ///
    /// # Errors
    /// `Denied`, `Invalid`, `Unavailable`.
    pub fn get(&self, field: impl AsRef<str>) -> Result<Option<Vec<u8>>> {
        Ok(self.0.get(field.as_ref())?)
    }

    /// Whether the field has a value.
    ///
    /// # Errors
    /// `Denied`, `Invalid`, `Unavailable`.
    pub fn contains(&self, field: impl AsRef<str>) -> Result<bool> {
        Ok(self.0.contains(field.as_ref())?)
    }

    /// Removes a field; nothing happens when there is none.
    ///
    /// # Errors
    /// `Denied`, `Invalid`, `Quota`, `Unavailable`.
    pub fn remove(&self, field: impl AsRef<str>) -> Result<()> {
        Ok(self.0.remove(field.as_ref())?)
    }

    /// The fields with their values, in byte order of the fields.
    pub fn entries(&self) -> Pages<'_, (String, Vec<u8>)> {
        Pages::new(|after: Option<&String>, limit| {
            let page = self.0.entries(after.map(String::as_str), limit)?;
            Ok((page.entries, page.next))
        })
    }

    /// The number of fields that have a value.
    ///
    /// # Errors
    /// `Denied`, `Unavailable`.
    pub fn size(&self) -> Result<u64> {
        Ok(self.0.size()?)
    }

    /// Removes every field seen here; what others write at the same time stays.
    ///
    /// # Errors
    /// `Denied`, `Invalid` (too large for one batch), `Quota`, `Unavailable`.
    pub fn clear(&self) -> Result<()> {
        Ok(self.0.clear()?)
    }
}
