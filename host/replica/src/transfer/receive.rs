//! The receiver's side: merging pages, and where a transfer is.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use numax_crdt::{
    ApplyError, CodecError, Hlc, Key, Kind, Known, NodeId, OpKind, Origin, Rows, VersionVector, applier,
    codec::{Reader, put_bytes},
};
use numax_store::Table;

use super::page::Page;
use crate::{
    applied::Change,
    error::CoreError,
    rows::{
        name,
        shared::Shared,
        staging::{StagedRows, Staging},
        view::{Access, Supplied},
    },
};

/// Own rows that are looked at under one hold of a range.
const STEP: usize = 1024;

/// A transfer that has begun and not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Who sends.
    pub sender: NodeId,
    /// What the picture of the first page knew: what will be known in the end.
    pub floor: VersionVector,
    /// The last name of the last range.
    pub cursor: Bytes,
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
    /// What rows may show beside what is known: everything that senders of pages knew. As long as not all of it is known
    /// here, rows are ahead of the vector.
    pub ahead: VersionVector,
}

/// How far a transfer has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferState {
    /// Who sends.
    pub sender: NodeId,
    /// What will be known in the end.
    pub floor: VersionVector,
    /// The end of the last range.
    pub cursor: Bytes,
}

/// What became of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transferred {
    /// The log position behind it.
    pub position: u64,
    /// How far the transfer has come; none when this was the last page.
    pub next: Option<TransferState>,
}

impl Place {
    /// Whether the transfer under way brings a batch, so that it must not be applied by itself.
    pub(crate) fn brings(&self, dot: numax_crdt::Dot) -> bool {
        self.incoming.as_ref().is_some_and(|incoming| incoming.floor.covers(dot))
    }

    /// A batch that the transfer would have brought was applied by itself: the transfer was given up.
    pub(crate) fn applied(&mut self, dot: numax_crdt::Dot) {
        if self.brings(dot) {
            self.incoming = None;
        }
    }

    /// Whether a page is the next one of the transfer under way, or the first of another.
    pub(crate) fn takes(&self, page: &Page) -> bool {
        page.from.is_empty()
            || self.incoming.as_ref().is_some_and(|incoming| {
                incoming.cursor == page.from && page.as_of.covers_vector(&incoming.floor)
            })
    }

    /// The notes of the engine: what is kept across restarts.
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = vec![if self.ahead.is_empty() { 1 } else { 2 }];
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
        }
        if !self.ahead.is_empty() {
            self.ahead.encode_into(&mut out);
        }
        out.into()
    }

    /// What [`encode`](Self::encode) gave.
    pub(crate) fn decode(bytes: Bytes) -> Result<Self, CodecError> {
        const WHAT: &str = "notes of a transfer";
        let mut reader = Reader::new(bytes);
        let version = reader.u8(WHAT)?;
        if !(1..=2).contains(&version) {
            return Err(CodecError::Tag { what: WHAT, tag: version });
        }
        let floor = Hlc::from_u64(reader.u64(WHAT)?);
        let base = match reader.u8(WHAT)? {
            0 => None,
            _ => Some((reader.u64(WHAT)?, VersionVector::read(&mut reader)?)),
        };
        let incoming = match reader.u8(WHAT)? {
            0 => None,
            _ => Some(Incoming {
                sender: NodeId(reader.array(WHAT)?),
                floor: VersionVector::read(&mut reader)?,
                cursor: reader.bytes(WHAT, usize::MAX)?,
            }),
        };
        let ahead = if version > 1 { VersionVector::read(&mut reader)? } else { VersionVector::new() };
        reader.finish()?;
        Ok(Self { incoming, base, floor, ahead })
    }
}

/// What a page moves on.
pub(crate) struct Merging<'a> {
    pub place: &'a mut Place,
    pub vector: &'a mut VersionVector,
    pub deps: &'a mut BTreeMap<Origin, u64>,
    /// What is written under here.
    pub own: Option<Origin>,
    /// For simulators that look for this bug: rows that the sender has removed stay.
    pub keeps: bool,
}

