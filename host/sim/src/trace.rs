//! A fingerprint of everything that happened in a run: two runs of one seed must have the same.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The fingerprint so far.
#[derive(Clone, Default)]
pub struct Trace {
    hasher: DefaultHasher,
    events: u64,
}

impl Trace {
    /// Adds something that happened.
    pub fn note(&mut self, what: impl Hash) {
        what.hash(&mut self.hasher);
        self.events += 1;
    }

    /// The fingerprint.
    pub fn hash(&self) -> u64 {
        self.hasher.finish()
    }

    /// How many things were noted.
    pub fn events(&self) -> u64 {
        self.events
    }
}

/// A fingerprint of bytes.
pub fn fingerprint(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// A stream of random numbers of a run, one for each pair of numbers.
#[must_use]
pub fn stream(seed: u64, a: u64, b: u64) -> ChaCha8Rng {
    let mut hasher = DefaultHasher::new();
    (seed, a, b).hash(&mut hasher);
    ChaCha8Rng::seed_from_u64(hasher.finish())
}
