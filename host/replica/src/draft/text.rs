//! The texts of a draft.
//!
//! A turn that edits a text holds it until its batch is committed, and sees it as it was when it took hold of it, with
//! its own edits. A turn that only reads sees what is committed.

use bytes::Bytes;
use numax_crdt::{
    ApplyError, Key, Kind,
    family::text,
    limits::{MAX_TEXT, MAX_TEXT_UPDATE},
    text::{Document, EditError, State, client_id, read_state_vector, write_state_vector},
};

use super::{Cost, Draft, allowed, named};
use crate::{
    error::DraftError,
    texts::{Acquired, Hold, Open, Permit},
};

/// What an insertion or a removal takes of the update at most, besides the text: a struct with two neighbours.
const EDIT: usize = 48;
/// What each removed unit may take: a range of its own.
const UNIT: usize = 16;
/// The most removed units that are counted so; more of them are nearly always few ranges, and a batch that is still
/// too large is refused as a whole.
const MAX_UNITS: u32 = 1 << 12;

/// A text that the turn holds.
#[derive(Debug)]
pub(super) struct HeldText {
    hold: Hold,
    /// The document, once it was needed.
    open: Option<Open>,
    /// What its edits count.
    cost: Cost,
    /// Why the document cannot be used any more: then neither can the turn.
    broken: Option<String>,
}

impl Draft {
    /// Inserts `chunk` before the UTF-16 unit at `index`.
    ///
    /// # Errors
    /// See [`DraftError`], as for every function here. [`DraftError::Busy`] when somebody else edits the text.
    pub fn text_insert(&mut self, key: &Key, index: u32, chunk: &str) -> Result<(), DraftError> {
        self.text_edit(key, EDIT + chunk.len(), true, |document| document.insert(index, chunk))
    }

    /// Removes `len` UTF-16 units from `index` on.
    ///
    /// # Errors
    /// See [`DraftError`].
    pub fn text_remove(&mut self, key: &Key, index: u32, len: u32) -> Result<(), DraftError> {
        let bytes = EDIT + UNIT * len.min(MAX_UNITS) as usize;
        self.text_edit(key, bytes, false, |document| document.remove(index, len))
    }

    /// Removes all that is seen.
    ///
    /// # Errors
    /// See [`DraftError`].
    pub fn text_clear(&mut self, key: &Key) -> Result<(), DraftError> {
        let size = self.text_held(key)?.0.document.size();
        if size == 0 {
            return Ok(());
        }
        self.text_remove(key, 0, size)
    }

    /// Merges a Yjs update (version 1) of others.
    ///
    /// # Errors
    /// [`DraftError::Invalid`] also when it is no update of a plain text, or builds on edits that are not there.
    pub fn text_apply_update(&mut self, key: &Key, update: &[u8]) -> Result<(), DraftError> {
        allowed(key.as_bytes())?;
        let state = State::read_update(update).map_err(|error| DraftError::Invalid(error.to_string()))?;
        self.text_edit(key, EDIT + update.len(), true, |document| document.apply_update(state).map(drop))
    }

    /// The text.
    ///
    /// # Errors
    /// See [`DraftError`].
    pub fn text_read(&mut self, key: &Key) -> Result<String, DraftError> {
        self.text_look(key, Document::text)
    }

    /// How many UTF-16 units the text has.
    ///
    /// # Errors
    /// See [`DraftError`].
    pub fn text_size(&mut self, key: &Key) -> Result<u32, DraftError> {
        self.text_look(key, |document| Ok(document.size()))
    }

    /// How far each client's edits are known: a Yjs state vector.
    ///
    /// # Errors
    /// See [`DraftError`].
    pub fn text_state_vector(&mut self, key: &Key) -> Result<Bytes, DraftError> {
        self.text_look(key, |document| Ok(write_state_vector(document.clocks()?).into()))
    }

    /// What a replica with the Yjs state vector `since` lacks (none: everything), as a Yjs update (version 1).
    ///
    /// # Errors
    /// [`DraftError::Invalid`] also when `since` is no state vector.
    pub fn text_diff(&mut self, key: &Key, since: Option<&[u8]>) -> Result<Bytes, DraftError> {
        let known = since.map(read_state_vector).transpose();
        let known =
            known.map_err(|_| DraftError::Invalid("the bytes are no Yjs state vector".to_string()))?;
        self.text_look(key, |document| {
            let state = document.state()?;
            Ok(known.map_or_else(|| state.write_update(), |known| state.since(&known).write_update()).into())
        })
    }

