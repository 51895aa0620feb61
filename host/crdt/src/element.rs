//! The ids of list elements.

use std::{fmt, str::FromStr};

use crate::hlc::Hlc;

/// The name of a list's element: a UUID of version 7 (RFC 9562), so that ids are in order of time.
///
/// ```text
/// 48 bits  milliseconds | 4 bits version | 12 bits  counter, high | 2 bits variant | 4 bits  counter, low | 58 bits  random
/// ```
/// The time is a hybrid one ([`Hlc`]), and the order of ids is that of (time, random). Only ids with the right version
/// and variant exist: otherwise the order of the bytes would not be the order of the times.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ElementId([u8; 16]);

const VERSION: u128 = 7;
const VARIANT: u128 = 0b10;
const RANDOM_BITS: u32 = 58;

impl ElementId {
    /// How many bytes an id has.
    pub const LEN: usize = 16;

    /// The id for an element inserted at `now`: later than `now` says if that is needed to be above all of `above`.
    /// The time so made does not feed the clock. Of `random` the low 58 bits count.
    ///
    /// None when an id of `above` carries the end of time and leaves no room.
    pub fn fresh(now: Hlc, above: impl IntoIterator<Item = Self>, random: u64) -> Option<Self> {
        let floor = above.into_iter().max();
        let id = Self::from_parts(now.after(floor.map(|id| id.hlc())), random);
        floor.is_none_or(|floor| id > floor).then_some(id)
    }

    /// An id of a time and at most 58 random bits.
    pub fn from_parts(hlc: Hlc, random: u64) -> Self {
        let (ms, counter) = (u128::from(hlc.ms()), u128::from(hlc.counter()));
        let random = u128::from(random) & ((1 << RANDOM_BITS) - 1);
        let high = ms << 80 | VERSION << 76 | (counter >> 4) << 64;
        let low = VARIANT << 62 | (counter & 0xf) << RANDOM_BITS | random;
        Self((high | low).to_be_bytes())
    }

    /// The id with these bytes, if they are one.
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Option<Self> {
        let number = u128::from_be_bytes(bytes);
        let (version, variant) = (number >> 76 & 0xf, number >> 62 & 0b11);
        (version == VERSION && variant == VARIANT).then_some(Self(bytes))
    }

    /// The bytes, whose order is that of the ids.
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// The time in it.
    pub fn hlc(&self) -> Hlc {
        let number = u128::from_be_bytes(self.0);
        let counter = (number >> 64 & 0xfff) << 4 | number >> RANDOM_BITS & 0xf;
        Hlc::from_parts((number >> 80) as u64, counter as u16)
    }
}

impl fmt::Display for ElementId {
    /// 36 characters: lower-case hexadecimal digits in groups.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if [4, 6, 8, 10].contains(&at) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ElementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ElementId({self})")
    }
}

/// A text that is no element's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an element's id is a UUID of version 7 as 36 lower-case characters, this is {text:?}")]
pub struct ParseElementIdError {
    /// The text that was given, cut to 80 characters.
    pub text: String,
}

impl FromStr for ElementId {
    type Err = ParseElementIdError;

    /// Takes exactly what [`Display`](fmt::Display) gives, so that equal ids are equal texts.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; Self::LEN];
        let digits: String = text.chars().filter(|c| *c != '-').take(2 * Self::LEN + 1).collect();
        let id = hex::decode_to_slice(digits, &mut bytes).ok().and_then(|()| Self::from_bytes(bytes));
        id.filter(|id| id.to_string() == text)
            .ok_or_else(|| ParseElementIdError { text: text.chars().take(80).collect() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_text_is_a_uuid_of_version_7() {
        let id = ElementId::from_parts(Hlc::from_parts(0x0123_4567_89ab, 0xcdef), u64::MAX);
        assert_eq!(id.to_string(), "01234567-89ab-7cde-bfff-ffffffffffff");
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in [
            "",
            "01234567-89AB-7cde-bfff-ffffffffffff",
            "0123456789ab-7cde-bfff-ffffffffffff",
            "0123456789ab7cdebfffffffffffffff",
            "01234567-89ab-4cde-bfff-ffffffffffff",
            "01234567-89ab-7cde-ffff-ffffffffffff",
            "01234567-89ab-7cde-bfff-ffffffffffff0",
            "é",
        ] {
            assert!(bad.parse::<ElementId>().is_err(), "{bad:?} was taken for an id");
        }
    }

    #[test]
    fn a_fresh_id_is_above_what_it_must_be_above() {
        let now = Hlc::from_parts(1000, 0);
        let ahead = ElementId::from_parts(Hlc::from_parts(9000, u16::MAX), u64::MAX);
        let past = ElementId::from_parts(Hlc::from_parts(3, 3), 3);
        assert_eq!(ElementId::fresh(now, [], 5).unwrap().hlc(), now);
        assert_eq!(ElementId::fresh(now, [past], 5).unwrap().hlc(), now);
        assert_eq!(ElementId::fresh(now, [ahead, past], 0).unwrap().hlc(), Hlc::from_parts(9001, 0));
        let last = ElementId::from_parts(Hlc::MAX, 7);
        assert_eq!(ElementId::fresh(now, [last], 7), None);
        assert!(ElementId::fresh(now, [last], 8).is_some());
    }

    proptest! {
        #[test]
        fn ids_are_in_the_order_of_time_and_then_chance(a: (u64, u64), b: (u64, u64)) {
            let id = |(time, random): (u64, u64)| ElementId::from_parts(Hlc::from_u64(time), random);
            let rank = |(time, random): (u64, u64)| (time, random & ((1 << RANDOM_BITS) - 1));
            prop_assert_eq!(id(a).cmp(&id(b)), rank(a).cmp(&rank(b)));
            prop_assert_eq!(id(a).hlc(), Hlc::from_u64(a.0));
            prop_assert_eq!(ElementId::from_bytes(*id(a).as_bytes()), Some(id(a)));
        }
    }
}
