//! Pages: a range of rows, as they stand on the wire and in the receiver's log.
//!
//! ```text
//! page  = version u8 | sender 32 bytes | as-of vector | clock u64 | from | last u8 | [to] | count | count x value
//! value = kind u8 | key | count | count x (subkey | row)
//! ```
//! Names, keys, subkeys and rows are a length and bytes; integers are varints, the clock is big-endian. Rows are as
//! their family exports them, with origins written out.

use bytes::Bytes;
use numax_crdt::{
    ApplyError, CodecError, Hlc, Key, Kind, NodeId, VersionVector, applier,
    codec::{Reader, put_bytes, put_varint},
    limits::MAX_KEY,
};
use numax_store::Table;

use crate::rows::name;

/// The version of the format.
const VERSION: u8 = 1;

/// Bytes of the longest page that is taken; most have some 256 KiB. It must hold the largest row: a whole text. Texts are
/// limited where they are written, but what several nodes write apart from each other adds up.
pub const MAX_PAGE: usize = 64 << 20;

/// The longest name or subkey in a page, and the longest part of one.
pub(super) const MAX_PART: usize = 4 << 20;

/// A range of rows of one replica. See the module's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Whose rows.
    pub sender: NodeId,
    /// What the rows include, exactly.
    pub as_of: VersionVector,
    /// A time that no removal which the sender has forgotten is after.
    pub clock: Hlc,
    /// The range begins after this name; empty for the very beginning.
    pub from: Bytes,
    /// The last name of the range; none for the end of all rows.
    pub to: Option<Bytes>,
    /// All that the sender has in the range.
    pub values: Vec<Value>,
}

/// The rows of one value in a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// The value's family.
    pub kind: Kind,
    /// The value's key.
    pub key: Key,
    /// Subkeys and rows, as the family exports them.
    pub rows: Vec<(Bytes, Bytes)>,
}