    /// Takes a text that was waited for.
    pub fn admit(&mut self, Permit(hold): Permit) {
        let held = HeldText { open: None, cost: Cost::default(), broken: None, hold };
        self.texts.insert(held.hold.key().clone(), held);
    }

    /// The texts that the turn has written.
    pub(super) fn own_texts(&self) -> Vec<Key> {
        let written = self
            .texts
            .iter()
            .filter(|(_, held)| held.open.as_ref().is_some_and(|open| open.document.has_written()));
        written.map(|(key, _)| key.clone()).collect()
    }

    /// The texts that the turn has written, for its batch; the turn holds none any more.
    pub(super) fn take_texts(&mut self) -> (Vec<(Key, Bytes)>, crate::texts::Holds) {
        let (mut ops, mut holds) = (Vec::new(), crate::texts::Holds::default());
        for (key, held) in std::mem::take(&mut self.texts) {
            let Some(mut open) = held.open else { continue };
            match open.document.take_written() {
                Ok(written) if written.is_empty() && held.broken.is_none() => held.hold.keep(open),
                Ok(written) if held.broken.is_none() => {
                    ops.push((key, written.write_update().into()));
                    holds.push(held.hold, open);
                }
                // No update is a refused one: a turn must not commit without what it wrote.
                _ => ops.push((key, Bytes::new())),
            }
        }
        // What is taken is another's from now on, and may be waited for.
        self.turn = self.reader.shared.texts.new_turn();
        (ops, holds)
    }

    /// Gives up what the turn did to texts.
    pub(super) fn drop_texts(&mut self) {
        for (_, held) in std::mem::take(&mut self.texts) {
            if let Some(open) = held.open.filter(|open| !open.document.has_written())
                && held.broken.is_none()
            {
                held.hold.keep(open);
            }
        }
    }

    /// Edits a text that the turn holds. `bytes` is what that takes of the batch at most.
    fn text_edit(
        &mut self,
        key: &Key,
        bytes: usize,
        grows: bool,
        edit: impl FnOnce(&mut Document) -> Result<(), EditError>,
    ) -> Result<(), DraftError> {
        let (open, cost) = self.text_held(key)?;
        let mut new = Cost::text(key.as_bytes(), bytes).plus(cost.without_op());
        let stored = open.stored.saturating_add(new.bytes() as u64);
        if new.bytes() > MAX_TEXT_UPDATE || stored > MAX_TEXT as u64 || self.usage.replace(cost, new).is_err()
        {
            // The bound is generous: count what is really there.
            let exact = self.text_written(key)?;
            new = Cost::text(key.as_bytes(), exact.saturating_add(bytes));
            let edits = new.bytes();
            if edits > MAX_TEXT_UPDATE {
                return Err(DraftError::Invalid(format!(
                    "the edits of the text {} in one turn take {edits} bytes with {EDIT} for each edit, the limit is \
                     {MAX_TEXT_UPDATE}; write the rest in another turn",
                    named(key)
                )));
            }
            let rows = self.text_held(key)?.0.stored.saturating_add(edits as u64);
            if grows && rows > MAX_TEXT as u64 {
                let stored = self.text_stored(key)?.saturating_add(bytes);
                if stored > MAX_TEXT {
                    return Err(DraftError::Invalid(format!(
                        "text too large: {} would take {stored} bytes with its history, the limit is {MAX_TEXT}; remove \
                         what is not needed, or go on under a new key",
                        named(key)
                    )));
                }
            }
            self.usage.replace(cost, new)?;
        }
        let Some(held) = self.texts.get_mut(key) else { return Ok(()) };
        let Some(open) = &mut held.open else { return Ok(()) };
        match edit(&mut open.document) {
            Ok(()) => {
                held.cost = new;
                Ok(())
            }
            Err(error) => {
                // Smaller than what was allowed a moment ago, or no more than it.
                self.usage.replace(new, cost)?;
                Err(refused(error, &mut held.broken))
            }
        }
    }

