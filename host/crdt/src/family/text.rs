//! Text for several hands: a Yjs document. What it means, and how it is edited, is in [`text`](crate::text).
//!
//! Rows: the head; `1, 0, number` → a part of the folded state; `1, 1, number` → the dot and bytes of an update that came
//! after it, in order of arrival. Applying an operation appends a row and reads nothing but the head; from time to time the updates are
//! folded into the state. When that happens is each replica's own affair: what the rows hold together is the union of
//! all updates, and that is what is compared.
//!
//! A text exists from the first edit on, also while it is empty: nothing tells that without putting it together.

use bytes::Bytes;

use super::{
    ENTRY, HEAD, Known, OpApplier, RowContent, RowFacts, RowName, damaged, read_number, read_row, wrong_kind,
};
use crate::{
    batch::{OpReader, OpWriter},
    codec::{self, CodecError},
    id::Dot,
    kind::{Kind, OpKind},
    limits::MAX_TEXT_UPDATE,
    op::Body,
    rows::{ApplyError, RowError, Rows},
    text::State,
};

const KIND: Kind = Kind::Text;

/// Bytes of one part of a stored state.
const PART: usize = 256 << 10;
/// Updates are folded in when there are so many, and one more for each KiB of the state...
const FOLD_ROWS: u64 = 256;
/// ...or when they have so many bytes, and half as many as the state.
const FOLD_BYTES: u64 = 64 << 10;

/// The family.
#[derive(Debug)]
pub struct Text;

/// How far a reader has read a text: the number of the next update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Version(pub u64);

/// The head of a text's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Head {
    /// The numbers of the first update that is not in the state, and of the next one.
    first: u64,
    next: u64,
    /// Parts and bytes of the state.
    parts: u32,
    state_bytes: u64,
    /// Bytes of the updates.
    update_bytes: u64,
}

impl Head {
    fn read(rows: &dyn Rows) -> Result<Option<Self>, ApplyError> {
        rows.get(HEAD)?.map(Self::decode).transpose()
    }

    fn decode(row: Bytes) -> Result<Self, ApplyError> {
        let head = read_row(KIND, row, |reader| {
            Ok(Self {
                first: reader.varint("first update")?,
                next: reader.varint("next update")?,
                parts: read_number(reader)?,
                state_bytes: reader.varint("size")?,
                update_bytes: reader.varint("size")?,
            })
        })?;
        // So a damaged head cannot make anybody read for ever.
        match head.next.checked_sub(head.first) {
            Some(count) if count <= FOLD_ROWS + (head.state_bytes >> 10) + 1 => Ok(head),
            _ => Err(damaged(KIND)(CodecError::Malformed { what: "head" })),
        }
    }

    fn encode(self) -> Bytes {
        let mut out = Vec::with_capacity(16);
        let numbers = [self.first, self.next, self.parts.into(), self.state_bytes, self.update_bytes];
        numbers.iter().for_each(|number| codec::put_varint(&mut out, *number));
        out.into()
    }

    fn is_due(self) -> bool {
        self.next - self.first >= FOLD_ROWS + (self.state_bytes >> 10)
            || self.update_bytes >= FOLD_BYTES.max(self.state_bytes / 2)
    }
}

fn part_key(number: u32) -> [u8; 6] {
    let [a, b, c, d] = number.to_be_bytes();
    [ENTRY, 0, a, b, c, d]
}

fn update_key(number: u64) -> Vec<u8> {
    let mut sub = vec![ENTRY, 1];
    sub.extend_from_slice(&number.to_be_bytes());
    sub
}

/// An update's row: the dot that wrote it, and the bytes.
fn encode_update(number: u32, dot: Dot, bytes: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(bytes.len() + 8);
    codec::put_varint(&mut out, number.into());
    codec::put_varint(&mut out, dot.seq);
    out.extend_from_slice(bytes);
    out.into()
}

/// Who wrote an update (the origin's number, the batch's), and its bytes.
fn decode_update(row: Bytes) -> Result<((u32, u64), Bytes), ApplyError> {
    read_row(KIND, row, |reader| {
        let writer = (read_number(reader)?, reader.varint("sequence number")?);
        Ok((writer, reader.take(reader.remaining(), "text")?))
    })
}

