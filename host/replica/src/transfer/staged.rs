//! Pages that are staged: kept in node-local rows that guests cannot name, until all of a transfer are here.
//!
//! A piece goes into the log as a record of its own and, by that, into rows; in parts, because a row has a limit. A
//! step of merging is a record that removes the rows of a page: live and in a replay, the page is merged in front of
//! that.

use bytes::Bytes;
use numax_store::Table;

use super::{
    page::{Page, PageError},
    piece::Piece,
    place::{Incoming, Place},
};
use crate::{
    error::CoreError,
    rows::{name, shared::Shared, staging::Staging},
};

/// What the local keys of staged pages begin with.
pub(crate) const PREFIX: &[u8] = b"__nx/page/";
/// Bytes of a page in one row.
const ROW: usize = 1 << 20;

/// A row of a staged page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StagedPart {
    /// Of which transfer, see [`Incoming::id`].
    pub id: u64,
    /// Of which of its pages.
    pub page: u32,
    /// Which of the page's rows.
    pub part: u32,
}

impl StagedPart {
    /// The local key of the row.
    pub(crate) fn key(self) -> Vec<u8> {
        let mut key = PREFIX.to_vec();
        key.extend_from_slice(&self.id.to_be_bytes());
        key.extend_from_slice(&self.page.to_be_bytes());
        key.extend_from_slice(&self.part.to_be_bytes());
        key
    }

    /// What a local key names, if it is one of these.
    pub(crate) fn parse(key: &[u8]) -> Option<Self> {
        let (id, rest) = key.strip_prefix(PREFIX)?.split_first_chunk::<8>()?;
        let (page, rest) = rest.split_first_chunk::<4>()?;
        let part: [u8; 4] = rest.try_into().ok()?;
        Some(Self {
            id: u64::from_be_bytes(*id),
            page: u32::from_be_bytes(*page),
            part: u32::from_be_bytes(part),
        })
    }

    /// What the names of all such rows begin with.
    pub(crate) fn names() -> Vec<u8> {
        let mut name = vec![Table::Local as u8];
        name.extend_from_slice(PREFIX);
        name
    }
}

/// What a piece completes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Completes {
    /// Nothing yet.
    Nothing,
    /// A page that ends with this name.
    Page(Bytes),
    /// All.
    All,
}

impl Place {
    /// What a piece that [is taken](Self::takes) completes.
    ///
    /// # Errors
    /// When its page, whole now, is none: then the transfer leads nowhere.
    pub(crate) fn completes(
        &self,
        shared: &Shared,
        staging: &Staging,
        piece: &Piece,
    ) -> Result<Completes, CoreError> {
        let ends = |to: &Option<Bytes>| to.clone().map_or(Completes::All, Completes::Page);
        let part = match piece {
            Piece::Page(page) => return Ok(ends(&page.to)),
            Piece::Part(part) if !part.last => return Ok(Completes::Nothing),
            Piece::Part(part) => part,
        };
        let mut bytes = match &self.incoming {
            Some(incoming) if part.offset > 0 => read(shared, staging, incoming, incoming.pages)?.0,
            _ => Vec::new(),
        };
        bytes.extend_from_slice(&part.bytes);
        let page = Page::decode(bytes.into())?;
        if page.sender != part.sender || page.as_of != part.as_of || page.from != part.from {
            return Err(PageError::Invalid("something else than its parts say").into());
        }
        Ok(ends(&page.to))
    }

    /// Stages a piece whose record ends at `position`; `bytes` are the record's.
    pub(crate) fn stage(
        &mut self,
        staging: &mut Staging,
        piece: &Piece,
        bytes: &Bytes,
        completes: Completes,
        position: u64,
    ) {
        if piece.cursor().is_empty() || self.incoming.is_none() {
            self.incoming = Some(Incoming {
                sender: piece.sender(),
                floor: piece.as_of().clone(),
                cursor: Bytes::new(),
                id: position,
                pages: 0,
                parts: 0,
                merged: 0,
                whole: false,
            });
        }
        let Some(incoming) = &mut self.incoming else { return };
        incoming.sender = piece.sender();
        let (bytes, next) = match piece {
            Piece::Page(_) => (bytes, Bytes::new()),
            Piece::Part(part) => (&part.bytes, part.next()),
        };
        for start in (0..bytes.len()).step_by(ROW) {
            let row = StagedPart { id: incoming.id, page: incoming.pages, part: incoming.parts };
            let part = bytes.slice(start..bytes.len().min(start + ROW));
            staging.put(&name::local(&row.key()), Some(part));
            incoming.parts += 1;
        }
        match completes {
            Completes::Nothing => incoming.cursor = next,
            Completes::Page(to) => {
                incoming.cursor = to;
                incoming.pages += 1;
                incoming.parts = 0;
            }
            Completes::All => {
                incoming.pages += 1;
                incoming.parts = 0;
                incoming.whole = true;
            }
        }
    }

    /// The page that is merged next, with the keys of its rows, and whether it is the last; none when nothing is to be
    /// merged. `early`, for simulators that look for this bug: also when pages are missing.
    pub(crate) fn next_page(
        &self,
        shared: &Shared,
        staging: &Staging,
        early: bool,
    ) -> Result<Option<(Page, Vec<Bytes>, bool)>, CoreError> {
        let ready = |incoming: &&Incoming| incoming.whole || (early && incoming.merged < incoming.pages);
        let Some(incoming) = self.incoming.as_ref().filter(ready) else {
            return Ok(None);
        };
        let (bytes, keys) = read(shared, staging, incoming, incoming.merged)?;
        let last = incoming.whole && incoming.merged + 1 >= incoming.pages;
        Ok(Some((Page::decode(bytes.into())?, keys, last)))
    }

    /// Whether the removal of this row is the merging of its page.
    pub(crate) fn merges_by(&self, row: StagedPart) -> bool {
        self.incoming.as_ref().is_some_and(|incoming| {
            incoming.whole && (incoming.id, incoming.merged, 0) == (row.id, row.page, row.part)
        })
    }
}

/// Reads a staged page; the keys of its rows with it.
fn read(
    shared: &Shared,
    staging: &Staging,
    incoming: &Incoming,
    page: u32,
) -> Result<(Vec<u8>, Vec<Bytes>), CoreError> {
    let (mut bytes, mut keys) = (Vec::new(), Vec::new());
    for part in 0.. {
        let key = StagedPart { id: incoming.id, page, part }.key();
        let Some(row) = staging.get(shared, &name::local(&key))? else { break };
        bytes.extend_from_slice(&row);
        keys.push(key.into());
    }
    Ok((bytes, keys))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_lead_back_and_cannot_be_a_guests() {
        let part = StagedPart { id: 7, page: 258, part: 3 };
        assert_eq!(StagedPart::parse(&part.key()), Some(part));
        assert_eq!(StagedPart::parse(&part.key()[..20]), None);
        assert_eq!(StagedPart::parse(b"guest"), None);
        assert!(part.key().starts_with(numax_crdt::limits::RESERVED_PREFIX.as_bytes()));
        assert_eq!(name::local(PREFIX), StagedPart::names());
    }
}
