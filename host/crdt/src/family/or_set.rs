//! A set in which an addition wins over a concurrent removal.
//!
//! After the observed-remove set without tombstones (Bieniusa et al., 2012): an element is in the set while it has a
//! dot. An addition puts its batch's dot in place of those that its writer saw; a removal takes away those that its
//! writer saw, so a concurrent addition stays. Causal delivery brings an addition before every removal that saw it,
//! so no trace of a removed element is needed.
//!
//! An element holds at most one dot per origin: an origin's later addition has always seen its earlier ones.

use bytes::Bytes;

use super::{
    HEAD, Known, OpApplier, RowContent, RowFacts, RowName, check_entry, count, count_in,
    entries as scan_entries, entry, entry_of, read_number, read_row, recount, wrong_kind,
};
use crate::{
    batch::{OpReader, OpWriter},
    codec::{self, CodecError},
    id::Dot,
    kind::{Kind, OpKind},
    limits::MAX_VALUE,
    op::Body,
    rows::{ApplyError, Rows},
};

const KIND: Kind = Kind::OrSet;

/// The tags of an addition, and of a removal.
const ADD: u8 = 7;
const REMOVE: u8 = 8;

/// The family.
#[derive(Debug)]
pub struct OrSet;

impl OpApplier for OrSet {
    fn kind(&self) -> Kind {
        KIND
    }

    fn usual_op(&self) -> OpKind {
        OpKind::Add
    }

    fn write(&self, op: &Body, fields: &mut OpWriter<'_>) {
        let (tag, element, dots) = match op {
            Body::SetAdd { element, replaces } => (ADD, element, replaces),
            Body::SetRemove { element, removes } => (REMOVE, element, removes),
            _ => return,
        };
        fields.tag(tag);
        fields.bytes("element", MAX_VALUE, element);
        fields.dots(dots);
    }

    fn read(&self, tag: u8, fields: &mut OpReader<'_>) -> Result<Body, CodecError> {
        let element = fields.bytes("element", MAX_VALUE)?;
        let dots = fields.dots()?;
        Ok(match tag {
            ADD => Body::SetAdd { element, replaces: dots },
            _ => Body::SetRemove { element, removes: dots },
        })
    }

    /// A watcher is told when an element comes or goes, not when one is added again.
    fn apply(&self, rows: &mut dyn Rows, dot: Dot, op: &Body) -> Result<Option<OpKind>, ApplyError> {
        let (element, gone, added) = match op {
            Body::SetAdd { element, replaces } => (element, replaces, Some(dot)),
            Body::SetRemove { element, removes } => (element, removes, None),
            _ => return Err(wrong_kind(KIND, op)),
        };
        let sub = entry(element);
        let old = rows.get(&sub)?.map_or(Ok(Vec::new()), decode)?;
        let mut new = old.clone();
        for dot in gone {
            if let Some(number) = rows.lookup(&dot.origin)? {
                new.retain(|held| *held != (number, dot.seq));
            }
        }
        if let Some(dot) = added {
            insert(&mut new, rows.intern(&dot.origin)?, dot.seq);
        }
        if new == old {
            return Ok(None);
        }
        let (was_live, is_live) = (!old.is_empty(), !new.is_empty());
        if is_live {
            rows.put(&sub, encode(&new))?;
        } else {
            rows.delete(&sub)?;
        }
        recount(KIND, rows, was_live, is_live)?;
        Ok((was_live != is_live).then(|| op.op_kind()))
    }

    fn is_live(&self, _head: &Bytes) -> Result<bool, ApplyError> {
        // Without elements there is no head.
        Ok(true)
    }

    fn export(&self, rows: &dyn Rows, sub: &[u8], row: &Bytes) -> Result<Option<(Bytes, Bytes)>, ApplyError> {
        if sub == HEAD {
            return Ok(None);
        }
        let mut dots = resolve(rows, decode(row.clone())?)?;
        dots.sort_unstable();
        let mut out = Vec::with_capacity(dots.len() * 50);
        for dot in dots {
            codec::put_origin(&mut out, &dot.origin);
            codec::put_varint(&mut out, dot.seq);
        }
        Ok(Some((Bytes::copy_from_slice(sub), out.into())))
    }

    fn describe(&self, rows: &dyn Rows, sub: &[u8], row: &Bytes) -> Result<RowFacts, ApplyError> {
        let Some(element) = entry_of(KIND, sub)? else {
            return Ok(RowFacts::derived(RowName::Head, RowContent::Count(count_in(KIND, row)?)));
        };
        let written_by = resolve(rows, decode(row.clone())?)?;
        let name = RowName::Element(element);
        Ok(RowFacts { name, written_by, hlc: None, content: RowContent::Present })
    }

    fn check(&self, sub: &[u8], row: &Bytes) -> Result<(), ApplyError> {
        check_entry(KIND, sub, MAX_VALUE)?;
        exported(row.clone()).map(|_| ())
    }

    fn merge(
        &self,
        rows: &mut dyn Rows,
        sub: &[u8],
        row: &Bytes,
        known: Known<'_>,
    ) -> Result<bool, ApplyError> {
        merge_dots(rows, sub, &exported(row.clone())?, known)
    }

