//! The families of values, one file each: what guests do with them, what a reader sees, and a second, naive
//! implementation to compare with.
//!
//! The naive ones keep whole values in maps, nothing incremental, no rows. They take batches in any order that
//! respects causality; a replica that applied the same batches must read the same. A new family is one file here and
//! one line in [`FAMILIES`].

mod g_counter;
mod kv;
mod lww_map;
mod lww_register;
mod or_set;
mod pn_counter;
mod rga;
mod text;

use crate::oracle::Increments;
use bytes::Bytes;
use numax_crdt::{Batch, Hlc, Key, Kind, Op, Origin};
use numax_replica::{Draft, DraftError, Page};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// What a reader sees of one value: names and contents, in the order in which a reader gets them.
pub type Value = Vec<(Bytes, Bytes)>;

/// When a value was written, and by whom.
pub(crate) type Stamp = (Hlc, Origin);

/// Entries of a page when everything is read. Small, so that there are many pages.
pub(crate) const PAGE: usize = 7;

/// A family as the simulator knows it.
pub trait Family: Sync {
    /// What it is called in a schedule.
    fn name(&self) -> &'static str;
    /// Its kind; none for what is not replicated.
    fn kind(&self) -> Option<Kind>;
    /// What guests do with its values, each with how often, in proportion.
    fn verbs(&self) -> &'static [(&'static str, u32)];
    /// Does it in a turn. `number` is one that no other call of the run has.
    ///
    /// # Errors
    /// The draft's, and [`DraftError::Invalid`] when a turn does not see what it wrote itself.
    fn run(
        &self,
        draft: &mut Draft,
        number: u64,
        call: &Call,
        sums: &mut Increments,
    ) -> Result<(), DraftError>;
    /// All values of this family, before anything was written; none if there is nothing to compare.
    fn model(&self) -> Option<Box<dyn FamilyModel>>;
    /// What a reader sees of one value.
    ///
    /// # Errors
    /// The draft's, and [`DraftError::Invalid`] when answers contradict each other.
    fn read(&self, draft: &mut Draft, key: &Key) -> Result<Value, DraftError>;
}

/// All values of a family, computed naively.
pub trait FamilyModel {
    /// Merges an operation of this family.
    fn apply(&mut self, batch: &Batch, op: &Op);
    /// What a reader must see; keys without a value are left out.
    fn visible(&self) -> BTreeMap<Bytes, Value>;
}

/// Every family.
pub const FAMILIES: [&dyn Family; 8] = [
    &g_counter::GCounter,
    &pn_counter::PnCounter,
    &lww_register::LwwRegister,
    &lww_map::LwwMap,
    &or_set::OrSet,
    &rga::Rga,
    &text::Text,
    &kv::Kv,
];

/// Something that a guest does: a verb of a family, with numbers that the family turns into keys, fields and values.
/// Written `or-set.add 1 3 12`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Of [`FAMILIES`], by its name.
    pub family: &'static str,
    /// Of the family's verbs.
    pub verb: &'static str,
    /// Which value.
    pub key: u32,
    /// Which field, element or place.
    pub item: u32,
    /// How much; for bytes their number and contents.
    pub amount: u32,
}

impl Call {
    /// Does it.
    ///
    /// # Errors
    /// See [`Family::run`].
    pub fn run(&self, draft: &mut Draft, number: u64, sums: &mut Increments) -> Result<(), DraftError> {
        match family(self.family) {
            Some(family) => family.run(draft, number, self, sums),
            None => Err(unknown(self)),
        }
    }

    /// The key that it names.
    pub(crate) fn key(&self) -> Result<Key, DraftError> {
        Key::new(format!("k{}", self.key).into_bytes())
            .map_err(|error| DraftError::Invalid(error.to_string()))
    }

    /// The field or element that it names.
    pub(crate) fn item(&self) -> Bytes {
        Bytes::from(format!("e{}", self.item))
    }

    /// The bytes that it writes: about as many as `amount` says, and others for another amount.
    pub(crate) fn value(&self) -> Bytes {
        let len = usize::try_from(self.amount % 4096).unwrap_or(0);
        let mut bytes = self.amount.to_le_bytes().to_vec();
        bytes.extend((0_u32..).map(|at| at.wrapping_mul(self.amount).to_le_bytes()[1]).take(len));
        Bytes::from(bytes)
    }
}

