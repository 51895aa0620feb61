//! The families of replicated values: how each stores, merges and reads its rows. One file per family.
//!
//! Rows of one value:
//!
//! | family | head (empty subkey) | other rows |
//! |---|---|---|
//! | g-counter, pn-counter | the sums | `1, origin number` → seq, totals |
//! | lww-register | the cell | none |
//! | lww-map | how many fields are live | `1, field` → cell |
//! | or-set | how many elements there are | `1, element` → dots |
//! | rga | how many elements are live, ends of the order | `1, id` → element; the order, see [`rga`] |
//! | text | how much of it there is | `1, 0, number` → parts of the state; `1, 1, number` → updates after it |
//!
//! A *cell* is (time, origin, seq, value or tombstone). Sums and counts are kept so that reading a counter or a size
//! costs one row, whatever the number of writers or elements. Every other row stores the dot that wrote it.
//!
//! # One family more
//! For replicas to log, send, apply, merge, transfer, compare and forget it: its file, with an [`OpApplier`]; its row in
//! the table of families (`table.rs`); what its operations are, in [`Body`]. Nothing else in this crate, and nothing that
//! passes batches and rows on, tells families apart.
//!
//! For guests to write it: its part of a turn's draft (`draft/` of `host/replica`), a resource in `wit/crdt.wit` with its
//! name in `convert.rs`, its calls in `session/crdt/` and `crdt/` of `host/runtime`, and a wrapper in each SDK. Policies
//! know it by its row in the table.

pub mod g_counter;
pub mod lww_map;
pub mod lww_register;
pub mod or_set;
pub mod pn_counter;
pub mod rga;
pub mod text;

mod cell;
mod describe;
mod table;
mod totals;

pub(crate) use table::of_tag;
pub use table::{Kind, applier};

use bytes::Bytes;

pub use describe::{RowContent, RowFacts, RowName, Sum};

use crate::{
    batch::{OpReader, OpWriter},
    codec::{self, CodecError, Reader},
    hlc::Hlc,
    id::Dot,
    kind::OpKind,
    op::Body,
    rows::{ApplyError, RowError, Rows},
    vector::VersionVector,
};

/// How one family applies operations. Implementations are stateless; [`applier`] finds
/// them in the table of families.
pub trait OpApplier: Send + Sync {
    /// The family.
    fn kind(&self) -> Kind;

    /// What is told of a value when nobody knows any more what was done to it.
    fn usual_op(&self) -> OpKind;

