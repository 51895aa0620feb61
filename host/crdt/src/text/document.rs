//! A text that is being edited: its order, a Yrs document, and what was written since it was last taken.
//!
//! Edits are collected and placed when somebody looks. Typing and taking back what was just typed comes to nothing.
//! Yrs finds a place by walking along the text; so a document that is edited time and again knows the [`Order`] of its
//! units itself, and writes its items as Yrs would. Yrs gets them later, many at a time.

use std::collections::BTreeMap;

use yrs::Text;

use super::{Clocks, Item, ItemId, State, UpdateError, order::Order, ranges::Ranges, yjs::Yjs};
use crate::limits::MAX_TEXT_CLOCK;

/// How many edits Yrs places before the order is made: that costs about as much as so many walks along the text. What
/// others write makes it useless, so that a text which changes hands all the time is better off without.
const WALKS: usize = 256;
/// How many updates Yrs may lack, and of how many units each. That bounds the memory, and how long who looks must wait.
const MAX_BEHIND: usize = 256;
const MAX_BEHIND_UNITS: u32 = 1 << 12;

/// Why an edit was refused. Unless it is [`Broken`](Self::Broken), the document is as before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The range is not in the text.
    #[error("there is no unit {index} in a text of {size} UTF-16 units")]
    OutOfRange {
        /// The end of what was asked for.
        index: u64,
        /// The size of the text.
        size: u32,
    },
    /// The index cuts a character.
    #[error("unit {index} is the second half of a character (of a surrogate pair); edit before or after it")]
    InCharacter {
        /// The index.
        index: u32,
    },
    /// This client has inserted as much as can be numbered.
    #[error("the text was edited too often on this node; copy it to a new key")]
    WornOut,
    /// An update of others needs what is not here.
    #[error("the update builds on edits that this text does not have; send one that also holds those")]
    Missing,
    /// An update of others has units in this node's name which it never wrote.
    #[error("the update holds edits in this node's name that it did not make")]
    Forged,
    /// An update is none.
    #[error(transparent)]
    Update(#[from] UpdateError),
    /// Yrs failed: the document must not be used any more.
    #[error("the text cannot be edited: {0}")]
    Broken(String),
}

/// One edit that is not placed yet.
enum Edit {
    Insert { at: u32, text: String, units: u32 },
    Remove { at: u32, len: u32 },
}

/// A text in memory, to read and edit.
pub struct Document {
    yjs: Yjs,
    client: u64,
    /// What is here, but for the edits.
    clocks: Clocks,
    /// Where the units stand, if that is known.
    order: Option<Order>,
    /// What was placed with it and Yrs does not have.
    behind: Vec<State>,
    /// How many edits Yrs placed since something of others came.
    walks: usize,
    /// What others wrote before what it builds on came.
    waiting: State,
    edits: Vec<Edit>,
    /// Units of the text, edits included.
    size: u32,
    /// Units of this client, edits included.
    end: u32,
    /// What was written here and not taken yet.
    written: State,
    /// Whether there ever were characters of two units.
    pairs: bool,
    /// The text in units, edits included, while characters of two units make it necessary to look.
    units: Option<Vec<u16>>,
}

impl Document {
    /// An empty text, to be edited as `client`.
    pub fn new(client: u64) -> Self {
        Self {
            yjs: Yjs::new(client),
            client,
            clocks: Clocks::new(),
            order: Some(Order::default()),
            behind: Vec::new(),
            walks: 0,
            waiting: State::default(),
            edits: Vec::new(),
            size: 0,
            end: 0,
            written: State::default(),
            pairs: false,
            units: None,
        }
    }

    /// Units of the text.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Inserts before the unit `index`.
    ///
    /// # Errors
    /// See [`EditError`].
    pub fn insert(&mut self, index: u32, chunk: &str) -> Result<(), EditError> {
        let units = u32::try_from(chunk.encode_utf16().count()).unwrap_or(u32::MAX);
        self.check(index, 0)?;
        let end = self.end.saturating_add(units);
        if end > MAX_TEXT_CLOCK {
            return Err(EditError::WornOut);
        }
        if units == 0 {
            return Ok(());
        }
        self.pairs |= units as usize != chunk.chars().count();
        if let Some(all) = &mut self.units {
            all.splice(index as usize..index as usize, chunk.encode_utf16());
        }
        (self.size, self.end) = (self.size + units, end);
        match self.edits.last_mut() {
            Some(Edit::Insert { at, text, units: before }) if *at + *before == index => {
                text.push_str(chunk);
                *before += units;
            }
            _ => self.edits.push(Edit::Insert { at: index, text: chunk.to_string(), units }),
        }
        Ok(())
    }