/// A family by its name.
#[must_use]
pub fn family(name: &str) -> Option<&'static dyn Family> {
    FAMILIES.into_iter().find(|family| family.name() == name)
}

pub(crate) fn unknown(call: &Call) -> DraftError {
    DraftError::Invalid(format!("there is no {call}"))
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { family, verb, key, item, amount } = self;
        write!(f, "{family}.{verb} {key} {item} {amount}")
    }
}

impl Serialize for Call {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'a> Deserialize<'a> for Call {
    fn deserialize<D: Deserializer<'a>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl FromStr for Call {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not FAMILY.VERB KEY ITEM AMOUNT");
        let mut words = text.split_ascii_whitespace();
        let (name, verb) = words.next().and_then(|word| word.split_once('.')).ok_or_else(wrong)?;
        let of = family(name).ok_or_else(|| format!("{text:?}: there is no family {name:?}"))?;
        let (verb, _) = of
            .verbs()
            .iter()
            .find(|(known, _)| *known == verb)
            .ok_or_else(|| format!("{text:?}: {name} has no {verb:?}"))?;
        let mut number = || words.next().and_then(|word| word.parse().ok()).ok_or_else(wrong);
        let call = Self { family: of.name(), verb, key: number()?, item: number()?, amount: number()? };
        if words.next().is_some() { Err(wrong()) } else { Ok(call) }
    }
}

/// Repeats a call of a draft until all rows it needs are in memory.
///
/// # Errors
/// The call's, and those of reading rows.
pub fn with_rows<T>(
    draft: &mut Draft,
    mut call: impl FnMut(&mut Draft) -> Result<T, DraftError>,
) -> Result<T, DraftError> {
    loop {
        match call(draft) {
            Err(DraftError::Miss(miss)) => {
                let loaded = miss.load()?;
                draft.supply(loaded);
            }
            other => return other,
        }
    }
}

/// Reads something to its end, page by page.
pub(crate) fn all_pages<T>(
    draft: &mut Draft,
    name: impl Fn(&T) -> Bytes,
    mut page: impl FnMut(&mut Draft, Option<&[u8]>) -> Result<Page<T>, DraftError>,
) -> Result<Vec<T>, DraftError> {
    let mut all: Vec<T> = Vec::new();
    let mut after: Option<Bytes> = None;
    loop {
        let found = with_rows(draft, |draft| page(draft, after.as_deref()))?;
        all.extend(found.items);
        match found.next {
            Some(next) => {
                if all.last().map(&name).is_some_and(|last| last > next) {
                    return Err(DraftError::Invalid("a page ends before its last entry".into()));
                }
                after = Some(next);
            }
            None => return Ok(all),
        }
    }
}

/// What was listed, if it is as much as the size says.
pub(crate) fn counted(all: Value, size: u64) -> Result<Value, DraftError> {
    if all.len() as u64 == size {
        Ok(all)
    } else {
        Err(DraftError::Invalid(format!("{} entries, but a size of {size}", all.len())))
    }
}

/// A value that is a single text.
pub(crate) fn text(value: impl fmt::Display) -> Value {
    vec![(Bytes::new(), Bytes::from(value.to_string()))]
}

/// Writes a value unless what is there is later.
pub(crate) fn write_later<K: Ord>(
    all: &mut BTreeMap<K, (Stamp, Option<Bytes>)>,
    name: K,
    stamp: Stamp,
    value: &Option<Bytes>,
) {
    if all.get(&name).is_none_or(|(known, _)| *known < stamp) {
        all.insert(name, (stamp, value.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_as_they_are_written() {
        for family in FAMILIES {
            for (verb, _) in family.verbs() {
                let call = Call { family: family.name(), verb, key: 1, item: 20, amount: u32::MAX };
                assert_eq!(call.to_string().parse(), Ok(call));
            }
        }
        for bad in [
            "",
            "or-set",
            "or-set.add",
            "or-set.add 1 2",
            "or-set.add 1 2 3 4",
            "or-set.fly 1 2 3",
            "x.add 1 2 3",
        ] {
            assert!(bad.parse::<Call>().is_err(), "{bad}");
        }
    }

    #[test]
    fn values_differ() {
        let value = |amount| Call { family: "kv", verb: "set", key: 0, item: 0, amount }.value();
        assert_ne!(value(1), value(4097));
        assert_eq!(value(70).len(), 74);
    }
}
