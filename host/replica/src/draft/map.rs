//! The maps of a draft.

use std::collections::BTreeMap;

use bytes::Bytes;
use numax_crdt::{
    Key, Kind,
    family::lww_map,
    limits::{MAX_BATCH_OPS, MAX_FIELD, MAX_VALUE},
};

use super::{Cost, Draft, Page, allowed, both, counters::is_miss, page, too_many, within};
use crate::error::DraftError;

impl Draft {
    /// Writes a field.
    ///
    /// # Errors
    /// See [`DraftError`], as for every function here.
    pub fn map_set(&mut self, key: &Key, field: &[u8], value: Bytes) -> Result<(), DraftError> {
        allowed(key.as_bytes())?;
        within("field", field, MAX_FIELD)?;
        within("value", &value, MAX_VALUE)?;
        self.committed(Kind::LwwMap, key, |rows| {
            both(lww_map::written_at(rows, field), lww_map::size(rows))
        })?;
        self.map_write(key, field, Some(value))
    }

    /// A field's value; none when it was never written or is removed.
    ///
    /// # Errors
    /// See [`DraftError`].
    pub fn map_get(&mut self, key: &Key, field: &[u8]) -> Result<Option<Bytes>, DraftError> {
        allowed(key.as_bytes())?;
        within("field", field, MAX_FIELD)?;
        match self.maps.get(key).and_then(|fields| fields.get(field)) {
            Some(own) => Ok(own.clone()),
            None => self.committed(Kind::LwwMap, key, |rows| lww_map::get(rows, field)),
        }
    }

    /// Whether a field has a value.
    ///
    /// # Errors
    /// See [`DraftError`].
    pub fn map_contains(&mut self, key: &Key, field: &[u8]) -> Result<bool, DraftError> {
        Ok(self.map_get(key, field)?.is_some())
    }

    /// Removes a field; that it has no value is no error.
    ///
    /// # Errors
    /// See [`DraftError`].
    pub fn map_remove(&mut self, key: &Key, field: &[u8]) -> Result<(), DraftError> {
        allowed(key.as_bytes())?;
        within("field", field, MAX_FIELD)?;
        let (seen, _) = self
            .committed(Kind::LwwMap, key, |rows| both(lww_map::contains(rows, field), lww_map::size(rows)))?;
        if seen {
            return self.map_write(key, field, None);
        }
        self.map_forget(key, field)
    }

    /// Fields and values in byte order, after the field `after`; at most 1 MiB of them, or one.
    ///
    /// # Errors
    /// See [`DraftError`].
    pub fn map_entries(
        &mut self,
        key: &Key,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Page<(Bytes, Bytes)>, DraftError> {
        allowed(key.as_bytes())?;
        let none = BTreeMap::new();
        let fields = self.maps.get(key).unwrap_or(&none);
        page::merged(
            after,
            limit,
            |after, until| page::between(fields, after, until).map(|(f, v)| (f.clone(), v.clone())).collect(),
            |after, limit| self.committed(Kind::LwwMap, key, |rows| lww_map::entries(rows, after, limit)),
            Bytes::len,
        )
    }

    /// How many fields have a value.
    ///
    /// # Errors
    /// See [`DraftError`].
    pub fn map_size(&mut self, key: &Key) -> Result<u64, DraftError> {
        allowed(key.as_bytes())?;
        let none = BTreeMap::new();
        let fields = self.maps.get(key).unwrap_or(&none);
        self.committed(Kind::LwwMap, key, |rows| {
            let mut size = lww_map::size(rows);
            for (field, own) in fields {
                // After a miss the reads go on, so that one load brings all of them.
                match (lww_map::contains(rows, field), &mut size) {
                    (Ok(seen), Ok(size)) => {
                        *size = size.saturating_add(own.is_some().into()).saturating_sub(seen.into())
                    }
                    (Err(error), Ok(_)) => size = Err(error),
                    (Err(error), Err(_)) if !is_miss(&error) => size = Err(error),
                    _ => {}
                }
            }
            size
        })
    }

    /// Removes every field that is seen.
    ///
    /// # Errors
    /// [`DraftError::Invalid`] when they are more than a batch may hold.
    pub fn map_clear(&mut self, key: &Key) -> Result<(), DraftError> {
        allowed(key.as_bytes())?;
        let mut seen: Vec<Bytes> = Vec::new();
        loop {
            let after = seen.last().cloned();
            let part = self.committed(Kind::LwwMap, key, |rows| {
                lww_map::entries(rows, after.as_deref(), page::CLEAR_STEP)
            })?;
            let done = part.len() < page::CLEAR_STEP;
            seen.extend(part.into_iter().map(|(field, _)| field));
            if seen.len() > MAX_BATCH_OPS {
                return Err(too_many(key, "fields"));
            }
            if done {
                break;
            }
        }
        let cost = |field: &[u8], value: Option<&[u8]>| Cost::cell(key.as_bytes(), Some(field), value);
        let own = self.maps.get(key).into_iter().flatten();
        let old = own.fold(Cost::default(), |sum, (f, v)| sum.plus(cost(f, v.as_deref())));
        let new = seen.iter().fold(Cost::default(), |sum, field| sum.plus(cost(field, None)));
        self.usage.replace(old, new)?;
        self.maps.remove(key);
        if !seen.is_empty() {
            self.maps.insert(key.clone(), seen.into_iter().map(|field| (field, None)).collect());
        }
        Ok(())
    }

    fn map_write(&mut self, key: &Key, field: &[u8], value: Option<Bytes>) -> Result<(), DraftError> {
        let cost = |value: &Option<Bytes>| Cost::cell(key.as_bytes(), Some(field), value.as_deref());
        let old = self.maps.get(key).and_then(|fields| fields.get(field)).map_or(Cost::default(), cost);
        self.usage.replace(old, cost(&value))?;
        match self.maps.get_mut(key).and_then(|fields| fields.get_mut(field)) {
            Some(slot) => *slot = value,
            None => {
                self.maps.entry(key.clone()).or_default().insert(Bytes::copy_from_slice(field), value);
            }
        }
        Ok(())
    }

    /// Forgets what the turn wrote to a field.
    fn map_forget(&mut self, key: &Key, field: &[u8]) -> Result<(), DraftError> {
        let Some(fields) = self.maps.get_mut(key) else { return Ok(()) };
        if let Some(own) = fields.remove(field) {
            self.usage.replace(Cost::cell(key.as_bytes(), Some(field), own.as_deref()), Cost::default())?;
        }
        if fields.is_empty() {
            self.maps.remove(key);
        }
        Ok(())
    }
}