    /// Removes `len` units from `index` on.
    ///
    /// # Errors
    /// See [`EditError`].
    pub fn remove(&mut self, index: u32, len: u32) -> Result<(), EditError> {
        self.check(index, len)?;
        if len == 0 {
            return Ok(());
        }
        if let Some(all) = &mut self.units {
            all.drain(index as usize..(index + len) as usize);
        }
        self.size -= len;
        match self.edits.last_mut() {
            // The end of what was just inserted: it never was.
            Some(Edit::Insert { at, text, units }) if *at <= index && index + len == *at + *units => {
                *units -= len;
                self.end -= len;
                text.truncate(byte_offset(text, *units));
                if *units == 0 {
                    self.edits.pop();
                }
            }
            Some(Edit::Remove { at, len: before }) if *at == index => *before += len,
            Some(Edit::Remove { at, len: before }) if index + len == *at => {
                *at = index;
                *before += len;
            }
            _ => self.edits.push(Edit::Remove { at: index, len }),
        }
        Ok(())
    }

    /// `Ok` when a range is in the text and cuts no character.
    fn check(&mut self, index: u32, len: u32) -> Result<(), EditError> {
        let end = u64::from(index) + u64::from(len);
        if end > self.size.into() {
            return Err(EditError::OutOfRange { index: end, size: self.size });
        }
        if !self.pairs {
            return Ok(());
        }
        if self.units.is_none() {
            self.catch_up()?;
            self.units = Some(self.edited_units());
        }
        let low = |at: u32| {
            let unit = self.units.as_ref().and_then(|units| units.get(at as usize));
            unit.is_some_and(|unit| (0xdc00..0xe000).contains(unit))
        };
        match [index, index + len].into_iter().find(|at| low(*at)) {
            Some(index) => Err(EditError::InCharacter { index }),
            None => Ok(()),
        }
    }

    /// The text in units, edits included.
    fn edited_units(&self) -> Vec<u16> {
        let mut units: Vec<u16> = self.yjs.text().encode_utf16().collect();
        for edit in &self.edits {
            match edit {
                Edit::Insert { at, text, .. } => {
                    units.splice(*at as usize..*at as usize, text.encode_utf16());
                }
                Edit::Remove { at, len } => {
                    units.drain(*at as usize..(*at + *len) as usize);
                }
            }
        }
        units
    }

    /// The text.
    ///
    /// # Errors
    /// [`EditError::Broken`].
    pub fn text(&mut self) -> Result<String, EditError> {
        self.flush()?;
        self.catch_up()?;
        Ok(self.yjs.text())
    }

    /// How far each client's units are known.
    ///
    /// # Errors
    /// [`EditError::Broken`].
    pub fn clocks(&mut self) -> Result<&Clocks, EditError> {
        self.flush()?;
        Ok(&self.clocks)
    }

    /// All of the document; equal for equal documents, however they came to be.
    ///
    /// # Errors
    /// [`EditError::Broken`].
    pub fn state(&mut self) -> Result<State, EditError> {
        self.flush()?;
        self.catch_up()?;
        self.yjs.state()
    }

    /// Whether something was written here that [`take_written`](Self::take_written) did not hand out.
    pub fn has_written(&self) -> bool {
        !self.edits.is_empty() || !self.written.is_empty()
    }

    /// What was written here since it was last taken.
    ///
    /// # Errors
    /// [`EditError::Broken`].
    pub fn take_written(&mut self) -> Result<State, EditError> {
        self.flush()?;
        Ok(std::mem::take(&mut self.written))
    }

    /// What was written here since it was last taken.
    ///
    /// # Errors
    /// [`EditError::Broken`].
    pub fn written(&mut self) -> Result<&State, EditError> {
        self.flush()?;
        Ok(&self.written)
    }

    /// Merges what is committed. What builds on something that is not there waits in the document for it.
    ///
    /// # Errors
    /// [`EditError::Broken`].
    pub fn load(&mut self, state: State) -> Result<(), EditError> {
        self.flush()?;
        self.place(state).map(drop)
    }