    /// Says the fields of an operation to `fields`, beginning with its tag. An operation of another family has none.
    fn write(&self, op: &Body, fields: &mut OpWriter<'_>);

    /// The operation with this tag, which is one of the family's.
    ///
    /// # Errors
    /// When its bytes are not what [`write`](Self::write) says of an operation that every replica could apply.
    fn read(&self, tag: u8, fields: &mut OpReader<'_>) -> Result<Body, CodecError>;

    /// Applies one operation of the batch named `dot` to the rows of its key.
    ///
    /// Answers what a watcher is told, or none when a reader sees no difference (the operation was known, lost
    /// against a later write, or added what was there). Applying a run of operations again, in the same order,
    /// changes nothing in the end; a *single* old operation must not be applied again after others, which is why
    /// known dots are dropped before they come here.
    ///
    /// # Errors
    /// When rows cannot be read or written, or are damaged. Rows may then be half written: the caller drops them.
    fn apply(&self, rows: &mut dyn Rows, dot: Dot, op: &Body) -> Result<Option<OpKind>, ApplyError>;

    /// Whether a value with this head (the row under the empty subkey) exists for a reader. A value without a head
    /// never does.
    ///
    /// # Errors
    /// [`ApplyError::Damaged`].
    fn is_live(&self, head: &Bytes) -> Result<bool, ApplyError>;

    /// A row in a form that means the same on every node: subkey and value with origins written out. None for rows
    /// that only sum up others. Equal replicas have equal exports, though not in the same order.
    ///
    /// # Errors
    /// When the row is damaged or names an unknown origin.
    fn export(&self, rows: &dyn Rows, sub: &[u8], row: &Bytes) -> Result<Option<(Bytes, Bytes)>, ApplyError>;

    /// What a row says, for people who look at a datastore: which row it is, which batches wrote it and what is in it.
    ///
    /// # Errors
    /// When the row is damaged or names an unknown origin.
    fn describe(&self, rows: &dyn Rows, sub: &[u8], row: &Bytes) -> Result<RowFacts, ApplyError>;

    /// What of a row all replicas have alike that know the same, whatever each of them has forgotten: for comparing
    /// them. That is the [`export`](Self::export) of rows that are no [`tombstone`](Self::tombstone), unless forgetting
    /// changes other rows too.
    ///
    /// # Errors
    /// When the row is damaged or names an unknown origin.
    fn compared(
        &self,
        rows: &dyn Rows,
        sub: &[u8],
        row: &Bytes,
    ) -> Result<Option<(Bytes, Bytes)>, ApplyError> {
        match self.tombstone(rows, sub, row)? {
            Some(_) => Ok(None),
            None => self.export(rows, sub, row),
        }
    }

    /// Whether a row that came from another replica can be an [`export`](Self::export) of this family. Called for all
    /// rows before the first is merged.
    ///
    /// # Errors
    /// [`ApplyError::Damaged`] when it cannot.
    fn check(&self, sub: &[u8], row: &Bytes) -> Result<(), ApplyError> {
        let _ = (sub, row);
        Ok(())
    }

    /// Merges a row that another replica exported when it knew `known.theirs` and nothing else, into rows that include
    /// `known.ours`. Afterwards the row is what applying the batches of both would have made of it. Answers whether a
    /// reader sees a difference.
    ///
    /// # Errors
    /// When the row is not one of this family, or rows cannot be read or written.
    fn merge(
        &self,
        rows: &mut dyn Rows,
        sub: &[u8],
        row: &Bytes,
        known: Known<'_>,
    ) -> Result<bool, ApplyError> {
        let _ = (rows, sub, row, known);
        Err(RowError::Unavailable(format!("a {} cannot be merged row by row", self.kind())).into())
    }

    /// The other replica has no row under this subkey (which is the same here and there): removes of ours what it must
    /// have seen and removed. Families whose rows never go leave it as it is. Answers whether a reader sees a
    /// difference.
    ///
    /// # Errors
    /// When rows cannot be read or written, or are damaged.
    fn absent(
        &self,
        rows: &mut dyn Rows,
        sub: &[u8],
        row: &Bytes,
        known: Known<'_>,
    ) -> Result<bool, ApplyError> {
        let _ = (rows, sub, row, known);
        Ok(false)
    }

    /// What an operation of a batch that was held back is to say, when its writer has caught up and nobody else has
    /// seen the batch: something that means the same on every replica, whatever each of them has forgotten. `hlc` is
    /// later than everything that others may have forgotten. None when the operation says nothing any more, because
    /// something later took its place.
    ///
    /// # Errors
    /// When rows cannot be read or are damaged.
    fn settled(&self, rows: &dyn Rows, dot: Dot, op: &Body, hlc: Hlc) -> Result<Option<Body>, ApplyError> {
        let _ = (rows, dot, hlc);
        Ok(Some(op.clone()))
    }

    /// Changes rows that include the operation `before` of the batch `dot` into those that include `after` in its
    /// place; see [`settled`](Self::settled). Answers whether a reader sees a difference.
    ///
    /// # Errors
    /// When rows cannot be read or written, or are damaged. Rows may then be half written: the caller drops them.
    fn resettle(
        &self,
        rows: &mut dyn Rows,
        dot: Dot,
        before: &Body,
        after: Option<&Body>,
    ) -> Result<bool, ApplyError> {
        let _ = (rows, dot, before, after);
        Ok(false)
    }

    /// The removal that a row remembers, if the row is there for nothing else: a tombstone.
    ///
    /// # Errors
    /// When the row is damaged or names an unknown origin.
    fn tombstone(&self, rows: &dyn Rows, sub: &[u8], row: &Bytes) -> Result<Option<Removal>, ApplyError> {
        let _ = (rows, sub, row);
        Ok(None)
    }

    /// Removes a tombstone whose removal every member has (`stable` covers it) and that no write of this node can lose
    /// against any more (its time is not after `clock`, the last that the node's clock gave out). Answers whether it
    /// did. Readers see no difference.
    ///
    /// # Errors
    /// When rows cannot be read or written, or are damaged.
    fn collect(
        &self,
        rows: &mut dyn Rows,
        sub: &[u8],
        row: &Bytes,
        stable: &VersionVector,
        clock: Hlc,
    ) -> Result<bool, ApplyError> {
        let gone = self
            .tombstone(rows, sub, row)?
            .is_some_and(|removal| stable.covers(removal.dot) && removal.hlc <= clock);
        if gone {
            rows.delete(sub)?;
        }
        Ok(gone)
    }
}

/// What two replicas know when the rows of one are merged into those of the other.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// What the rows here include.
    pub ours: &'a VersionVector,
    /// What the other's rows include.
    pub theirs: &'a VersionVector,
}

/// A removal that a tombstone remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removal {
    /// The batch that removed.
    pub dot: Dot,
    /// Its time; [`Hlc::ZERO`] where time decides nothing.
    pub hlc: Hlc,
}

/// The subkey of a value's head.
pub const HEAD: &[u8] = b"";

