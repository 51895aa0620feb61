//! A counter that only grows: the sum over origins of what each has added.
//!
//! An operation carries the origin's absolute total, merged by maximum, so a repeated one cannot count twice.

use bytes::Bytes;

use super::{Known, OpApplier, RowContent, RowFacts, totals, wrong_kind};
use crate::{
    batch::{OpReader, OpWriter},
    codec::CodecError,
    id::{Dot, Origin},
    kind::{Kind, OpKind},
    op::Body,
    rows::{ApplyError, Rows},
};

const KIND: Kind = Kind::GCounter;

/// The family.
#[derive(Debug)]
pub struct GCounter;

impl OpApplier for GCounter {
    fn kind(&self) -> Kind {
        KIND
    }

    fn usual_op(&self) -> OpKind {
        OpKind::Increment
    }

    fn write(&self, op: &Body, fields: &mut OpWriter<'_>) {
        if let Body::GCounter { total } = op {
            fields.tag(1);
            fields.number(*total);
        }
    }

    fn read(&self, _tag: u8, fields: &mut OpReader<'_>) -> Result<Body, CodecError> {
        Ok(Body::GCounter { total: fields.number("counter")? })
    }

    fn apply(&self, rows: &mut dyn Rows, dot: Dot, op: &Body) -> Result<Option<OpKind>, ApplyError> {
        let Body::GCounter { total } = op else { return Err(wrong_kind(KIND, op)) };
        Ok(totals::raise(KIND, rows, dot, [*total])?.map(|_| OpKind::Increment))
    }

    fn is_live(&self, _head: &Bytes) -> Result<bool, ApplyError> {
        Ok(true)
    }

    fn export(&self, rows: &dyn Rows, sub: &[u8], row: &Bytes) -> Result<Option<(Bytes, Bytes)>, ApplyError> {
        totals::export::<1>(KIND, rows, sub, row)
    }

    fn describe(&self, rows: &dyn Rows, sub: &[u8], row: &Bytes) -> Result<RowFacts, ApplyError> {
        totals::describe::<1>(
            KIND,
            rows,
            sub,
            row,
            |[up]| RowContent::Sums { up, down: None },
            |[up]| RowContent::Totals { up, down: None },
        )
    }

    fn check(&self, sub: &[u8], row: &Bytes) -> Result<(), ApplyError> {
        totals::check::<1>(KIND, sub, row)
    }

    fn merge(
        &self,
        rows: &mut dyn Rows,
        sub: &[u8],
        row: &Bytes,
        _known: Known<'_>,
    ) -> Result<bool, ApplyError> {
        totals::merge::<1>(KIND, rows, sub, row)
    }
}

/// The counter's value; beyond the type it reads as the limit ([`sum`] tells).
///
/// # Errors
/// When rows cannot be read or are damaged, as for every read here.
pub fn value(rows: &dyn Rows) -> Result<u64, ApplyError> {
    Ok(u64::try_from(sum(rows)?).unwrap_or(u64::MAX))
}

/// The exact sum over all origins.
///
/// # Errors
/// See [`value`].
pub fn sum(rows: &dyn Rows) -> Result<u128, ApplyError> {
    let [sum] = totals::sums(KIND, rows)?;
    Ok(sum)
}

/// What one origin has added so far: the base of its next operation.
///
/// # Errors
/// See [`value`].
pub fn total(rows: &dyn Rows, origin: &Origin) -> Result<u64, ApplyError> {
    let [total] = totals::of(KIND, rows, origin)?;
    Ok(total)
}
