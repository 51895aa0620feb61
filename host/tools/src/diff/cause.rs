//! Why a row differs.

use std::collections::{BTreeMap, BTreeSet};

use numax_crdt::{Dot, Hlc, Op, RowContent, RowName};

use super::{Difference, rows};
use crate::{
    ToolError,
    history::{ValueHistory, lacking},
    store::Store,
};

/// Batches that wrote a row: when, and what each did to it.
pub type Batches = BTreeMap<(Hlc, Dot), Vec<Op>>;

/// Whether a side's row is what its own log leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It is.
    Fits,
    /// It is not: the rows are wrong, not the log.
    Differs,
    /// The log does not reach back, or state was transferred: it cannot tell.
    Unknown,
}

/// Why a row differs.
#[derive(Debug, Clone)]
pub struct Cause {
    /// Batches that wrote the row and that the first lacks.
    pub a_lacks: BTreeSet<Dot>,
    /// Batches that wrote the row and that the second lacks.
    pub b_lacks: BTreeSet<Dot>,
    /// Batches that say one thing in the first log and another in the second.
    pub two_batches: BTreeSet<Dot>,
    /// Whether the first row fits the first log.
    pub a_fits: Fit,
    /// Whether the second row fits the second log.
    pub b_fits: Fit,
    /// The latest batches that wrote the row, in either log.
    pub batches: Batches,
}

/// The same in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Only batches that have not arrived everywhere: no fault.
    Behind,
    /// The first's rows are not what its log says.
    RowsOfA,
    /// The second's rows are not what its log says.
    RowsOfB,
    /// Neither's rows are.
    RowsOfBoth,
    /// Two batches bear one name: an origin was used twice.
    TwoBatches,
    /// Both know the same and each fits its log: the family does not merge alike in every order.
    Merge,
    /// Both know the same, and the logs do not reach back far enough to say who is right.
    Unknown,
}

impl Cause {
    /// The cause in one word.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match (self.a_fits, self.b_fits) {
            (Fit::Differs, Fit::Differs) => Verdict::RowsOfBoth,
            (Fit::Differs, _) => Verdict::RowsOfA,
            (_, Fit::Differs) => Verdict::RowsOfB,
            _ if !self.two_batches.is_empty() => Verdict::TwoBatches,
            _ if !self.a_lacks.is_empty() || !self.b_lacks.is_empty() => Verdict::Behind,
            (Fit::Fits, Fit::Fits) => Verdict::Merge,
            _ => Verdict::Unknown,
        }
    }
}

/// Finds out.
pub(super) fn find(
    difference: &Difference,
    (a, log_a): (&Store, &ValueHistory),
    (b, log_b): (&Store, &ValueHistory),
) -> Result<Cause, ToolError> {
    let (in_a, in_b) = (log_a.batches(&difference.row), log_b.batches(&difference.row));
    // The rows name batches, too, that the logs may have forgotten.
    let named = |batches: &Batches, facts: &Option<numax_crdt::RowFacts>| -> BTreeSet<Dot> {
        let of_row = facts.iter().flat_map(|facts| facts.written_by.iter().copied());
        batches.keys().map(|(_, dot)| *dot).chain(of_row).collect()
    };
    let two_batches = in_a
        .iter()
        .filter(|((_, dot), ops)| {
            let same_name = in_b.iter().find(|((_, other), _)| other == dot);
            same_name.is_some_and(|(_, other)| other != *ops)
        })
        .map(|((_, dot), _)| *dot)
        .collect();
    let a_lacks = lacking(&named(&in_b, &difference.b), a.vector());
    let b_lacks = lacking(&named(&in_a, &difference.a), b.vector());
    let mut batches = in_a;
    batches.extend(in_b);
    Ok(Cause {
        a_lacks,
        b_lacks,
        two_batches,
        a_fits: fit(difference, a, log_a)?,
        b_fits: fit(difference, b, log_b)?,
        batches,
    })
}

/// Compares a side's row with what its log leads to.
fn fit(difference: &Difference, store: &Store, log: &ValueHistory) -> Result<Fit, ToolError> {
    let (kind, key) = &difference.value;
    let Some(expected) = log.expected(*kind) else { return Ok(Fit::Unknown) };
    let found = rows::read(store, *kind, key)?;
    let shown = found.get(&difference.row).and_then(|(shown, _)| shown.as_ref());
    let mut fits = shown == expected.get(&difference.row);
    if difference.row == RowName::Head && shown.is_none() {
        let head = found.get(&difference.row).map(|(_, facts)| &facts.content);
        let expected = log.expected_head(*kind).flatten();
        let live =
            |content: Option<&RowContent>| content.filter(|head| **head != RowContent::Count(0)).cloned();
        fits &= live(head) == live(expected.as_ref());
    }
    Ok(if fits { Fit::Fits } else { Fit::Differs })
}
