//! Forgetting removed elements, and taking over a state from elsewhere.
//!
//! A tombstone goes once nothing can name it any more. The one child that it may have takes its place in the tree, with
//! its rank, so that the order stays the same here and against everything that may still come, whether or not others
//! have forgotten it as well. A tombstone with several children keeps them apart from others and stays; there are never
//! more of those than live elements. Whatever the order in which tombstones are taken, the same ones stay.

use bytes::Bytes;

use super::{
    KIND,
    element::{self, Element},
    leaf::leaf_of,
    order::Order,
    place,
};
use crate::{
    codec::CodecError,
    element::ElementId,
    family::{Known, damaged},
    id::Dot,
    limits::{self, MAX_VALUE},
    rows::{ApplyError, Rows},
};

/// Forgets tombstones whose removal `stable` says to be known everywhere: this one, and those that it was the last
/// reason to keep. Answers whether there was one to forget.
pub(super) fn collect(
    rows: &mut dyn Rows,
    id: ElementId,
    stable: impl Fn(Dot) -> bool,
) -> Result<bool, ApplyError> {
    let mut at = Some(id);
    let mut any = false;
    while let Some(id) = at.take()
        && let Some(element) = Element::read(rows, id)?
    {
        if element.value.is_some() || !stable(dot(rows, &element)?) || !forget(rows, id, &element)? {
            break;
        }
        any = true;
        at = element.parent;
    }
    Ok(any)
}

/// The dot of the batch that wrote an element's row.
pub(super) fn dot(rows: &dyn Rows, element: &Element) -> Result<Dot, ApplyError> {
    Ok(Dot { origin: rows.origin(element.writer)?, seq: element.seq })
}

/// Takes an element out, and puts the child that stands behind it in its place. `false`, and nothing changes, when it
/// has several children.
fn forget(rows: &mut dyn Rows, id: ElementId, element: &Element) -> Result<bool, ApplyError> {
    let mut order = Order::load(rows)?;
    let children = order.entry(id)?.map_or(0, |entry| entry.children);
    if children > 1 {
        return Ok(false);
    }
    // The first child stands right behind its parent.
    let heir = match order.successor(id)?.filter(|_| children == 1) {
        Some(next) => Element::read(order.rows, next.id)?.map(|row| (next.id, row)),
        None => None,
    };
    order.take(id)?;
    match (heir, element.parent) {
        (Some((heir, mut row)), _) => {
            (row.parent, row.rank) = (element.parent, element.rank);
            row.write(order.rows, heir)?;
            if let Some(entry) = order.entry_mut(heir)? {
                entry.rank = element.rank;
            }
        }
        (None, Some(parent)) => {
            if let Some(parent) = order.entry_mut(parent)? {
                parent.children = parent.children.saturating_sub(1);
            }
        }
        (None, None) => {}
    }
    order.rows.delete(&element::name(id))?;
    order.finish()?;
    Ok(true)
}

/// Whether a row can be one of another replica.
pub(super) fn check(sub: &[u8], row: &Bytes) -> Result<(), ApplyError> {
    let malformed = CodecError::Malformed { what: "list subkey" };
    let id = element::parse(sub).ok_or_else(|| damaged(KIND)(malformed))?;
    let (theirs, _) = element::import(id, row)?;
    limits::check("value", theirs.value.map_or(0, |value| value.len()), MAX_VALUE)
        .map_err(|limit| damaged(KIND)(limit.into()))
}

/// Merges another replica's row. Parents must come before their children, as they do in the order of subkeys.
pub(super) fn merge(
    rows: &mut dyn Rows,
    sub: &[u8],
    row: &Bytes,
    known: Known<'_>,
) -> Result<bool, ApplyError> {
    let Some(id) = element::parse(sub) else { return Ok(false) };
    let (theirs, dot) = element::import(id, row)?;
    if leaf_of(rows, id)?.is_some() {
        return if theirs.value.is_some() { Ok(false) } else { super::remove(rows, dot, id) };
    }
    // What we know and do not have was removed and forgotten here.
    if known.ours.covers(dot) {
        return Ok(false);
    }
    let Element { mut parent, mut rank, seq, value, .. } = theirs;
    // Where they have forgotten the element whose place it took and we have not, it goes behind that one, to take its
    // place here when that goes.
    if rank != id && leaf_of(rows, rank)?.is_some() {
        (parent, rank) = (Some(rank), id);
    }
    if let Some(missing) = parent
        && leaf_of(rows, missing)?.is_none()
    {
        parent = None;
    }
    let seen = value.is_some();
    let element = Element { parent, rank, writer: rows.intern(&dot.origin)?, seq, value };
    place(rows, id, &element)?;
    Ok(seen)
}

/// The other replica does not have this element. If it knows what wrote our row, it has removed and forgotten it.
pub(super) fn absent(rows: &mut dyn Rows, sub: &[u8], known: Known<'_>) -> Result<bool, ApplyError> {
    let Some(id) = element::parse(sub) else { return Ok(false) };
    let Some(element) = Element::read(rows, id)? else { return Ok(false) };
    let dot = dot(rows, &element)?;
    if !known.theirs.covers(dot) {
        return Ok(false);
    }
    let seen = element.value.is_some();
    // With several children, of which the other cannot know all, it stays as their place.
    if !forget(rows, id, &element)? && seen {
        super::bury(rows, id, element, dot)?;
    }
    Ok(seen)
}
