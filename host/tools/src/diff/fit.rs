//! Whether a side's row is what was written.

use std::collections::BTreeMap;

use numax_crdt::{Dot, Hlc, Kind, RowContent, RowFacts, RowName, family::Sum};

use super::{Batches, Difference, rows};
use crate::{ToolError, history::Lead, store::Store};

/// Whether a side's row is what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It is.
    Fits,
    /// It is not: the rows are wrong, not the log.
    Differs,
    /// The logs do not reach back, or state was transferred: they cannot tell.
    Unknown,
}

/// Rows of a value by their names, each as replicas are compared by and with what it says.
type Found = BTreeMap<RowName, rows::Shown>;

/// Compares a side's row with what logs lead to: the first of `leads` that can tell. Where none can, it looks for a proof that
/// it is wrong: in the row itself, in the rows beside it, and in `batches` that wrote it and are still in a log.
pub(super) fn fit(
    difference: &Difference,
    store: &Store,
    facts: Option<&RowFacts>,
    leads: [&Lead; 2],
    batches: &Batches,
) -> Result<Fit, ToolError> {
    let written_by = facts.map_or(&[][..], |facts| &facts.written_by);
    if !store.is_ahead() && written_by.iter().any(|dot| !store.vector().covers(*dot)) {
        return Ok(Fit::Differs);
    }
    let (kind, key) = &difference.value;
    let found = rows::read(store, *kind, key)?;
    if let Some(fits) = leads.into_iter().find_map(|lead| fits(difference, &found, lead)) {
        return Ok(if fits { Fit::Fits } else { Fit::Differs });
    }
    let wrong = contradicts_itself(&found) || is_outdone(difference, store, facts, &found, batches);
    Ok(if wrong { Fit::Differs } else { Fit::Unknown })
}

/// Whether the row is the one that operations lead to; none when they cannot tell.
fn fits(difference: &Difference, found: &Found, lead: &Lead) -> Option<bool> {
    let kind = difference.value.0;
    let expected = lead.rows(kind)?;
    let shown = found.get(&difference.row).and_then(|(shown, _)| shown.as_ref());
    let mut fits = shown == expected.get(&difference.row);
    if difference.row == RowName::Head && shown.is_none() {
        let head = found.get(&difference.row).map(|(_, facts)| &facts.content);
        let expected = lead.head(kind).flatten();
        let live =
            |content: Option<&RowContent>| content.filter(|head| **head != RowContent::Count(0)).cloned();
        fits &= live(head) == live(expected.as_ref());
    }
    Some(fits)
}

/// Whether a sum or count is not that of the rows beside it.
fn contradicts_itself(found: &Found) -> bool {
    let mut sum = Sum::default();
    found.values().for_each(|(_, facts)| sum.add(facts));
    !sum.fits()
}

/// Whether the batch that the row says it is from says something else, or one that the side knows wins over it. That can be
/// told of rows with one writer: what one origin has counted, registers and fields.
fn is_outdone(
    difference: &Difference,
    store: &Store,
    facts: Option<&RowFacts>,
    found: &Found,
    batches: &Batches,
) -> bool {
    let kind = difference.value.0;
    let single = matches!(kind, Kind::GCounter | Kind::PnCounter | Kind::LwwRegister | Kind::LwwMap);
    if !single || (kind != Kind::LwwRegister && difference.row == RowName::Head) {
        return false;
    }
    let mut lead = Lead::begin();
    let mut last: Option<(Hlc, Dot)> = None;
    for (when, ops) in batches.iter().filter(|((_, dot), _)| store.vector().covers(*dot)) {
        ops.iter().for_each(|op| lead.apply(when.1, op));
        last = last.max(Some(*when));
    }
    let shown = found.get(&difference.row).and_then(|(shown, _)| shown.as_ref());
    let is_else = |lead: &Lead| lead.rows(kind).is_some_and(|rows| shown != rows.get(&difference.row));
    let claimed = facts.and_then(|facts| facts.written_by.last());
    if let Some(((_, dot), ops)) = batches.iter().find(|((_, dot), _)| Some(dot) == claimed) {
        let mut alone = Lead::begin();
        ops.iter().for_each(|op| alone.apply(*dot, op));
        if is_else(&alone) {
            return true;
        }
    }
    let Some((hlc, dot)) = last.filter(|_| is_else(&lead)) else { return false };
    match facts.and_then(|facts| Some((facts.hlc, facts.written_by.last()?))) {
        // What a removal left may have been forgotten, also one that is in no log any more. Counters forget nothing.
        None => matches!(kind, Kind::GCounter | Kind::PnCounter),
        Some((Some(at), by)) => (hlc, dot) >= (at, *by),
        Some((None, by)) => dot.origin != by.origin || dot.seq >= by.seq,
    }
}
