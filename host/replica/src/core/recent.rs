//! The batches applied last, kept in memory.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use numax_crdt::Dot;

/// What an entry costs besides its bytes.
const ENTRY_COST: usize = 192;

/// Recent batches by dot, bounded by bytes: to notice two different ones under one dot, and to answer with.
#[derive(Debug)]
pub(super) struct Recent {
    batches: HashMap<Dot, Bytes>,
    order: VecDeque<Dot>,
    bytes: usize,
    max_bytes: usize,
}

impl Recent {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { batches: HashMap::new(), order: VecDeque::new(), bytes: 0, max_bytes }
    }

    pub(super) fn get(&self, dot: &Dot) -> Option<&Bytes> {
        self.batches.get(dot)
    }

    pub(super) fn put(&mut self, dot: Dot, batch: Bytes) {
        self.bytes += batch.len() + ENTRY_COST;
        if let Some(old) = self.batches.insert(dot, batch) {
            self.bytes = self.bytes.saturating_sub(old.len() + ENTRY_COST);
        } else {
            self.order.push_back(dot);
        }
        while self.bytes > self.max_bytes {
            let Some(oldest) = self.order.pop_front() else { break };
            if let Some(old) = self.batches.remove(&oldest) {
                self.bytes = self.bytes.saturating_sub(old.len() + ENTRY_COST);
            }
        }
    }
}
