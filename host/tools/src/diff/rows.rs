//! Finding rows that differ.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use bytes::Bytes;
use numax_crdt::{Key, Kind, RowContent, RowFacts, RowName, Rows, applier};

use super::{Difference, Options};
use crate::{ToolError, store::Store};

/// A row: what replicas have alike, none for tombstones and sums, and what it says.
pub(super) type Shown = (Option<Bytes>, RowFacts);

/// Compares value by value; answers how many.
pub(super) fn compare(
    a: &Store,
    b: &Store,
    options: &Options,
    out: &mut Vec<Difference>,
    progress: &mut impl FnMut(u64),
) -> Result<u64, ToolError> {
    let mut values = 0;
    for kind in &options.kinds {
        let next = |store: &Store, after: Option<&Key>| {
            store.next_key(*kind, &options.prefix, after).map_err(ToolError::row(store.path()))
        };
        let (mut in_a, mut in_b) = (next(a, None)?, next(b, None)?);
        loop {
            let order = match (&in_a, &in_b) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(in_a), Some(in_b)) => in_a.cmp(in_b),
            };
            let Some(key) = (if order == Ordering::Greater { in_b.clone() } else { in_a.clone() }) else {
                break;
            };
            value(a, b, *kind, &key, options.all, out)?;
            values += 1;
            progress(values);
            if !out.is_empty() && !options.all {
                return Ok(values);
            }
            if order != Ordering::Greater {
                in_a = next(a, Some(&key))?;
            }
            if order != Ordering::Less {
                in_b = next(b, Some(&key))?;
            }
        }
    }
    Ok(values)
}

/// Compares the rows of one value.
fn value(
    a: &Store,
    b: &Store,
    kind: Kind,
    key: &Key,
    all: bool,
    out: &mut Vec<Difference>,
) -> Result<(), ToolError> {
    let (in_a, in_b) = (read(a, kind, key)?, read(b, kind, key)?);
    let before = out.len();
    let names: BTreeSet<&RowName> = in_a.keys().chain(in_b.keys()).collect();
    let difference = |name: &RowName| {
        let facts = |rows: &BTreeMap<RowName, Shown>| rows.get(name).map(|(_, facts)| facts.clone());
        Difference {
            value: (kind, key.clone()),
            row: name.clone(),
            a: facts(&in_a),
            b: facts(&in_b),
            cause: None,
        }
    };
    for name in &names {
        let shown = |rows: &BTreeMap<RowName, Shown>| rows.get(name).and_then(|(shown, _)| shown.clone());
        if shown(&in_a) != shown(&in_b) {
            out.push(difference(name));
            if !all {
                return Ok(());
            }
        }
    }
    // A sum that does not fit its rows is noticed only when the rows are alike: otherwise it follows from them.
    if out.len() == before && head(&in_a) != head(&in_b) {
        out.push(difference(&RowName::Head));
    }
    Ok(())
}

/// What a head sums up, as far as replicas have it alike.
fn head(rows: &BTreeMap<RowName, Shown>) -> Option<&RowContent> {
    let (_, facts) = rows.get(&RowName::Head)?;
    // Nothing live is as good as no head.
    match &facts.content {
        RowContent::Count(0) => None,
        content @ (RowContent::Count(_) | RowContent::Sums { .. }) => Some(content),
        _ => None,
    }
}

/// The rows of a value by their names. The order of a list and the parts of a text are each datastore's own.
pub(super) fn read(store: &Store, kind: Kind, key: &Key) -> Result<BTreeMap<RowName, Shown>, ToolError> {
    let Some(family) = applier(kind) else { return Ok(BTreeMap::new()) };
    let all = store.rows(kind, key).map_err(ToolError::row(store.path()))?;
    let rows = |rows: &dyn Rows| {
        let mut out = BTreeMap::new();
        for (sub, row) in &all {
            let facts = family.describe(rows, sub, row)?;
            if !matches!(facts.name, RowName::Order | RowName::Part(_) | RowName::Update(_)) {
                let shown = family.compared(rows, sub, row)?.map(|(_, shown)| shown);
                out.insert(facts.name.clone(), (shown, facts));
            }
        }
        Ok(out)
    };
    store.value(kind, key, rows).map_err(ToolError::value(store.path(), kind, key))
}