fn bad_subkey() -> ApplyError {
    damaged(KIND)(CodecError::Malformed { what: "subkey" })
}

fn missing() -> ApplyError {
    damaged(KIND)(CodecError::Truncated { what: "rows" })
}

fn load_state(bytes: &[u8]) -> Result<State, ApplyError> {
    State::load(bytes).map_err(|_| damaged(KIND)(CodecError::Malformed { what: "state" }))
}

impl OpApplier for Text {
    fn kind(&self) -> Kind {
        KIND
    }

    fn usual_op(&self) -> OpKind {
        OpKind::Edit
    }

    fn write(&self, op: &Body, fields: &mut OpWriter<'_>) {
        if let Body::Text { update } = op {
            fields.tag(12);
            fields.bytes("text update", MAX_TEXT_UPDATE, update);
        }
    }

    fn read(&self, _tag: u8, fields: &mut OpReader<'_>) -> Result<Body, CodecError> {
        let update = fields.bytes("text update", MAX_TEXT_UPDATE)?;
        State::read_update(&update).map_err(|_| CodecError::Malformed { what: "text update" })?;
        Ok(Body::Text { update })
    }

    fn apply(&self, rows: &mut dyn Rows, dot: Dot, op: &Body) -> Result<Option<OpKind>, ApplyError> {
        let Body::Text { update } = op else { return Err(wrong_kind(KIND, op)) };
        let mut head = Head::read(rows)?.unwrap_or_default();
        let number = rows.intern(&dot.origin)?;
        rows.put(&update_key(head.next), encode_update(number, dot, update))?;
        head.next += 1;
        head.update_bytes += update.len() as u64;
        if head.is_due() {
            let state = union(rows, head, head.first)?;
            head = store(rows, head, &state)?;
        }
        rows.put(HEAD, head.encode())?;
        Ok(Some(op.op_kind()))
    }

    fn is_live(&self, head: &Bytes) -> Result<bool, ApplyError> {
        Head::decode(head.clone()).map(|_| true)
    }

    fn export(&self, rows: &dyn Rows, sub: &[u8], _: &Bytes) -> Result<Option<(Bytes, Bytes)>, ApplyError> {
        if sub != HEAD {
            return Ok(None);
        }
        let (state, _) = read(rows)?;
        Ok(Some((Bytes::from_static(HEAD), state.store().into())))
    }

    fn describe(&self, rows: &dyn Rows, sub: &[u8], row: &Bytes) -> Result<RowFacts, ApplyError> {
        let size = RowContent::Bytes(row.len() as u64);
        match sub {
            HEAD => {
                let head = Head::decode(row.clone())?;
                let stored = RowContent::Bytes(head.state_bytes + head.update_bytes);
                Ok(RowFacts::derived(RowName::Head, stored))
            }
            [ENTRY, 0, number @ ..] => {
                let number = number.try_into().map(u32::from_be_bytes).map_err(|_| bad_subkey())?;
                Ok(RowFacts::derived(RowName::Part(number), size))
            }
            [ENTRY, 1, number @ ..] => {
                let number = number.try_into().map(u64::from_be_bytes).map_err(|_| bad_subkey())?;
                let (writer, bytes) = decode_update(row.clone())?;
                let written_by = vec![Dot { origin: rows.origin(writer.0)?, seq: writer.1 }];
                let content = RowContent::Bytes(bytes.len() as u64);
                Ok(RowFacts { name: RowName::Update(number), written_by, hlc: None, content })
            }
            _ => Err(bad_subkey()),
        }
    }

    fn check(&self, sub: &[u8], row: &Bytes) -> Result<(), ApplyError> {
        match sub {
            HEAD => load_state(row).map(|_| ()),
            _ => Err(bad_subkey()),
        }
    }

