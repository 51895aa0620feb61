//! Changing the order: finding an element's place, and putting it into a leaf.

use std::collections::BTreeMap;

use super::leaf::{
    Entry, Head, LEAF_ENTRIES, Leaf, LeafNumber, leaf_name, leaf_of, place_name, put_place, torn,
};
use crate::{
    element::ElementId,
    family::HEAD,
    rows::{ApplyError, Rows},
};

/// A place between two elements: in a leaf, before the entry at an index.
#[derive(Debug, Clone, Copy)]
struct Spot {
    leaf: LeafNumber,
    index: usize,
}

/// The leaves of one list while they change. Nothing of them is written before [`finish`](Self::finish).
pub(super) struct Order<'a> {
    pub(super) rows: &'a mut dyn Rows,
    pub(super) head: Head,
    head_before: Head,
    leaves: BTreeMap<LeafNumber, Loaded>,
}

struct Loaded {
    leaf: Leaf,
    changed: bool,
}

impl<'a> Order<'a> {
    pub(super) fn load(rows: &'a mut dyn Rows) -> Result<Self, ApplyError> {
        let head = Head::read(rows)?;
        Ok(Self { rows, head, head_before: head, leaves: BTreeMap::new() })
    }

    /// Writes what changed.
    pub(super) fn finish(self) -> Result<(), ApplyError> {
        for (number, loaded) in self.leaves {
            if !loaded.changed {
                continue;
            }
            if loaded.leaf.entries.is_empty() {
                self.rows.delete(&leaf_name(number))?;
            } else {
                self.rows.put(&leaf_name(number), loaded.leaf.encode())?;
            }
        }
        if self.head == self.head_before {
            return Ok(());
        }
        if self.head.first.is_none() {
            return Ok(self.rows.delete(HEAD)?);
        }
        Ok(self.rows.put(HEAD, self.head.encode())?)
    }

    fn loaded(&mut self, number: LeafNumber) -> Result<&mut Loaded, ApplyError> {
        use std::collections::btree_map::Entry as Slot;
        match self.leaves.entry(number) {
            Slot::Occupied(slot) => Ok(slot.into_mut()),
            Slot::Vacant(slot) => {
                let leaf = Leaf::read(self.rows, number)?;
                Ok(slot.insert(Loaded { leaf, changed: false }))
            }
        }
    }

    pub(super) fn leaf(&mut self, number: LeafNumber) -> Result<&Leaf, ApplyError> {
        self.loaded(number).map(|loaded| &loaded.leaf)
    }

    pub(super) fn leaf_mut(&mut self, number: LeafNumber) -> Result<&mut Leaf, ApplyError> {
        self.loaded(number).map(|loaded| {
            loaded.changed = true;
            &mut loaded.leaf
        })
    }

    /// The entry of an element; none when the list does not know it.
    pub(super) fn entry(&mut self, id: ElementId) -> Result<Option<&Entry>, ApplyError> {
        let Some(number) = leaf_of(self.rows, id)? else { return Ok(None) };
        Ok(self.leaf(number)?.entries.iter().find(|entry| entry.id == id))
    }

    /// The entry of an element, to be changed.
    pub(super) fn entry_mut(&mut self, id: ElementId) -> Result<Option<&mut Entry>, ApplyError> {
        let Some(number) = leaf_of(self.rows, id)? else { return Ok(None) };
        let leaf = self.leaf_mut(number)?;
        Ok(leaf.entries.iter_mut().find(|entry| entry.id == id))
    }

    /// Inserts an element behind its parent.
    ///
    /// Of the elements behind the parent, those with a greater rank stay in front of it: children that were inserted
    /// later, with everything that stands behind them. All of an element's offspring ranks above it and everything
    /// that follows its offspring ranks below it, so comparing ranks one by one is enough, and needs no tree.
    pub(super) fn insert(&mut self, parent: Option<ElementId>, entry: Entry) -> Result<(), ApplyError> {
        let from = match parent {
            Some(parent) => {
                let number = leaf_of(self.rows, parent)?.ok_or_else(|| torn("list: a parent is missing"))?;
                let leaf = self.leaf(number)?;
                let index = leaf.index(parent)?;
                if let Some(parent) = self.leaf_mut(number)?.entries.get_mut(index) {
                    parent.children = parent.children.saturating_add(1);
                }
                Some(Spot { leaf: number, index: index + 1 })
            }
            None => self.head.first.map(|leaf| Spot { leaf, index: 0 }),
        };
        if !entry.dead {
            self.head.live = self.head.live.saturating_add(1);
        }
        match from {
            Some(from) => {
                let spot = self.skip(from, entry.rank)?;
                self.insert_at(spot, entry)
            }
            None => {
                let number = self.make(None, None, vec![entry])?;
                self.head.first = Some(number);
                self.link_if_live(number)
            }
        }
    }

