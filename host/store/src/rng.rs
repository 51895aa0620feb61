//! Choices from a seed, for simulated faults only.

/// SplitMix64 (Steele, Lea and Flood, 2014): every seed gives a good sequence, and the same on every machine.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 up to and including `max`.
    pub(crate) fn up_to(&mut self, max: usize) -> usize {
        let choices = (max as u64).saturating_add(1);
        // The bias of the remainder is far below anything a test could see.
        (self.next() % choices) as usize
    }
}
