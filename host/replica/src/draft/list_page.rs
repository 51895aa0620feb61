//! Reading a list with the turn's own runs in it.

use bytes::Bytes;
use numax_crdt::{
    ApplyError, ElementId, Rows,
    family::rga::{self, Part},
};

use super::{
    counters::is_miss,
    list::{ListPage, ListWrites},
    page::MAX_PAGE_BYTES,
};
use crate::error::DraftError;

/// Values that are read at once: each may have a megabyte.
const VALUES_STEP: usize = 64;

/// The last element that the turn sees, or behind which it sees one of its own: the anchor of the list's end.
pub(super) fn last(rows: &dyn Rows, writes: &ListWrites) -> Result<Option<ElementId>, ApplyError> {
    let mut at = rga::ends(rows)?.last_live;
    while let Some(number) = at {
        let part = rga::part(rows, number)?;
        let mut back = part.elements.iter().rev();
        if let Some((id, _)) = back.find(|(id, live)| shows(writes, *id, *live) || run_shows(writes, *id)) {
            return Ok(Some(*id));
        }
        at = part.prev_live;
    }
    Ok(None)
}

/// Whether the turn sees a committed element.
fn shows(writes: &ListWrites, id: ElementId, live: bool) -> bool {
    live && !writes.removed.contains(&id)
}

fn run_shows(writes: &ListWrites, anchor: ElementId) -> bool {
    writes.runs.get(&Some(anchor)).is_some_and(|run| run.iter().any(|id| writes.shows(id)))
}

/// The elements that the turn sees behind `after`, up to one more than `limit`, which says that there are more. None
/// when the list does not know `after`.
pub(super) fn ids(
    rows: &dyn Rows,
    writes: &ListWrites,
    after: Option<ElementId>,
    limit: usize,
) -> Result<Option<Vec<ElementId>>, ApplyError> {
    let want = limit.saturating_add(1);
    let mut found = Vec::new();
    let own = after.and_then(|after| writes.inserted.get(&after).map(|own| (after, own)));
    // The committed element to go on behind, and the rest of its run.
    let anchor = match own {
        Some((_, own)) => own.anchor,
        None => after,
    };
    let run = writes.runs.get(&anchor).map_or(&[][..], Vec::as_slice);
    let passed = own.and_then(|(id, _)| run.iter().position(|other| *other == id)).map_or(0, |at| at + 1);
    found.extend(run.iter().skip(passed).filter(|id| writes.shows(id)));

    let mut start = None;
    let (mut at, every) = match anchor {
        None => {
            let ends = rga::ends(rows)?;
            let every = buried(rows, writes)?;
            (if every { ends.first } else { ends.first_live }, every)
        }
        Some(anchor) => {
            start = Some(anchor);
            match rga::leaf_with(rows, anchor)? {
                Some(number) => (Some(number), buried(rows, writes)?),
                // The anchor was removed and forgotten by others while the turn went on.
                None if own.is_some() => (None, false),
                None => return Ok(None),
            }
        }
    };
    while let Some(number) = at
        && found.len() < want
    {
        let part = rga::part(rows, number)?;
        let passed = start.take().and_then(|start| part.elements.iter().position(|(id, _)| *id == start));
        for (id, live) in part.elements.iter().skip(passed.map_or(0, |at| at + 1)) {
            if shows(writes, *id, *live) {
                found.push(*id);
            }
            let run = writes.runs.get(&Some(*id)).into_iter().flatten();
            found.extend(run.filter(|id| writes.shows(id)));
        }
        at = following(&part, every);
    }
    found.truncate(want);
    Ok(Some(found))
}

fn following(part: &Part, every: bool) -> Option<u32> {
    if every || !part.live { part.next } else { part.next_live }
}

/// Whether a run of the turn stands in a part of the list whose elements were all removed meanwhile, so that the
/// removed ones must be walked as well.
fn buried(rows: &dyn Rows, writes: &ListWrites) -> Result<bool, ApplyError> {
    let mut any = Ok(false);
    for anchor in writes.runs.keys().flatten() {
        let live = rga::leaf_with(rows, *anchor).and_then(|number| match number {
            Some(number) => rga::part(rows, number).map(|part| part.live),
            None => Ok(true),
        });
        // After a miss the reads go on, so that one load brings all of them.
        match (live, &mut any) {
            (Ok(live), Ok(any)) => *any |= !live,
            (Err(error), Ok(_)) => any = Err(error),
            (Err(error), Err(_)) if !is_miss(&error) => any = Err(error),
            _ => {}
        }
    }
    any
}

/// The values of elements that the turn sees; none for one that others removed since the ids were read.
pub(super) fn values(
    rows: &dyn Rows,
    writes: &ListWrites,
    ids: &[ElementId],
) -> Result<Vec<Option<Bytes>>, ApplyError> {
    let mut out = Ok(Vec::with_capacity(ids.len()));
    for id in ids {
        let value = match writes.inserted.get(id) {
            Some(own) => Ok(own.value.clone()),
            None => rga::get(rows, *id),
        };
        match (value, &mut out) {
            (Ok(value), Ok(out)) => out.push(value),
            (Err(error), Ok(_)) => out = Err(error),
            (Err(error), Err(_)) if !is_miss(&error) => out = Err(error),
            _ => {}
        }
    }
    out
}

/// Makes a page of ids, of which one more than `limit` says that there are more.
pub(super) fn fill(
    mut ids: Vec<ElementId>,
    limit: usize,
    mut values: impl FnMut(&[ElementId]) -> Result<Vec<Option<Bytes>>, DraftError>,
) -> Result<ListPage, DraftError> {
    let more = ids.len() > limit;
    ids.truncate(limit);
    let mut items = Vec::with_capacity(ids.len());
    let mut bytes = 0usize;
    for step in ids.chunks(VALUES_STEP) {
        for (id, value) in step.iter().zip(values(step)?) {
            let Some(value) = value else { continue };
            bytes = bytes.saturating_add(ElementId::LEN + value.len());
            if bytes > MAX_PAGE_BYTES && !items.is_empty() {
                let next = items.last().map(|(id, _)| *id);
                return Ok(ListPage { items, next });
            }
            items.push((*id, value));
        }
    }
    // All of a page may have been removed since its ids were read; its last id still leads on.
    let next = if more { ids.last().copied() } else { None };
    Ok(ListPage { items, next })
}
