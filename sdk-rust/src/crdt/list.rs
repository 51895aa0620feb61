//! Lists.

use super::raw;
use crate::{Pages, Result};

value! {
    "list",
    /// An ordered list. Elements have ids that never change, and are inserted behind one another.
    ///
    /// Of what several nodes insert at one place at the same time, each one's run stays whole.
    Rga
}

impl Rga {
    /// Inserts a value of at most 1 MiB right behind the element `after`, or at the head; gives the new element's id.
    ///
    /// # Errors
    /// `NotFound` when `after` is no element any more, `Invalid` when it is no id or the value is larger; `Denied`, `Quota`,
    /// `Unavailable`.
    pub fn insert(&self, after: Option<&str>, value: impl AsRef<[u8]>) -> Result<String> {
        Ok(self.0.insert(after, value.as_ref())?)
    }

    /// Inserts a value of at most 1 MiB at the end; gives the new element's id.
    ///
    /// # Errors
    /// `Invalid` when it is larger; `Denied`, `Quota`, `Unavailable`.
    pub fn push(&self, value: impl AsRef<[u8]>) -> Result<String> {
        Ok(self.0.push(value.as_ref())?)
    }

    /// An element's value; `None` when it is removed or never was.
    ///
    /// # Errors
    /// `Invalid` when it is no id; `Denied`, `Unavailable`.
    pub fn get(&self, id: impl AsRef<str>) -> Result<Option<Vec<u8>>> {
        Ok(self.0.get(id.as_ref())?)
    }

    /// Removes an element.
    ///
    /// # Errors
    /// `NotFound` when it is none any more, `Invalid` when it is no id; `Denied`, `Quota`, `Unavailable`.
    pub fn remove(&self, id: impl AsRef<str>) -> Result<()> {
        Ok(self.0.remove(id.as_ref())?)
    }

    /// The elements' ids with their values, in the order of the list.
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

collection!(Rga, "element", "insert");
