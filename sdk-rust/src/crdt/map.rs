//! Maps.

use super::raw;
use crate::{Pages, Result};

value! {
    "map",
    /// Fields, each of which is a value whose last write wins.
    LwwMap
}

impl LwwMap {
    /// Writes a field; its name has at most 8 KiB, its value 1 MiB.
    ///
    /// # Errors
    /// `Invalid` when one is larger; `Denied`, `Quota`, `Unavailable`.
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
    ///
    /// # Errors
    /// Of the iterator's items: `Denied`, `Unavailable`.
    pub fn entries(&self) -> Pages<'_, (String, Vec<u8>)> {
        Pages::new(|after: Option<&String>, limit| {
            let page = self.0.entries(after.map(String::as_str), limit)?;
            Ok((page.entries, page.next))
        })
    }
}

collection!(LwwMap, "field", "write");
