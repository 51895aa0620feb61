//! Registers.

use super::raw;
use crate::Result;

value! {
    "register",
    /// One value. Of concurrent writes the later one wins, by a clock that follows both time and cause.
    LwwRegister
}

impl LwwRegister {
    /// Writes the value, of at most 1 MiB.
    ///
    /// # Errors
    /// `Invalid` when it is larger; `Denied`, `Quota`, `Unavailable`.
    pub fn set(&self, value: impl AsRef<[u8]>) -> Result<()> {
        Ok(self.0.set(value.as_ref())?)
    }

    /// The value; `None` when it was never set or is cleared.
    ///
    /// # Errors
    /// `Denied`, `Unavailable`.
    pub fn get(&self) -> Result<Option<Vec<u8>>> {
        Ok(self.0.get()?)
    }

    /// Removes the value.
    ///
    /// # Errors
    /// `Denied`, `Quota`, `Unavailable`.
    pub fn clear(&self) -> Result<()> {
        Ok(self.0.clear()?)
    }

    /// Writes `value`, of at most 1 MiB, if the register holds `expected` (`None`: nothing), and says whether it did.
    /// Atomic among the guests of this node only. What this turn has written before is committed first.
    ///
    /// # Errors
    /// As [`LwwRegister::set`].
    pub fn compare_and_set(&self, expected: Option<&[u8]>, value: impl AsRef<[u8]>) -> Result<bool> {
        Ok(self.0.compare_and_set(expected, value.as_ref())?)
    }
}
