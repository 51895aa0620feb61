//! Sets of units as sorted ranges.

use std::collections::BTreeMap;

/// Ranges `[start, end)` of one client's clocks: sorted, not empty, and apart from each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ranges(Vec<(u32, u32)>);

impl Ranges {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        self.0.iter().copied()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Builds the set from ranges in any order.
    pub(crate) fn collect(mut ranges: Vec<(u32, u32)>) -> Self {
        ranges.retain(|(start, end)| start < end);
        ranges.sort_unstable();
        let mut out: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (start, end) in ranges {
            match out.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => out.push((start, end)),
            }
        }
        Self(out)
    }

    pub(crate) fn union(&mut self, other: Self) {
        if other.0.is_empty() {
            return;
        }
        if let (Some(last), Some(first)) = (self.0.last(), other.0.first())
            && first.0 > last.1
        {
            self.0.extend(other.0);
            return;
        }
        let mut all = std::mem::take(&mut self.0);
        all.extend(other.0);
        *self = Self::collect(all);
    }

    /// The part below `end`, and the part from there on.
    pub(crate) fn split(&self, end: u32) -> (Self, Self) {
        let below = self.0.iter().filter(|range| range.0 < end).map(|range| (range.0, range.1.min(end)));
        let above = self.0.iter().filter(|range| range.1 > end).map(|range| (range.0.max(end), range.1));
        (Self(below.collect()), Self(above.collect()))
    }

    /// What of `[start, end)` is in it.
    #[cfg(feature = "text")]
    pub(crate) fn within(&self, start: u32, end: u32) -> impl Iterator<Item = (u32, u32)> {
        let at = self.0.partition_point(|range| range.1 <= start);
        let from = self.0.iter().skip(at).take_while(move |range| range.0 < end);
        from.map(move |range| (range.0.max(start), range.1.min(end)))
    }

    /// Whether all of `[start, end)` is in it.
    pub(crate) fn covers(&self, start: u32, end: u32) -> bool {
        let at = self.0.partition_point(|range| range.1 <= start);
        self.0.get(at).is_some_and(|range| range.0 <= start && end <= range.1)
    }
}

/// Deleted units by client.
pub(crate) type Deletes = BTreeMap<u64, Ranges>;

/// Adds deletions to others.
pub(crate) fn add(deletes: &mut Deletes, other: Deletes) {
    for (client, ranges) in other {
        deletes.entry(client).or_default().union(ranges);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn of(ranges: &[(u32, u32)]) -> BTreeSet<u32> {
        ranges.iter().flat_map(|(start, end)| *start..*end).collect()
    }

    proptest! {
        #[test]
        fn ranges_are_sets(
            a in prop::collection::vec((0u32..40, 0u32..40), 0..8),
            b in prop::collection::vec((0u32..40, 0u32..40), 0..8),
            at in 0u32..40,
            len in 1u32..10,
        ) {
            let (one, other) = (Ranges::collect(a.clone()), Ranges::collect(b.clone()));
            let mut both = one.clone();
            both.union(other);
            let want: BTreeSet<u32> = of(&a).union(&of(&b)).copied().collect();
            prop_assert_eq!(of(&both.0), want.clone());
            prop_assert!(both.0.is_sorted_by(|a, b| a.1 < b.0));
            let (below, above) = both.split(at);
            prop_assert_eq!(of(&below.0), want.iter().copied().filter(|n| *n < at).collect());
            prop_assert_eq!(of(&above.0), want.iter().copied().filter(|n| *n >= at).collect());
            #[cfg(feature = "text")]
            {
                let within: Vec<(u32, u32)> = both.within(at, at + len).collect();
                prop_assert!(within.iter().all(|range| range.0 < range.1));
                let wanted = want.iter().copied().filter(|n| (at..at + len).contains(n));
                prop_assert_eq!(of(&within), wanted.collect());
            }
            prop_assert_eq!(both.covers(at, at + len), (at..at + len).all(|n| want.contains(&n)));
        }
    }
}
