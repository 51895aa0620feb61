//! Reading Yjs updates and state vectors. Any bytes may come in: the answer is a state within the limits, or an error.
//!
//! ```text
//! update    = clients | clients x (structs | client | clock | structs x struct) | deletions
//! struct    = info u8: 0x0a | len                                              a gap
//!             info u8: 0x80 origin, 0x40 right origin, low bits the content    an item
//!               [client clock] [client clock] [1 | length | root]  length | UTF-8      content 4
//!                                                                  len                 content 1, deleted
//! deletions = clients | clients x (client | ranges | ranges x (clock | len))
//! vector    = clients | clients x (client | clock)
//! ```
//! All numbers are varints. Other structs (collected ones, nested types, formatting, embedded objects, parts of maps)
//! are refused: this is plain text.

use std::collections::BTreeMap;

use super::{
    Clocks, ROOT,
    ranges::{Deletes, Ranges},
    state::{Item, ItemId, State},
};
use crate::limits::{MAX_TEXT_CLOCK, MAX_TEXT_UPDATE};

/// The greatest client id of Yjs: what a JavaScript number holds exactly.
const MAX_CLIENT: u64 = (1 << 53) - 1;

pub(super) const ORIGIN: u8 = 0x80;
pub(super) const RIGHT_ORIGIN: u8 = 0x40;
pub(super) const CONTENT: u8 = 0x1f;
pub(super) const DELETED: u8 = 1;
pub(super) const STRING: u8 = 4;
pub(super) const GAP: u8 = 10;

/// Why bytes are no update of a plain text, or no state vector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// The bytes end within something, or something follows after their end.
    #[error("the bytes are no Yjs update (version 1): cut or continued at byte {at}")]
    Cut {
        /// Where.
        at: usize,
    },
    /// A value that is never written.
    #[error("the bytes are no Yjs update (version 1): {what} at byte {at} makes no sense")]
    Malformed {
        /// What was being read.
        what: &'static str,
        /// Where.
        at: usize,
    },
    /// Something other than plain text.
    #[error("the update holds {what}; only the plain text of getText({ROOT:?}) can be shared here")]
    NotText {
        /// What it holds.
        what: &'static str,
    },
    /// More than may be.
    #[error("{what} too large: {size}, the limit is {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        size: usize,
        /// What is allowed.
        limit: usize,
    },
}

/// How strings are encoded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strings {
    /// UTF-8, as Yjs has it.
    Utf8,
    /// UTF-8 that may also hold single surrogates: how states are stored, so that nothing is lost.
    Stored,
}

impl State {
    /// Reads an update of others: at most [`MAX_TEXT_UPDATE`] bytes.
    ///
    /// # Errors
    /// When it is no well-formed update of a plain text.
    pub fn read_update(bytes: &[u8]) -> Result<Self, UpdateError> {
        if bytes.len() > MAX_TEXT_UPDATE {
            let (size, limit) = (bytes.len(), MAX_TEXT_UPDATE);
            return Err(UpdateError::TooLarge { what: "text update", size, limit });
        }
        read(bytes, Strings::Utf8)
    }

    /// Reads what Yrs wrote, of any size.
    ///
    /// # Errors
    /// When it is no well-formed update of a plain text.
    #[cfg(feature = "text")]
    pub(super) fn read_document(bytes: &[u8]) -> Result<Self, UpdateError> {
        read(bytes, Strings::Utf8)
    }

    /// Reads what [`State::store`] wrote.
    ///
    /// # Errors
    /// When it is something else.
    pub fn load(bytes: &[u8]) -> Result<Self, UpdateError> {
        read(bytes, Strings::Stored)
    }
}

/// Reads a state vector.
///
/// # Errors
/// When the bytes are none.
pub fn read_state_vector(bytes: &[u8]) -> Result<Clocks, UpdateError> {
    let mut input = Input { bytes, at: 0 };
    let mut clocks = Clocks::new();
    for _ in 0..input.number("count")? {
        let client = input.client()?;
        let clock = input.clock(0)?;
        let known = clocks.entry(client).or_insert(0);
        *known = clock.max(*known);
    }
    input.finish()?;
    Ok(clocks)
}

fn read(bytes: &[u8], strings: Strings) -> Result<State, UpdateError> {
    let mut input = Input { bytes, at: 0 };
    let mut items: BTreeMap<u64, Vec<Item>> = BTreeMap::new();
    for _ in 0..input.number("count")? {
        let structs = input.number("count")?;
        let client = input.client()?;
        let mut clock = input.clock(0)?;
        let own = items.entry(client).or_default();
        for _ in 0..structs {
            clock = match input.item(clock, strings)? {
                Ok(item) => {
                    let end = item.end();
                    own.push(item);
                    end
                }
                Err(gap) => gap,
            };
        }
    }
    let deletes = input.deletes()?;
    input.finish()?;
    for (client, items) in &items {
        let known = deletes.get(client);
        let dead = items.iter().filter(|item| item.units.is_none());
        let named = |item: &Item| known.is_some_and(|known| known.covers(item.clock, item.end()));
        if !dead.into_iter().all(named) {
            return Err(UpdateError::Malformed {
                what: "a deleted item that is not deleted",
                at: bytes.len(),
            });
        }
    }
    Ok(State::collect(items, deletes))
}

struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    fn malformed(&self, what: &'static str) -> UpdateError {
        UpdateError::Malformed { what, at: self.at }
    }

    fn byte(&mut self) -> Result<u8, UpdateError> {
        let byte = self.bytes.get(self.at).copied().ok_or(UpdateError::Cut { at: self.at })?;
        self.at += 1;
        Ok(byte)
    }

    fn number(&mut self, what: &'static str) -> Result<u64, UpdateError> {
        let mut value = 0u64;
        for shift in (0..56).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.malformed(what))
    }

    fn client(&mut self) -> Result<u64, UpdateError> {
        let client = self.number("client")?;
        if client > MAX_CLIENT { Err(self.malformed("client")) } else { Ok(client) }
    }

    /// A clock, which is `from` plus a number.
    fn clock(&mut self, from: u32) -> Result<u32, UpdateError> {
        let number = self.number("clock")?;
        match u32::try_from(number.saturating_add(from.into())) {
            Ok(clock) if clock <= MAX_TEXT_CLOCK => Ok(clock),
            _ => Err(self.malformed("clock")),
        }
    }

    fn id(&mut self) -> Result<ItemId, UpdateError> {
        Ok(ItemId { client: self.client()?, clock: self.clock(0)? })
    }

    fn slice(&mut self) -> Result<&'a [u8], UpdateError> {
        let len = usize::try_from(self.number("length")?).unwrap_or(usize::MAX);
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let slice = rest.get(..len).ok_or(UpdateError::Cut { at: self.at })?;
        self.at += len;
        Ok(slice)
    }

    /// An item, or the clock behind a gap.
    fn item(&mut self, clock: u32, strings: Strings) -> Result<Result<Item, u32>, UpdateError> {
        let info = self.byte()?;
        if info == GAP {
            let end = self.clock(clock)?;
            return if end > clock { Ok(Err(end)) } else { Err(self.malformed("gap")) };
        }
        let content = info & CONTENT;
        match content {
            DELETED | STRING => {}
            0 => return Err(UpdateError::NotText { what: "collected structures" }),
            6 => return Err(UpdateError::NotText { what: "formatting" }),
            3 | 5 => return Err(UpdateError::NotText { what: "embedded objects" }),
            7 => return Err(UpdateError::NotText { what: "nested types" }),
            2 | 8 => return Err(UpdateError::NotText { what: "values of an array or map" }),
            9 => return Err(UpdateError::NotText { what: "documents within the document" }),
            _ => return Err(self.malformed("kind of struct")),
        }
        if info & !(ORIGIN | RIGHT_ORIGIN | CONTENT) != 0 {
            return Err(UpdateError::NotText { what: "entries of a map" });
        }
        let origin = (info & ORIGIN != 0).then(|| self.id()).transpose()?;
        let right = (info & RIGHT_ORIGIN != 0).then(|| self.id()).transpose()?;
        if origin.is_none() && right.is_none() {
            if self.number("parent")? != 1 {
                return Err(UpdateError::NotText { what: "nested types" });
            }
            if self.slice()? != ROOT.as_bytes() {
                return Err(UpdateError::NotText { what: "a type of another name" });
            }
        }
        if content == DELETED {
            let end = self.clock(clock)?;
            let len = end - clock;
            return match len {
                0 => Err(self.malformed("deleted item")),
                _ => Ok(Ok(Item { clock, len, origin, right, units: None })),
            };
        }
        let text = self.slice()?;
        let units = match strings {
            Strings::Utf8 => {
                std::str::from_utf8(text).ok().map(|text| text.encode_utf16().collect::<Vec<u16>>())
            }
            Strings::Stored => stored_units(text),
        };
        let units = units.filter(|units| !units.is_empty()).ok_or_else(|| self.malformed("string"))?;
        let len = u32::try_from(units.len()).unwrap_or(u32::MAX);
        if clock.saturating_add(len) > MAX_TEXT_CLOCK {
            return Err(self.malformed("clock"));
        }
        Ok(Ok(Item { clock, len, origin, right, units: Some(units) }))
    }

    fn deletes(&mut self) -> Result<Deletes, UpdateError> {
        let mut deletes: BTreeMap<u64, Vec<(u32, u32)>> = BTreeMap::new();
        for _ in 0..self.number("count")? {
            let client = self.client()?;
            let own = deletes.entry(client).or_default();
            for _ in 0..self.number("count")? {
                let start = self.clock(0)?;
                let end = self.clock(start)?;
                own.push((start, end));
            }
        }
        let sets = deletes.into_iter().map(|(client, ranges)| (client, Ranges::collect(ranges)));
        Ok(sets.filter(|(_, ranges)| !ranges.is_empty()).collect())
    }

    fn finish(&self) -> Result<(), UpdateError> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(UpdateError::Cut { at: self.at }) }
    }
}

/// The units of a stored string; none when it is damaged.
fn stored_units(text: &[u8]) -> Option<Vec<u16>> {
    if let Ok(text) = std::str::from_utf8(text) {
        return Some(text.encode_utf16().collect());
    }
    let mut units = Vec::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        if let [0xed, second @ 0xa0..=0xbf, third @ 0x80..=0xbf, after @ ..] = rest {
            units.push(0xd000 | (u16::from(second & 0x3f) << 6) | u16::from(third & 0x3f));
            rest = after;
            continue;
        }
        let until = rest.windows(2).position(|two| matches!(two, [0xed, 0xa0..=0xff])).unwrap_or(rest.len());
        let (plain, after) = rest.split_at_checked(until)?;
        if plain.is_empty() {
            return None;
        }
        units.extend(std::str::from_utf8(plain).ok()?.encode_utf16());
        rest = after;
    }
    Some(units)
}