    /// The first place from `spot` on whose next element ranks below `rank`. At a border between leaves it is the end
    /// of the former.
    fn skip(&mut self, mut spot: Spot, rank: ElementId) -> Result<Spot, ApplyError> {
        loop {
            let leaf = self.leaf(spot.leaf)?;
            let mut rest = leaf.entries.iter().enumerate().skip(spot.index);
            let found = rest.find(|(_, other)| other.rank < rank);
            if let Some((index, _)) = found {
                return Ok(Spot { index, ..spot });
            }
            let (end, next) = (leaf.entries.len(), leaf.next);
            let goes_on = match next {
                Some(next) => self.leaf(next)?.entries.first().is_some_and(|other| other.rank >= rank),
                None => false,
            };
            match next {
                Some(next) if goes_on => spot = Spot { leaf: next, index: 0 },
                _ => return Ok(Spot { index: end, ..spot }),
            }
        }
    }

    fn insert_at(&mut self, spot: Spot, entry: Entry) -> Result<(), ApplyError> {
        let Spot { leaf: number, index } = spot;
        let leaf = self.leaf(number)?;
        let (len, prev, next) = (leaf.entries.len(), leaf.prev, leaf.next);
        if len < LEAF_ENTRIES {
            return self.put_into(number, index, entry);
        }
        // Inserting at one end again and again fills leaf after leaf, and moves nothing.
        if index == len {
            return match next {
                Some(next) if self.leaf(next)?.entries.len() < LEAF_ENTRIES => self.put_into(next, 0, entry),
                _ => {
                    let made = self.make(Some(number), next, vec![entry])?;
                    self.link_if_live(made)
                }
            };
        }
        if index == 0 {
            let made = self.make(prev, Some(number), vec![entry])?;
            return self.link_if_live(made);
        }
        let spot = self.split(number, index)?;
        self.put_into(spot.leaf, spot.index, entry)
    }

    fn put_into(&mut self, number: LeafNumber, index: usize, entry: Entry) -> Result<(), ApplyError> {
        put_place(self.rows, entry.id, number)?;
        self.leaf_mut(number)?.entries.insert(index, entry);
        self.link_if_live(number)
    }

    /// Cuts a leaf in two; the smaller part moves to a leaf of its own. Answers the end of the former part.
    fn split(&mut self, number: LeafNumber, index: usize) -> Result<Spot, ApplyError> {
        let leaf = self.leaf_mut(number)?;
        let (prev, next) = (leaf.prev, leaf.next);
        let behind = leaf.entries.split_off(index);
        let front = if behind.len() <= index {
            let made = self.make(Some(number), next, behind)?;
            self.link_if_live(made)?;
            number
        } else {
            let front = std::mem::replace(&mut leaf.entries, behind);
            let made = self.make(prev, Some(number), front)?;
            self.link_if_live(made)?;
            made
        };
        self.unlink_if_dead(number)?;
        Ok(Spot { leaf: front, index })
    }

    /// A new leaf between two others; says of its entries that they are there.
    fn make(
        &mut self,
        prev: Option<LeafNumber>,
        next: Option<LeafNumber>,
        entries: Vec<Entry>,
    ) -> Result<LeafNumber, ApplyError> {
        let number =
            LeafNumber::try_from(self.head.made).map_err(|_| torn("list: no leaf numbers are left"))?;
        self.head.made += 1;
        for entry in &entries {
            put_place(self.rows, entry.id, number)?;
        }
        match prev {
            Some(prev) => self.leaf_mut(prev)?.next = Some(number),
            None => self.head.first = Some(number),
        }
        if let Some(next) = next {
            self.leaf_mut(next)?.prev = Some(number);
        }
        let leaf = Leaf { prev, next, entries, ..Leaf::default() };
        self.leaves.insert(number, Loaded { leaf, changed: true });
        Ok(number)
    }

