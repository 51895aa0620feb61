//! What each of two datastores knows.

use numax_crdt::{Origin, VersionVector};

/// How two vectors are to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Both know the same batches.
    Equal,
    /// The second knows more.
    ABehind,
    /// The first knows more.
    BBehind,
    /// Each knows batches that the other lacks.
    Apart,
}

/// Batches of one origin that one side lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// The origin.
    pub origin: Origin,
    /// The last of its batches that the side has, 0 for none.
    pub has: u64,
    /// The last that the other side has.
    pub other: u64,
}

/// The result of comparing vectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vectors {
    /// How they are to each other.
    pub order: Order,
    /// What the first lacks.
    pub a_lacks: Vec<Lag>,
    /// What the second lacks.
    pub b_lacks: Vec<Lag>,
    /// Origins that both know together.
    pub origins: usize,
    /// Batches that the first knows.
    pub a_batches: u64,
    /// Batches that the second knows.
    pub b_batches: u64,
}

pub(super) fn compare(a: &VersionVector, b: &VersionVector) -> Vectors {
    let lacks = |side: &VersionVector, other: &VersionVector| -> Vec<Lag> {
        let lag = |(origin, seq): (&Origin, u64)| {
            let has = side.get(origin);
            (has < seq).then_some(Lag { origin: *origin, has, other: seq })
        };
        other.iter().filter_map(lag).collect()
    };
    let (a_lacks, b_lacks) = (lacks(a, b), lacks(b, a));
    let order = match (a_lacks.is_empty(), b_lacks.is_empty()) {
        (true, true) => Order::Equal,
        (false, true) => Order::ABehind,
        (true, false) => Order::BBehind,
        (false, false) => Order::Apart,
    };
    let mut both = a.clone();
    both.merge(b);
    let batches = |vector: &VersionVector| vector.iter().map(|(_, seq)| seq).sum();
    Vectors { order, a_lacks, b_lacks, origins: both.len(), a_batches: batches(a), b_batches: batches(b) }
}