    /// The bytes of what the turn has written to a text.
    fn text_written(&mut self, key: &Key) -> Result<usize, DraftError> {
        match self.texts.get_mut(key) {
            Some(HeldText { open: Some(open), broken, .. }) => match open.document.written() {
                Ok(written) => Ok(written.write_update().len()),
                Err(error) => Err(refused(error, broken)),
            },
            _ => Ok(0),
        }
    }

    /// The bytes that a text takes when all of its updates are folded in, those of the turn too. Its rows may take more: what
    /// was removed since they were last folded is still in them. Puts the whole text together.
    fn text_stored(&mut self, key: &Key) -> Result<usize, DraftError> {
        match self.texts.get_mut(key) {
            Some(HeldText { open: Some(open), broken, .. }) => match open.document.state() {
                Ok(state) => Ok(state.store().len()),
                Err(error) => Err(refused(error, broken)),
            },
            _ => Ok(0),
        }
    }

    /// The document of a text that the turn holds or takes hold of, and what its edits count.
    fn text_held(&mut self, key: &Key) -> Result<(&mut Open, Cost), DraftError> {
        allowed(key.as_bytes())?;
        if !self.texts.contains_key(key) {
            match self.reader.shared.texts.acquire(self.turn, key) {
                Acquired::Held(hold) => self.admit(Permit(hold)),
                Acquired::Busy(busy) => return Err(DraftError::Busy(busy)),
                Acquired::Deadlock => {
                    return Err(DraftError::Unavailable(format!(
                        "the text {} is being edited by somebody who waits for a text that is edited here; edit texts \
                         in the same order everywhere",
                        named(key)
                    )));
                }
            }
        }
        if self.texts.get(key).is_some_and(|held| held.open.is_none()) {
            let open = self.text_fresh(key)?;
            if let Some(held) = self.texts.get_mut(key) {
                held.open = Some(open);
            }
        }
        match self.texts.get_mut(key) {
            Some(HeldText { open: Some(open), cost, broken: None, .. }) => Ok((open, *cost)),
            Some(HeldText { broken: Some(reason), .. }) => Err(DraftError::Unavailable(reason.clone())),
            _ => Err(DraftError::Unavailable(format!("the text {} is not held", named(key)))),
        }
    }

    /// Looks at a text: the turn's own if it holds it, or else the committed one.
    fn text_look<T>(
        &mut self,
        key: &Key,
        look: impl FnOnce(&mut Document) -> Result<T, EditError>,
    ) -> Result<T, DraftError> {
        allowed(key.as_bytes())?;
        if self.texts.contains_key(key) {
            self.text_held(key)?;
        }
        if let Some(HeldText { open: Some(open), broken, .. }) = self.texts.get_mut(key) {
            return look(&mut open.document).map_err(|error| refused(error, broken));
        }
        let mut open = self.text_fresh(key)?;
        let result = look(&mut open.document).map_err(|error| refused(error, &mut None))?;
        self.reader.shared.texts.keep(key, open);
        Ok(result)
    }

    /// The committed document: the one in memory brought up to date, or a new one.
    fn text_fresh(&self, key: &Key) -> Result<Open, DraftError> {
        let texts = &self.reader.shared.texts;
        let new = || Open {
            document: Document::new(client_id(&self.reader.origin)),
            version: text::Version(0),
            stored: 0,
        };
        let mut open = texts.take(key).unwrap_or_else(new);
        let read_on = |from| {
            self.committed(Kind::Text, key, |rows| {
                let news = text::read_since(rows, from)?;
                Ok::<_, ApplyError>((news, text::stored_bytes(rows)?))
            })
        };
        let mut read = read_on(open.version);
        if matches!(&read, Ok(((_, version), _)) if *version < open.version) {
            // Some of what is in the document was taken back.
            open = new();
            read = read_on(open.version);
        }
        let ((news, version), stored) = match read {
            Ok(read) => read,
            Err(error) => {
                if open.version > text::Version(0) {
                    texts.keep(key, open);
                }
                return Err(error);
            }
        };
        open.document.load(news).map_err(|error| refused(error, &mut None))?;
        Ok(Open { version, stored, ..open })
    }
}

/// An edit's error for the guest. A document that broke stays so until the turn ends.
fn refused(error: EditError, broken: &mut Option<String>) -> DraftError {
    match error {
        EditError::Broken(_) => {
            *broken = Some(error.to_string());
            DraftError::Unavailable(error.to_string())
        }
        _ => DraftError::Invalid(error.to_string()),
    }
}
