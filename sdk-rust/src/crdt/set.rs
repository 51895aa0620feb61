//! Sets.

use super::raw;
use crate::{Pages, Result};

/// A set in which an addition wins over a concurrent removal of the same element.
#[derive(Debug)]
pub struct OrSet(raw::OrSet);

impl OrSet {
    /// A handle on the set of this key.
    ///
    /// # Errors
    /// `Denied` when the policy grants nothing under this key, `Invalid` when the key is too long.
    pub fn open(key: impl AsRef<str>) -> Result<Self> {
        Ok(Self(raw::OrSet::open(key.as_ref())?))
    }

    /// Adds an element of at most 1 MiB.
    ///
    /// # Errors
    /// `Invalid` for a larger one; `Denied`, `Quota`, `Unavailable`.
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
    pub fn elements(&self) -> Pages<'_, Vec<u8>, Vec<u8>> {
        Pages::new(|after: Option<&Vec<u8>>, limit| {
            let page = self.0.elements(after.map(Vec::as_slice), limit)?;
            Ok((page.elements, page.next))
        })
    }

    /// The number of elements.
    ///
    /// # Errors
    /// `Denied`, `Unavailable`.
    pub fn size(&self) -> Result<u64> {
        Ok(self.0.size()?)
    }

    /// Removes every element seen here; what others add at the same time stays.
    ///
    /// # Errors
    /// `Denied`, `Invalid` (too large for one batch), `Quota`, `Unavailable`.
    pub fn clear(&self) -> Result<()> {
        Ok(self.0.clear()?)
    }
}
