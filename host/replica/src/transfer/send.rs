//! The sender's side: pictures that are kept while somebody reads from them, and pages of them.

use std::sync::Arc;

use bytes::Bytes;
use numax_crdt::{NodeId, VersionVector, applier};
use numax_store::Table;

use super::{
    page::{MAX_PAGE, Page, Value},
    piece::{Part, parse_cursor},
};
use crate::{Core, FrozenError, FrozenRows, rows::name};

/// Pictures that are kept at once: each may hold [`PICTURE_BYTES`] of overwritten rows.
const PICTURES: usize = 2;
/// Bytes of overwritten rows after which a picture expires; its reader goes on with a new one.
const PICTURE_BYTES: usize = 64 << 20;
/// How long a picture is kept after it was read last, in milliseconds: for a link that is lost and found again, and a
/// receiver that starts anew. As long as a receiver waits before it gives the transfer up.
const KEPT_MS: u64 = 60_000;
/// A page that is so many times larger than was asked for goes in parts.
const TOO_LARGE: usize = 4;
/// Rows that are read at once.
const STEP: usize = 256;

/// A page that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// The picture of the page before; 0 for a new transfer.
    pub picture: u64,
    /// Where the piece before ended; empty for a new transfer.
    pub from: Bytes,
    /// What the picture of the pages before knew; empty for a new transfer.
    pub floor: VersionVector,
    /// About how many bytes to send; at least one row, or a part of it.
    pub max_bytes: usize,
}

/// A page, or a part of one, that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentPage {
    /// The picture it is of, to be named in the next request.
    pub picture: u64,
    /// Its bytes.
    pub page: Bytes,
}

/// The pictures that are being read.
#[derive(Debug, Default)]
pub(crate) struct Pictures {
    /// Number, picture, and when it was used last; the oldest first.
    kept: Vec<(u64, Arc<FrozenRows>, u64)>,
    last: u64,
}

impl Pictures {
    /// The picture with a number, if it can still be read.
    fn find(&mut self, number: u64, now_ms: u64) -> Option<Arc<FrozenRows>> {
        self.purge(now_ms);
        let (_, picture, used) = self.kept.iter_mut().find(|(known, _, _)| *known == number)?;
        *used = now_ms;
        Some(picture.clone())
    }

    /// One that shows exactly what another did.
    fn of(&mut self, vector: &VersionVector, now_ms: u64) -> Option<u64> {
        self.purge(now_ms);
        let (number, ..) = self.kept.iter().find(|(_, picture, _)| picture.as_of() == vector)?;
        Some(*number)
    }

    fn add(&mut self, picture: Arc<FrozenRows>, now_ms: u64) -> u64 {
        self.purge(now_ms);
        if self.kept.len() >= PICTURES {
            self.kept.remove(0);
        }
        // Not given twice, also not by two processes one after the other.
        self.last = (self.last + 1).max(now_ms);
        self.kept.push((self.last, picture, now_ms));
        self.last
    }

    /// Forgets those that nobody reads any more.
    pub(crate) fn purge(&mut self, now_ms: u64) {
        self.kept.retain(|(_, picture, used)| now_ms.saturating_sub(*used) < KEPT_MS && !picture.expired());
    }
}

impl Core {
    /// The picture to read a page from: its number, and where to read on. `now_ms` is Unix time in milliseconds.
    ///
    /// # Errors
    /// [`FrozenError::HeldBack`] as long as rows are ahead of what others may know.
    pub fn transfer_picture(
        &mut self,
        request: &PageRequest,
        now_ms: u64,
    ) -> Result<(u64, Arc<FrozenRows>, Bytes), FrozenError> {
        if self.rows_held_back() {
            return Err(FrozenError::HeldBack);
        }
        // The receiver may have been started anew, and pages of a peer that knew the same are as good.
        let number = match request.picture {
            0 if request.from.is_empty() => None,
            0 => self.pictures.of(&request.floor, now_ms),
            number => Some(number),
        };
        if let Some(number) = number
            && let Some(picture) = self.pictures.find(number, now_ms)
        {
            return Ok((number, picture, request.from.clone()));
        }
        let picture = self.freeze_rows(PICTURE_BYTES);
        let goes_on = *picture.as_of() == request.floor;
        let from = if goes_on { request.from.clone() } else { Bytes::new() };
        Ok((self.pictures.add(picture.clone(), now_ms), picture, from))
    }

