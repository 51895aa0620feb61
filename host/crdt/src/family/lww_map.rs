//! A map of fields; per field the last writer wins, by (time, origin).

use bytes::Bytes;

use super::{
    HEAD, Known, OpApplier, Removal, RowContent, RowFacts, RowName,
    cell::{self, Cell},
    check_entry, count, count_in, entries as scan_entries, entry, entry_of, recount, wrong_kind,
};
use crate::{
    batch::{OpReader, OpWriter},
    codec::CodecError,
    hlc::Hlc,
    id::Dot,
    kind::{Kind, OpKind},
    limits::MAX_FIELD,
    op::Body,
    rows::{ApplyError, Rows},
};

const KIND: Kind = Kind::LwwMap;

/// The tags of a field written, and removed.
const SET: u8 = 5;
const REMOVE: u8 = 6;

/// The family.
#[derive(Debug)]
pub struct LwwMap;

impl OpApplier for LwwMap {
    fn kind(&self) -> Kind {
        KIND
    }

    fn usual_op(&self) -> OpKind {
        OpKind::Set
    }

    fn write(&self, op: &Body, fields: &mut OpWriter<'_>) {
        if let Body::MapField { field, hlc, value } = op {
            fields.tag(if value.is_some() { SET } else { REMOVE });
            fields.bytes("field", MAX_FIELD, field);
            cell::write_fields(*hlc, value, fields);
        }
    }

    fn read(&self, tag: u8, fields: &mut OpReader<'_>) -> Result<Body, CodecError> {
        let field = fields.bytes("field", MAX_FIELD)?;
        let (hlc, value) = cell::read_fields(tag == SET, fields)?;
        Ok(Body::MapField { field, hlc, value })
    }

    fn apply(&self, rows: &mut dyn Rows, dot: Dot, op: &Body) -> Result<Option<OpKind>, ApplyError> {
        let Body::MapField { field, hlc, value } = op else { return Err(wrong_kind(KIND, op)) };
        let Some(written) = cell::write(KIND, rows, &entry(field), dot, *hlc, value)? else {
            return Ok(None);
        };
        recount(KIND, rows, written.was_live, written.is_live)?;
        Ok((written.was_live || written.is_live).then(|| op.op_kind()))
    }

    fn is_live(&self, _head: &Bytes) -> Result<bool, ApplyError> {
        // Without live fields there is no head.
        Ok(true)
    }

    fn export(&self, rows: &dyn Rows, sub: &[u8], row: &Bytes) -> Result<Option<(Bytes, Bytes)>, ApplyError> {
        if sub == HEAD {
            return Ok(None);
        }
        Ok(Some((Bytes::copy_from_slice(sub), cell::export(KIND, rows, row)?)))
    }

    fn describe(&self, rows: &dyn Rows, sub: &[u8], row: &Bytes) -> Result<RowFacts, ApplyError> {
        match entry_of(KIND, sub)? {
            None => Ok(RowFacts::derived(RowName::Head, RowContent::Count(count_in(KIND, row)?))),
            Some(field) => cell::describe(KIND, rows, RowName::Field(field), row),
        }
    }

    fn check(&self, sub: &[u8], row: &Bytes) -> Result<(), ApplyError> {
        check_entry(KIND, sub, MAX_FIELD)?;
        cell::check(KIND, row)
    }

    fn merge(
        &self,
        rows: &mut dyn Rows,
        sub: &[u8],
        row: &Bytes,
        known: Known<'_>,
    ) -> Result<bool, ApplyError> {
        let Some(written) = cell::merge(KIND, rows, sub, row, known)? else { return Ok(false) };
        recount(KIND, rows, written.was_live, written.is_live)?;
        Ok(written.was_live || written.is_live)
    }

    fn absent(
        &self,
        rows: &mut dyn Rows,
        sub: &[u8],
        row: &Bytes,
        known: Known<'_>,
    ) -> Result<bool, ApplyError> {
        if sub == HEAD {
            return Ok(false);
        }
        let Some(written) = cell::absent(KIND, rows, sub, row, known)? else { return Ok(false) };
        recount(KIND, rows, written.was_live, written.is_live)?;
        Ok(written.was_live)
    }

    fn settled(&self, rows: &dyn Rows, dot: Dot, op: &Body, hlc: Hlc) -> Result<Option<Body>, ApplyError> {
        let Body::MapField { field, value, .. } = op else { return Err(wrong_kind(KIND, op)) };
        let hlc = cell::settled(KIND, rows, &entry(field), dot, value, hlc)?;
        Ok(hlc.map(|hlc| Body::MapField { field: field.clone(), hlc, value: value.clone() }))
    }

    fn resettle(
        &self,
        rows: &mut dyn Rows,
        dot: Dot,
        before: &Body,
        after: Option<&Body>,
    ) -> Result<bool, ApplyError> {
        let Body::MapField { field, .. } = before else { return Err(wrong_kind(KIND, before)) };
        let hlc = match after {
            Some(Body::MapField { hlc, .. }) => Some(*hlc),
            Some(other) => return Err(wrong_kind(KIND, other)),
            None => None,
        };
        let Some(written) = cell::resettle(KIND, rows, &entry(field), dot, hlc)? else { return Ok(false) };
        recount(KIND, rows, written.was_live, written.is_live)?;
        Ok(written.was_live)
    }

    fn tombstone(&self, rows: &dyn Rows, sub: &[u8], row: &Bytes) -> Result<Option<Removal>, ApplyError> {
        if sub == HEAD { Ok(None) } else { cell::tombstone(KIND, rows, row) }
    }
}

/// A field's value; none when it was never written or is removed.
///
/// # Errors
/// When rows cannot be read or are damaged, as for every read here.
pub fn get(rows: &dyn Rows, field: &[u8]) -> Result<Option<Bytes>, ApplyError> {
    Ok(Cell::read(KIND, rows, &entry(field))?.and_then(|cell| cell.value))
}

/// Whether a field has a value.
///
/// # Errors
/// See [`get`].
pub fn contains(rows: &dyn Rows, field: &[u8]) -> Result<bool, ApplyError> {
    Ok(get(rows, field)?.is_some())
}

/// When a field was last written or removed, for [`Hlc::after`].
///
/// # Errors
/// See [`get`].
pub fn written_at(rows: &dyn Rows, field: &[u8]) -> Result<Option<Hlc>, ApplyError> {
    Ok(Cell::read(KIND, rows, &entry(field))?.map(|cell| cell.hlc))
}

/// Up to `limit` fields with their values, in field order, from after the field `after`. Fewer mean that there are
/// no more.
///
/// # Errors
/// See [`get`].
pub fn entries(
    rows: &dyn Rows,
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<(Bytes, Bytes)>, ApplyError> {
    scan_entries(rows, after, limit, |field, row| {
        Ok(Cell::decode(KIND, row)?.value.map(|value| (field, value)))
    })
}

/// How many fields have a value. Costs one row.
///
/// # Errors
/// See [`get`].
pub fn size(rows: &dyn Rows) -> Result<u64, ApplyError> {
    count(KIND, rows)
}
