//! The sets of a draft.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use numax_crdt::{
    Dot, Key, Kind,
    family::or_set,
    limits::{MAX_BATCH_OPS, MAX_VALUE},
};

use super::{Cost, Draft, Page, SetWrite, allowed, both, counters::is_miss, page, too_many, within};
use crate::error::DraftError;

impl Draft {
    /// Adds an element. One that is there is added anew: the new addition survives a removal that has not seen it.
    ///
    /// # Errors
    /// See [`DraftError`], as for every function here.
    pub fn set_add(&mut self, key: &Key, element: Bytes) -> Result<(), DraftError> {
        let dots = self.set_seen(key, &element)?;
        self.set_write(key, element, SetWrite { added: true, dots })
    }

    /// Removes an element as far as it is seen; that it is not there is no error.
    ///
    /// # Errors
    /// See [`DraftError`].
    pub fn set_remove(&mut self, key: &Key, element: &[u8]) -> Result<(), DraftError> {
        let dots = self.set_seen(key, element)?;
        if dots.is_empty() {
            // Nobody else has seen what this turn added: there is nothing to remove then.
            return self.set_forget(key, element);
        }
        self.set_write(key, Bytes::copy_from_slice(element), SetWrite { added: false, dots })
    }

    /// Whether the set holds an element.
    ///
    /// # Errors
    /// See [`DraftError`].
    pub fn set_contains(&mut self, key: &Key, element: &[u8]) -> Result<bool, DraftError> {
        allowed(key.as_bytes())?;
        within("element", element, MAX_VALUE)?;
        match self.set_own(key, element) {
            Some(own) => Ok(own.added),
            None => self.committed(Kind::OrSet, key, |rows| or_set::contains(rows, element)),
        }
    }