/// The first byte of every subkey but the head's.
const ENTRY: u8 = 1;

/// The subkey of an entry: a map's field, a set's element, a counter's origin number.
pub fn entry(name: &[u8]) -> Vec<u8> {
    let mut sub = Vec::with_capacity(1 + name.len());
    sub.push(ENTRY);
    sub.extend_from_slice(name);
    sub
}

/// What an entry's subkey names; none for the head.
fn entry_name(sub: &Bytes) -> Option<Bytes> {
    (sub.first() == Some(&ENTRY)).then(|| sub.slice(1..))
}

/// What the subkey of a map's or set's row names; none for the head.
fn entry_of(kind: Kind, sub: &[u8]) -> Result<Option<Bytes>, ApplyError> {
    match sub.split_first() {
        None => Ok(None),
        Some((&ENTRY, name)) => Ok(Some(Bytes::copy_from_slice(name))),
        Some(_) => Err(damaged(kind)(CodecError::Malformed { what: "subkey" })),
    }
}

/// `Ok` when a subkey of another replica can be an entry's.
fn check_entry(kind: Kind, sub: &[u8], limit: usize) -> Result<(), ApplyError> {
    match sub.split_first() {
        Some((&ENTRY, name)) => {
            crate::limits::check("entry", name.len(), limit).map_err(|limit| damaged(kind)(limit.into()))
        }
        _ => Err(damaged(kind)(CodecError::Malformed { what: "subkey" })),
    }
}

/// The answer to an operation of another family.
fn wrong_kind(wanted: Kind, op: &Body) -> ApplyError {
    ApplyError::WrongKind { wanted, found: op.kind() }
}

/// Marks a codec error in a row of `kind`.
fn damaged(kind: Kind) -> impl Fn(CodecError) -> ApplyError {
    move |source| ApplyError::Damaged { kind, source }
}

/// Reads a row to its end.
fn read_row<T>(
    kind: Kind,
    row: Bytes,
    read: impl FnOnce(&mut Reader) -> Result<T, CodecError>,
) -> Result<T, ApplyError> {
    let mut reader = Reader::new(row);
    read(&mut reader).and_then(|value| reader.finish().map(|()| value)).map_err(damaged(kind))
}

/// An origin number in a row.
fn read_number(reader: &mut Reader) -> Result<u32, CodecError> {
    const WHAT: &str = "origin number";
    u32::try_from(reader.varint(WHAT)?).map_err(|_| CodecError::Malformed { what: WHAT })
}

/// How many live entries a map or set has, by its head.
fn count(kind: Kind, rows: &dyn Rows) -> Result<u64, ApplyError> {
    rows.get(HEAD)?.map_or(Ok(0), |head| count_in(kind, &head))
}

/// How many live entries a head tells of.
fn count_in(kind: Kind, head: &Bytes) -> Result<u64, ApplyError> {
    read_row(kind, head.clone(), |reader| reader.varint("count"))
}

/// Takes note that an entry came to life or died. Without live entries there is no head.
fn recount(kind: Kind, rows: &mut dyn Rows, was_live: bool, is_live: bool) -> Result<(), ApplyError> {
    let old = count(kind, rows)?;
    let new = match (was_live, is_live) {
        (false, true) => old.saturating_add(1),
        (true, false) => old.saturating_sub(1),
        _ => return Ok(()),
    };
    if new == 0 {
        return Ok(rows.delete(HEAD)?);
    }
    let mut head = Vec::with_capacity(2);
    codec::put_varint(&mut head, new);
    Ok(rows.put(HEAD, head.into())?)
}

/// Up to `limit` entries that `keep` turns into something, in order, from after the entry `after`.
///
/// `keep` may drop entries (tombstones), so this reads on until it has enough.
fn entries<T>(
    rows: &dyn Rows,
    after: Option<&[u8]>,
    limit: usize,
    mut keep: impl FnMut(Bytes, Bytes) -> Result<Option<T>, ApplyError>,
) -> Result<Vec<T>, ApplyError> {
    /// Rows to ask for at once at least, so that a run of tombstones does not mean a call per row.
    const MIN_CHUNK: usize = 16;
    let mut kept = Vec::new();
    let mut after = after.map_or_else(|| Bytes::from_static(HEAD), |name| entry(name).into());
    while kept.len() < limit {
        let chunk = (limit - kept.len()).max(MIN_CHUNK);
        let found = rows.scan(Some(&after), chunk)?;
        let last = found.len() < chunk;
        for (sub, row) in found {
            if let Some(name) = entry_name(&sub)
                && kept.len() < limit
            {
                kept.extend(keep(name, row)?);
            }
            after = sub;
        }
        if last {
            break;
        }
    }
    Ok(kept)
}
