//! What this node has received for certain: what its log holds after a power cut.

use std::collections::VecDeque;

use numax_crdt::VersionVector;

/// Marks that are kept at once; beyond, the older ones say enough.
const MARKS: usize = 64;

/// The vectors at log positions that are being synced.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    marks: VecDeque<(u64, VersionVector)>,
    durable: VersionVector,
}

impl Receipts {
    pub(crate) fn new(durable: VersionVector) -> Self {
        Self { marks: VecDeque::new(), durable }
    }

    /// A sync up to `position` begins, where `vector` is everything applied.
    pub(crate) fn mark(&mut self, position: u64, vector: &VersionVector) {
        if self.marks.back().is_some_and(|(last, _)| *last >= position) {
            return;
        }
        if self.marks.len() >= MARKS {
            self.marks.pop_back();
        }
        self.marks.push_back((position, vector.clone()));
    }

    /// What is received for certain when the log is synced up to `synced` and `tip` is everything before `end`.
    pub(crate) fn durable(&mut self, synced: u64, end: u64, tip: &VersionVector) -> &VersionVector {
        if synced >= end {
            self.marks.clear();
            if self.durable != *tip {
                self.durable.clone_from(tip);
            }
        }
        while self.marks.front().is_some_and(|(position, _)| *position <= synced) {
            let Some((_, vector)) = self.marks.pop_front() else { break };
            self.durable = vector;
        }
        &self.durable
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use numax_crdt::Origin;

    #[test]
    fn only_what_is_synced_counts() {
        let vector = |seq| VersionVector::from_iter([(Origin::default(), seq)]);
        let mut receipts = Receipts::default();
        receipts.mark(10, &vector(1));
        receipts.mark(20, &vector(2));
        assert_eq!(*receipts.durable(5, 30, &vector(3)), VersionVector::new());
        assert_eq!(*receipts.durable(10, 30, &vector(3)), vector(1));
        assert_eq!(*receipts.durable(19, 30, &vector(3)), vector(1));
        assert_eq!(*receipts.durable(25, 30, &vector(3)), vector(2));
        assert_eq!(*receipts.durable(30, 30, &vector(3)), vector(3));
        for position in 31..500 {
            receipts.mark(position, &vector(position));
        }
        assert!(receipts.marks.len() <= MARKS);
        assert_eq!(*receipts.durable(40, 1000, &vector(9)), vector(40));
    }
}