/// Merges a page into staged rows and moves the transfer on; `position` is the one behind the page's record. Answers
/// whether it was the last page (then the vector has moved), and what changed for a reader. Live and in a replay the same.
pub(crate) fn merge_page(
    shared: &Shared,
    staging: &mut Staging,
    into: Merging<'_>,
    page: &Page,
    position: u64,
) -> Result<(bool, Vec<Change>), CoreError> {
    let Merging { place, vector, deps, own, keeps } = into;
    if vector.covers_vector(&place.ahead) {
        place.ahead = VersionVector::new();
    }
    place.ahead.merge(&page.as_of);
    let known = Known { ours: vector, theirs: &page.as_of };
    let mut sent = BTreeSet::new();
    let mut changed = BTreeMap::new();
    for value in &page.values {
        let family =
            applier(value.kind).ok_or_else(|| CoreError::Invalid("a page of unknown rows".to_string()))?;
        let prefix = name::value_prefix(value.kind, value.key.as_bytes());
        for (sub, row) in &value.rows {
            let mut rows = StagedRows::new(shared, staging, value.kind, &value.key);
            if family.merge(&mut rows, sub, row, known)? {
                changed.insert((value.kind, value.key.clone()), written(value.kind));
            }
            sent.insert([&prefix[..], sub].concat());
        }
    }
    if !keeps {
        remove_absent(shared, staging, page, &sent, known, &mut changed)?;
    }
    let changed = changed.into_iter().map(|((kind, key), op)| Change { kind, key, op }).collect();

    // Whoever writes here from now on may have seen any of it.
    for (origin, seq) in page.as_of.iter() {
        if Some(*origin) != own && seq > vector.get(origin) {
            let known = deps.entry(*origin).or_default();
            *known = seq.max(*known);
        }
    }
    place.floor = place.floor.max(page.clock);
    let floor = match place.incoming.take() {
        Some(incoming) if !page.from.is_empty() => incoming.floor,
        _ => page.as_of.clone(),
    };
    match &page.to {
        Some(to) => {
            place.incoming = Some(Incoming { sender: page.sender, floor, cursor: to.clone() });
            Ok((false, changed))
        }
        None => {
            vector.merge(&floor);
            place.base = Some((position, vector.clone()));
            Ok((true, changed))
        }
    }
}

/// The operation that a watcher is told of when rows of a value came: which one it was nobody knows any more.
fn written(kind: Kind) -> OpKind {
    match kind {
        Kind::GCounter | Kind::PnCounter => OpKind::Increment,
        Kind::LwwRegister | Kind::LwwMap => OpKind::Set,
        Kind::OrSet => OpKind::Add,
        Kind::Rga => OpKind::Insert,
        Kind::Text => OpKind::Edit,
    }
}

/// Removes of our rows in the range what the sender knows and does not have.
fn remove_absent(
    shared: &Shared,
    staging: &mut Staging,
    page: &Page,
    sent: &BTreeSet<Vec<u8>>,
    known: Known<'_>,
    changed: &mut BTreeMap<(Kind, Key), OpKind>,
) -> Result<(), CoreError> {
    let within = |row: &[u8]| row > &page.from[..] && page.to.as_ref().is_none_or(|to| row <= &to[..]);
    let supplied = Supplied::default();
    let access = Access::new(shared, &supplied, true);
    // Those that the group has written before this page, and those committed.
    let staged = staging.names(&[Table::Rows as u8]);
    let mut candidates: Vec<Bytes> = staged.into_iter().filter(|row| within(row)).collect();
    let mut after = page.from.clone();
    loop {
        let (rows, next) = access.rows(&[Table::Rows as u8], &after, STEP, false)?;
        let beyond = rows.last().is_some_and(|(row, _)| !within(row));
        candidates.extend(rows.into_iter().map(|(row, _)| row).filter(|row| within(row)));
        for row in candidates.drain(..).filter(|row| !sent.contains(&row[..])) {
            let Some((kind, key, sub)) = name::parse(&row) else { continue };
            let Some(family) = applier(kind) else { continue };
            let mut rows = StagedRows::new(shared, staging, kind, &key);
            if let Some(content) = rows.get(sub).map_err(ApplyError::from)?
                && family.absent(&mut rows, sub, &content, known)?
            {
                changed.entry((kind, key.clone())).or_insert(OpKind::Remove);
            }
        }
        match next {
            Some(next) if !beyond => after = next,
            _ => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notes_of_a_transfer_lead_back_and_are_frozen() {
        let origin = Origin { node: NodeId([1; 32]), epoch: 0, nonce: 2 };
        let vector = VersionVector::from_iter([(origin, 5)]);
        let place = Place {
            incoming: Some(Incoming {
                sender: NodeId([9; 32]),
                floor: vector.clone(),
                cursor: Bytes::from_static(b"\x01x"),
            }),
            base: Some((7, vector.clone())),
            floor: Hlc::from_u64(3),
            ahead: VersionVector::new(),
        };
        let ahead = Place { ahead: vector, ..place.clone() };
        for place in [place.clone(), ahead, Place::default(), Place { incoming: None, ..place }] {
            assert_eq!(Place::decode(place.encode()), Ok(place));
        }
        assert_eq!(Place::default().encode()[..], [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert!(Place::decode(Bytes::from_static(&[3])).is_err());
    }
}
