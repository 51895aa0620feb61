//! What register and map share: a cell in which the last writer wins, by (time, origin).

use bytes::Bytes;

use super::{Known, Removal, RowContent, RowFacts, RowName, read_row};
use crate::{
    batch::{OpReader, OpWriter},
    codec::{self, CodecError, Reader},
    hlc::Hlc,
    id::Dot,
    kind::Kind,
    limits::MAX_VALUE,
    rows::{ApplyError, Rows},
};

/// One cell. A tombstone stays: without it an older write that arrives late would come back to life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) hlc: Hlc,
    /// The writer's number in this datastore.
    number: u32,
    seq: u64,
    /// The value, or none for a tombstone.
    pub(super) value: Option<Bytes>,
}

const TOMBSTONE: u8 = 0;
const VALUE: u8 = 1;

impl Cell {
    pub(super) fn decode(kind: Kind, row: Bytes) -> Result<Self, ApplyError> {
        read_row(kind, row, |reader| {
            let hlc = Hlc::from_u64(reader.u64("time")?);
            let number = super::read_number(reader)?;
            let seq = reader.varint("sequence number")?;
            let value = match reader.u8("cell")? {
                TOMBSTONE => None,
                VALUE => Some(reader.take(reader.remaining(), "value")?),
                tag => return Err(CodecError::Tag { what: "cell", tag }),
            };
            Ok(Self { hlc, number, seq, value })
        })
    }

    pub(super) fn read(kind: Kind, rows: &dyn Rows, sub: &[u8]) -> Result<Option<Self>, ApplyError> {
        rows.get(sub)?.map(|row| Self::decode(kind, row)).transpose()
    }

    fn encode(&self) -> Bytes {
        self.encode_with(|out| codec::put_varint(out, self.number.into()))
    }

    fn encode_with(&self, put_writer: impl FnOnce(&mut Vec<u8>)) -> Bytes {
        let mut out = Vec::with_capacity(20 + self.value.as_ref().map_or(0, Bytes::len));
        out.extend_from_slice(&self.hlc.as_u64().to_be_bytes());
        put_writer(&mut out);
        codec::put_varint(&mut out, self.seq);
        out.push(if self.value.is_some() { VALUE } else { TOMBSTONE });
        out.extend_from_slice(self.value.as_deref().unwrap_or_default());
        out.into()
    }
}

/// Whether a cell held a value before and after a write.
pub(super) struct Written {
    pub(super) was_live: bool,
    pub(super) is_live: bool,
}

/// Writes a cell if the write is later than what is there; none when it is not.
pub(super) fn write(
    kind: Kind,
    rows: &mut dyn Rows,
    sub: &[u8],
    dot: Dot,
    hlc: Hlc,
    value: &Option<Bytes>,
) -> Result<Option<Written>, ApplyError> {
    let old = Cell::read(kind, rows, sub)?;
    if let Some(old) = &old
        && !wins(&*rows, dot, hlc, old)?
    {
        return Ok(None);
    }
    let number = rows.intern(&dot.origin)?;
    let new = Cell { hlc, number, seq: dot.seq, value: value.clone() };
    rows.put(sub, new.encode())?;
    let was_live = old.is_some_and(|old| old.value.is_some());
    Ok(Some(Written { was_live, is_live: value.is_some() }))
}

/// Whether a write is later than a cell. Times are compared first, then origins. One origin stamps a later write of
/// the same cell later, unless time is at its end; then its sequence number decides.
fn wins(rows: &dyn Rows, dot: Dot, hlc: Hlc, cell: &Cell) -> Result<bool, ApplyError> {
    if hlc != cell.hlc {
        return Ok(hlc > cell.hlc);
    }
    Ok((dot.origin, dot.seq) > (rows.origin(cell.number)?, cell.seq))
}

/// The cell with its writer written out.
pub(super) fn export(kind: Kind, rows: &dyn Rows, row: &Bytes) -> Result<Bytes, ApplyError> {
    let cell = Cell::decode(kind, row.clone())?;
    let origin = rows.origin(cell.number)?;
    Ok(cell.encode_with(|out| codec::put_origin(out, &origin)))
}

/// What a cell says.
pub(super) fn describe(
    kind: Kind,
    rows: &dyn Rows,
    name: RowName,
    row: &Bytes,
) -> Result<RowFacts, ApplyError> {
    let cell = Cell::decode(kind, row.clone())?;
    let written_by = vec![Dot { origin: rows.origin(cell.number)?, seq: cell.seq }];
    let content = cell.value.map_or(RowContent::Removed, RowContent::Value);
    Ok(RowFacts { name, written_by, hlc: Some(cell.hlc), content })
}

/// A cell as [`export`] writes it.
struct Exported {
    hlc: Hlc,
    dot: Dot,
    value: Option<Bytes>,
}

