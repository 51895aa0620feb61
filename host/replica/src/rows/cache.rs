//! A bounded cache of rows, absent ones included.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use bytes::Bytes;

use super::{map::HashMap, overlay::Cell};

/// What an entry costs besides its bytes: two hash entries' worth of words, roughly measured.
const ENTRY_COST: usize = 128;

#[derive(Debug)]
struct Slot {
    cell: Cell,
    /// Read since the hand last passed; set under a shared lock.
    used: AtomicBool,
}

/// Rows by name, bounded by number and bytes. Eviction is "clock": one bit per row, so that a hit needs no exclusive
/// lock.
#[derive(Debug)]
pub(crate) struct RowCache {
    slots: HashMap<Bytes, Slot>,
    ring: VecDeque<Bytes>,
    bytes: usize,
    max_rows: usize,
    max_bytes: usize,
}

impl RowCache {
    pub(crate) fn new(max_rows: usize, max_bytes: usize) -> Self {
        Self { slots: HashMap::default(), ring: VecDeque::new(), bytes: 0, max_rows, max_bytes }
    }

    pub(crate) fn get(&self, name: &[u8]) -> Option<&Cell> {
        let slot = self.slots.get(name)?;
        slot.used.store(true, Relaxed);
        Some(&slot.cell)
    }

    /// Replaces the content of a row that is there already; says whether it was.
    fn refresh(&mut self, name: &[u8], cell: &Cell) -> bool {
        let Some(slot) = self.slots.get_mut(name) else { return false };
        self.bytes = self.bytes.saturating_sub(size(&slot.cell)).saturating_add(size(cell));
        slot.cell.clone_from(cell);
        true
    }

    pub(crate) fn put(&mut self, name: &Bytes, cell: &Cell) {
        let cost = name.len() + size(cell) + ENTRY_COST;
        if self.refresh(name, cell) {
            while self.bytes > self.max_bytes && self.evict() {}
            return;
        }
        if self.max_rows == 0 || cost > self.max_bytes {
            return;
        }
        while self.slots.len() >= self.max_rows || self.bytes + cost > self.max_bytes {
            if !self.evict() {
                break;
            }
        }
        self.bytes += cost;
        self.ring.push_back(name.clone());
        self.slots.insert(name.clone(), Slot { cell: cell.clone(), used: AtomicBool::new(false) });
    }

    /// Moves the hand by one; `false` when there is nothing.
    fn evict(&mut self) -> bool {
        let Some(name) = self.ring.pop_front() else { return false };
        match self.slots.get_mut(&name) {
            Some(slot) if slot.used.swap(false, Relaxed) => self.ring.push_back(name),
            _ => {
                if let Some(slot) = self.slots.remove(&name) {
                    self.bytes = self.bytes.saturating_sub(name.len() + size(&slot.cell) + ENTRY_COST);
                }
            }
        }
        true
    }
}

fn size(cell: &Cell) -> usize {
    cell.as_ref().map_or(0, Bytes::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(n: usize) -> Bytes {
        Bytes::from(format!("row{n}"))
    }

    #[test]
    fn it_stays_bounded_and_keeps_what_is_read() {
        let mut cache = RowCache::new(10, 1 << 20);
        cache.put(&name(0), &Some(Bytes::from_static(b"hot")));
        for n in 1..100 {
            assert!(cache.get(&name(0)).is_some(), "evicted a row that is read all the time");
            cache.put(&name(n), &None);
        }
        assert_eq!(cache.slots.len(), 10);
        assert_eq!(cache.ring.len(), 10);
    }

    #[test]
    fn it_is_bounded_by_bytes_and_a_size_of_zero_keeps_nothing() {
        let big = Some(Bytes::from(vec![0; 1000]));
        let mut cache = RowCache::new(1000, 4000);
        for n in 0..50 {
            cache.put(&name(n), &big);
        }
        assert!(cache.bytes <= 4000 && !cache.slots.is_empty(), "{} bytes", cache.bytes);
        cache.put(&name(49), &None);
        cache.put(&name(99), &Some(Bytes::from(vec![0; 5000])));
        assert!(cache.get(&name(99)).is_none());
        let huge = Some(Bytes::from(vec![1; 5000]));
        cache.put(&name(1), &None);
        cache.put(&name(1), &huge);
        assert!(cache.get(&name(1)).is_none_or(|cell| *cell == huge), "the old content is stale");
        assert!(cache.bytes <= 4000);
        let mut none = RowCache::new(0, 4000);
        none.put(&name(1), &None);
        assert!(none.get(&name(1)).is_none());
    }
}
