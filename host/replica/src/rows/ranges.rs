//! Small values kept whole, so that reading a counter or a short set again needs no engine scan.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use bytes::Bytes;

use super::{map::HashMap, overlay::Cell};

/// Rows of a value that is kept whole. A larger one is paged from the engine: its readers page anyway, and a page
/// of a large value is not worth a place.
pub(crate) const WHOLE_ROWS: usize = 256;
/// Bytes of a value that is kept whole.
pub(crate) const WHOLE_BYTES: usize = 64 << 10;

#[derive(Debug)]
struct Whole {
    rows: BTreeMap<Bytes, Bytes>,
    used: AtomicBool,
}

/// All rows the engine holds of some small values, by value prefix. Bounded by the total of rows.
#[derive(Debug)]
pub(crate) struct RangeCache {
    values: HashMap<Bytes, Whole>,
    ring: VecDeque<Bytes>,
    rows: usize,
    max_rows: usize,
}

impl RangeCache {
    pub(crate) fn new(max_rows: usize) -> Self {
        Self { values: HashMap::default(), ring: VecDeque::new(), rows: 0, max_rows }
    }

    /// The row, if its whole value is here: `Some(None)` says that the engine does not have it.
    pub(crate) fn get(&self, prefix: &[u8], name: &[u8]) -> Option<Cell> {
        self.values.get(prefix).map(|whole| {
            whole.used.store(true, Relaxed);
            whole.rows.get(name).cloned()
        })
    }

    /// Up to `limit` rows of the value from `from` on, if the value is here.
    pub(crate) fn scan(
        &self,
        prefix: &[u8],
        from: Bound<&[u8]>,
        limit: usize,
    ) -> Option<Vec<(Bytes, Bytes)>> {
        let whole = self.values.get(prefix)?;
        whole.used.store(true, Relaxed);
        let rows = whole.rows.range::<[u8], _>((from, Bound::Unbounded)).take(limit);
        Some(rows.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// Keeps a value whose rows are all given.
    pub(crate) fn put(&mut self, prefix: &Bytes, rows: &[(Bytes, Bytes)]) {
        let bytes: usize = rows.iter().map(|(name, value)| name.len() + value.len()).sum();
        if rows.len() > WHOLE_ROWS || bytes > WHOLE_BYTES || self.values.contains_key(prefix) {
            return;
        }
        // An empty value takes a place as well.
        let cost = rows.len() + 1;
        if cost > self.max_rows {
            return;
        }
        while self.rows + cost > self.max_rows && self.evict() {}
        self.rows += cost;
        self.ring.push_back(prefix.clone());
        self.values.insert(
            prefix.clone(),
            Whole { rows: rows.iter().cloned().collect(), used: AtomicBool::new(false) },
        );
    }

    /// Follows a row that was written to the engine.
    pub(crate) fn follow(&mut self, prefix: &[u8], name: &Bytes, cell: &Cell) {
        let Some(whole) = self.values.get_mut(prefix) else { return };
        let before = whole.rows.len();
        match cell {
            Some(value) => whole.rows.insert(name.clone(), value.clone()),
            None => whole.rows.remove(name),
        };
        let after = whole.rows.len();
        self.rows = self.rows.saturating_sub(before).saturating_add(after);
        if after > 2 * WHOLE_ROWS || cell.as_ref().is_some_and(|value| value.len() > WHOLE_BYTES) {
            self.values.remove(prefix);
            self.ring.retain(|other| other[..] != *prefix);
            self.rows = self.rows.saturating_sub(after + 1);
        }
    }

    fn evict(&mut self) -> bool {
        let Some(prefix) = self.ring.pop_front() else { return false };
        match self.values.get_mut(&prefix) {
            Some(whole) if whole.used.swap(false, Relaxed) => self.ring.push_back(prefix),
            _ => {
                if let Some(whole) = self.values.remove(&prefix) {
                    self.rows = self.rows.saturating_sub(whole.rows.len() + 1);
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(n: usize) -> Vec<(Bytes, Bytes)> {
        (0..n).map(|i| (Bytes::from(format!("p/{i:04}")), Bytes::from_static(b"v"))).collect()
    }

    #[test]
    fn a_whole_value_answers_for_absent_rows_and_follows_the_engine() {
        let mut cache = RangeCache::new(1000);
        let prefix = Bytes::from_static(b"p/");
        assert_eq!(cache.get(&prefix, b"p/0000"), None);
        cache.put(&prefix, &rows(3));
        assert_eq!(cache.get(&prefix, b"p/0001"), Some(Some(Bytes::from_static(b"v"))));
        assert_eq!(cache.get(&prefix, b"p/0009"), Some(None));
        cache.follow(&prefix, &Bytes::from_static(b"p/0009"), &Some(Bytes::from_static(b"w")));
        cache.follow(&prefix, &Bytes::from_static(b"p/0000"), &None);
        let names = cache.scan(&prefix, Bound::Excluded(b"p/0001"), 9).unwrap();
        assert_eq!(names.iter().map(|(name, _)| &name[..]).collect::<Vec<_>>(), [b"p/0002", b"p/0009"]);
    }

    #[test]
    fn it_is_bounded_and_large_values_stay_out() {
        let mut cache = RangeCache::new(20);
        for n in 0..50 {
            cache.put(&Bytes::from(format!("{n}")), &rows(3));
            assert!(cache.rows <= 20);
        }
        assert_eq!(cache.values.len(), 5);
        let mut cache = RangeCache::new(100_000);
        cache.put(&Bytes::from_static(b"p/"), &rows(WHOLE_ROWS + 1));
        assert!(cache.values.is_empty());
        cache.put(&Bytes::from_static(b"p/"), &rows(WHOLE_ROWS));
        for (name, value) in rows(2 * WHOLE_ROWS + 1) {
            cache.follow(b"p/", &name, &Some(value));
        }
        assert!(cache.values.is_empty() && cache.ring.is_empty() && cache.rows == 0);
    }
}
