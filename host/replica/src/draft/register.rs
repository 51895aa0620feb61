//! The registers of a draft.

use bytes::Bytes;
use numax_crdt::{Key, Kind, family::lww_register, limits::MAX_VALUE};

use super::{Cost, Draft, allowed, within};
use crate::error::DraftError;

impl Draft {
    /// Writes a register.
    ///
    /// # Errors
    /// See [`DraftError`], as for every function here.
    pub fn register_set(&mut self, key: &Key, value: Bytes) -> Result<(), DraftError> {
        allowed(key.as_bytes())?;
        within("value", &value, MAX_VALUE)?;
        self.committed(Kind::LwwRegister, key, lww_register::written_at)?;
        self.register_write(key, Some(value))
    }

    /// A register's value; none when it was never written or is cleared.
    ///
    /// # Errors
    /// See [`DraftError`].
    pub fn register_get(&mut self, key: &Key) -> Result<Option<Bytes>, DraftError> {
        allowed(key.as_bytes())?;
        match self.registers.get(key) {
            Some(own) => Ok(own.clone()),
            None => self.committed(Kind::LwwRegister, key, lww_register::get),
        }
    }

    /// Clears a register. One without a value stays as it is.
    ///
    /// # Errors
    /// See [`DraftError`].
    pub fn register_clear(&mut self, key: &Key) -> Result<(), DraftError> {
        allowed(key.as_bytes())?;
        let seen = self.committed(Kind::LwwRegister, key, lww_register::get)?.is_some();
        if seen {
            return self.register_write(key, None);
        }
        // Nobody else has seen what this turn wrote: there is nothing to clear then.
        if let Some(own) = self.registers.remove(key) {
            self.usage.replace(Cost::cell(key.as_bytes(), None, own.as_deref()), Cost::default())?;
        }
        Ok(())
    }

    fn register_write(&mut self, key: &Key, value: Option<Bytes>) -> Result<(), DraftError> {
        let cost = |value: &Option<Bytes>| Cost::cell(key.as_bytes(), None, value.as_deref());
        let old = self.registers.get(key).map_or(Cost::default(), cost);
        self.usage.replace(old, cost(&value))?;
        self.registers.insert(key.clone(), value);
        Ok(())
    }
}
