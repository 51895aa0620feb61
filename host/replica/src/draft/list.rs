//! The lists of a draft: what the turn inserted and removed, over the committed order.
//!
//! What the turn inserted is kept in *runs*, each a sequence of its elements that stand behind one committed element
//! (or the head). A run is shown right behind that element. Others may have inserted at the same place meanwhile; then
//! its place after the commit is the one that the ids say.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use numax_crdt::{
    ApplyError, ElementId, Hlc, Key, Kind, Rows,
    family::rga,
    limits::{MAX_BATCH_OPS, MAX_VALUE},
};

use super::{Cost, Draft, allowed, both, counters::is_miss, list_page, too_many, within};
use crate::error::DraftError;

/// What a new element's id is made of, given with the call: nothing in a draft reads a clock or draws a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdSeed {
    /// Unix time in milliseconds.
    pub now_ms: u64,
    /// Random bits; 58 of them are used.
    pub random: u64,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPage {
    /// Elements with their values, in the order of the list.
    pub items: Vec<(ElementId, Bytes)>,
    /// Hand this back as `after` to go on; none at the end.
    pub next: Option<ElementId>,
}

/// An element that the turn inserted.
#[derive(Debug, Clone)]
pub(super) struct Own {
    /// The element it was inserted after.
    pub after: Option<ElementId>,
    /// The committed element behind which its run stands.
    pub anchor: Option<ElementId>,
    /// None once the turn removed it again. It then goes into the batch only if others were inserted after it, and
    /// stays here because a page may go on behind it.
    pub value: Option<Bytes>,
    /// How many elements of the batch were inserted after it.
    children: usize,
}

impl Own {
    /// Whether the batch has it.
    pub fn is_needed(&self) -> bool {
        self.value.is_some() || self.children > 0
    }

    fn cost(&self, key: &Key) -> Cost {
        match &self.value {
            Some(value) => Cost::list_insert(key.as_bytes(), value),
            None if self.children > 0 => {
                Cost::list_insert(key.as_bytes(), &[]).plus(Cost::list_remove(key.as_bytes()))
            }
            None => Cost::TRACE,
        }
    }
}

/// What the turn did to one list.
#[derive(Debug, Clone, Default)]
pub(super) struct ListWrites {
    pub inserted: BTreeMap<ElementId, Own>,
    /// Committed elements that the turn removed.
    pub removed: BTreeSet<ElementId>,
    /// Own elements in order, by anchor.
    pub runs: BTreeMap<Option<ElementId>, Vec<ElementId>>,
    /// The anchor of the run that ends the list, once it was looked up.
    end: Option<Option<ElementId>>,
}

impl ListWrites {
    fn is_empty(&self) -> bool {
        self.inserted.is_empty() && self.removed.is_empty()
    }

    fn cost(&self, key: &Key) -> Cost {
        let removals = (0..self.removed.len()).map(|_| Cost::list_remove(key.as_bytes()));
        let insertions = self.inserted.values().map(|own| own.cost(key));
        removals.chain(insertions).fold(Cost::default(), Cost::plus)
    }

    /// Whether the turn sees one of its own elements.
    pub fn shows(&self, id: &ElementId) -> bool {
        self.inserted.get(id).is_some_and(|own| own.value.is_some())
    }

    /// The last element of a run that the turn sees.
    fn last_of_run(&self, anchor: Option<ElementId>) -> Option<ElementId> {
        self.runs.get(&anchor)?.iter().rev().find(|id| self.shows(id)).copied()
    }

    /// Puts a new element right behind the one it was inserted after.
    fn insert(&mut self, id: ElementId, own: Own) {
        let run = self.runs.entry(own.anchor).or_default();
        let at = match own.after {
            // Most likely the one that was inserted last, and that the end.
            after if after == own.anchor => 0,
            after => run.iter().rposition(|other| Some(*other) == after).map_or(run.len(), |at| at + 1),
        };
        run.insert(at, id);
        if let Some(parent) = own.after.and_then(|after| self.inserted.get_mut(&after)) {
            parent.children += 1;
        }
        self.inserted.insert(id, own);
    }
}