impl Exported {
    fn decode(kind: Kind, row: Bytes) -> Result<Self, ApplyError> {
        read_row(kind, row, |reader: &mut Reader| {
            let hlc = Hlc::from_u64(reader.u64("time")?);
            let origin = reader.origin()?;
            let seq = reader.varint("sequence number")?;
            let value = match reader.u8("cell")? {
                TOMBSTONE => None,
                VALUE => Some(reader.take(reader.remaining(), "value")?),
                tag => return Err(CodecError::Tag { what: "cell", tag }),
            };
            crate::limits::check("value", value.as_ref().map_or(0, Bytes::len), MAX_VALUE)?;
            Ok(Self { hlc, dot: Dot { origin, seq }, value })
        })
    }
}

/// Whether a row can be a cell of another replica.
pub(super) fn check(kind: Kind, row: &Bytes) -> Result<(), ApplyError> {
    Exported::decode(kind, row.clone()).map(|_| ())
}

/// Merges a cell of another replica; none when it changes nothing. What we know and do not have any more lost against
/// a later write here, or was removed and forgotten: it says nothing new.
pub(super) fn merge(
    kind: Kind,
    rows: &mut dyn Rows,
    sub: &[u8],
    row: &Bytes,
    known: Known<'_>,
) -> Result<Option<Written>, ApplyError> {
    let theirs = Exported::decode(kind, row.clone())?;
    if known.ours.covers(theirs.dot) {
        return Ok(None);
    }
    write(kind, rows, sub, theirs.dot, theirs.hlc, &theirs.value)
}

/// The other replica does not have this cell: if it knows its write, a later one took the cell away there. Answers
/// whether it did, and whether the cell held a value.
pub(super) fn absent(
    kind: Kind,
    rows: &mut dyn Rows,
    sub: &[u8],
    row: &Bytes,
    known: Known<'_>,
) -> Result<Option<Written>, ApplyError> {
    let ours = Cell::decode(kind, row.clone())?;
    let dot = Dot { origin: rows.origin(ours.number)?, seq: ours.seq };
    if !known.theirs.covers(dot) {
        return Ok(None);
    }
    rows.delete(sub)?;
    Ok(Some(Written { was_live: ours.value.is_some(), is_live: false }))
}

/// When a held-back write is to be stamped, if it is still what the cell holds; see
/// [`settled`](super::OpApplier::settled).
pub(super) fn settled(
    kind: Kind,
    rows: &dyn Rows,
    sub: &[u8],
    dot: Dot,
    value: &Option<Bytes>,
    hlc: Hlc,
) -> Result<Option<Hlc>, ApplyError> {
    let cell = written_by(kind, rows, sub, dot)?;
    Ok(cell.filter(|cell| cell.value == *value).map(|cell| cell.hlc.max(hlc)))
}

/// Gives a cell that a held-back batch wrote its new time; without one the write is gone, and so is the cell. Answers
/// whether a value went.
pub(super) fn resettle(
    kind: Kind,
    rows: &mut dyn Rows,
    sub: &[u8],
    dot: Dot,
    hlc: Option<Hlc>,
) -> Result<Option<Written>, ApplyError> {
    let Some(cell) = written_by(kind, &*rows, sub, dot)? else { return Ok(None) };
    match hlc {
        Some(hlc) => {
            rows.put(sub, Cell { hlc, ..cell }.encode())?;
            Ok(None)
        }
        None => {
            rows.delete(sub)?;
            Ok(Some(Written { was_live: cell.value.is_some(), is_live: false }))
        }
    }
}

/// The cell, if this batch wrote it.
fn written_by(kind: Kind, rows: &dyn Rows, sub: &[u8], dot: Dot) -> Result<Option<Cell>, ApplyError> {
    let Some(cell) = Cell::read(kind, rows, sub)? else { return Ok(None) };
    let writer = Dot { origin: rows.origin(cell.number)?, seq: cell.seq };
    Ok((writer == dot).then_some(cell))
}

/// The removal that a cell without a value remembers.
pub(super) fn tombstone(kind: Kind, rows: &dyn Rows, row: &Bytes) -> Result<Option<Removal>, ApplyError> {
    let cell = Cell::decode(kind, row.clone())?;
    if cell.value.is_some() {
        return Ok(None);
    }
    let dot = Dot { origin: rows.origin(cell.number)?, seq: cell.seq };
    Ok(Some(Removal { dot, hlc: cell.hlc }))
}

/// The fields of a write: when, and the value if it is no removal.
pub(super) fn write_fields(hlc: Hlc, value: &Option<Bytes>, fields: &mut OpWriter<'_>) {
    fields.stamp(hlc);
    value.iter().for_each(|value| fields.bytes("value", MAX_VALUE, value));
}

/// The fields of a write, or of a removal.
pub(super) fn read_fields(
    is_write: bool,
    fields: &mut OpReader<'_>,
) -> Result<(Hlc, Option<Bytes>), CodecError> {
    let hlc = fields.stamp()?;
    let value = is_write.then(|| fields.bytes("value", MAX_VALUE)).transpose()?;
    Ok((hlc, value))
}
