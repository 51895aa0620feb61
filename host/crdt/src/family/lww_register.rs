//! One value; the last writer wins, by (time, origin).

use bytes::Bytes;

use super::{
    HEAD, Known, OpApplier, Removal, RowFacts, RowName,
    cell::{self, Cell},
    damaged, wrong_kind,
};
use crate::{
    batch::{OpReader, OpWriter},
    codec::CodecError,
    hlc::Hlc,
    id::Dot,
    kind::{Kind, OpKind},
    op::Body,
    rows::{ApplyError, Rows},
};

const KIND: Kind = Kind::LwwRegister;

/// The tags of a register written, and cleared.
const SET: u8 = 3;
const CLEAR: u8 = 4;

/// The family.
#[derive(Debug)]
pub struct LwwRegister;

impl OpApplier for LwwRegister {
    fn kind(&self) -> Kind {
        KIND
    }

    fn usual_op(&self) -> OpKind {
        OpKind::Set
    }

    fn write(&self, op: &Body, fields: &mut OpWriter<'_>) {
        if let Body::Register { hlc, value } = op {
            fields.tag(if value.is_some() { SET } else { CLEAR });
            cell::write_fields(*hlc, value, fields);
        }
    }

    fn read(&self, tag: u8, fields: &mut OpReader<'_>) -> Result<Body, CodecError> {
        let (hlc, value) = cell::read_fields(tag == SET, fields)?;
        Ok(Body::Register { hlc, value })
    }

    fn apply(&self, rows: &mut dyn Rows, dot: Dot, op: &Body) -> Result<Option<OpKind>, ApplyError> {
        let Body::Register { hlc, value } = op else { return Err(wrong_kind(KIND, op)) };
        let written = cell::write(KIND, rows, HEAD, dot, *hlc, value)?;
        Ok(written.filter(|written| written.was_live || written.is_live).map(|_| op.op_kind()))
    }

    fn is_live(&self, head: &Bytes) -> Result<bool, ApplyError> {
        Ok(Cell::decode(KIND, head.clone())?.value.is_some())
    }

    fn export(&self, rows: &dyn Rows, sub: &[u8], row: &Bytes) -> Result<Option<(Bytes, Bytes)>, ApplyError> {
        Ok(Some((Bytes::copy_from_slice(sub), cell::export(KIND, rows, row)?)))
    }

    fn describe(&self, rows: &dyn Rows, sub: &[u8], row: &Bytes) -> Result<RowFacts, ApplyError> {
        match sub {
            HEAD => cell::describe(KIND, rows, RowName::Head, row),
            _ => Err(damaged(KIND)(CodecError::Malformed { what: "register subkey" })),
        }
    }

    fn check(&self, sub: &[u8], row: &Bytes) -> Result<(), ApplyError> {
        match sub {
            HEAD => cell::check(KIND, row),
            _ => Err(damaged(KIND)(CodecError::Malformed { what: "register subkey" })),
        }
    }

    fn merge(
        &self,
        rows: &mut dyn Rows,
        _sub: &[u8],
        row: &Bytes,
        known: Known<'_>,
    ) -> Result<bool, ApplyError> {
        Ok(cell::merge(KIND, rows, HEAD, row, known)?.is_some_and(|cell| cell.was_live || cell.is_live))
    }

    fn absent(
        &self,
        rows: &mut dyn Rows,
        sub: &[u8],
        row: &Bytes,
        known: Known<'_>,
    ) -> Result<bool, ApplyError> {
        Ok(cell::absent(KIND, rows, sub, row, known)?.is_some_and(|cell| cell.was_live))
    }

    fn settled(&self, rows: &dyn Rows, dot: Dot, op: &Body, hlc: Hlc) -> Result<Option<Body>, ApplyError> {
        let Body::Register { value, .. } = op else { return Err(wrong_kind(KIND, op)) };
        let hlc = cell::settled(KIND, rows, HEAD, dot, value, hlc)?;
        Ok(hlc.map(|hlc| Body::Register { hlc, value: value.clone() }))
    }

    fn resettle(
        &self,
        rows: &mut dyn Rows,
        dot: Dot,
        _before: &Body,
        after: Option<&Body>,
    ) -> Result<bool, ApplyError> {
        let hlc = match after {
            Some(Body::Register { hlc, .. }) => Some(*hlc),
            Some(other) => return Err(wrong_kind(KIND, other)),
            None => None,
        };
        Ok(cell::resettle(KIND, rows, HEAD, dot, hlc)?.is_some_and(|cell| cell.was_live))
    }

    fn tombstone(&self, rows: &dyn Rows, _sub: &[u8], row: &Bytes) -> Result<Option<Removal>, ApplyError> {
        cell::tombstone(KIND, rows, row)
    }
}

/// The register's value; none when it was never written or is cleared.
///
/// # Errors
/// When rows cannot be read or are damaged, as for every read here.
pub fn get(rows: &dyn Rows) -> Result<Option<Bytes>, ApplyError> {
    Ok(Cell::read(KIND, rows, HEAD)?.and_then(|cell| cell.value))
}

/// When the register was last written or cleared, for [`Hlc::after`].
///
/// # Errors
/// See [`get`].
pub fn written_at(rows: &dyn Rows) -> Result<Option<Hlc>, ApplyError> {
    Ok(Cell::read(KIND, rows, HEAD)?.map(|cell| cell.hlc))
}