impl Draft {
    /// Inserts an element right behind another, or at the head, and answers its id.
    ///
    /// # Errors
    /// [`DraftError::NotFound`] when `after` is no element (any more). See [`DraftError`] for the rest, as for every
    /// function here.
    pub fn list_insert(
        &mut self,
        key: &Key,
        after: Option<ElementId>,
        value: Bytes,
        seed: IdSeed,
    ) -> Result<ElementId, DraftError> {
        allowed(key.as_bytes())?;
        within("value", &value, MAX_VALUE)?;
        let none = ListWrites::default();
        let writes = self.lists.get(key).unwrap_or(&none);
        let own_parent = after.and_then(|after| writes.inserted.get(&after));
        // What stands behind the place, which the new id must be above.
        let (anchor, own_next, next) = match own_parent {
            Some(own) if own.value.is_none() => return Err(DraftError::NotFound(not_found(key, after))),
            Some(own) => {
                let run = writes.runs.get(&own.anchor).map_or(&[][..], Vec::as_slice);
                let at = run.iter().rposition(|id| Some(*id) == after);
                (own.anchor, at.and_then(|at| run.get(at + 1)).copied(), None)
            }
            None => {
                let known = self.committed(Kind::Rga, key, |rows| insertion(rows, after))?;
                let gone = after.is_some_and(|after| writes.removed.contains(&after));
                let Some(next) = known.filter(|_| !gone) else {
                    return Err(DraftError::NotFound(not_found(key, after)));
                };
                (after, writes.runs.get(&after).and_then(|run| run.first()).copied(), next)
            }
        };
        let above = after.into_iter().chain(own_next).chain(next);
        let now = Hlc::from_parts(seed.now_ms, 0);
        let id = ElementId::fresh(now, above, seed.random).ok_or_else(|| {
            DraftError::Invalid("the list takes nothing there: an id there is of the end of time".to_string())
        })?;
        if writes.inserted.contains_key(&id) {
            return Err(DraftError::Unavailable("two list elements were given one id".to_string()));
        }
        let own = Own { after, anchor, value: Some(value), children: 0 };
        self.usage.replace(Cost::default(), own.cost(key))?;
        self.lists.entry(key.clone()).or_default().insert(id, own);
        Ok(id)
    }

    /// Inserts an element at the end and answers its id.
    ///
    /// # Errors
    /// See [`DraftError`].
    pub fn list_push(&mut self, key: &Key, value: Bytes, seed: IdSeed) -> Result<ElementId, DraftError> {
        allowed(key.as_bytes())?;
        within("value", &value, MAX_VALUE)?;
        let known = self.lists.get(key).and_then(|writes| {
            let end = writes.end?;
            Some((end, writes.last_of_run(end)?))
        });
        let (anchor, after) = match known {
            Some((anchor, last)) => (anchor, Some(last)),
            None => {
                let none = ListWrites::default();
                let writes = self.lists.get(key).unwrap_or(&none);
                let anchor = self.committed(Kind::Rga, key, |rows| list_page::last(rows, writes))?;
                (anchor, writes.last_of_run(anchor).or(anchor))
            }
        };
        let id = self.list_insert(key, after, value, seed)?;
        if let Some(writes) = self.lists.get_mut(key) {
            writes.end = Some(anchor);
        }
        Ok(id)
    }

    /// An element's value; none when it is removed or never was.
    ///
    /// # Errors
    /// See [`DraftError`].
    pub fn list_get(&mut self, key: &Key, id: ElementId) -> Result<Option<Bytes>, DraftError> {
        allowed(key.as_bytes())?;
        if let Some(writes) = self.lists.get(key) {
            if let Some(own) = writes.inserted.get(&id) {
                return Ok(own.value.clone());
            }
            if writes.removed.contains(&id) {
                return Ok(None);
            }
        }
        self.committed(Kind::Rga, key, |rows| rga::get(rows, id))
    }

    /// Removes an element.
    ///
    /// # Errors
    /// [`DraftError::NotFound`] when it is no element (any more).
    pub fn list_remove(&mut self, key: &Key, id: ElementId) -> Result<(), DraftError> {
        allowed(key.as_bytes())?;
        let missing = || DraftError::NotFound(not_found(key, Some(id)));
        if self.lists.get(key).is_some_and(|writes| writes.inserted.contains_key(&id)) {
            return if self.list_remove_own(key, id)? { Ok(()) } else { Err(missing()) };
        }
        if self.lists.get(key).is_some_and(|writes| writes.removed.contains(&id)) {
            return Err(missing());
        }
        let (live, _) =
            self.committed(Kind::Rga, key, |rows| both(rga::contains(rows, id), touch(rows, id)))?;
        if !live {
            return Err(missing());
        }
        self.usage.replace(Cost::default(), Cost::list_remove(key.as_bytes()))?;
        self.lists.entry(key.clone()).or_default().removed.insert(id);
        Ok(())
    }

