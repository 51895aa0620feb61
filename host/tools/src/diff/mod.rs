//! Two datastores beside each other: `numax diff`.
//!
//! Replicas that have applied the same batches have the same rows. So vectors are compared first: they say whether one
//! is behind, and a row that differs for want of a batch is no fault. Then rows are compared by key, in the form in which
//! they are the same on every node, whatever each has forgotten. For a row that differs the logs are asked: which
//! batches wrote it, whether the other side has them, whether both hold the same under that name, and what the
//! operations lead to when they are applied anew. That tells *which side* holds a row that its own log does not lead to. One
//! log that reaches back to the beginning is enough for both sides; where none does, what is left of them may still prove a
//! row wrong.

mod cause;
mod fit;
mod report;
mod rows;
mod vectors;

use std::collections::BTreeSet;

use numax_crdt::{Kind, RowFacts, RowName};

use crate::{ToolError, history, history::ValueName, store::Store};

pub use cause::{Batches, Cause, Verdict};
pub use fit::Fit;
pub use vectors::{Lag, Order, Vectors};

/// Values whose differences are explained with `all`; the rest is only shown. Explaining one holds it in memory.
const MAX_EXPLAINED: usize = 100;

/// How much to compare.
#[derive(Debug, Clone)]
pub struct Options {
    /// Goes on behind the first difference.
    pub all: bool,
    /// The families to compare.
    pub kinds: Vec<Kind>,
    /// Keys that begin so.
    pub prefix: Vec<u8>,
}

impl Default for Options {
    fn default() -> Self {
        Self { all: false, kinds: Kind::ALL.to_vec(), prefix: Vec::new() }
    }
}

/// What came of a comparison.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// How the two vectors are to each other.
    pub vectors: Vectors,
    /// Rows that differ: the first, or all.
    pub differences: Vec<Difference>,
    /// Values that were compared.
    pub values: u64,
}

impl Comparison {
    /// Whether the datastores know the same and hold the same.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.differences.is_empty() && self.vectors.order == Order::Equal
    }
}

/// A row that differs.
#[derive(Debug, Clone)]
pub struct Difference {
    /// The value: family and key.
    pub value: ValueName,
    /// The row.
    pub row: RowName,
    /// What the first holds there, tombstones included; none: nothing.
    pub a: Option<RowFacts>,
    /// What the second holds.
    pub b: Option<RowFacts>,
    /// Why; none when there were too many to ask for.
    pub cause: Option<Cause>,
}

/// Compares two datastores. Blocks, long; `progress` is told how many values were compared.
///
/// # Errors
/// When rows or logs cannot be read or are damaged.
pub fn diff(
    a: &Store,
    b: &Store,
    options: &Options,
    mut progress: impl FnMut(u64),
) -> Result<Comparison, ToolError> {
    let vectors = vectors::compare(a.vector(), b.vector());
    let mut differences = Vec::new();
    let values = rows::compare(a, b, options, &mut differences, &mut progress)?;
    let mut wanted: BTreeSet<ValueName> = BTreeSet::new();
    for difference in &differences {
        if wanted.len() < MAX_EXPLAINED {
            wanted.insert(difference.value.clone());
        }
    }
    let log_a = history::read(a, &wanted, b.vector())?;
    let log_b = history::read(b, &wanted, a.vector())?;
    for difference in &mut differences {
        if let (Some(in_a), Some(in_b)) = (log_a.get(&difference.value), log_b.get(&difference.value)) {
            difference.cause = Some(cause::find(difference, (a, in_a), (b, in_b))?);
        }
    }
    Ok(Comparison { vectors, differences, values })
}
