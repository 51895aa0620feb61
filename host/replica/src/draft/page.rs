//! Pages: parts of a collection in order, committed entries with the turn's own laid over them.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::DraftError;

/// Bytes of a page's entries, unless it has only one.
pub(super) const MAX_PAGE_BYTES: usize = 1 << 20;
/// Entries that are read at once when a collection is emptied.
pub(super) const CLEAR_STEP: usize = 256;
/// Entries that are read at once: an entry may have a megabyte, so not more than a page is likely to take.
const STEP: usize = 256;

/// A part of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries, in byte order.
    pub items: Vec<T>,
    /// Hand this back as `after` to go on; none at the end.
    pub next: Option<Bytes>,
}

impl<T> Page<T> {
    /// The same page with other items.
    pub(super) fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), next: self.next }
    }
}

/// Up to `limit` entries after `after`.
///
/// `committed(after, limit)` reads committed entries, fewer than `limit` at the end. `own` are the turn's writes by
/// name, none for a removal. `size` is what an entry counts for the page's bytes, besides its name.
pub(super) fn merged<V: Clone>(
    after: Option<&[u8]>,
    limit: usize,
    own: impl Fn(Option<&[u8]>, Option<&[u8]>) -> Vec<(Bytes, Option<V>)>,
    mut committed: impl FnMut(Option<&[u8]>, usize) -> Result<Vec<(Bytes, V)>, DraftError>,
    size: impl Fn(&V) -> usize,
) -> Result<Page<(Bytes, V)>, DraftError> {
    let limit = limit.max(1);
    let step = limit.saturating_add(1).min(STEP);
    let mut items: Vec<(Bytes, V)> = Vec::new();
    let mut bytes = 0usize;
    let mut at: Option<Bytes> = after.map(Bytes::copy_from_slice);
    loop {
        let rows = committed(at.as_deref(), step)?;
        let horizon = if rows.len() < step { None } else { rows.last().map(|(name, _)| name.clone()) };
        let mut part: BTreeMap<Bytes, V> = rows.into_iter().collect();
        for (name, value) in own(at.as_deref(), horizon.as_deref()) {
            match value {
                Some(value) => part.insert(name, value),
                None => part.remove(&name),
            };
        }
        for (name, value) in part {
            bytes = bytes.saturating_add(name.len() + size(&value));
            if items.len() == limit || (bytes > MAX_PAGE_BYTES && !items.is_empty()) {
                let next = items.last().map(|(name, _)| name.clone());
                return Ok(Page { items, next });
            }
            items.push((name, value));
        }
        match horizon {
            Some(horizon) => at = Some(horizon),
            None => return Ok(Page { items, next: None }),
        }
    }
}

/// The entries of an ordered map with names greater than `after` and not greater than `until` (none: to the end).
pub(super) fn between<'a, V>(
    map: &'a BTreeMap<Bytes, V>,
    after: Option<&[u8]>,
    until: Option<&[u8]>,
) -> impl Iterator<Item = (&'a Bytes, &'a V)> {
    use std::ops::Bound;
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let to = until.map_or(Bound::Unbounded, Bound::Included);
    // An empty range is asked for with equal bounds only, which `range` would not take.
    let empty = matches!((after, until), (Some(after), Some(until)) if until <= after);
    let range = (!empty).then(|| map.range::<[u8], _>((from, to)));
    range.into_iter().flatten()
}