    /// Takes back what the turn inserted; nobody else has seen it. `false` when it was taken back before.
    fn list_remove_own(&mut self, key: &Key, id: ElementId) -> Result<bool, DraftError> {
        let Some(writes) = self.lists.get_mut(key) else { return Ok(false) };
        let Some(own) = writes.inserted.get(&id).filter(|own| own.value.is_some()) else { return Ok(false) };
        let buried = Own { value: None, ..own.clone() };
        self.usage.replace(own.cost(key), buried.cost(key))?;
        let needed = buried.is_needed();
        let mut before = own.after;
        writes.inserted.insert(id, buried);
        // The ones before it may have been there for its sake only.
        let mut last_reason = !needed;
        while last_reason && let Some(parent) = before.and_then(|id| writes.inserted.get_mut(&id)) {
            let old = parent.cost(key);
            parent.children = parent.children.saturating_sub(1);
            self.usage.replace(old, parent.cost(key))?;
            last_reason = !parent.is_needed();
            before = parent.after;
        }
        Ok(true)
    }

    /// Elements in the order of the list, from behind the element `after`; at most 1 MiB of them, or one.
    ///
    /// A removed element still leads on, as long as it is not forgotten.
    ///
    /// # Errors
    /// [`DraftError::NotFound`] when the list does not know `after` (any more).
    pub fn list_entries(
        &mut self,
        key: &Key,
        after: Option<ElementId>,
        limit: usize,
    ) -> Result<ListPage, DraftError> {
        allowed(key.as_bytes())?;
        let none = ListWrites::default();
        let writes = self.lists.get(key).unwrap_or(&none);
        let limit = limit.max(1);
        let found = self.committed(Kind::Rga, key, |rows| list_page::ids(rows, writes, after, limit))?;
        let Some(ids) = found else { return Err(DraftError::NotFound(not_found(key, after))) };
        list_page::fill(ids, limit, |ids| {
            self.committed(Kind::Rga, key, |rows| list_page::values(rows, writes, ids))
        })
    }

    /// How many elements the list holds.
    ///
    /// # Errors
    /// See [`DraftError`].
    pub fn list_size(&mut self, key: &Key) -> Result<u64, DraftError> {
        allowed(key.as_bytes())?;
        let none = ListWrites::default();
        let writes = self.lists.get(key).unwrap_or(&none);
        let own = writes.inserted.values().filter(|own| own.value.is_some()).count() as u64;
        self.committed(Kind::Rga, key, |rows| {
            let mut size = rga::size(rows).map(|size| size.saturating_add(own));
            for id in &writes.removed {
                // After a miss the reads go on, so that one load brings all of them.
                match (rga::contains(rows, *id), &mut size) {
                    (Ok(seen), Ok(size)) => *size = size.saturating_sub(seen.into()),
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
    pub fn list_clear(&mut self, key: &Key) -> Result<(), DraftError> {
        allowed(key.as_bytes())?;
        let none = ListWrites::default();
        let seen = self.committed(Kind::Rga, key, |rows| list_page::ids(rows, &none, None, MAX_BATCH_OPS))?;
        let seen = seen.unwrap_or_default();
        if seen.len() > MAX_BATCH_OPS {
            return Err(too_many(key, "elements"));
        }
        let writes = self.lists.get(key).unwrap_or(&none);
        // What the turn itself removed stays removed, also when it is not seen any more.
        let removed = seen.into_iter().chain(writes.removed.iter().copied()).collect();
        let cleared = ListWrites { removed, ..ListWrites::default() };
        self.usage.replace(writes.cost(key), cleared.cost(key))?;
        if cleared.is_empty() {
            self.lists.remove(key);
        } else {
            self.lists.insert(key.clone(), cleared);
        }
        Ok(())
    }
}

/// What stands behind a place, if it is one: the head, or a live element. Also touches what the commit will read.
fn insertion(rows: &dyn Rows, after: Option<ElementId>) -> Result<Option<Option<ElementId>>, ApplyError> {
    let live = match after {
        Some(after) => rga::contains(rows, after),
        None => rga::size(rows).map(|_| true),
    };
    let (live, next) = both(live, rga::successor(rows, after))?;
    Ok(live.then_some(next))
}

/// Reads what a removal will change.
fn touch(rows: &dyn Rows, id: ElementId) -> Result<(), ApplyError> {
    both(rga::size(rows), rga::successor(rows, Some(id))).map(|_| ())
}

fn not_found(key: &Key, id: Option<ElementId>) -> String {
    let id = id.map_or_else(String::new, |id| id.to_string());
    format!("the list {key} has no element {id}")
}
