//! How much of a batch's limits is used.

use numax_crdt::ElementId;
use numax_crdt::limits::{MAX_BATCH_BYTES, MAX_BATCH_DOTS, MAX_BATCH_OPS};

use super::DraftError;

/// What one operation takes of a batch's limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cost {
    ops: usize,
    bytes: usize,
    dots: usize,
}

/// Upper bounds of lengths as varints: a value or element, and a number.
const LEN: usize = 3;
const NUMBER: usize = 10;
/// An origin's index and a sequence number.
const DOT: usize = 12;

impl Cost {
    /// A counter's operation.
    pub(super) fn counter(key: &[u8]) -> Self {
        Self { ops: 1, bytes: head(key) + 2 * NUMBER, dots: 0 }
    }

    /// A write of a register, or of a map's field.
    pub(super) fn cell(key: &[u8], field: Option<&[u8]>, value: Option<&[u8]>) -> Self {
        let part = |bytes: Option<&[u8]>| bytes.map_or(0, |bytes| LEN + bytes.len());
        Self { ops: 1, bytes: head(key) + NUMBER + part(field) + part(value), dots: 0 }
    }

    /// A set's operation.
    pub(super) fn element(key: &[u8], element: &[u8], dots: usize) -> Self {
        Self { ops: 1, bytes: head(key) + LEN + element.len() + LEN + dots * DOT, dots }
    }

    /// What a turn's element leaves in the draft that it removed again: nothing of the batch, but it is held.
    pub(super) const TRACE: Self = Self { ops: 1, bytes: 0, dots: 0 };

    /// An element inserted into a list.
    pub(super) fn list_insert(key: &[u8], value: &[u8]) -> Self {
        Self { ops: 1, bytes: head(key) + 2 * ElementId::LEN + LEN + value.len(), dots: 0 }
    }

    /// An element removed from a list.
    pub(super) fn list_remove(key: &[u8]) -> Self {
        Self { ops: 1, bytes: head(key) + ElementId::LEN, dots: 0 }
    }

    /// The edits of a text, of so many bytes.
    #[cfg(feature = "text")]
    pub(super) fn text(key: &[u8], bytes: usize) -> Self {
        Self { ops: 1, bytes: head(key) + LEN + bytes, dots: 0 }
    }

    /// The bytes that it counts.
    #[cfg(feature = "text")]
    pub(super) fn bytes(self) -> usize {
        self.bytes
    }

    /// The same within an operation that is counted already.
    #[cfg(feature = "text")]
    pub(super) fn without_op(self) -> Self {
        Self { ops: 0, ..self }
    }

    /// A write to the node-local store.
    pub(super) fn local(key: &[u8], value: Option<&[u8]>) -> Self {
        Self { ops: 1, bytes: 1 + LEN + key.len() + value.map_or(0, |value| LEN + value.len()), dots: 0 }
    }

    /// The cost of both.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            ops: self.ops.saturating_add(other.ops),
            bytes: self.bytes.saturating_add(other.bytes),
            dots: self.dots.saturating_add(other.dots),
        }
    }
}

fn head(key: &[u8]) -> usize {
    1 + LEN + key.len()
}

/// The sum of a draft's operations.
#[derive(Debug, Default)]
pub(super) struct Usage(Cost);

impl Usage {
    /// Counts `new` in place of `old`.
    ///
    /// # Errors
    /// When the batch would be too large; nothing is counted then.
    pub(super) fn replace(&mut self, old: Cost, new: Cost) -> Result<(), DraftError> {
        let sum = Cost {
            ops: self.0.ops.saturating_sub(old.ops),
            bytes: self.0.bytes.saturating_sub(old.bytes),
            dots: self.0.dots.saturating_sub(old.dots),
        }
        .plus(new);
        let limits = [
            (sum.ops, MAX_BATCH_OPS, "operations"),
            (sum.bytes, MAX_BATCH_BYTES, "bytes"),
            (sum.dots, MAX_BATCH_DOTS, "additions that its removals take back"),
        ];
        // What shrinks a batch is always allowed.
        if let Some((size, limit, what)) = limits.into_iter().find(|(size, limit, _)| size > limit)
            && new != Cost::default()
        {
            return Err(DraftError::Invalid(format!(
                "batch too large: with this call the turn has {size} {what}, the limit is {limit}; write the rest in another turn"
            )));
        }
        self.0 = sum;
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.ops == 0
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.bytes
    }
}
