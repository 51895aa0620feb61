//! Why a row differs.

use std::collections::{BTreeMap, BTreeSet};

use numax_crdt::{Dot, Hlc, Op, RowFacts};

use super::{
    Difference,
    fit::{Fit, fit},
};
use crate::{
    ToolError,
    history::{ValueHistory, lacking},
    store::Store,
};

/// Batches that wrote a row: when, and what each did to it.
pub type Batches = BTreeMap<(Hlc, Dot), Vec<Op>>;

/// Why a row differs.
#[derive(Debug, Clone)]
pub struct Cause {
    /// Batches that wrote the row and that the first lacks.
    pub a_lacks: BTreeSet<Dot>,
    /// Batches that wrote the row and that the second lacks.
    pub b_lacks: BTreeSet<Dot>,
    /// Batches that say one thing in the first log and another in the second.
    pub two_batches: BTreeSet<Dot>,
    /// Whether the first row is what was written.
    pub a_fits: Fit,
    /// Whether the second row is what was written.
    pub b_fits: Fit,
    /// The latest batches that wrote the row, in either log.
    pub batches: Batches,
}

/// The same in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Only batches that have not arrived everywhere: no fault.
    Behind,
    /// The first's row is not what was written.
    RowsOfA,
    /// The second's row is not what was written.
    RowsOfB,
    /// Neither's row is.
    RowsOfBoth,
    /// Two batches bear one name: an origin was used twice.
    TwoBatches,
    /// Both know the same, and each is what was written: the family does not merge alike in every order.
    Merge,
    /// Both know the same, and what is left of the logs does not say who is right.
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
    let named = |batches: &Batches, facts: &Option<RowFacts>| -> BTreeSet<Dot> {
        let of_row = facts.iter().flat_map(|facts| facts.written_by.iter().copied());
        batches.keys().map(|(_, dot)| *dot).chain(of_row).collect()
    };
    let two_batches: BTreeSet<Dot> = in_a
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
    // What bears two names proves nothing.
    let mut sure = batches.clone();
    sure.retain(|(_, dot), _| !two_batches.contains(dot));
    let side = |store, facts: &Option<RowFacts>, leads| fit(difference, store, facts.as_ref(), leads, &sure);
    Ok(Cause {
        a_fits: side(a, &difference.a, [&log_a.own, &log_b.other])?,
        b_fits: side(b, &difference.b, [&log_b.own, &log_a.other])?,
        a_lacks,
        b_lacks,
        two_batches,
        batches,
    })
}
