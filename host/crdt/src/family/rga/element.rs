//! The row of one element: what it is, apart from where it stands.

use bytes::Bytes;

use super::KIND;
use crate::{
    codec::{self, CodecError, Reader},
    element::ElementId,
    family::{entry, read_number, read_row},
    id::Dot,
    rows::{ApplyError, Rows},
};

/// What a row says of its element; `W` is how its writer is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Element<W = u32> {
    /// The element that it was inserted after, none at the head. After a collection of what was between: the nearest
    /// one before that which is still there.
    pub parent: Option<ElementId>,
    /// By which it stands among the children of its parent: its own id, or that of a collected element in whose place
    /// it came. Never greater than its own id.
    pub rank: ElementId,
    /// Whose batch inserted the element, or removed it; of several removals the greatest dot.
    pub writer: W,
    /// That batch's number.
    pub seq: u64,
    /// The value, or none once removed.
    pub value: Option<Bytes>,
}

const VALUE: u8 = 1;
const PARENT: u8 = 2;
const RANK: u8 = 4;

impl Element {
    pub(super) fn read(rows: &dyn Rows, id: ElementId) -> Result<Option<Self>, ApplyError> {
        rows.get(&name(id))?.map(|row| Self::decode(id, row, read_number)).transpose()
    }

    pub(super) fn write(&self, rows: &mut dyn Rows, id: ElementId) -> Result<(), ApplyError> {
        Ok(rows.put(&name(id), self.encode(id, |out, number| codec::put_varint(out, (*number).into())))?)
    }
}

impl<W> Element<W> {
    pub(super) fn encode(&self, id: ElementId, put_writer: impl FnOnce(&mut Vec<u8>, &W)) -> Bytes {
        let mut out = Vec::with_capacity(64 + self.value.as_ref().map_or(0, Bytes::len));
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        out.push(
            flag(self.value.is_some(), VALUE)
                | flag(self.parent.is_some(), PARENT)
                | flag(self.rank != id, RANK),
        );
        put_writer(&mut out, &self.writer);
        codec::put_varint(&mut out, self.seq);
        if let Some(parent) = &self.parent {
            out.extend_from_slice(parent.as_bytes());
        }
        if self.rank != id {
            out.extend_from_slice(self.rank.as_bytes());
        }
        out.extend_from_slice(self.value.as_deref().unwrap_or_default());
        out.into()
    }

    pub(super) fn decode(
        id: ElementId,
        row: Bytes,
        read_writer: impl FnOnce(&mut Reader) -> Result<W, CodecError>,
    ) -> Result<Self, ApplyError> {
        read_row(KIND, row, |reader| {
            let flags = reader.u8("element")?;
            if flags > VALUE | PARENT | RANK {
                return Err(CodecError::Tag { what: "element", tag: flags });
            }
            let writer = read_writer(reader)?;
            let seq = reader.varint("sequence number")?;
            let parent = (flags & PARENT != 0).then(|| reader.element()).transpose()?;
            let rank = if flags & RANK != 0 { reader.element()? } else { id };
            if rank > id || parent.is_some_and(|parent| parent >= rank) {
                return Err(CodecError::Malformed { what: "element" });
            }
            let rest = reader.take(reader.remaining(), "value")?;
            if flags & VALUE == 0 && !rest.is_empty() {
                return Err(CodecError::Trailing { count: rest.len() });
            }
            Ok(Self { parent, rank, writer, seq, value: (flags & VALUE != 0).then_some(rest) })
        })
    }
}

/// The subkey of an element's row.
pub(super) fn name(id: ElementId) -> Vec<u8> {
    entry(id.as_bytes())
}

/// The element that a subkey names, if it is that of an element's row.
pub(super) fn parse(sub: &[u8]) -> Option<ElementId> {
    let (tag, id) = sub.split_first()?;
    (*tag == crate::family::ENTRY).then_some(())?;
    ElementId::from_bytes(id.try_into().ok()?)
}

/// What an element's row says.
pub(super) fn decode(id: ElementId, row: &Bytes) -> Result<Element, ApplyError> {
    Element::decode(id, row.clone(), read_number)
}

/// The row as it is the same on every node.
pub(super) fn export(rows: &dyn Rows, id: ElementId, row: &Bytes) -> Result<Bytes, ApplyError> {
    let element = decode(id, row)?;
    let origin = rows.origin(element.writer)?;
    Ok(element.encode(id, |out, _| codec::put_origin(out, &origin)))
}

/// An exported row, with its dot.
pub(super) fn import(id: ElementId, row: &Bytes) -> Result<(Element<()>, Dot), ApplyError> {
    let mut origin = None;
    let element = Element::decode(id, row.clone(), |reader| {
        origin = Some(reader.origin()?);
        Ok(())
    })?;
    let origin = origin.unwrap_or_default();
    let dot = Dot { origin, seq: element.seq };
    Ok((element, dot))
}
