//! The state of a text as a set of items and deletions, in normal form.

use std::collections::BTreeMap;

use super::{
    Clocks, merge,
    ranges::{self, Deletes},
};

/// The name of one UTF-16 unit: the `clock`-th that a client inserted, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemId {
    /// Who inserted it.
    pub client: u64,
    /// Its number among the client's units.
    pub clock: u32,
}

/// Units that one client inserted one after another: the first between `origin` and `right`, each other between the
/// one before it and `right`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The first unit's clock.
    pub clock: u32,
    /// How many units.
    pub len: u32,
    /// What stood on the left when the first was inserted; none for the beginning.
    pub origin: Option<ItemId>,
    /// What stood on the right; none for the end.
    pub right: Option<ItemId>,
    /// The units; none for deleted ones, whose content is not kept.
    pub units: Option<Vec<u16>>,
}

impl Item {
    /// The clock behind the last unit.
    pub fn end(&self) -> u32 {
        self.clock.saturating_add(self.len)
    }

    /// Cuts it in two before the unit `at`, which lies within it.
    pub(super) fn split_off(&mut self, client: u64, at: u32) -> Self {
        let offset = at - self.clock;
        let rest = Self {
            clock: at,
            len: self.len - offset,
            origin: Some(ItemId { client, clock: at - 1 }),
            right: self.right,
            units: self.units.as_mut().map(|units| units.split_off((offset as usize).min(units.len()))),
        };
        self.len = offset;
        rest
    }
}

/// What is known of a text: items by client, and deletions. Always in normal form: a client's items are sorted, do
/// not overlap, and neighbours that can be one are one; so equal sets have equal values and equal encodings.
///
/// Deletions may name units that are not known yet, and items may follow gaps: what an update lacks may be in
/// another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    pub(super) items: BTreeMap<u64, Vec<Item>>,
    pub(super) deletes: Deletes,
}

impl State {
    /// Builds a state from items in any order. `deletes` get what is deleted among the items.
    pub(super) fn collect(mut items: BTreeMap<u64, Vec<Item>>, deletes: Deletes) -> Self {
        let mut state = Self { items: BTreeMap::new(), deletes };
        let mut gone = Deletes::new();
        for (client, items) in &mut items {
            let dead = items.iter().filter(|item| item.units.is_none()).map(|item| (item.clock, item.end()));
            let dead = ranges::Ranges::collect(dead.collect());
            if !dead.is_empty() {
                gone.insert(*client, dead);
            }
        }
        ranges::add(&mut state.deletes, gone);
        for (client, items) in items {
            let items = merge::normal(client, items);
            if !items.is_empty() {
                state.items.insert(client, items);
            }
        }
        state.drop_deleted(None);
        state
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.deletes.is_empty()
    }

    /// Adds everything that `other` knows: the union, whatever the order.
    pub fn merge(&mut self, other: Self) {
        let clients: Vec<u64> = other.items.keys().chain(other.deletes.keys()).copied().collect();
        ranges::add(&mut self.deletes, other.deletes);
        for (client, items) in other.items {
            let own = self.items.entry(client).or_default();
            let old = std::mem::take(own);
            *own = merge::union(client, old, items);
        }
        self.drop_deleted(Some(&clients));
    }

    /// Forgets the content of deleted units, of some clients or all.
    fn drop_deleted(&mut self, clients: Option<&[u64]>) {
        for (client, items) in &mut self.items {
            if clients.is_none_or(|clients| clients.contains(client))
                && let Some(deleted) = self.deletes.get(client)
            {
                *items = merge::without(*client, std::mem::take(items), deleted);
            }
        }
    }

    /// How far each client's units are known without a gap.
    pub fn clocks(&self) -> Clocks {
        let known = self.items.iter().map(|(client, items)| (*client, merge::reach(items, 0)));
        known.filter(|(_, clock)| *clock > 0).collect()
    }

    /// The number of units that a client inserted as far as known.
    pub fn end(&self, client: u64) -> u32 {
        self.items.get(&client).and_then(|items| items.last()).map_or(0, Item::end)
    }

    /// Whether some characters take two units.
    pub fn has_pairs(&self) -> bool {
        let units = self.items.values().flatten().filter_map(|item| item.units.as_ref()).flatten();
        units.into_iter().any(|unit| (0xd800..0xe000).contains(unit))
    }

    /// The union of many states.
    pub fn union(mut states: Vec<Self>) -> Self {
        // Neighbours first: merging a small state into a large one costs as much as the large one.
        while states.len() > 1 {
            let mut pairs = states.into_iter();
            let mut next = Vec::with_capacity(pairs.len().div_ceil(2));
            while let Some(mut state) = pairs.next() {
                if let Some(other) = pairs.next() {
                    state.merge(other);
                }
                next.push(state);
            }
            states = next;
        }
        states.pop().unwrap_or_default()
    }

    /// How many items and ranges of deletions it has: a measure of its cost.
    pub fn pieces(&self) -> usize {
        self.items.values().map(Vec::len).sum::<usize>()
            + self.deletes.values().map(ranges::Ranges::len).sum::<usize>()
    }

    /// How many units it tells of.
    #[cfg(feature = "text")]
    pub(super) fn units(&self) -> u32 {
        self.items.values().flatten().fold(0, |units, item| units.saturating_add(item.len))
    }

    /// What goes beyond `known`: items that are not known, and all deletions. Yjs sends deletions whole, because a
    /// state vector does not tell which are known.
    #[must_use]
    pub fn since(&self, known: &Clocks) -> Self {
        let mut items = BTreeMap::new();
        for (client, own) in &self.items {
            let from = known.get(client).copied().unwrap_or(0);
            let new = merge::after(*client, own, from);
            if !new.is_empty() {
                items.insert(*client, new);
            }
        }
        Self { items, deletes: self.deletes.clone() }
    }
}