    /// Puts a leaf into the chain of live ones if it belongs there and is not in it.
    ///
    /// Costs a step per dead leaf between it and the live one before it. What is inserted after a live element has
    /// that one next to it.
    fn link_if_live(&mut self, number: LeafNumber) -> Result<(), ApplyError> {
        let leaf = self.leaf(number)?;
        if leaf.linked || !leaf.is_live() {
            return Ok(());
        }
        let mut before = leaf.prev;
        while let Some(other) = before {
            let leaf = self.leaf(other)?;
            if leaf.linked {
                break;
            }
            before = leaf.prev;
        }
        let after = match before {
            Some(before) => self.leaf_mut(before)?.next_live.replace(number),
            None => self.head.first_live.replace(number),
        };
        match after {
            Some(after) => self.leaf_mut(after)?.prev_live = Some(number),
            None => self.head.last_live = Some(number),
        }
        let leaf = self.leaf_mut(number)?;
        (leaf.linked, leaf.prev_live, leaf.next_live) = (true, before, after);
        Ok(())
    }

    /// Takes a leaf out of the chain of live ones if it is in it and no longer belongs there.
    fn unlink_if_dead(&mut self, number: LeafNumber) -> Result<(), ApplyError> {
        let leaf = self.leaf(number)?;
        if !leaf.linked || leaf.is_live() {
            return Ok(());
        }
        let (before, after) = (leaf.prev_live, leaf.next_live);
        match before {
            Some(before) => self.leaf_mut(before)?.next_live = after,
            None => self.head.first_live = after,
        }
        match after {
            Some(after) => self.leaf_mut(after)?.prev_live = before,
            None => self.head.last_live = before,
        }
        let leaf = self.leaf_mut(number)?;
        (leaf.linked, leaf.prev_live, leaf.next_live) = (false, None, None);
        Ok(())
    }

    /// Marks an element as removed.
    pub(super) fn bury(&mut self, id: ElementId) -> Result<(), ApplyError> {
        let number = leaf_of(self.rows, id)?.ok_or_else(|| torn("list: an element has no leaf"))?;
        let leaf = self.leaf_mut(number)?;
        let index = leaf.index(id)?;
        if let Some(entry) = leaf.entries.get_mut(index)
            && !std::mem::replace(&mut entry.dead, true)
        {
            self.head.live = self.head.live.saturating_sub(1);
        }
        self.unlink_if_dead(number)
    }

    /// Takes an element out of the order, and its leaf if that is empty then.
    pub(super) fn take(&mut self, id: ElementId) -> Result<(), ApplyError> {
        self.bury(id)?;
        let number = leaf_of(self.rows, id)?.ok_or_else(|| torn("list: an element has no leaf"))?;
        self.rows.delete(&place_name(id))?;
        let leaf = self.leaf_mut(number)?;
        let index = leaf.index(id)?;
        leaf.entries.remove(index);
        if !leaf.entries.is_empty() {
            return Ok(());
        }
        let (prev, next) = (leaf.prev, leaf.next);
        match prev {
            Some(prev) => self.leaf_mut(prev)?.next = next,
            None => self.head.first = next,
        }
        if let Some(next) = next {
            self.leaf_mut(next)?.prev = prev;
        }
        Ok(())
    }

    /// The element behind another.
    pub(super) fn successor(&mut self, id: ElementId) -> Result<Option<Entry>, ApplyError> {
        let number = leaf_of(self.rows, id)?.ok_or_else(|| torn("list: an element has no leaf"))?;
        let leaf = self.leaf(number)?;
        let index = leaf.index(id)? + 1;
        if let Some(entry) = leaf.entries.get(index) {
            return Ok(Some(entry.clone()));
        }
        match leaf.next {
            Some(next) => Ok(self.leaf(next)?.entries.first().cloned()),
            None => Ok(None),
        }
    }
}