    /// Elements in byte order, after the element `after`; at most 1 MiB of them, or one.
    ///
    /// # Errors
    /// See [`DraftError`].
    pub fn set_elements(
        &mut self,
        key: &Key,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Page<Bytes>, DraftError> {
        allowed(key.as_bytes())?;
        let none = BTreeMap::new();
        let elements = self.sets.get(key).unwrap_or(&none);
        let page = page::merged(
            after,
            limit,
            |after, until| {
                let own = page::between(elements, after, until);
                own.map(|(element, write)| (element.clone(), write.added.then_some(()))).collect()
            },
            |after, limit| {
                self.committed(Kind::OrSet, key, |rows| {
                    let found = or_set::elements(rows, after, limit)?;
                    Ok(found.into_iter().map(|element| (element, ())).collect())
                })
            },
            |()| 0,
        )?;
        Ok(page.map(|(element, ())| element))
    }

    /// How many elements the set holds.
    ///
    /// # Errors
    /// See [`DraftError`].
    pub fn set_size(&mut self, key: &Key) -> Result<u64, DraftError> {
        allowed(key.as_bytes())?;
        let none = BTreeMap::new();
        let elements = self.sets.get(key).unwrap_or(&none);
        self.committed(Kind::OrSet, key, |rows| {
            let mut size = or_set::size(rows);
            for (element, own) in elements {
                // After a miss the reads go on, so that one load brings all of them.
                match (or_set::contains(rows, element), &mut size) {
                    (Ok(seen), Ok(size)) => {
                        *size = size.saturating_add(own.added.into()).saturating_sub(seen.into())
                    }
                    (Err(error), Ok(_)) => size = Err(error),
                    (Err(error), Err(_)) if !is_miss(&error) => size = Err(error),
                    _ => {}
                }
            }
            size
        })
    }

    /// Removes every element that is seen.
    ///
    /// # Errors
    /// [`DraftError::Invalid`] when they are more than a batch may hold.
    pub fn set_clear(&mut self, key: &Key) -> Result<(), DraftError> {
        allowed(key.as_bytes())?;
        let mut seen: Vec<Bytes> = Vec::new();
        loop {
            let after = seen.last().cloned();
            let part = self.committed(Kind::OrSet, key, |rows| {
                or_set::elements(rows, after.as_deref(), page::CLEAR_STEP)
            })?;
            let done = part.len() < page::CLEAR_STEP;
            seen.extend(part);
            if seen.len() > MAX_BATCH_OPS {
                return Err(too_many(key, "elements"));
            }
            if done {
                break;
            }
        }
        // What the turn itself removed stays removed, also when it is not seen any more.
        let elements: BTreeSet<&Bytes> =
            self.sets.get(key).into_iter().flat_map(BTreeMap::keys).chain(&seen).collect();
        let all_dots = self.committed(Kind::OrSet, key, |rows| {
            let mut all = Ok(Vec::with_capacity(elements.len()));
            for element in &elements {
                // After a miss the reads go on, so that one load brings all of them.
                match (or_set::dots(rows, element), &mut all) {
                    (Ok(dots), Ok(all)) => all.push(dots),
                    (Err(error), Ok(_)) => all = Err(error),
                    (Err(error), Err(_)) if !is_miss(&error) => all = Err(error),
                    _ => {}
                }
            }
            all
        })?;
        let mut writes: BTreeMap<Bytes, SetWrite> = BTreeMap::new();
        for (element, dots) in elements.into_iter().zip(all_dots) {
            let dots = self.set_with_own(key, element, dots);
            if !dots.is_empty() {
                writes.insert(element.clone(), SetWrite { added: false, dots });
            }
        }
        let cost =
            |element: &[u8], write: &SetWrite| Cost::element(key.as_bytes(), element, write.dots.len());
        let own = self.sets.get(key).into_iter().flatten();
        let old = own.fold(Cost::default(), |sum, (element, write)| sum.plus(cost(element, write)));
        let new = writes.iter().fold(Cost::default(), |sum, (element, write)| sum.plus(cost(element, write)));
        self.usage.replace(old, new)?;
        self.sets.remove(key);
        if !writes.is_empty() {
            self.sets.insert(key.clone(), writes);
        }
        Ok(())
    }

    fn set_own(&self, key: &Key, element: &[u8]) -> Option<&SetWrite> {
        self.sets.get(key)?.get(element)
    }

    /// The additions of an element that the turn has seen until now, sorted.
    fn set_seen(&self, key: &Key, element: &[u8]) -> Result<Vec<Dot>, DraftError> {
        allowed(key.as_bytes())?;
        within("element", element, MAX_VALUE)?;
        let (dots, _) =
            self.committed(Kind::OrSet, key, |rows| both(or_set::dots(rows, element), or_set::size(rows)))?;
        Ok(self.set_with_own(key, element, dots))
    }

    /// Committed additions and those that the turn captured before, sorted.
    fn set_with_own(&self, key: &Key, element: &[u8], mut dots: Vec<Dot>) -> Vec<Dot> {
        dots.extend(self.set_own(key, element).into_iter().flat_map(|own| &own.dots));
        dots.sort_unstable();
        dots.dedup();
        dots
    }

    fn set_write(&mut self, key: &Key, element: Bytes, write: SetWrite) -> Result<(), DraftError> {
        let cost = |write: &SetWrite| Cost::element(key.as_bytes(), &element, write.dots.len());
        let old = self.set_own(key, &element).map_or(Cost::default(), cost);
        self.usage.replace(old, cost(&write))?;
        match self.sets.get_mut(key) {
            Some(elements) => elements.insert(element, write),
            None => self.sets.entry(key.clone()).or_default().insert(element, write),
        };
        Ok(())
    }

    /// Forgets what the turn did to an element.
    fn set_forget(&mut self, key: &Key, element: &[u8]) -> Result<(), DraftError> {
        let Some(elements) = self.sets.get_mut(key) else { return Ok(()) };
        if let Some(own) = elements.remove(element) {
            let cost = Cost::element(key.as_bytes(), element, own.dots.len());
            self.usage.replace(cost, Cost::default())?;
        }
        if elements.is_empty() {
            self.sets.remove(key);
        }
        Ok(())
    }
}