/// Why a page is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// Its bytes are not those of a page.
    #[error("the page cannot be read: {0}")]
    Codec(#[from] CodecError),
    /// A row is none of its family.
    #[error("a row of the page cannot be read: {0}")]
    Row(#[from] ApplyError),
    /// It says what cannot be.
    #[error("the page holds {0}")]
    Invalid(&'static str),
}

impl Page {
    /// The page's bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(256);
        out.push(VERSION);
        out.extend_from_slice(&self.sender.0);
        self.as_of.encode_into(&mut out);
        out.extend_from_slice(&self.clock.as_u64().to_be_bytes());
        put_bytes(&mut out, &self.from);
        out.push(u8::from(self.to.is_none()));
        if let Some(to) = &self.to {
            put_bytes(&mut out, to);
        }
        put_varint(&mut out, self.values.len() as u64);
        for value in &self.values {
            out.push(value.kind as u8);
            put_bytes(&mut out, value.key.as_bytes());
            put_varint(&mut out, value.rows.len() as u64);
            for (sub, row) in &value.rows {
                put_bytes(&mut out, sub);
                put_bytes(&mut out, row);
            }
        }
        out.into()
    }

    /// Reads a page. Parts share its memory.
    ///
    /// # Errors
    /// When the bytes are no page, or say what cannot be: a range that goes backwards, a row outside of it, a row that
    /// is none of its family.
    pub fn decode(bytes: Bytes) -> Result<Self, PageError> {
        if bytes.len() > MAX_PAGE {
            return Err(PageError::Invalid("more than a page may"));
        }
        let mut reader = Reader::new(bytes);
        match reader.u8("page version")? {
            VERSION => {}
            tag => return Err(CodecError::Tag { what: "page version", tag }.into()),
        }
        let sender = NodeId(reader.array("sender")?);
        let as_of = VersionVector::read(&mut reader)?;
        let clock = Hlc::from_u64(reader.u64("clock")?);
        let from = reader.bytes("range", MAX_PART)?;
        let to = match reader.u8("last page")? {
            0 => Some(reader.bytes("range", MAX_PART)?),
            1 => None,
            tag => return Err(CodecError::Tag { what: "last page", tag }.into()),
        };
        let mut values = Vec::new();
        for _ in 0..reader.count("values", usize::MAX, 3)? {
            values.push(value(&mut reader)?);
        }
        reader.finish()?;
        let page = Self { sender, as_of, clock, from, to, values };
        page.check()?;
        Ok(page)
    }

    fn check(&self) -> Result<(), PageError> {
        let table = [Table::Rows as u8];
        let named = |name: &Bytes| name.starts_with(&table);
        if !(self.from.is_empty() || named(&self.from)) || !self.to.as_ref().is_none_or(named) {
            return Err(PageError::Invalid("a range of something else than rows"));
        }
        if self.to.as_ref().is_some_and(|to| *to <= self.from) {
            return Err(PageError::Invalid("a range that goes backwards"));
        }
        for value in &self.values {
            let family = applier(value.kind).ok_or(PageError::Invalid("a kind that is not known here"))?;
            let prefix = name::value_prefix(value.kind, value.key.as_bytes());
            let before = name::past_value(&prefix)[..] <= self.from[..];
            if before || self.to.as_ref().is_some_and(|to| prefix[..] > to[..]) {
                return Err(PageError::Invalid("a value outside of its range"));
            }
            for (sub, row) in &value.rows {
                family.check(sub, row)?;
            }
        }
        Ok(())
    }
}

fn value(reader: &mut Reader) -> Result<Value, PageError> {
    let kind = reader.u8("kind")?;
    let kind = Kind::from_u8(kind).ok_or(CodecError::Tag { what: "kind", tag: kind })?;
    let key = Key::new(reader.bytes("key", MAX_KEY)?).map_err(CodecError::from)?;
    let mut rows = Vec::new();
    for _ in 0..reader.count("rows", usize::MAX, 2)? {
        rows.push((reader.bytes("subkey", MAX_PART)?, reader.bytes("row", MAX_PAGE)?));
    }
    Ok(Value { kind, key, rows })
}

#[cfg(test)]
mod tests {
    use super::*;
    use numax_crdt::Origin;

    fn page() -> Page {
        let origin = Origin { node: NodeId([0x11; 32]), epoch: 1, nonce: 2 };
        let row =
            [&7u64.to_be_bytes()[..], &[0x11; 32], &[1], &2u64.to_be_bytes(), &[3, 1], b"value"].concat();
        let name = |key: &[u8]| Bytes::from(name::value_prefix(Kind::LwwRegister, key));
        Page {
            sender: NodeId([0x22; 32]),
            as_of: VersionVector::from_iter([(origin, 3)]),
            clock: Hlc::from_u64(9),
            from: name(b"a"),
            to: Some(name(b"c")),
            values: vec![Value {
                kind: Kind::LwwRegister,
                key: Key::new("b").unwrap(),
                rows: vec![(Bytes::new(), row.into())],
            }],
        }
    }

    #[test]
    fn the_bytes_of_a_page_are_frozen() {
        let page = page();
        let n11 = "11".repeat(32);
        let n22 = "22".repeat(32);
        let origin = format!("{n11} 01 0000000000000002");
        let row = format!("0000000000000007 {origin} 03 01 76616c7565");
        let want = format!(
            "01 {n22} 01 {origin} 03 0000000000000009 05 0103610001 00 05 0103630001 \
             01 03 01 62 01 00 38 {row}"
        );
        let bytes = page.encode();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, want.replace(' ', ""));
        assert_eq!(Page::decode(bytes), Ok(page));
    }

    #[test]
    fn a_page_that_cannot_be_is_refused() {
        let refuse = |change: &dyn Fn(&mut Page)| {
            let mut page = page();
            change(&mut page);
            assert!(Page::decode(page.encode()).is_err(), "{page:?}");
        };
        refuse(&|page| page.to = Some(page.from.clone()));
        refuse(&|page| page.from = Bytes::from_static(b"\x02local"));
        refuse(&|page| page.values[0].key = Key::new("d").unwrap());
        refuse(&|page| page.values[0].key = Key::new("").unwrap());
        refuse(&|page| page.values[0].kind = Kind::GCounter);
        refuse(&|page| page.values[0].rows[0].1 = Bytes::from_static(b"short"));
        let bytes = page().encode();
        for cut in 0..bytes.len() {
            assert!(Page::decode(bytes.slice(..cut)).is_err(), "cut at {cut}");
        }
        // Nothing that a peer sends makes the decoder panic.
        for at in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bad = bytes.to_vec();
                bad[at] = value;
                let _ = Page::decode(bad.into());
            }
        }
    }
}