    /// Reads a page for a peer that the log no longer reaches back to.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn transfer_page(&mut self, request: &PageRequest, now_ms: u64) -> Result<SentPage, FrozenError> {
        let (picture, rows, from) = self.transfer_picture(request, now_ms)?;
        let page = rows.piece(self.origin().node, from, request.max_bytes)?;
        Ok(SentPage { picture, page })
    }
}

impl FrozenRows {
    /// The bytes of what comes next at a cursor, about `max_bytes` of them: a page, or a part of one that is large.
    /// Blocks.
    ///
    /// # Errors
    /// See [`page`](Self::page).
    pub(crate) fn piece(&self, sender: NodeId, at: Bytes, max_bytes: usize) -> Result<Bytes, FrozenError> {
        let (from, offset) = parse_cursor(at).map_err(|_| FrozenError::Cursor)?;
        let whole = match self.large_page(&from) {
            Some(bytes) => bytes,
            None => self.page(sender, from.clone(), max_bytes)?.encode(),
        };
        let step = max_bytes.max(1);
        if offset == 0 && whole.len() <= step.saturating_mul(TOO_LARGE) {
            return Ok(whole);
        }
        if whole.len() > MAX_PAGE {
            return Err(FrozenError::TooLarge { size: whole.len(), limit: MAX_PAGE });
        }
        let start = usize::try_from(offset).ok().filter(|start| *start < whole.len());
        let start = start.ok_or(FrozenError::Cursor)?;
        let end = whole.len().min(start.saturating_add(step));
        let last = end == whole.len();
        // Putting it together took long.
        self.keep_large_page((!last).then(|| (from.clone(), whole.clone())));
        let bytes = whole.slice(start..end);
        Ok(Part { sender, as_of: self.as_of().clone(), from, offset, last, bytes }.encode())
    }

    /// The page of rows after a name, about `max_bytes` of them. Blocks.
    ///
    /// # Errors
    /// When the rows cannot be read. [`FrozenError::Ahead`] when they show more than their vector knows: who got them
    /// could remove something without knowing that its addition comes first, and so could not say so to others.
    pub fn page(&self, sender: NodeId, from: Bytes, max_bytes: usize) -> Result<Page, FrozenError> {
        if self.is_ahead() {
            return Err(FrozenError::Ahead);
        }
        let mut page = Page {
            sender,
            as_of: self.as_of().clone(),
            clock: self.clock(),
            to: None,
            values: Vec::new(),
            from,
        };
        let (mut after, mut bytes) = (page.from.clone(), 0);
        loop {
            let (rows, next) = self.rows(&[Table::Rows as u8], &after, STEP)?;
            for (row, value) in rows {
                if bytes >= max_bytes && after > page.from {
                    page.to = Some(after);
                    return Ok(page);
                }
                bytes += self.put(&mut page.values, &row, &value)?;
                after = row;
            }
            match next {
                Some(next) => after = next,
                None => return Ok(page),
            }
        }
    }

    /// Adds a row to a page; answers its size.
    fn put(&self, values: &mut Vec<Value>, row: &Bytes, content: &Bytes) -> Result<usize, FrozenError> {
        let Some((kind, key, sub)) = name::parse(row) else { return Ok(0) };
        let Some(family) = applier(kind) else { return Ok(0) };
        let Some((sub, content)) = family.export(&self.value(kind, &key), sub, content)? else {
            return Ok(0);
        };
        let size = sub.len() + content.len() + 8;
        match values.last_mut() {
            Some(value) if value.kind == kind && value.key == key => value.rows.push((sub, content)),
            _ => values.push(Value { kind, key, rows: vec![(sub, content)] }),
        }
        Ok(size)
    }
}
