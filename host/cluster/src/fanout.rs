//! To how many peers a batch is pushed, and to which.
//!
//! Each node pushes a batch once, to K peers. With K a little above the logarithm of the cluster's size nearly every
//! node hears of it within a few hops; the rest is anti-entropy's. For a few nodes K is all of them.

use rand::{Rng, RngExt};

/// K for a cluster of `nodes` nodes, ourselves included: min(N-1, max(3, ceil(log2 N) + extra)).
#[must_use]
pub fn count(nodes: usize, extra: usize) -> usize {
    let log = nodes.max(1).next_power_of_two().trailing_zeros();
    let wanted = usize::try_from(log).unwrap_or(usize::MAX).saturating_add(extra).max(3);
    wanted.min(nodes.saturating_sub(1))
}

/// Puts `items` in random order (Fisher-Yates).
pub fn shuffle<T>(items: &mut [T], rng: &mut impl Rng) {
    for last in (1..items.len()).rev() {
        items.swap(last, rng.random_range(0..=last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;

    #[test]
    fn fanout_is_everybody_when_few_and_logarithmic_when_many() {
        for (nodes, want) in
            [(0, 0), (1, 0), (2, 1), (3, 2), (4, 3), (5, 4), (8, 4), (9, 5), (50, 7), (200, 9)]
        {
            assert_eq!(count(nodes, 1), want, "{nodes} nodes");
        }
    }

    #[test]
    fn a_shuffle_keeps_all_and_depends_on_the_seed_only() {
        let shuffled = |seed| {
            let mut items: Vec<u32> = (0..20).collect();
            shuffle(&mut items, &mut ChaCha8Rng::seed_from_u64(seed));
            items
        };
        assert_eq!(shuffled(1), shuffled(1));
        assert_ne!(shuffled(1), shuffled(2));
        let mut sorted = shuffled(1);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..20).collect::<Vec<_>>());
    }
}
