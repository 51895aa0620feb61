//! A list whose elements keep their identity: a replicated growable array.
//!
//! After Roh et al., "Replicated abstract data types" (2011), in the form of a tree (Attiya et al., "Specification and
//! complexity of collaborative text editing", 2016): an element is a child of the one it was inserted after, children
//! stand in descending order of their ids, and the list is what a walk meets that visits an element before its
//! children. An element's id is greater than its parent's, which the batch format enforces, and a writer gives an id
//! above everything that it sees behind the parent ([`successor`]); so an element lands right behind its parent, and
//! of two runs inserted at one place at the same time one stands whole before the other.
//!
//! A removed element stays as a tombstone without value, because others may have inserted after it, until it is
//! forgotten ([`OpApplier::collect`]).
//!
//! # Rows
//! `1, id` holds an element and is all that other nodes need to know. The walk is not made to read a list: the order is
//! kept beside, in *leaves* of up to 64 ids that are chained, `3, number`, with `2, id` saying which leaf an element is
//! in. Leaves that hold a live element have a chain of their own, so that a long run of tombstones costs nothing. The
//! text at `docs/design/lists.md` has the reasons.
//!
//! # Cost
//! Every operation reads and writes a fixed number of rows, whatever the list's length and depth: nothing recurses,
//! and nothing walks a path of the tree. The exceptions, each a row per 64 elements:
//! - an insertion skips what was inserted *at the same place* by others who did not know of it and comes before it;
//! - what is inserted after an element that others have removed meanwhile skips the tombstones before it, if there are
//!   whole leaves of them; so does a page that begins at a tombstone.

mod element;
mod keep;
mod leaf;
mod order;
mod read;
mod settle;

use bytes::Bytes;

pub use read::{Ends, Part, contains, ends, entries, get, leaf_with, live_ancestor, part, size, successor};

use super::{HEAD, Known, OpApplier, Removal, RowContent, RowFacts, RowName, wrong_kind};
use crate::{
    batch::{OpReader, OpWriter},
    codec::CodecError,
    element::ElementId,
    hlc::Hlc,
    id::Dot,
    kind::{Kind, OpKind},
    limits::MAX_VALUE,
    op::Body,
    rows::{ApplyError, Rows},
    vector::VersionVector,
};
use element::Element;
use leaf::{Entry, Head, leaf_of};
use order::Order;

const KIND: Kind = Kind::Rga;

/// The tags of an element inserted at the head, of one inserted after another, and of one removed.
const INSERT_HEAD: u8 = 9;
const INSERT_AFTER: u8 = 10;
const REMOVE: u8 = 11;

/// The family.
#[derive(Debug)]
pub struct Rga;

impl OpApplier for Rga {
    fn kind(&self) -> Kind {
        KIND
    }

    fn usual_op(&self) -> OpKind {
        OpKind::Insert
    }

    fn write(&self, op: &Body, fields: &mut OpWriter<'_>) {
        match op {
            Body::ListInsert { id, after, value } => {
                fields.tag(if after.is_some() { INSERT_AFTER } else { INSERT_HEAD });
                fields.element(id);
                after.iter().for_each(|after| fields.element(after));
                fields.bytes("value", MAX_VALUE, value);
            }
            Body::ListRemove { id } => {
                fields.tag(REMOVE);
                fields.element(id);
            }
            _ => {}
        }
    }

    fn read(&self, tag: u8, fields: &mut OpReader<'_>) -> Result<Body, CodecError> {
        let id = fields.element()?;
        if tag == REMOVE {
            return Ok(Body::ListRemove { id });
        }
        let after = (tag == INSERT_AFTER).then(|| fields.element()).transpose()?;
        // Where an element stands in a list is found by this order.
        if after.is_some_and(|after| after >= id) {
            return Err(CodecError::Malformed { what: "element id" });
        }
        Ok(Body::ListInsert { id, after, value: fields.bytes("value", MAX_VALUE)? })
    }

    fn apply(&self, rows: &mut dyn Rows, dot: Dot, op: &Body) -> Result<Option<OpKind>, ApplyError> {
        let changed = match op {
            Body::ListInsert { id, after, value } => insert(rows, dot, *id, *after, value)?,
            Body::ListRemove { id } => remove(rows, dot, *id)?,
            _ => return Err(wrong_kind(KIND, op)),
        };
        Ok(changed.then(|| op.op_kind()))
    }

    fn is_live(&self, head: &Bytes) -> Result<bool, ApplyError> {
        Ok(Head::decode(head)?.live > 0)
    }

    /// Elements only: the order follows from them.
    fn export(&self, rows: &dyn Rows, sub: &[u8], row: &Bytes) -> Result<Option<(Bytes, Bytes)>, ApplyError> {
        let Some(id) = element::parse(sub) else { return Ok(None) };
        Ok(Some((Bytes::copy_from_slice(sub), element::export(rows, id, row)?)))
    }

    /// Where an element hangs depends on what was forgotten; the list's order does not.
    fn compared(
        &self,
        rows: &dyn Rows,
        sub: &[u8],
        row: &Bytes,
    ) -> Result<Option<(Bytes, Bytes)>, ApplyError> {
        if sub == HEAD {
            let all = entries(rows, None, usize::MAX)?;
            let order: Vec<u8> = all.iter().flat_map(|(id, _)| *id.as_bytes()).collect();
            return Ok((!order.is_empty()).then(|| (Bytes::from_static(HEAD), order.into())));
        }
        let Some(id) = element::parse(sub) else { return Ok(None) };
        let element = Element { parent: None, rank: id, ..element::decode(id, row)? };
        if element.value.is_none() {
            return Ok(None);
        }
        let origin = rows.origin(element.writer)?;
        let shown = element.encode(id, |out, _| crate::codec::put_origin(out, &origin));
        Ok(Some((Bytes::copy_from_slice(sub), shown)))
    }

