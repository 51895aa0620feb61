//! Elements that a held-back batch inserted: where they are to stand for others, and moving them there.
//!
//! Nobody else has seen such an element, so all that stands below it was held back too, and the whole may be moved: the
//! order is a function of the tree, and this makes another tree of it.

use super::{element::Element, leaf::Entry, order::Order, read::live_ancestor};
use crate::{
    element::ElementId,
    rows::{ApplyError, Rows},
};

/// Behind which element an element is to be inserted for others: the nearest one from its parent on towards the head
/// that is live, because whoever knows of a removal may have forgotten what was removed.
pub(super) fn place(rows: &dyn Rows, id: ElementId) -> Result<Option<ElementId>, ApplyError> {
    match Element::read(rows, id)?.and_then(|element| element.parent) {
        Some(parent) => live_ancestor(rows, parent),
        None => Ok(None),
    }
}

/// Moves an element, with all that stands below it, behind another one. Answers whether that changes anything.
pub(super) fn hang(rows: &mut dyn Rows, id: ElementId, after: Option<ElementId>) -> Result<bool, ApplyError> {
    let Some(mut element) = Element::read(rows, id)? else { return Ok(false) };
    let parent = match after {
        Some(after) if Element::read(rows, after)?.is_some() => Some(after),
        _ => None,
    };
    if element.parent == parent && element.rank == id {
        return Ok(false);
    }
    let mut order = Order::load(rows)?;
    // All of an element's offspring ranks above it, and what follows its offspring ranks below it.
    let mut below = Vec::new();
    let mut at = id;
    while let Some(next) = order.successor(at)?.filter(|next| next.rank > element.rank) {
        at = next.id;
        below.push(next);
    }
    order.take(id)?;
    for entry in &below {
        order.take(entry.id)?;
    }
    if let Some(old) = element.parent
        && let Some(old) = order.entry_mut(old)?
    {
        old.children = old.children.saturating_sub(1);
    }
    (element.parent, element.rank) = (parent, id);
    element.write(order.rows, id)?;
    order.insert(parent, Entry { id, rank: id, dead: element.value.is_none(), children: 0 })?;
    // Parents before their children, which have greater ids.
    below.sort_unstable_by_key(|entry| entry.id);
    for entry in below {
        let parent = Element::read(order.rows, entry.id)?.and_then(|row| row.parent);
        order.insert(parent, Entry { children: 0, ..entry })?;
    }
    order.finish()?;
    Ok(true)
}
