//! What a log says of some values: which batches wrote which rows, and what the rows should be.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use numax_crdt::{Batch, Body, Dot, Hlc, Key, Kind, Op, RowName, VersionVector, applier};

use crate::{ToolError, memory::MemoryRows, store::Store};

/// A value's name.
pub(crate) type ValueName = (Kind, Key);

/// Batches that are kept of one row: the latest. More explain nothing.
const MAX_BATCHES: usize = 64;

/// What the log says of one value.
#[derive(Debug, Default)]
pub(crate) struct ValueHistory {
    /// The latest batches that wrote each row, by time.
    pub(crate) rows: BTreeMap<RowName, BTreeMap<(Hlc, Dot), Vec<Op>>>,
    /// What the operations lead to.
    pub(crate) own: Lead,
    /// What those lead to that the other datastore knows, too: what its rows should be.
    pub(crate) other: Lead,
}

/// The rows of a value that operations lead to; none when they cannot be applied, or are not all that there was.
#[derive(Debug, Default)]
pub(crate) struct Lead(Option<MemoryRows>);

impl Lead {
    /// Nothing yet, from the beginning.
    pub(crate) fn begin() -> Self {
        Self(Some(MemoryRows::default()))
    }

    pub(crate) fn apply(&mut self, dot: Dot, op: &Op) {
        if let (Some(rows), Some(family)) = (&mut self.0, applier(op.body.kind()))
            && family.apply(rows, dot, &op.body).is_err()
        {
            self.0 = None;
        }
    }

    /// The rows, as replicas are compared by, by their names.
    pub(crate) fn rows(&self, kind: Kind) -> Option<BTreeMap<RowName, Bytes>> {
        let (rows, family) = (self.0.as_ref()?, applier(kind)?);
        let mut out = BTreeMap::new();
        for (sub, row) in &rows.rows {
            if let Some((_, shown)) = family.compared(rows, sub, row).ok()? {
                out.insert(family.describe(rows, sub, row).ok()?.name, shown);
            }
        }
        Some(out)
    }

    /// The head that sums and counts are read from.
    pub(crate) fn head(&self, kind: Kind) -> Option<Option<numax_crdt::RowContent>> {
        let (rows, family) = (self.0.as_ref()?, applier(kind)?);
        let Some(head) = rows.rows.get(numax_crdt::family::HEAD) else { return Some(None) };
        Some(Some(family.describe(rows, numax_crdt::family::HEAD, head).ok()?.content))
    }
}

/// Reads the whole log for some values, with another datastore in mind that knows what `other` says.
pub(crate) fn read(
    store: &Store,
    wanted: &BTreeSet<ValueName>,
    other: &VersionVector,
) -> Result<BTreeMap<ValueName, ValueHistory>, ToolError> {
    let whole = store.log().is_complete() && !store.had_transfer();
    let lead = |all: bool| if all { Lead::begin() } else { Lead::default() };
    // What the other knows, and everything before it.
    let both = whole && store.vector().covers_vector(other);
    let mut out: BTreeMap<ValueName, ValueHistory> = wanted
        .iter()
        .map(|name| {
            let history = ValueHistory { rows: BTreeMap::new(), own: lead(whole), other: lead(both) };
            (name.clone(), history)
        })
        .collect();
    if wanted.is_empty() {
        return Ok(out);
    }
    // A record of the log that came after what the rows include would be no fault of the rows: there is none, a
    // datastore at rest includes all of its log.
    store.log().read::<ToolError>(None, |record| {
        let Some(bytes) = record.batch else { return Ok(true) };
        let batch = Batch::decode(bytes)?;
        for op in &batch.ops {
            if let Some(value) = out.get_mut(&(op.body.kind(), op.key.clone())) {
                value.take(&batch, op, other);
            }
        }
        Ok(true)
    })?;
    Ok(out)
}

impl ValueHistory {
    fn take(&mut self, batch: &Batch, op: &Op, other: &VersionVector) {
        let batches = self.rows.entry(row_of(batch, op)).or_default();
        batches.entry((batch.hlc, batch.dot())).or_default().push(op.clone());
        if batches.len() > MAX_BATCHES {
            batches.pop_first();
        }
        self.own.apply(batch.dot(), op);
        if other.covers(batch.dot()) {
            self.other.apply(batch.dot(), op);
        }
    }

    /// The batches that wrote a row; for a head all that wrote the value.
    pub(crate) fn batches(&self, row: &RowName) -> BTreeMap<(Hlc, Dot), Vec<Op>> {
        if *row != RowName::Head || self.rows.contains_key(row) {
            return self.rows.get(row).cloned().unwrap_or_default();
        }
        let mut all: BTreeMap<(Hlc, Dot), Vec<Op>> = BTreeMap::new();
        for (when, ops) in self.rows.values().flatten() {
            all.entry(*when).or_default().extend(ops.iter().cloned());
        }
        while all.len() > MAX_BATCHES {
            all.pop_first();
        }
        all
    }
}

/// The row that an operation is about.
fn row_of(batch: &Batch, op: &Op) -> RowName {
    match &op.body {
        Body::GCounter { .. } | Body::PnCounter { .. } => RowName::Origin(batch.origin),
        Body::Register { .. } | Body::Text { .. } => RowName::Head,
        Body::MapField { field, .. } => RowName::Field(field.clone()),
        Body::SetAdd { element, .. } | Body::SetRemove { element, .. } => RowName::Element(element.clone()),
        Body::ListInsert { id, .. } | Body::ListRemove { id } => RowName::ListElement(*id),
    }
}

/// The batches of some that a vector lacks.
pub(crate) fn lacking<'a>(dots: impl IntoIterator<Item = &'a Dot>, vector: &VersionVector) -> BTreeSet<Dot> {
    dots.into_iter().filter(|dot| !vector.covers(**dot)).copied().collect()
}