    /// Merges an update of others, as something written here; says whether it brought anything new.
    ///
    /// # Errors
    /// See [`EditError`].
    pub fn apply_update(&mut self, update: State) -> Result<bool, EditError> {
        self.flush()?;
        if update.end(self.client) > self.end {
            return Err(EditError::Forged);
        }
        if !update.clone().ready(&self.clocks).waiting.is_empty() {
            return Err(EditError::Missing);
        }
        let new = self.place(update)?;
        let brought = !new.is_empty();
        self.written.merge(new);
        Ok(brought)
    }

    /// Takes what can be placed; answers what was new of it.
    fn place(&mut self, state: State) -> Result<State, EditError> {
        let mut all = std::mem::take(&mut self.waiting);
        all.merge(state);
        let ready = all.ready(&self.clocks);
        self.waiting = ready.waiting;
        if ready.now.is_empty() {
            return Ok(State::default());
        }
        self.catch_up()?;
        self.pairs |= ready.now.has_pairs();
        self.units = None;
        let new = self.yjs.apply(&ready.now)?;
        if !new.is_empty() {
            (self.order, self.walks) = (None, 0);
        }
        self.clocks = ready.clocks;
        self.end = self.clocks.get(&self.client).copied().unwrap_or(0);
        self.size = self.yjs.size();
        Ok(new)
    }

    /// Places the edits.
    fn flush(&mut self) -> Result<(), EditError> {
        if self.edits.is_empty() {
            return Ok(());
        }
        if self.order.is_none() && self.walks >= WALKS {
            (self.order, self.walks) = (self.yjs.order(), 0);
        }
        let edits = std::mem::take(&mut self.edits);
        let new = match &mut self.order {
            Some(order) => {
                let from = self.clocks.get(&self.client).copied().unwrap_or(0);
                let new = placed(order, edits, self.client, from);
                self.behind.push(new.clone());
                if self.behind.len() >= MAX_BEHIND || new.units() > MAX_BEHIND_UNITS {
                    self.catch_up()?;
                }
                new
            }
            None => {
                self.walks += edits.len();
                self.yjs.edit(|root, txn| {
                    for edit in edits {
                        match edit {
                            Edit::Insert { at, text, .. } => root.insert(txn, at, &text),
                            Edit::Remove { at, len } => root.remove_range(txn, at, len),
                        }
                    }
                })?
            }
        };
        self.clocks.insert(self.client, self.end);
        if self.end == 0 {
            self.clocks.remove(&self.client);
        }
        self.written.merge(new);
        Ok(())
    }

    /// Gives Yrs what it does not have.
    fn catch_up(&mut self) -> Result<(), EditError> {
        match std::mem::take(&mut self.behind) {
            behind if behind.is_empty() => Ok(()),
            behind => self.yjs.take(&State::union(behind)),
        }
    }
}

/// Places edits; `clock` is that of the client's first new unit.
fn placed(order: &mut Order, edits: Vec<Edit>, client: u64, mut clock: u32) -> State {
    let (mut items, mut gone) = (Vec::new(), BTreeMap::<u64, Vec<(u32, u32)>>::new());
    for edit in edits {
        match edit {
            Edit::Insert { at, text, units: len } => {
                let (origin, right) = order.insert(at, ItemId { client, clock }, len);
                let units = Some(text.encode_utf16().collect());
                items.push(Item { clock, len, origin, right, units });
                clock += len;
            }
            Edit::Remove { at, len } => {
                for run in order.remove(at, len) {
                    let range = (run.id.clock, run.id.clock + run.len);
                    gone.entry(run.id.client).or_default().push(range);
                }
            }
        }
    }
    let deletes = gone.into_iter().map(|(client, ranges)| (client, Ranges::collect(ranges))).collect();
    State::collect(BTreeMap::from([(client, items)]), deletes)
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document")
            .field("client", &self.client)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// The byte offset behind the first `units` units of a text.
fn byte_offset(text: &str, units: u32) -> usize {
    let mut left = units as usize;
    for (at, c) in text.char_indices() {
        if left == 0 {
            return at;
        }
        left = left.saturating_sub(c.len_utf16());
    }
    text.len()
}
