//! Texts for several hands.
//!
//! The naive one reads the updates itself and keeps single UTF-16 units in a chain, each behind the one that it was
//! inserted after, with the rules of YATA for those that were inserted in one place at once (Nicolaescu et al., GROUP
//! 2016). It shares no code with what it is compared with: not the reading of updates, not the merging of states, not Yrs.

use super::{Call, Family, FamilyModel, Value, unknown, with_rows};
use crate::oracle::Increments;
use bytes::Bytes;
use numax_crdt::{Batch, Body, Key, Kind, Op};
use numax_replica::{Draft, DraftError};
use std::collections::{BTreeMap, BTreeSet};

pub(super) struct Text;

impl Family for Text {
    fn name(&self) -> &'static str {
        Kind::Text.wit_name()
    }

    fn kind(&self) -> Option<Kind> {
        Some(Kind::Text)
    }

    fn verbs(&self) -> &'static [(&'static str, u32)] {
        // `item` names a place, counted from the front and around.
        &[("insert", 8), ("remove", 4), ("clear", 1)]
    }

    fn run(&self, draft: &mut Draft, number: u64, call: &Call, _: &mut Increments) -> Result<(), DraftError> {
        let key = call.key()?;
        let before = with_rows(draft, |draft| draft.text_read(&key))?;
        let (at, unit) = place(&before, call.item);
        let (head, tail) = before.split_at_checked(at).unwrap_or((&before, ""));
        let want = match call.verb {
            "insert" => {
                let chunk = chunk(number, call.amount);
                with_rows(draft, |draft| draft.text_insert(&key, unit, &chunk))?;
                format!("{head}{chunk}{tail}")
            }
            "remove" => {
                let gone: String =
                    tail.chars().take(usize::try_from(call.amount % 20).unwrap_or(0)).collect();
                let units = u32::try_from(gone.encode_utf16().count()).unwrap_or(0);
                with_rows(draft, |draft| draft.text_remove(&key, unit, units))?;
                format!("{head}{}", tail.strip_prefix(&gone).unwrap_or(tail))
            }
            "clear" => {
                with_rows(draft, |draft| draft.text_clear(&key))?;
                String::new()
            }
            _ => return Err(unknown(call)),
        };
        let have = with_rows(draft, |draft| draft.text_read(&key))?;
        if have != want {
            return Err(DraftError::Invalid(format!("after {call} a text is {have:?}, not {want:?}")));
        }
        Ok(())
    }

    fn model(&self) -> Option<Box<dyn FamilyModel>> {
        Some(Box::new(Model::default()))
    }

    fn read(&self, draft: &mut Draft, key: &Key) -> Result<Value, DraftError> {
        let text = with_rows(draft, |draft| draft.text_read(key))?;
        let size = with_rows(draft, |draft| draft.text_size(key))?;
        if usize::try_from(size) != Ok(text.encode_utf16().count()) {
            return Err(DraftError::Invalid(format!("a text says that it has {size} units: {text:?}")));
        }
        Ok(vec![(Bytes::new(), Bytes::from(text))])
    }
}

/// A place between two characters, around: its offset in bytes and in UTF-16 units.
fn place(text: &str, item: u32) -> (usize, u32) {
    // Far from each other: what `item`s are there are small numbers.
    let places = text.chars().count() + 1;
    let place = usize::try_from(item).unwrap_or(0).wrapping_mul(7) % places;
    let head: String = text.chars().take(place).collect();
    (head.len(), u32::try_from(head.encode_utf16().count()).unwrap_or(0))
}

/// What an insertion inserts: its number, so that each can be told from the others, and characters of all lengths.
fn chunk(number: u64, amount: u32) -> String {
    let tail = ["", "é", "漢", "🐢", "end"].get(usize::try_from(amount % 5).unwrap_or(0)).unwrap_or(&"");
    let times = if amount < 500 { 1 } else { 40 };
    format!("{number}{tail}").repeat(times)
}

/// A unit's name: the client that inserted it, and that one's count.
type Id = (u64, u64);

#[derive(Clone)]
struct Unit {
    id: Id,
    left: Option<Id>,
    right: Option<Id>,
    /// None if it was deleted before anybody told what it is.
    what: Option<u16>,
    next: Option<usize>,
}

#[derive(Default)]
struct Document {
    units: Vec<Unit>,
    places: BTreeMap<Id, usize>,
    first: Option<usize>,
    deleted: BTreeSet<Id>,
}

#[derive(Default)]
struct Model(BTreeMap<Bytes, Document>);

impl FamilyModel for Model {
    fn apply(&mut self, _: &Batch, op: &Op) {
        if let Body::Text { update } = &op.body {
            self.0.entry(op.key.bytes().clone()).or_default().merge(update);
        }
    }

    fn visible(&self) -> BTreeMap<Bytes, Value> {
        let text = |document: &Document| vec![(Bytes::new(), Bytes::from(document.text()))];
        self.0.iter().map(|(key, document)| (key.clone(), text(document))).collect()
    }
}

impl Document {
    fn merge(&mut self, update: &[u8]) {
        let Some((mut units, deleted)) = read(update) else { return };
        self.deleted.extend(deleted);
        units.retain(|unit| !self.places.contains_key(&unit.id));
        // Those of one client may stand behind those of another that comes later in the update.
        while !units.is_empty() {
            let before = units.len();
            units.retain(|unit| !self.insert(unit));
            if units.len() == before {
                return;
            }
        }
    }