    fn merge(&self, rows: &mut dyn Rows, _: &[u8], row: &Bytes, _: Known<'_>) -> Result<bool, ApplyError> {
        let theirs = load_state(row)?;
        let found = Head::read(rows)?;
        let head = found.unwrap_or_default();
        let ours = union(rows, head, head.first)?;
        let mut both = ours.clone();
        both.merge(theirs);
        if found.is_some() && both == ours {
            return Ok(false);
        }
        // One update more, so that whoever has read the text reads on.
        let head = store(rows, head, &both)?;
        rows.put(HEAD, Head { first: head.first + 1, next: head.next + 1, ..head }.encode())?;
        Ok(true)
    }
}

/// Puts a state in the place of all rows but the head, which it answers.
fn store(rows: &mut dyn Rows, head: Head, state: &State) -> Result<Head, ApplyError> {
    let bytes = Bytes::from(state.store());
    let mut parts = 0;
    for part in bytes.chunks(PART) {
        rows.put(&part_key(parts), Bytes::copy_from_slice(part))?;
        parts += 1;
    }
    for part in parts..head.parts {
        rows.delete(&part_key(part))?;
    }
    for update in head.first..head.next {
        rows.delete(&update_key(update))?;
    }
    Ok(Head { first: head.next, next: head.next, parts, state_bytes: bytes.len() as u64, update_bytes: 0 })
}

/// The union of the updates from `from` on, and of the state if they begin after it.
fn union(rows: &dyn Rows, head: Head, from: u64) -> Result<State, ApplyError> {
    // After a miss the reads go on, so that one load brings all of them.
    let mut miss = false;
    let mut get = |sub: &[u8]| match rows.get(sub) {
        Ok(row) => row.ok_or_else(missing).map(Some),
        Err(RowError::Miss) => {
            miss = true;
            Ok(None)
        }
        Err(error) => Err(error.into()),
    };
    let mut state = Vec::new();
    let whole = from <= head.first;
    for part in 0..if whole { head.parts } else { 0 } {
        state.extend_from_slice(&get(&part_key(part))?.unwrap_or_default());
    }
    let mut updates = Vec::new();
    for update in from.max(head.first)..head.next {
        updates.extend(get(&update_key(update))?.map(decode_update).transpose()?.map(|(_, bytes)| bytes));
    }
    if miss {
        return Err(RowError::Miss.into());
    }
    let updates: Result<Vec<State>, ApplyError> = updates.iter().map(|update| load_state(update)).collect();
    let mut all = State::union(updates?);
    if !state.is_empty() {
        let mut state = load_state(&state)?;
        state.merge(all);
        all = state;
    }
    Ok(all)
}

/// The whole text, and how far that is.
///
/// # Errors
/// When rows cannot be read or are damaged, as for every read here.
pub fn read(rows: &dyn Rows) -> Result<(State, Version), ApplyError> {
    let Some(head) = Head::read(rows)? else { return Ok(Default::default()) };
    Ok((union(rows, head, head.first)?, Version(head.next)))
}

/// What came since a reader was there: with the whole text in it if the updates in between are folded.
///
/// # Errors
/// See [`read`].
pub fn read_since(rows: &dyn Rows, version: Version) -> Result<(State, Version), ApplyError> {
    let Some(head) = Head::read(rows)? else { return Ok(Default::default()) };
    // A version from before the last fold needs the state; one right at it does not.
    let from = if version.0 < head.first || version.0 > head.next { 0 } else { version.0 };
    let state = if from == head.next && from > 0 {
        State::default()
    } else if from == head.first && from > 0 {
        union(rows, Head { parts: 0, ..head }, from)?
    } else {
        union(rows, head, from)?
    };
    Ok((state, Version(head.next)))
}

/// How far a reader is that has read all; none when there is no text.
///
/// # Errors
/// See [`read`].
pub fn version(rows: &dyn Rows) -> Result<Version, ApplyError> {
    Ok(Version(Head::read(rows)?.unwrap_or_default().next))
}

/// The bytes that it takes in storage.
///
/// # Errors
/// See [`read`].
pub fn stored_bytes(rows: &dyn Rows) -> Result<u64, ApplyError> {
    let head = Head::read(rows)?.unwrap_or_default();
    Ok(head.state_bytes + head.update_bytes)
}
