//! The batches applied last, kept in memory.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use numax_crdt::{Dot, Origin};

/// What an entry costs besides its bytes.
const ENTRY_COST: usize = 64;

/// Recent batches, bounded by bytes: to notice two different ones under one dot, and to answer with. An origin's
/// batches come in the order of their numbers, so each origin has a queue, and finding one is a subtraction.
#[derive(Debug)]
pub(super) struct Recent {
    origins: BTreeMap<Origin, usize>,
    queues: Vec<Queue>,
    /// Whose batches came, by the number of the queue: the first is the first to go.
    order: VecDeque<usize>,
    bytes: usize,
    max_bytes: usize,
}

/// Batches of one origin with numbers from `first` on.
#[derive(Debug, Default)]
struct Queue {
    first: u64,
    batches: VecDeque<Bytes>,
}

impl Recent {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { origins: BTreeMap::new(), queues: Vec::new(), order: VecDeque::new(), bytes: 0, max_bytes }
    }

    pub(super) fn get(&self, dot: &Dot) -> Option<&Bytes> {
        let queue = self.queues.get(*self.origins.get(&dot.origin)?)?;
        queue.batches.get(usize::try_from(dot.seq.checked_sub(queue.first)?).ok()?)
    }

    /// Keeps a batch, if it is the one after the origin's last.
    pub(super) fn put(&mut self, dot: Dot, batch: Bytes) {
        let number = *self.origins.entry(dot.origin).or_insert_with(|| {
            self.queues.push(Queue::default());
            self.queues.len() - 1
        });
        let Some(queue) = self.queues.get_mut(number) else { return };
        if queue.batches.is_empty() {
            queue.first = dot.seq;
        } else if queue.first + queue.batches.len() as u64 != dot.seq {
            return;
        }
        self.bytes += batch.len() + ENTRY_COST;
        queue.batches.push_back(batch);
        self.order.push_back(number);
        while self.bytes > self.max_bytes {
            let Some(queue) = self.order.pop_front().and_then(|oldest| self.queues.get_mut(oldest)) else {
                break;
            };
            if let Some(batch) = queue.batches.pop_front() {
                queue.first += 1;
                self.bytes = self.bytes.saturating_sub(batch.len() + ENTRY_COST);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(origin: u64, seq: u64) -> Dot {
        Dot { origin: Origin { nonce: origin, ..Origin::default() }, seq }
    }

    #[test]
    fn it_keeps_the_last_ones_of_all_origins_within_its_bytes() {
        let mut recent = Recent::new(10 * (1 + ENTRY_COST));
        for seq in 1..=20 {
            recent.put(dot(1, seq), Bytes::from(vec![seq as u8]));
        }
        assert_eq!(recent.get(&dot(1, 10)), None);
        assert_eq!(recent.get(&dot(1, 11)), Some(&Bytes::from(vec![11])));
        recent.put(dot(2, 7), Bytes::from_static(b"x"));
        assert_eq!(recent.get(&dot(2, 7)), Some(&Bytes::from_static(b"x")));
        assert_eq!(
            (recent.get(&dot(2, 6)), recent.get(&dot(2, 8)), recent.get(&dot(1, 11))),
            (None, None, None)
        );
        assert_eq!(recent.get(&dot(1, 20)), Some(&Bytes::from(vec![20])));
        recent.put(dot(1, 5), Bytes::from_static(b"again"));
        assert_eq!(recent.get(&dot(1, 5)), None, "only what follows the last one has a place");
    }
}
