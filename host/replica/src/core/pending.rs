//! Remote batches that came before what they depend on. In memory only: they are not in the vector, so after a crash
//! they are asked for again.

use std::collections::BTreeMap;

use bytes::Bytes;
use numax_crdt::{BatchHeader, Dot, VersionVector};

/// What an entry costs besides its bytes.
const ENTRY_COST: usize = 256;

/// Waiting batches, bounded by bytes.
#[derive(Debug)]
pub(super) struct Pending {
    batches: BTreeMap<Dot, (BatchHeader, Bytes)>,
    /// By the dot whose arrival they wait for. A batch waits for one at a time.
    waiting: BTreeMap<Dot, Vec<Dot>>,
    bytes: usize,
    max_bytes: usize,
}

/// What became of a batch that cannot be applied yet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Held {
    Now,
    Already,
    /// Another batch under the same dot waits already.
    Differs,
    NoRoom,
}

impl Pending {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { batches: BTreeMap::new(), waiting: BTreeMap::new(), bytes: 0, max_bytes }
    }

    pub(super) fn len(&self) -> usize {
        self.batches.len()
    }

    /// What waits, in bytes with what an entry costs.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lets a batch wait for `missing`.
    pub(super) fn hold(&mut self, header: BatchHeader, bytes: Bytes, missing: Dot) -> Held {
        let dot = header.dot();
        if let Some((_, old)) = self.batches.get(&dot) {
            return if *old == bytes { Held::Already } else { Held::Differs };
        }
        let cost = cost(&header, &bytes);
        if self.bytes + cost > self.max_bytes {
            return Held::NoRoom;
        }
        self.bytes += cost;
        self.waiting.entry(missing).or_default().push(dot);
        self.batches.insert(dot, (header, bytes));
        Held::Now
    }

    /// The batches that waited for `dot` and for nothing else, in order; those that still lack something wait on.
    pub(super) fn wake(&mut self, dot: Dot, vector: &VersionVector) -> Vec<(BatchHeader, Bytes)> {
        let mut ready = Vec::new();
        for waiter in self.waiting.remove(&dot).unwrap_or_default() {
            let Some((header, bytes)) = self.batches.remove(&waiter) else { continue };
            match missing(&header, vector) {
                Some(missing) => {
                    self.waiting.entry(missing).or_default().push(waiter);
                    self.batches.insert(waiter, (header, bytes));
                }
                None => {
                    self.bytes = self.bytes.saturating_sub(cost(&header, &bytes));
                    ready.push((header, bytes));
                }
            }
        }
        ready
    }
}

fn cost(header: &BatchHeader, bytes: &Bytes) -> usize {
    bytes.len() + header.deps.len() * 56 + ENTRY_COST
}

/// The first batch that has to be applied before this one.
pub(crate) fn missing(header: &BatchHeader, vector: &VersionVector) -> Option<Dot> {
    let before = Dot { origin: header.origin, seq: header.seq.saturating_sub(1) };
    if !vector.covers(before) {
        return Some(before);
    }
    let deps = header.deps.iter().map(|(origin, seq)| Dot { origin: *origin, seq: *seq });
    deps.into_iter().find(|dep| !vector.covers(*dep))
}
