//! Sets.

use super::raw;
use crate::{Pages, Result};

value! {
    "set",
    /// A set in which an addition wins over a concurrent removal of the same element.
    OrSet
}

impl OrSet {
    /// Adds an element of at most 1 MiB.
    ///
    /// # Errors
    /// `Invalid` when it is larger; `Denied`, `Quota`, `Unavailable`.
    pub fn add(&self, element: impl AsRef<[u8]>) -> Result<()> {
        Ok(self.0.add(element.as_ref())?)
    }

    /// Removes an element, as far as its additions are seen here.
    ///
    /// # Errors
    /// `Denied`, `Invalid`, `Quota`, `Unavailable`.
    pub fn remove(&self, element: impl AsRef<[u8]>) -> Result<()> {
        Ok(self.0.remove(element.as_ref())?)
    }

    /// Whether the element is in the set.
    ///
    /// # Errors
    /// `Denied`, `Invalid`, `Unavailable`.
    pub fn contains(&self, element: impl AsRef<[u8]>) -> Result<bool> {
        Ok(self.0.contains(element.as_ref())?)
    }

    /// The elements in byte order.
    ///
    /// # Errors
    /// Of the iterator's items: `Denied`, `Unavailable`.
    pub fn elements(&self) -> Pages<'_, Vec<u8>, Vec<u8>> {
        Pages::new(|after: Option<&Vec<u8>>, limit| {
            let page = self.0.elements(after.map(Vec::as_slice), limit)?;
            Ok((page.elements, page.next))
        })
    }
}

collection!(OrSet, "element", "add");