    /// Puts a unit where it belongs; `false` if its neighbours are not there.
    fn insert(&mut self, unit: &Unit) -> bool {
        let there = |id: Option<Id>| match id {
            None => Some(None),
            Some(id) => self.places.get(&id).map(|place| Some(*place)),
        };
        let (Some(mut left), Some(right)) = (there(unit.left), there(unit.right)) else { return false };
        let after = |left: Option<usize>, units: &[Unit]| match left {
            Some(left) => units.get(left).and_then(|left| left.next),
            None => self.first,
        };
        let mut other = after(left, &self.units);
        let (mut passed, mut open) = (BTreeSet::new(), BTreeSet::new());
        while let Some(place) = other.filter(|place| Some(*place) != right) {
            let Some(found) = self.units.get(place) else { return false };
            passed.insert(place);
            open.insert(place);
            let behind = found.left.and_then(|id| self.places.get(&id).copied());
            if found.left == unit.left {
                if found.id.0 < unit.id.0 {
                    left = Some(place);
                    open.clear();
                } else if found.right == unit.right {
                    break;
                }
            } else if let Some(behind) = behind.filter(|behind| passed.contains(behind)) {
                if !open.contains(&behind) {
                    left = Some(place);
                    open.clear();
                }
            } else {
                break;
            }
            other = found.next;
        }
        let next = after(left, &self.units);
        let place = self.units.len();
        self.places.insert(unit.id, place);
        self.units.push(Unit { next, ..unit.clone() });
        match left.and_then(|left| self.units.get_mut(left)) {
            Some(left) => left.next = Some(place),
            None => self.first = Some(place),
        }
        true
    }

    fn text(&self) -> String {
        let mut text = Vec::new();
        let mut place = self.first;
        while let Some(unit) = place.and_then(|place| self.units.get(place)) {
            text.extend(unit.what.filter(|_| !self.deleted.contains(&unit.id)));
            place = unit.next;
        }
        String::from_utf16_lossy(&text)
    }
}

/// The units of a Yjs update (version 1), and the names of those that it deletes; none if it is not one of plain text.
fn read(update: &[u8]) -> Option<(Vec<Unit>, Vec<Id>)> {
    let (mut units, mut deleted) = (Vec::new(), Vec::new());
    let mut input = update;
    for _ in 0..number(&mut input)? {
        let count = number(&mut input)?;
        let (client, mut clock) = (number(&mut input)?, number(&mut input)?);
        for _ in 0..count {
            let info = byte(&mut input)?;
            if info == 10 {
                clock += number(&mut input)?;
                continue;
            }
            let mut id = |there: bool| match there {
                true => Some(Some((number(&mut input)?, number(&mut input)?))),
                false => Some(None),
            };
            let (mut left, right) = (id(info & 0x80 != 0)?, id(info & 0x40 != 0)?);
            if info & 0xc0 == 0 {
                number(&mut input)?;
                bytes(&mut input)?;
            }
            let what: Vec<Option<u16>> = match info & 0x1f {
                4 => std::str::from_utf8(bytes(&mut input)?).ok()?.encode_utf16().map(Some).collect(),
                1 => vec![None; usize::try_from(number(&mut input)?).ok()?],
                _ => return None,
            };
            for what in what {
                units.push(Unit { id: (client, clock), left, right, what, next: None });
                left = Some((client, clock));
                clock += 1;
            }
        }
    }
    for _ in 0..number(&mut input)? {
        let client = number(&mut input)?;
        for _ in 0..number(&mut input)? {
            let (from, len) = (number(&mut input)?, number(&mut input)?);
            deleted.extend((from..from + len).map(|clock| (client, clock)));
        }
    }
    input.is_empty().then_some((units, deleted))
}

fn byte(input: &mut &[u8]) -> Option<u8> {
    let (byte, rest) = input.split_first()?;
    *input = rest;
    Some(*byte)
}

fn number(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = byte(input)?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn bytes<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(number(input)?).ok()?;
    let (bytes, rest) = input.split_at_checked(len)?;
    *input = rest;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An update with one client's insertion.
    fn insertion(
        client: u8,
        clock: u8,
        left: Option<(u8, u8)>,
        right: Option<(u8, u8)>,
        text: &str,
    ) -> Vec<u8> {
        let mut out = vec![1, 1, client, clock];
        out.push(4 | if left.is_some() { 0x80 } else { 0 } | if right.is_some() { 0x40 } else { 0 });
        out.extend(left.iter().chain(&right).flat_map(|(client, clock)| [*client, *clock]));
        if left.is_none() && right.is_none() {
            out.extend([1, 4]);
            out.extend(b"text");
        }
        out.push(text.len() as u8);
        out.extend(text.as_bytes());
        out.push(0);
        out
    }

    #[test]
    fn what_is_inserted_in_one_place_at_once_stands_in_one_order() {
        let updates = [
            insertion(1, 0, None, None, "ad"),
            insertion(2, 0, Some((1, 0)), Some((1, 1)), "bb"),
            insertion(3, 0, Some((1, 0)), Some((1, 1)), "cé"),
            vec![0, 1, 2, 1, 1, 1],
        ];
        for order in [[0, 1, 2, 3], [0, 2, 1, 3], [0, 3, 1, 2], [0, 2, 3, 1]] {
            let mut document = Document::default();
            for (index, part) in order.into_iter().enumerate() {
                document.merge(&updates[part]);
                document.merge(&updates[order[index / 2]]);
            }
            assert_eq!(document.text(), "abcéd");
        }
    }

    #[test]
    fn places_are_between_characters() {
        assert_eq!([0, 1, 2].map(|item| place("a🐢b", item)), [(0, 0), (6, 4), (5, 3)]);
    }
}