    fn describe(&self, rows: &dyn Rows, sub: &[u8], row: &Bytes) -> Result<RowFacts, ApplyError> {
        if sub == HEAD {
            let live = Head::decode(row)?.live;
            return Ok(RowFacts::derived(RowName::Head, RowContent::Count(live)));
        }
        let Some(id) = element::parse(sub) else {
            return Ok(RowFacts::derived(RowName::Order, RowContent::Bytes(row.len() as u64)));
        };
        let element = element::decode(id, row)?;
        let written_by = vec![keep::dot(rows, &element)?];
        let content = RowContent::ListElement { after: element.parent, value: element.value };
        Ok(RowFacts { name: RowName::ListElement(id), written_by, hlc: None, content })
    }

    fn check(&self, sub: &[u8], row: &Bytes) -> Result<(), ApplyError> {
        keep::check(sub, row)
    }

    fn merge(
        &self,
        rows: &mut dyn Rows,
        sub: &[u8],
        row: &Bytes,
        known: Known<'_>,
    ) -> Result<bool, ApplyError> {
        keep::merge(rows, sub, row, known)
    }

    fn absent(
        &self,
        rows: &mut dyn Rows,
        sub: &[u8],
        _row: &Bytes,
        known: Known<'_>,
    ) -> Result<bool, ApplyError> {
        keep::absent(rows, sub, known)
    }

    fn settled(&self, rows: &dyn Rows, _dot: Dot, op: &Body, _hlc: Hlc) -> Result<Option<Body>, ApplyError> {
        let Body::ListInsert { id, value, .. } = op else { return Ok(Some(op.clone())) };
        let after = settle::place(rows, *id)?;
        Ok(Some(Body::ListInsert { id: *id, after, value: value.clone() }))
    }

    fn resettle(
        &self,
        rows: &mut dyn Rows,
        _dot: Dot,
        before: &Body,
        after: Option<&Body>,
    ) -> Result<bool, ApplyError> {
        match (before, after) {
            (Body::ListInsert { id, .. }, Some(Body::ListInsert { after, .. })) => {
                settle::hang(rows, *id, *after)
            }
            _ => Ok(false),
        }
    }

    fn tombstone(&self, rows: &dyn Rows, sub: &[u8], row: &Bytes) -> Result<Option<Removal>, ApplyError> {
        let Some(id) = element::parse(sub) else { return Ok(None) };
        let element = element::decode(id, row)?;
        let dot = keep::dot(rows, &element)?;
        Ok(element.value.is_none().then_some(Removal { dot, hlc: Hlc::ZERO }))
    }

    fn collect(
        &self,
        rows: &mut dyn Rows,
        sub: &[u8],
        _row: &Bytes,
        stable: &VersionVector,
        _clock: Hlc,
    ) -> Result<bool, ApplyError> {
        let Some(id) = element::parse(sub) else { return Ok(false) };
        keep::collect(rows, id, |dot| stable.covers(dot))
    }
}

fn insert(
    rows: &mut dyn Rows,
    dot: Dot,
    id: ElementId,
    after: Option<ElementId>,
    value: &Bytes,
) -> Result<bool, ApplyError> {
    if leaf_of(rows, id)?.is_some() {
        return Ok(false);
    }
    // Causal delivery brings a parent before its children and keeps it while one may come. A peer that breaks that
    // gets its element at the head, on every node alike.
    let parent = match after {
        Some(parent) if leaf_of(rows, parent)?.is_some() => Some(parent),
        _ => None,
    };
    let writer = rows.intern(&dot.origin)?;
    let element = Element { parent, rank: id, writer, seq: dot.seq, value: Some(value.clone()) };
    place(rows, id, &element)?;
    Ok(true)
}

/// Writes a new element and gives it its place.
fn place(rows: &mut dyn Rows, id: ElementId, element: &Element) -> Result<(), ApplyError> {
    element.write(rows, id)?;
    let entry = Entry { id, rank: element.rank, dead: element.value.is_none(), children: 0 };
    let mut order = Order::load(rows)?;
    order.insert(element.parent, entry)?;
    order.finish()
}

/// Says whether a live element was removed.
fn remove(rows: &mut dyn Rows, dot: Dot, id: ElementId) -> Result<bool, ApplyError> {
    // One that is not here was removed by others as well, and collected since.
    let Some(element) = Element::read(rows, id)? else { return Ok(false) };
    let was_live = element.value.is_some();
    if was_live || dot > keep::dot(rows, &element)? {
        bury(rows, id, element, dot)?;
    }
    Ok(was_live)
}

/// Makes an element a tombstone that `dot` wrote.
fn bury(rows: &mut dyn Rows, id: ElementId, mut element: Element, dot: Dot) -> Result<(), ApplyError> {
    (element.writer, element.seq) = (rows.intern(&dot.origin)?, dot.seq);
    let was_live = element.value.take().is_some();
    element.write(rows, id)?;
    if was_live {
        let mut order = Order::load(rows)?;
        order.bury(id)?;
        order.finish()?;
    }
    Ok(())
}
