//! The table of origins at a batch's head, written and read.

use std::collections::BTreeMap;

use crate::{
    codec::{CodecError, Reader},
    id::{Dot, Origin},
    limits::MAX_BATCH_ORIGINS,
};

/// The fewest bytes of an origin, and of a dot or dependency: what a count is checked against before memory is reserved
/// for it.
const MIN_ORIGIN: usize = 32 + 1 + 8;
pub(super) const MIN_DOT: usize = 2;

/// Gives origins their index in order of first use.
pub(super) struct OriginTable {
    pub(super) order: Vec<Origin>,
    /// Filled from [`FEW`] origins on.
    known: BTreeMap<Origin, u64>,
}

/// Origins that are looked up one by one: nearly all batches name one or two, and a map for each would cost more than
/// the rest of the encoding.
const FEW: usize = 8;

impl OriginTable {
    pub(super) fn new(own: Origin) -> Self {
        Self { order: vec![own], known: BTreeMap::new() }
    }

    pub(super) fn index(&mut self, origin: &Origin) -> u64 {
        let known = match self.known.is_empty() {
            true => self.order.iter().position(|known| known == origin).map(|index| index as u64),
            false => self.known.get(origin).copied(),
        };
        if let Some(index) = known {
            return index;
        }
        let index = self.order.len() as u64;
        self.order.push(*origin);
        if self.order.len() == FEW {
            self.known = self.order.iter().copied().zip(0..).collect();
        } else if self.order.len() > FEW {
            self.known.insert(*origin, index);
        }
        index
    }
}

/// Whether no origin comes twice.
fn distinct(table: &[Origin]) -> bool {
    match table {
        [_] => true,
        [a, b] => a != b,
        many => {
            let mut sorted = many.to_vec();
            sorted.sort_unstable();
            sorted.is_sorted_by(|a, b| a < b)
        }
    }
}

/// The origin table while the batch is read: checks that entries are used in order.
pub(super) struct Origins {
    table: Vec<Origin>,
    /// Entries below this were used.
    used: usize,
}

impl Origins {
    /// The batch's own origin, and the table.
    pub(super) fn read(reader: &mut Reader) -> Result<(Origin, Self), CodecError> {
        const WHAT: &str = "batch origins";
        let count = reader.count(WHAT, MAX_BATCH_ORIGINS, MIN_ORIGIN)?;
        let mut table = Vec::with_capacity(count);
        for _ in 0..count {
            table.push(reader.origin()?);
        }
        match table.first() {
            Some(own) if distinct(&table) => Ok((*own, Self { table, used: 1 })),
            _ => Err(CodecError::Malformed { what: WHAT }),
        }
    }

    pub(super) fn dot(&mut self, reader: &mut Reader, what: &'static str) -> Result<Dot, CodecError> {
        let index = usize::try_from(reader.varint(what)?).unwrap_or(usize::MAX);
        let seq = reader.varint(what)?;
        match self.table.get(index) {
            Some(origin) if index <= self.used && seq > 0 => {
                self.used = self.used.max(index + 1);
                Ok(Dot { origin: *origin, seq })
            }
            _ => Err(CodecError::Malformed { what }),
        }
    }

    /// `Ok` when every entry was used.
    pub(super) fn finish(self) -> Result<(), CodecError> {
        if self.used == self.table.len() {
            Ok(())
        } else {
            Err(CodecError::Malformed { what: "batch origins" })
        }
    }
}
