//! The rows of the order: leaves, where an element is, and the head.
//!
//! ```text
//! head (empty subkey)   live elements | leaves ever made | first leaf | first live leaf | last live leaf
//! 2, id                 the number of the leaf that holds the element
//! 3, leaf (4 bytes)     flags | previous | next | previous live | next live | count | entries
//! entry                 id | 4 x children + 2 x ranked + dead | rank, if ranked
//! ```
//! Leaves are named by number plus one, 0 for none. They are local to a datastore: two replicas hold the same elements
//! in the same order and cut it differently.

use bytes::Bytes;

use super::KIND;
use crate::{
    codec::{self, CodecError, Reader},
    element::ElementId,
    family::{HEAD, read_row},
    rows::{ApplyError, Rows},
};

/// The most elements of a leaf. A leaf is rewritten whole with every insertion (about a kilobyte), and one of them is
/// read for this many elements of a page.
pub(super) const LEAF_ENTRIES: usize = 64;

const PLACE: u8 = 2;
const LEAF: u8 = 3;

/// The number of a leaf.
pub(super) type LeafNumber = u32;

/// One element's place in the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub id: ElementId,
    /// See [`Element::rank`](super::element::Element::rank).
    pub rank: ElementId,
    pub dead: bool,
    /// How many elements have it as their parent.
    pub children: u64,
}

/// Up to [`LEAF_ENTRIES`] elements that stand one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Leaf {
    pub prev: Option<LeafNumber>,
    pub next: Option<LeafNumber>,
    /// Whether it is in the chain of leaves that hold a live element; the next two mean nothing otherwise.
    pub linked: bool,
    pub prev_live: Option<LeafNumber>,
    pub next_live: Option<LeafNumber>,
    pub entries: Vec<Entry>,
}

/// The row under the empty subkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Head {
    pub live: u64,
    pub made: u64,
    pub first: Option<LeafNumber>,
    pub first_live: Option<LeafNumber>,
    pub last_live: Option<LeafNumber>,
}

fn put_leaf(out: &mut Vec<u8>, leaf: Option<LeafNumber>) {
    codec::put_varint(out, leaf.map_or(0, |number| u64::from(number) + 1));
}

fn read_leaf(reader: &mut Reader) -> Result<Option<LeafNumber>, CodecError> {
    const WHAT: &str = "leaf number";
    let Some(number) = reader.varint(WHAT)?.checked_sub(1) else { return Ok(None) };
    LeafNumber::try_from(number).map(Some).map_err(|_| CodecError::Malformed { what: WHAT })
}

/// The error of rows that do not fit each other.
pub(super) fn torn(what: &'static str) -> ApplyError {
    ApplyError::Damaged { kind: KIND, source: CodecError::Malformed { what } }
}

impl Head {
    pub(super) fn read(rows: &dyn Rows) -> Result<Self, ApplyError> {
        rows.get(HEAD)?.map_or(Ok(Self::default()), |row| Self::decode(&row))
    }

    pub(super) fn decode(row: &Bytes) -> Result<Self, ApplyError> {
        read_row(KIND, row.clone(), |reader| {
            Ok(Self {
                live: reader.varint("count")?,
                made: reader.varint("leaves")?,
                first: read_leaf(reader)?,
                first_live: read_leaf(reader)?,
                last_live: read_leaf(reader)?,
            })
        })
    }

    pub(super) fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(16);
        codec::put_varint(&mut out, self.live);
        codec::put_varint(&mut out, self.made);
        for leaf in [self.first, self.first_live, self.last_live] {
            put_leaf(&mut out, leaf);
        }
        out.into()
    }
}

impl Leaf {
    pub(super) fn read(rows: &dyn Rows, number: LeafNumber) -> Result<Self, ApplyError> {
        let row = rows.get(&leaf_name(number))?.ok_or_else(|| torn("list: a leaf is missing"))?;
        Self::decode(row)
    }

    pub(super) fn decode(row: Bytes) -> Result<Self, ApplyError> {
        const MIN_ENTRY: usize = ElementId::LEN + 1;
        read_row(KIND, row, |reader| {
            let linked = match reader.u8("leaf")? {
                0 => false,
                1 => true,
                tag => return Err(CodecError::Tag { what: "leaf", tag }),
            };
            let (prev, next) = (read_leaf(reader)?, read_leaf(reader)?);
            let (prev_live, next_live) = (read_leaf(reader)?, read_leaf(reader)?);
            let count = reader.count("leaf", LEAF_ENTRIES, MIN_ENTRY)?;
            let mut entries = Vec::with_capacity(count + 1);
            for _ in 0..count {
                let id = reader.element()?;
                let packed = reader.varint("leaf entry")?;
                let rank = if packed & 2 != 0 { reader.element()? } else { id };
                entries.push(Entry { id, rank, dead: packed & 1 != 0, children: packed >> 2 });
            }
            Ok(Self { prev, next, linked, prev_live, next_live, entries })
        })
    }

    pub(super) fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(16 + self.entries.len() * (ElementId::LEN + 2));
        out.push(self.linked.into());
        for leaf in [self.prev, self.next, self.prev_live, self.next_live] {
            put_leaf(&mut out, leaf);
        }
        codec::put_varint(&mut out, self.entries.len() as u64);
        for Entry { id, rank, dead, children } in &self.entries {
            out.extend_from_slice(id.as_bytes());
            codec::put_varint(&mut out, children << 2 | u64::from(rank != id) << 1 | u64::from(*dead));
            if rank != id {
                out.extend_from_slice(rank.as_bytes());
            }
        }
        out.into()
    }

    /// Whether it holds a live element.
    pub(super) fn is_live(&self) -> bool {
        self.entries.iter().any(|entry| !entry.dead)
    }

    /// Where in the leaf an element is.
    pub(super) fn index(&self, id: ElementId) -> Result<usize, ApplyError> {
        let found = self.entries.iter().position(|entry| entry.id == id);
        found.ok_or_else(|| torn("list: an element is not in its leaf"))
    }
}

/// The subkey of a leaf.
pub(super) fn leaf_name(number: LeafNumber) -> [u8; 5] {
    let [a, b, c, d] = number.to_be_bytes();
    [LEAF, a, b, c, d]
}

/// The subkey of the row that says where an element is.
pub(super) fn place_name(id: ElementId) -> [u8; 1 + ElementId::LEN] {
    let mut name = [PLACE; 1 + ElementId::LEN];
    for (to, from) in name.iter_mut().skip(1).zip(id.as_bytes()) {
        *to = *from;
    }
    name
}

/// The leaf that holds an element; none when the list does not know the element.
pub(super) fn leaf_of(rows: &dyn Rows, id: ElementId) -> Result<Option<LeafNumber>, ApplyError> {
    let Some(row) = rows.get(&place_name(id))? else { return Ok(None) };
    read_row(KIND, row, read_leaf)
}

/// Says which leaf holds an element.
pub(super) fn put_place(rows: &mut dyn Rows, id: ElementId, leaf: LeafNumber) -> Result<(), ApplyError> {
    let mut row = Vec::with_capacity(5);
    put_leaf(&mut row, Some(leaf));
    Ok(rows.put(&place_name(id), row.into())?)
}
