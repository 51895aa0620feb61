//! Pieces: what a receiver is sent at once. Most are whole pages. A page that is larger than a piece may be (it holds
//! one large row, of a text) comes in several.
//!
//! ```text
//! piece = page | 2 u8 | sender 32 bytes | as-of vector | from | offset | last u8 | part of the page's bytes
//! ```
//! A *cursor* says where a piece begins: the name after which its page begins, and if that page has begun already
//! a zero (no name begins so), how many of its bytes there are, and then the name.

use bytes::Bytes;
use numax_crdt::{
    CodecError, NodeId, VersionVector,
    codec::{Reader, put_bytes, put_varint},
};

use super::page::{MAX_PAGE, MAX_PART, Page, PageError};

/// The first byte of a part of a page: no version of a page.
const PART: u8 = 2;
/// The first byte of a cursor within a page.
const WITHIN: u8 = 0;

/// What is sent at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A page.
    Page(Page),
    /// A part of one.
    Part(Part),
}

/// Some of a page's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub sender: NodeId,
    pub as_of: VersionVector,
    /// As in the page.
    pub from: Bytes,
    /// How many of the page's bytes come before.
    pub offset: u64,
    /// Whether no more come after.
    pub last: bool,
    pub bytes: Bytes,
}

impl Piece {
    /// Reads a piece. Parts share its memory.
    pub(crate) fn decode(bytes: Bytes) -> Result<Self, PageError> {
        match bytes.first() {
            Some(&PART) => Part::decode(bytes).map(Self::Part),
            _ => Page::decode(bytes).map(Self::Page),
        }
    }

    pub(crate) fn sender(&self) -> NodeId {
        match self {
            Self::Page(page) => page.sender,
            Self::Part(part) => part.sender,
        }
    }

    pub(crate) fn as_of(&self) -> &VersionVector {
        match self {
            Self::Page(page) => &page.as_of,
            Self::Part(part) => &part.as_of,
        }
    }

    /// Where it begins.
    pub(crate) fn cursor(&self) -> Bytes {
        match self {
            Self::Page(page) => page.from.clone(),
            Self::Part(part) => cursor(&part.from, part.offset),
        }
    }
}

impl Part {
    /// The part's bytes.
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.bytes.len() + 256);
        out.push(PART);
        out.extend_from_slice(&self.sender.0);
        self.as_of.encode_into(&mut out);
        put_bytes(&mut out, &self.from);
        put_varint(&mut out, self.offset);
        out.push(u8::from(self.last));
        put_bytes(&mut out, &self.bytes);
        out.into()
    }

    fn decode(bytes: Bytes) -> Result<Self, PageError> {
        const WHAT: &str = "part of a page";
        let mut reader = Reader::new(bytes);
        reader.u8(WHAT)?;
        let sender = NodeId(reader.array("sender")?);
        let as_of = VersionVector::read(&mut reader)?;
        let from = reader.bytes("range", MAX_PART)?;
        let offset = reader.varint("offset")?;
        let last = match reader.u8("last part")? {
            0 => false,
            1 => true,
            tag => return Err(CodecError::Tag { what: "last part", tag }.into()),
        };
        let bytes = reader.bytes(WHAT, MAX_PART)?;
        reader.finish()?;
        if bytes.is_empty() {
            return Err(PageError::Invalid("a part of nothing"));
        }
        if offset.saturating_add(bytes.len() as u64) > MAX_PAGE as u64 {
            return Err(PageError::Invalid("more than a page may"));
        }
        Ok(Self { sender, as_of, from, offset, last, bytes })
    }

    /// Where the next part begins.
    pub(crate) fn next(&self) -> Bytes {
        cursor(&self.from, self.offset + self.bytes.len() as u64)
    }
}

/// The place in a page that begins after `from`, behind its first bytes.
fn cursor(from: &Bytes, offset: u64) -> Bytes {
    if offset == 0 {
        return from.clone();
    }
    let mut out = Vec::with_capacity(from.len() + 8);
    out.push(WITHIN);
    put_varint(&mut out, offset);
    out.extend_from_slice(from);
    out.into()
}

/// What a cursor says: the name after which a page begins, and where in the page.
pub(crate) fn parse_cursor(cursor: Bytes) -> Result<(Bytes, u64), CodecError> {
    if cursor.first() != Some(&WITHIN) {
        return Ok((cursor, 0));
    }
    let mut reader = Reader::new(cursor);
    reader.u8("cursor")?;
    let offset = reader.varint("cursor")?;
    let from = reader.take(reader.remaining(), "cursor")?;
    Ok((from, offset))
}

#[cfg(test)]
mod tests {
    use super::*;
    use numax_crdt::Origin;

    fn part() -> Part {
        let origin = Origin { node: NodeId([0x11; 32]), epoch: 1, nonce: 2 };
        Part {
            sender: NodeId([0x22; 32]),
            as_of: VersionVector::from_iter([(origin, 3)]),
            from: Bytes::from_static(b"\x01\x03a\0\x01"),
            offset: 300,
            last: false,
            bytes: Bytes::from_static(b"some"),
        }
    }

    #[test]
    fn the_bytes_of_a_part_are_frozen() {
        let (n11, n22) = ("11".repeat(32), "22".repeat(32));
        let want = format!("02 {n22} 01 {n11} 01 0000000000000002 03 05 0103610001 ac02 00 04 736f6d65");
        let hex: String = part().encode().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, want.replace(' ', ""));
        assert_eq!(Piece::decode(part().encode()), Ok(Piece::Part(part())));
    }

    #[test]
    fn cursors_lead_back() {
        for (from, offset) in [(part().from, 0), (part().from, 1), (part().from, 70_000), (Bytes::new(), 9)] {
            assert_eq!(parse_cursor(cursor(&from, offset)), Ok((from, offset)));
        }
        assert!(parse_cursor(Bytes::from_static(&[0])).is_err());
        assert_eq!(Piece::Part(part()).cursor(), cursor(&part().from, 300));
        assert_eq!(part().next(), cursor(&part().from, 304));
    }

    #[test]
    fn a_part_that_cannot_be_is_refused() {
        for bad in [
            Part { bytes: Bytes::new(), ..part() },
            Part { offset: MAX_PAGE as u64, ..part() },
            Part { offset: u64::MAX, ..part() },
        ] {
            assert!(Piece::decode(bad.encode()).is_err(), "{bad:?}");
        }
        let bytes = part().encode();
        for cut in 0..bytes.len() {
            assert!(Piece::decode(bytes.slice(..cut)).is_err(), "cut at {cut}");
        }
        for at in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bad = bytes.to_vec();
                bad[at] = value;
                let _ = Piece::decode(bad.into());
            }
        }
    }
}