    fn absent(
        &self,
        rows: &mut dyn Rows,
        sub: &[u8],
        _row: &Bytes,
        known: Known<'_>,
    ) -> Result<bool, ApplyError> {
        if sub == HEAD { Ok(false) } else { merge_dots(rows, sub, &[], known) }
    }
}

/// Merges the additions that hold an element here and there. One that both have stays. One that only one has stays
/// if the other does not know it; if it does, it has removed it.
fn merge_dots(rows: &mut dyn Rows, sub: &[u8], theirs: &[Dot], known: Known<'_>) -> Result<bool, ApplyError> {
    let old = rows.get(sub)?.map_or(Ok(Vec::new()), decode)?;
    let ours = resolve(&*rows, old.clone())?;
    let mut new = Vec::with_capacity(old.len() + theirs.len());
    for (held, dot) in old.iter().zip(&ours) {
        if theirs.contains(dot) || !known.theirs.covers(*dot) {
            new.push(*held);
        }
    }
    for dot in theirs {
        if !known.ours.covers(*dot) {
            insert(&mut new, rows.intern(&dot.origin)?, dot.seq);
        }
    }
    if new == old {
        return Ok(false);
    }
    let (was_live, is_live) = (!old.is_empty(), !new.is_empty());
    if is_live {
        rows.put(sub, encode(&new))?;
    } else {
        rows.delete(sub)?;
    }
    recount(KIND, rows, was_live, is_live)?;
    Ok(was_live != is_live)
}

/// The dots of an exported row.
fn exported(row: Bytes) -> Result<Vec<Dot>, ApplyError> {
    const WHAT: &str = "element";
    read_row(KIND, row, |reader| {
        let mut dots: Vec<Dot> = Vec::new();
        while reader.remaining() > 0 {
            let dot = Dot { origin: reader.origin()?, seq: reader.varint(WHAT)? };
            // One per origin, and each once.
            if dots.last().is_some_and(|last| last.origin >= dot.origin) {
                return Err(CodecError::Malformed { what: WHAT });
            }
            dots.push(dot);
        }
        if dots.is_empty() { Err(CodecError::Malformed { what: WHAT }) } else { Ok(dots) }
    })
}

/// (origin number, seq) of an addition.
type Held = (u32, u64);

/// Puts a dot in its place; the latest of an origin stays alone.
fn insert(dots: &mut Vec<Held>, number: u32, seq: u64) {
    match dots.binary_search_by_key(&number, |(number, _)| *number) {
        Ok(at) => dots.iter_mut().skip(at).take(1).for_each(|held| held.1 = held.1.max(seq)),
        Err(at) => dots.insert(at, (number, seq)),
    }
}

/// A row: how many dots, then each. Ascending by number.
fn encode(dots: &[Held]) -> Bytes {
    let mut out = Vec::with_capacity(1 + dots.len() * 4);
    codec::put_varint(&mut out, dots.len() as u64);
    for (number, seq) in dots {
        codec::put_varint(&mut out, (*number).into());
        codec::put_varint(&mut out, *seq);
    }
    out.into()
}

fn decode(row: Bytes) -> Result<Vec<Held>, ApplyError> {
    const WHAT: &str = "element";
    read_row(KIND, row, |reader| {
        let count = reader.count(WHAT, usize::MAX, 2)?;
        let mut dots = Vec::with_capacity(count);
        for _ in 0..count {
            dots.push((read_number(reader)?, reader.varint(WHAT)?));
        }
        let ascending = dots.is_sorted_by(|(a, _), (b, _)| a < b);
        if ascending && count > 0 { Ok(dots) } else { Err(CodecError::Malformed { what: WHAT }) }
    })
}

fn resolve(rows: &dyn Rows, dots: Vec<Held>) -> Result<Vec<Dot>, ApplyError> {
    dots.into_iter().map(|(number, seq)| Ok(Dot { origin: rows.origin(number)?, seq })).collect()
}

/// Whether the set holds an element.
///
/// # Errors
/// When rows cannot be read or are damaged, as for every read here.
pub fn contains(rows: &dyn Rows, element: &[u8]) -> Result<bool, ApplyError> {
    Ok(rows.get(&entry(element))?.is_some())
}

/// The additions that hold an element in the set: what an addition replaces and a removal removes. Empty when the
/// element is not there.
///
/// # Errors
/// See [`contains`].
pub fn dots(rows: &dyn Rows, element: &[u8]) -> Result<Vec<Dot>, ApplyError> {
    let held = rows.get(&entry(element))?.map_or(Ok(Vec::new()), decode)?;
    resolve(rows, held)
}

/// Up to `limit` elements in order, from after the element `after`. Fewer mean that there are no more.
///
/// # Errors
/// See [`contains`].
pub fn elements(rows: &dyn Rows, after: Option<&[u8]>, limit: usize) -> Result<Vec<Bytes>, ApplyError> {
    scan_entries(rows, after, limit, |element, _| Ok(Some(element)))
}

/// How many elements the set holds. Costs one row.
///
/// # Errors
/// See [`contains`].
pub fn size(rows: &dyn Rows) -> Result<u64, ApplyError> {
    count(KIND, rows)
}
