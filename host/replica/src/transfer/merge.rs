//! Merging a page of transferred state into the rows here.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use numax_crdt::{ApplyError, Key, Kind, Known, OpKind, Origin, Rows, VersionVector, applier};
use numax_store::Table;

use super::{page::Page, place::Place};
use crate::{
    applied::Change,
    error::CoreError,
    rows::{
        name,
        shared::Shared,
        staging::{StagedRows, Staging},
        view::{Access, Supplied},
    },
};

/// Own rows that are looked at under one hold of a range.
const STEP: usize = 1024;

/// What a page moves on.
pub(crate) struct Merging<'a> {
    pub place: &'a mut Place,
    pub vector: &'a mut VersionVector,
    pub deps: &'a mut BTreeMap<Origin, u64>,
    /// What is written under here.
    pub own: Option<Origin>,
    /// For simulators that look for this bug: rows that the sender has removed stay.
    pub keeps: bool,
}

/// Merges a page into staged rows and moves the transfer on; `position` is the one behind the step's record. With the
/// `last` page the vector moves. Answers what changed for a reader. Live and in a replay the same.
pub(crate) fn merge_page(
    shared: &Shared,
    staging: &mut Staging,
    into: Merging<'_>,
    page: &Page,
    last: bool,
    position: u64,
) -> Result<Vec<Change>, CoreError> {
    let Merging { place, vector, deps, own, keeps } = into;
    if vector.covers_vector(&place.ahead) {
        place.ahead = VersionVector::new();
    }
    place.ahead.merge(&page.as_of);
    let known = Known { ours: vector, theirs: &page.as_of };
    let mut sent = BTreeSet::new();
    let mut changed = BTreeMap::new();
    for value in &page.values {
        let family =
            applier(value.kind).ok_or_else(|| CoreError::Invalid("a page of unknown rows".to_string()))?;
        let prefix = name::value_prefix(value.kind, value.key.as_bytes());
        for (sub, row) in &value.rows {
            let mut rows = StagedRows::new(shared, staging, value.kind, &value.key);
            if family.merge(&mut rows, sub, row, known)? {
                changed.insert((value.kind, value.key.clone()), written(value.kind));
            }
            sent.insert([&prefix[..], sub].concat());
        }
    }
    if !keeps {
        remove_absent(shared, staging, page, &sent, known, &mut changed)?;
    }
    let changed = changed.into_iter().map(|((kind, key), op)| Change { kind, key, op }).collect();

    // Whoever writes here from now on may have seen any of it.
    for (origin, seq) in page.as_of.iter() {
        if Some(*origin) != own && seq > vector.get(origin) {
            let known = deps.entry(*origin).or_default();
            *known = seq.max(*known);
        }
    }
    place.floor = place.floor.max(page.clock);
    match &mut place.incoming {
        Some(incoming) if !last => incoming.merged += 1,
        _ => {
            place.incoming = None;
            vector.merge(&page.as_of);
            place.base = Some((position, vector.clone()));
        }
    }
    Ok(changed)
}

/// The operation that a watcher is told of when rows of a value came: which one it was nobody knows any more.
fn written(kind: Kind) -> OpKind {
    match kind {
        Kind::GCounter | Kind::PnCounter => OpKind::Increment,
        Kind::LwwRegister | Kind::LwwMap => OpKind::Set,
        Kind::OrSet => OpKind::Add,
        Kind::Rga => OpKind::Insert,
        Kind::Text => OpKind::Edit,
    }
}

/// Removes of our rows in the range what the sender knows and does not have.
fn remove_absent(
    shared: &Shared,
    staging: &mut Staging,
    page: &Page,
    sent: &BTreeSet<Vec<u8>>,
    known: Known<'_>,
    changed: &mut BTreeMap<(Kind, Key), OpKind>,
) -> Result<(), CoreError> {
    let within = |row: &[u8]| row > &page.from[..] && page.to.as_ref().is_none_or(|to| row <= &to[..]);
    let supplied = Supplied::default();
    let access = Access::new(shared, &supplied, true);
    // Those that the group has written before this page, and those committed.
    let staged = staging.names(&[Table::Rows as u8]);
    let mut candidates: Vec<Bytes> = staged.into_iter().filter(|row| within(row)).collect();
    let mut after = page.from.clone();
    loop {
        let (rows, next) = access.rows(&[Table::Rows as u8], &after, STEP, false)?;
        let beyond = rows.last().is_some_and(|(row, _)| !within(row));
        candidates.extend(rows.into_iter().map(|(row, _)| row).filter(|row| within(row)));
        for row in candidates.drain(..).filter(|row| !sent.contains(&row[..])) {
            let Some((kind, key, sub)) = name::parse(&row) else { continue };
            let Some(family) = applier(kind) else { continue };
            let mut rows = StagedRows::new(shared, staging, kind, &key);
            if let Some(content) = rows.get(sub).map_err(ApplyError::from)?
                && family.absent(&mut rows, sub, &content, known)?
            {
                changed.entry((kind, key.clone())).or_insert(OpKind::Remove);
            }
        }
        match next {
            Some(next) if !beyond => after = next,
            _ => return Ok(()),
        }
    }
}
