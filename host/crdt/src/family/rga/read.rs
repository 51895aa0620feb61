//! Reading lists.

use bytes::Bytes;

use super::{
    element::Element,
    leaf::{Head, Leaf, LeafNumber, leaf_of, torn},
};
use crate::{
    element::ElementId,
    rows::{ApplyError, RowError, Rows},
};

/// How many elements the list holds. Costs one row.
///
/// # Errors
/// When rows cannot be read or are damaged, as for every read here.
pub fn size(rows: &dyn Rows) -> Result<u64, ApplyError> {
    Ok(Head::read(rows)?.live)
}

/// An element's value; none when it is removed or never was.
///
/// # Errors
/// See [`size`].
pub fn get(rows: &dyn Rows, id: ElementId) -> Result<Option<Bytes>, ApplyError> {
    Ok(Element::read(rows, id)?.and_then(|element| element.value))
}

/// Whether the list holds an element.
///
/// # Errors
/// See [`size`].
pub fn contains(rows: &dyn Rows, id: ElementId) -> Result<bool, ApplyError> {
    Ok(get(rows, id)?.is_some())
}

/// What ranks behind an element (or behind the head), removed ones included: what a new element inserted there must
/// have an id above, besides that of the element itself. None at the end.
///
/// # Errors
/// See [`size`].
pub fn successor(rows: &dyn Rows, after: Option<ElementId>) -> Result<Option<ElementId>, ApplyError> {
    let leaf = match after {
        None => Head::read(rows)?.first,
        Some(after) => {
            let Some(number) = leaf_of(rows, after)? else { return Ok(None) };
            let leaf = Leaf::read(rows, number)?;
            if let Some(entry) = leaf.entries.get(leaf.index(after)? + 1) {
                return Ok(Some(entry.rank));
            }
            leaf.next
        }
    };
    let Some(leaf) = leaf else { return Ok(None) };
    Ok(Leaf::read(rows, leaf)?.entries.first().map(|entry| entry.rank))
}

/// The nearest element that is live, from this one on towards the head: itself, or one that it was inserted after,
/// directly or not. None when that is the head.
///
/// For the writer's commit: no batch may name an element as a place whose removal the writer already knows, because
/// everybody who knows of the removal may have forgotten the element. Looks at no more than a thousand.
///
/// # Errors
/// See [`size`].
pub fn live_ancestor(rows: &dyn Rows, id: ElementId) -> Result<Option<ElementId>, ApplyError> {
    const MAX_STEPS: usize = 1000;
    let mut at = Some(id);
    for _ in 0..MAX_STEPS {
        let Some(id) = at else { return Ok(None) };
        let Some(element) = Element::read(rows, id)? else { return Ok(None) };
        if element.value.is_some() {
            return Ok(Some(id));
        }
        at = element.parent;
    }
    Ok(None)
}

/// The ends of a list's order, as numbers of [`part`]s; none without elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// The first part, which may hold removed elements only.
    pub first: Option<u32>,
    /// The first part with an element that is not removed.
    pub first_live: Option<u32>,
    /// The last such part.
    pub last_live: Option<u32>,
}

/// A part of a list's order: at most 64 elements that stand one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The elements, each with whether it is live.
    pub elements: Vec<(ElementId, bool)>,
    /// The next part.
    pub next: Option<u32>,
    /// The next part with a live element; unknown (and none) when this part has none.
    pub next_live: Option<u32>,
    /// The part before with a live element; unknown (and none) when this part has none.
    pub prev_live: Option<u32>,
    /// Whether one of its elements is live.
    pub live: bool,
}

/// Where the list begins and ends.
///
/// # Errors
/// See [`size`].
pub fn ends(rows: &dyn Rows) -> Result<Ends, ApplyError> {
    let Head { first, first_live, last_live, .. } = Head::read(rows)?;
    Ok(Ends { first, first_live, last_live })
}

/// One part of the order, by its number.
///
/// # Errors
/// See [`size`].
pub fn part(rows: &dyn Rows, number: u32) -> Result<Part, ApplyError> {
    let Leaf { next, linked, next_live, prev_live, entries, .. } = Leaf::read(rows, number)?;
    let elements = entries.into_iter().map(|entry| (entry.id, !entry.dead)).collect();
    Ok(Part { elements, next, next_live, prev_live, live: linked })
}

/// The number of the part that holds an element; none when the list does not know the element (any more).
///
/// # Errors
/// See [`size`].
pub fn leaf_with(rows: &dyn Rows, id: ElementId) -> Result<Option<LeafNumber>, ApplyError> {
    leaf_of(rows, id)
}

/// Up to `limit` elements with their values in the order of the list, from behind the element `after`. Fewer mean that
/// there are no more. A removed element still has its place; behind one that the list does not know there is nothing.
///
/// # Errors
/// See [`size`].
pub fn entries(
    rows: &dyn Rows,
    after: Option<ElementId>,
    limit: usize,
) -> Result<Vec<(ElementId, Bytes)>, ApplyError> {
    let mut found = Vec::new();
    let mut at = match after {
        Some(after) => leaf_of(rows, after)?,
        None => ends(rows)?.first_live,
    };
    let mut skip = after;
    while let Some(number) = at
        && found.len() < limit
    {
        let part = part(rows, number)?;
        let from = match skip.take() {
            Some(after) => part.elements.iter().position(|(id, _)| *id == after).map_or(0, |at| at + 1),
            None => 0,
        };
        let live = part.elements.iter().skip(from).filter(|(_, live)| *live);
        for (id, _) in live.take(limit - found.len()) {
            found.push(*id);
        }
        at = if part.live { part.next_live } else { part.next };
    }
    values(rows, &found)
}

/// The values of live elements. After a row that is not in memory it goes on, so that one load brings all of them.
///
/// # Errors
/// See [`size`].
fn values(rows: &dyn Rows, ids: &[ElementId]) -> Result<Vec<(ElementId, Bytes)>, ApplyError> {
    let mut out = Ok(Vec::with_capacity(ids.len()));
    for id in ids {
        match (get(rows, *id), &mut out) {
            (Ok(Some(value)), Ok(out)) => out.push((*id, value)),
            (Ok(None), Ok(_)) => return Err(torn("list: a live element has no value")),
            (Err(error), Ok(_)) => out = Err(error),
            (Err(error), Err(_)) if error != ApplyError::Row(RowError::Miss) => out = Err(error),
            _ => {}
        }
    }
    out
}
