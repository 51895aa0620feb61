//! Where a transfer is: what a receiver keeps of it.

use bytes::Bytes;
use numax_crdt::{
    CodecError, Dot, Hlc, NodeId, VersionVector,
    codec::{Reader, put_bytes, put_varint},
};

use super::piece::Piece;

/// A transfer that has begun and not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Incoming {
    /// Who sends.
    pub sender: NodeId,
    /// What the sender's picture knew: what all pages show, and what will be known in the end.
    pub floor: VersionVector,
    /// Where the next piece begins.
    pub cursor: Bytes,
    /// The log position behind the first piece: by it pages are staged.
    pub id: u64,
    /// Whole pages that are staged.
    pub pages: u32,
    /// Rows in which the beginning of the next page is staged.
    pub parts: u32,
    /// Pages that are merged.
    pub merged: u32,
    /// All pages are here.
    pub whole: bool,
}

/// What a receiver keeps of transfers: part of what the log's end stands for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Place {
    /// The transfer that is under way.
    pub incoming: Option<Incoming>,
    /// The position behind the last transfer, and everything known there. Before that position the log does not tell
    /// how one gets to that vector.
    pub base: Option<(u64, VersionVector)>,
    /// A time that no removal which a sender had forgotten is after: new rows are stamped later.
    pub floor: Hlc,
    /// What rows may show beside what is known: everything that the pages show which are being merged.
    pub ahead: VersionVector,
}

/// How far a transfer has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferState {
    /// Who sends.
    pub sender: NodeId,
    /// What will be known in the end.
    pub floor: VersionVector,
    /// Where the next piece begins.
    pub cursor: Bytes,
    /// All pages are here, and what is left is to merge them ([`Request::Merge`](crate::Request::Merge)).
    pub merging: bool,
}

/// What became of a piece of a transfer, or of a step of merging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transferred {
    /// The log position behind it.
    pub position: u64,
    /// How far the transfer has come; none when it is complete.
    pub next: Option<TransferState>,
}

const WHAT: &str = "notes of a transfer";
/// The versions of the notes: without a transfer under way, the same with rows ahead, and with one. The first two may
/// name one too: of a program that merged pages as they came. It began anew with another picture anyway.
const PLAIN: u8 = 1;
const AHEAD: u8 = 2;
const UNDER_WAY: u8 = 3;

impl Place {
    /// Whether pages are being merged: rows are ahead of the vector until all are.
    pub(crate) fn merges(&self) -> bool {
        self.incoming.as_ref().is_some_and(|incoming| incoming.whole)
    }

    /// Whether the pages that are being merged bring a batch, so that it must not be applied by itself.
    pub(crate) fn brings(&self, dot: Dot) -> bool {
        self.incoming.as_ref().is_some_and(|incoming| incoming.whole && incoming.floor.covers(dot))
    }

    /// Whether a piece is the next one of the transfer under way, or the first of another.
    pub(crate) fn takes(&self, piece: &Piece) -> bool {
        match &self.incoming {
            Some(incoming) if incoming.whole => false,
            Some(incoming) if incoming.cursor == piece.cursor() => {
                incoming.floor == *piece.as_of() && (incoming.parts == 0 || incoming.sender == piece.sender())
            }
            _ => piece.cursor().is_empty(),
        }
    }

    /// How far the transfer under way has come.
    pub(crate) fn state(&self) -> Option<TransferState> {
        let Incoming { sender, floor, cursor, whole, .. } = self.incoming.clone()?;
        Some(TransferState { sender, floor, cursor, merging: whole })
    }

    /// The notes of the engine: what is kept across restarts.
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = vec![match &self.incoming {
            Some(_) => UNDER_WAY,
            None if self.ahead.is_empty() => PLAIN,
            None => AHEAD,
        }];
        out.extend_from_slice(&self.floor.as_u64().to_be_bytes());
        out.push(u8::from(self.base.is_some()));
        if let Some((position, vector)) = &self.base {
            out.extend_from_slice(&position.to_be_bytes());
            vector.encode_into(&mut out);
        }
        out.push(u8::from(self.incoming.is_some()));
        if let Some(incoming) = &self.incoming {
            out.extend_from_slice(&incoming.sender.0);
            incoming.floor.encode_into(&mut out);
            put_bytes(&mut out, &incoming.cursor);
            out.extend_from_slice(&incoming.id.to_be_bytes());
            for number in [incoming.pages, incoming.parts, incoming.merged] {
                put_varint(&mut out, number.into());
            }
            out.push(u8::from(incoming.whole));
        }
        if self.incoming.is_some() || !self.ahead.is_empty() {
            self.ahead.encode_into(&mut out);
        }
        out.into()
    }

    /// What [`encode`](Self::encode) gave.
    pub(crate) fn decode(bytes: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let version = reader.u8(WHAT)?;
        if !(PLAIN..=UNDER_WAY).contains(&version) {
            return Err(CodecError::Tag { what: WHAT, tag: version });
        }
        let floor = Hlc::from_u64(reader.u64(WHAT)?);
        let base = match reader.u8(WHAT)? {
            0 => None,
            _ => Some((reader.u64(WHAT)?, VersionVector::read(&mut reader)?)),
        };
        let incoming = match (reader.u8(WHAT)?, version) {
            (0, _) => None,
            (_, UNDER_WAY) => Some(Incoming::read(&mut reader)?),
            _ => {
                reader.array::<32>(WHAT)?;
                VersionVector::read(&mut reader)?;
                reader.bytes(WHAT, usize::MAX)?;
                None
            }
        };
        let ahead = if version > PLAIN { VersionVector::read(&mut reader)? } else { VersionVector::new() };
        reader.finish()?;
        Ok(Self { incoming, base, floor, ahead })
    }
}

impl Incoming {
    fn read(reader: &mut Reader) -> Result<Self, CodecError> {
        let sender = NodeId(reader.array(WHAT)?);
        let floor = VersionVector::read(reader)?;
        let cursor = reader.bytes(WHAT, usize::MAX)?;
        let id = reader.u64(WHAT)?;
        let mut number =
            || u32::try_from(reader.varint(WHAT)?).map_err(|_| CodecError::Malformed { what: WHAT });
        let (pages, parts, merged) = (number()?, number()?, number()?);
        Ok(Self { sender, floor, cursor, id, pages, parts, merged, whole: reader.u8(WHAT)? != 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use numax_crdt::Origin;

    #[test]
    fn the_notes_of_a_transfer_lead_back_and_are_frozen() {
        let origin = Origin { node: NodeId([1; 32]), epoch: 0, nonce: 2 };
        let vector = VersionVector::from_iter([(origin, 5)]);
        let place = Place {
            incoming: Some(Incoming {
                sender: NodeId([9; 32]),
                floor: vector.clone(),
                cursor: Bytes::from_static(b"\x01x"),
                id: 258,
                pages: 3,
                parts: 2,
                merged: 1,
                whole: false,
            }),
            base: Some((7, vector.clone())),
            floor: Hlc::from_u64(3),
            ahead: VersionVector::new(),
        };
        let ahead = Place { ahead: vector, ..place.clone() };
        let alone = Place { incoming: None, ..ahead.clone() };
        let done = Place { incoming: None, ..place.clone() };
        for place in [place, ahead, alone, done, Place::default()] {
            assert_eq!(Place::decode(place.encode()), Ok(place));
        }
        assert_eq!(Place::default().encode()[..], [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert!(Place::decode(Bytes::from_static(&[4])).is_err());
    }
}
