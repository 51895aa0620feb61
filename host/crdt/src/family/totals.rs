//! What the two counters share: per origin the absolute totals, and in the head their sums over all origins.

use bytes::Bytes;

use super::{ENTRY, HEAD, RowContent, RowFacts, RowName, damaged, read_row};
use crate::{
    codec::{self, CodecError},
    id::{Dot, Origin},
    kind::Kind,
    rows::{ApplyError, Rows},
};

/// The most bytes of a number.
const MAX_VARINT: usize = 10;

/// The subkey of an origin's row, by the origin's number.
fn name(number: u32) -> [u8; 5] {
    let [a, b, c, d] = number.to_be_bytes();
    [ENTRY, a, b, c, d]
}

/// One origin's row.
#[derive(Clone, Copy)]
struct Row<const N: usize> {
    seq: u64,
    totals: [u64; N],
}

impl<const N: usize> Row<N> {
    fn decode(kind: Kind, row: Bytes) -> Result<Self, ApplyError> {
        read_row(kind, row, |reader| {
            let seq = reader.varint("sequence number")?;
            let mut totals = [0; N];
            for total in &mut totals {
                *total = reader.varint("total")?;
            }
            Ok(Self { seq, totals })
        })
    }

    fn encode(&self, out: &mut Vec<u8>) -> Bytes {
        out.clear();
        codec::put_varint(out, self.seq);
        self.totals.iter().for_each(|total| codec::put_varint(out, *total));
        Bytes::copy_from_slice(out)
    }
}

/// An origin's totals before and after an operation.
pub(super) struct Raised<const N: usize> {
    pub(super) old: [u64; N],
    pub(super) new: [u64; N],
}

/// Raises an origin's totals to at least `totals`; none when they are that already.
pub(super) fn raise<const N: usize>(
    kind: Kind,
    rows: &mut dyn Rows,
    dot: Dot,
    totals: [u64; N],
) -> Result<Option<Raised<N>>, ApplyError> {
    let sub = name(rows.intern(&dot.origin)?);
    let stored = rows.get(&sub)?.map(|row| Row::<N>::decode(kind, row)).transpose()?;
    let old = stored.map_or([0; N], |row| row.totals);
    let mut new = totals;
    new.iter_mut().zip(old).for_each(|(new, old)| *new = (*new).max(old));
    if new == old {
        return Ok(None);
    }
    let mut sums: [u128; N] = sums(kind, rows)?;
    for ((sum, old), new) in sums.iter_mut().zip(old).zip(new) {
        *sum = sum.saturating_sub(old.into()).saturating_add(new.into());
    }
    let mut out = Vec::with_capacity((N * size_of::<u128>()).max((N + 1) * MAX_VARINT));
    rows.put(&sub, Row { seq: dot.seq, totals: new }.encode(&mut out))?;
    out.clear();
    sums.iter().for_each(|sum| out.extend_from_slice(&sum.to_be_bytes()));
    rows.put(HEAD, out.into())?;
    Ok(Some(Raised { old, new }))
}

/// The sums over all origins.
pub(super) fn sums<const N: usize>(kind: Kind, rows: &dyn Rows) -> Result<[u128; N], ApplyError> {
    rows.get(HEAD)?.map_or(Ok([0; N]), |head| decode_sums(kind, head))
}

fn decode_sums<const N: usize>(kind: Kind, head: Bytes) -> Result<[u128; N], ApplyError> {
    read_row(kind, head, |reader| {
        let mut sums = [0; N];
        for sum in &mut sums {
            *sum = u128::from_be_bytes(reader.array("sum")?);
        }
        Ok(sums)
    })
}

/// One origin's own totals.
pub(super) fn of<const N: usize>(
    kind: Kind,
    rows: &dyn Rows,
    origin: &Origin,
) -> Result<[u64; N], ApplyError> {
    let Some(number) = rows.lookup(origin)? else { return Ok([0; N]) };
    let row = rows.get(&name(number))?;
    row.map_or(Ok([0; N]), |row| Row::decode(kind, row).map(|row| row.totals))
}

/// The row with its origin written out.
pub(super) fn export<const N: usize>(
    kind: Kind,
    rows: &dyn Rows,
    sub: &[u8],
    row: &Bytes,
) -> Result<Option<(Bytes, Bytes)>, ApplyError> {
    if sub == HEAD {
        return Ok(None);
    }
    let origin = writer(kind, rows, sub)?;
    Row::<N>::decode(kind, row.clone())?;
    let mut name = vec![ENTRY];
    codec::put_origin(&mut name, &origin);
    Ok(Some((name.into(), row.clone())))
}

/// The origin whose row it is.
fn writer(kind: Kind, rows: &dyn Rows, sub: &[u8]) -> Result<Origin, ApplyError> {
    let number = sub
        .strip_prefix(&[ENTRY])
        .and_then(|number| number.try_into().ok())
        .ok_or(CodecError::Malformed { what: "counter subkey" })
        .map_err(damaged(kind))?;
    Ok(rows.origin(u32::from_be_bytes(number))?)
}

/// What a row says, with its numbers as the counter at hand names them.
pub(super) fn describe<const N: usize>(
    kind: Kind,
    rows: &dyn Rows,
    sub: &[u8],
    row: &Bytes,
    sums: impl FnOnce([u128; N]) -> RowContent,
    totals: impl FnOnce([u64; N]) -> RowContent,
) -> Result<RowFacts, ApplyError> {
    if sub == HEAD {
        return Ok(RowFacts::derived(RowName::Head, sums(decode_sums(kind, row.clone())?)));
    }
    let origin = writer(kind, rows, sub)?;
    let row = Row::<N>::decode(kind, row.clone())?;
    let written_by = vec![Dot { origin, seq: row.seq }];
    Ok(RowFacts { name: RowName::Origin(origin), written_by, hlc: None, content: totals(row.totals) })
}

/// What an exported row says.
fn exported<const N: usize>(kind: Kind, sub: &[u8], row: &Bytes) -> Result<(Dot, [u64; N]), ApplyError> {
    let origin = match sub.split_first() {
        Some((&ENTRY, name)) => read_row(kind, Bytes::copy_from_slice(name), codec::Reader::origin)?,
        _ => return Err(damaged(kind)(CodecError::Malformed { what: "counter subkey" })),
    };
    let row = Row::<N>::decode(kind, row.clone())?;
    Ok((Dot { origin, seq: row.seq }, row.totals))
}

/// Whether a row can be one of another replica.
pub(super) fn check<const N: usize>(kind: Kind, sub: &[u8], row: &Bytes) -> Result<(), ApplyError> {
    exported::<N>(kind, sub, row).map(|_| ())
}

/// Merges another replica's row: totals only grow.
pub(super) fn merge<const N: usize>(
    kind: Kind,
    rows: &mut dyn Rows,
    sub: &[u8],
    row: &Bytes,
) -> Result<bool, ApplyError> {
    let (dot, totals) = exported::<N>(kind, sub, row)?;
    Ok(raise(kind, rows, dot, totals)?.is_some())
}
