//! Merging a client's items.
//!
//! All that is known of a unit are its neighbours at insertion and its content. Where two items tell the same about a
//! unit, which is always so unless somebody lies, one is kept; otherwise the greater neighbours and the greater unit
//! win, each for itself. So the union is commutative, associative and idempotent for every input. (Of two contents, the
//! greater one is also what Yjs means: a replica that had to cut a surrogate pair has U+FFFD in its place, which is
//! greater than any surrogate.)

use super::{
    ranges::Ranges,
    state::{Item, ItemId},
};

/// Items in any order, with any overlaps, as normal form.
pub(super) fn normal(client: u64, mut items: Vec<Item>) -> Vec<Item> {
    items.retain(|item| item.len > 0);
    if items.is_sorted_by(|a, b| a.end() <= b.clock) {
        let mut out = Vec::with_capacity(items.len());
        items.into_iter().for_each(|item| push(client, &mut out, item));
        return out;
    }
    // Halving keeps this at n log n however the items overlap.
    let half = items.split_off(items.len() / 2);
    union(client, normal(client, items), normal(client, half))
}

/// The union of two normal forms.
pub(super) fn union(client: u64, a: Vec<Item>, b: Vec<Item>) -> Vec<Item> {
    // What comes in is nearly always new and behind what is there.
    if let (Some(last), Some(first)) = (a.last(), b.first())
        && last.end() <= first.clock
    {
        let mut out = a;
        b.into_iter().for_each(|item| push(client, &mut out, item));
        return out;
    }
    let mut out = Vec::with_capacity(a.len().max(b.len()));
    let (mut a, mut b) = (a.into_iter(), b.into_iter());
    let (mut x, mut y) = (a.next(), b.next());
    loop {
        match (x.take(), y.take()) {
            (Some(one), Some(other)) if one.end() <= other.clock => {
                push(client, &mut out, one);
                (x, y) = (a.next(), Some(other));
            }
            (Some(one), Some(other)) if other.end() <= one.clock => {
                push(client, &mut out, other);
                (x, y) = (Some(one), b.next());
            }
            (Some(mut one), Some(mut other)) => {
                let start = one.clock.max(other.clock);
                for (early, late) in [(&mut one, start), (&mut other, start)] {
                    if early.clock < late {
                        let rest = early.split_off(client, late);
                        push(client, &mut out, std::mem::replace(early, rest));
                    }
                }
                let end = one.end().min(other.end());
                x = (one.end() > end).then(|| one.split_off(client, end)).or_else(|| a.next());
                y = (other.end() > end).then(|| other.split_off(client, end)).or_else(|| b.next());
                join(client, &mut out, one, other);
            }
            (Some(one), None) => {
                push(client, &mut out, one);
                x = a.next();
            }
            (None, Some(other)) => {
                push(client, &mut out, other);
                y = b.next();
            }
            (None, None) => return out,
        }
    }
}

/// Adds the union of two items for the same units.
fn join(client: u64, out: &mut Vec<Item>, mut one: Item, other: Item) {
    one.units = match (one.units.take(), other.units) {
        (Some(a), Some(b)) if a == b => Some(a),
        (Some(a), Some(b)) => Some(a.into_iter().zip(b).map(|(a, b)| a.max(b)).collect()),
        _ => None,
    };
    let right = one.right.max(other.right);
    (one.origin, one.right) = (one.origin, one.right).max((other.origin, other.right));
    if one.right != right && one.len > 1 {
        let mut rest = one.split_off(client, one.clock + 1);
        rest.right = right;
        push(client, out, one);
        push(client, out, rest);
    } else {
        push(client, out, one);
    }
}

/// Adds an item behind others, to the last one if they can be one.
fn push(client: u64, out: &mut Vec<Item>, item: Item) {
    if let Some(last) = out.last_mut()
        && last.end() == item.clock
        && item.origin == Some(ItemId { client, clock: item.clock.wrapping_sub(1) })
        && item.right == last.right
        && item.units.is_none() == last.units.is_none()
    {
        last.len += item.len;
        if let (Some(units), Some(more)) = (&mut last.units, item.units) {
            units.extend(more);
        }
    } else {
        out.push(item);
    }
}

/// The same items without the content of deleted units.
pub(super) fn without(client: u64, items: Vec<Item>, deleted: &Ranges) -> Vec<Item> {
    let touched = items.iter().any(|item| item.units.is_some());
    if !touched {
        return items;
    }
    let mut out = Vec::with_capacity(items.len());
    let mut deleted = deleted.iter().peekable();
    for mut item in items {
        loop {
            while deleted.next_if(|(_, end)| *end <= item.clock).is_some() {}
            match deleted.peek().copied() {
                Some((start, _)) if start > item.clock && start < item.end() => {
                    let rest = item.split_off(client, start);
                    push(client, &mut out, std::mem::replace(&mut item, rest));
                }
                Some((start, end)) if start <= item.clock => {
                    let rest = (end < item.end()).then(|| item.split_off(client, end));
                    item.units = None;
                    push(client, &mut out, item);
                    match rest {
                        Some(rest) => item = rest,
                        None => break,
                    }
                }
                _ => {
                    push(client, &mut out, item);
                    break;
                }
            }
        }
    }
    out
}

/// How far units are known without a gap, from `from` on.
pub(super) fn reach(items: &[Item], from: u32) -> u32 {
    let mut reach = from;
    for item in items.get(items.partition_point(|item| item.end() <= from)..).unwrap_or_default() {
        if item.clock > reach {
            break;
        }
        reach = item.end();
    }
    reach
}

/// The items from the unit `from` on.
pub(super) fn after(client: u64, items: &[Item], from: u32) -> Vec<Item> {
    let mut out: Vec<Item> =
        items.get(items.partition_point(|item| item.end() <= from)..).unwrap_or_default().to_vec();
    if let Some(first) = out.first_mut()
        && first.clock < from
    {
        *first = first.split_off(client, from);
    }
    out
}
