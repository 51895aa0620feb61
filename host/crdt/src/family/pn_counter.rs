//! A counter that goes both ways: two counters that only grow, one subtracted from the other.

use std::cmp::Ordering;

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

const KIND: Kind = Kind::PnCounter;

/// The family.
#[derive(Debug)]
pub struct PnCounter;

impl OpApplier for PnCounter {
    fn kind(&self) -> Kind {
        KIND
    }

    fn usual_op(&self) -> OpKind {
        OpKind::Increment
    }

    fn write(&self, op: &Body, fields: &mut OpWriter<'_>) {
        if let Body::PnCounter { up, down } = op {
            fields.tag(2);
            fields.number(*up);
            fields.number(*down);
        }
    }

    fn read(&self, _tag: u8, fields: &mut OpReader<'_>) -> Result<Body, CodecError> {
        Ok(Body::PnCounter { up: fields.number("counter")?, down: fields.number("counter")? })
    }

    /// A watcher is told the direction in which the value moved; an operation that moved both totals alike counts as
    /// an increment.
    fn apply(&self, rows: &mut dyn Rows, dot: Dot, op: &Body) -> Result<Option<OpKind>, ApplyError> {
        let Body::PnCounter { up, down } = op else { return Err(wrong_kind(KIND, op)) };
        let net = |[up, down]: [u64; 2]| i128::from(up) - i128::from(down);
        let moved = totals::raise(KIND, rows, dot, [*up, *down])?;
        Ok(moved.map(|totals| match net(totals.new).cmp(&net(totals.old)) {
            Ordering::Less => OpKind::Decrement,
            Ordering::Equal | Ordering::Greater => OpKind::Increment,
        }))
    }

    fn is_live(&self, _head: &Bytes) -> Result<bool, ApplyError> {
        Ok(true)
    }

    fn export(&self, rows: &dyn Rows, sub: &[u8], row: &Bytes) -> Result<Option<(Bytes, Bytes)>, ApplyError> {
        totals::export::<2>(KIND, rows, sub, row)
    }

    fn describe(&self, rows: &dyn Rows, sub: &[u8], row: &Bytes) -> Result<RowFacts, ApplyError> {
        let sums = |[up, down]: [u128; 2]| RowContent::Sums { up, down: Some(down) };
        let one = |[up, down]: [u64; 2]| RowContent::Totals { up, down: Some(down) };
        totals::describe::<2>(KIND, rows, sub, row, sums, one)
    }

    fn check(&self, sub: &[u8], row: &Bytes) -> Result<(), ApplyError> {
        totals::check::<2>(KIND, sub, row)
    }

    fn merge(
        &self,
        rows: &mut dyn Rows,
        sub: &[u8],
        row: &Bytes,
        _known: Known<'_>,
    ) -> Result<bool, ApplyError> {
        totals::merge::<2>(KIND, rows, sub, row)
    }
}

/// The counter's value; beyond the type it reads as the limit ([`sum`] tells).
///
/// # Errors
/// When rows cannot be read or are damaged, as for every read here.
pub fn value(rows: &dyn Rows) -> Result<i64, ApplyError> {
    let exact = sum(rows)?;
    Ok(i64::try_from(exact).unwrap_or(if exact < 0 { i64::MIN } else { i64::MAX }))
}

/// The exact sum over all origins.
///
/// # Errors
/// See [`value`].
pub fn sum(rows: &dyn Rows) -> Result<i128, ApplyError> {
    let [up, down]: [u128; 2] = totals::sums(KIND, rows)?;
    // Sums of 64-bit totals over fewer than 2^63 origins: both fit.
    Ok(i128::try_from(up).unwrap_or(i128::MAX) - i128::try_from(down).unwrap_or(i128::MAX))
}

/// What one origin has added and subtracted so far: the base of its next operation.
///
/// # Errors
/// See [`value`].
pub fn totals(rows: &dyn Rows, origin: &Origin) -> Result<(u64, u64), ApplyError> {
    let [up, down] = totals::of(KIND, rows, origin)?;
    Ok((up, down))
}
