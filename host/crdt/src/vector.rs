//! How much of every origin is known.

use std::collections::{BTreeMap, btree_map::Entry};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::{
    codec::{self, CodecError, Reader},
    id::{Dot, Origin},
};

/// For every origin the number of the last batch up to which all are known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct VersionVector(BTreeMap<Origin, u64>);

impl VersionVector {
    /// A vector that knows nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The last batch known of an origin, 0 for none.
    pub fn get(&self, origin: &Origin) -> u64 {
        self.0.get(origin).copied().unwrap_or(0)
    }

    /// Whether the batch is known.
    pub fn covers(&self, dot: Dot) -> bool {
        dot.seq <= self.get(&dot.origin)
    }

    /// Whether everything that `other` knows is known.
    pub fn covers_vector(&self, other: &Self) -> bool {
        other.0.iter().all(|(origin, seq)| *seq <= self.get(origin))
    }

    /// Takes note of a batch if it is the next of its origin. `false`, and nothing changes, when it is already known
    /// ([`covers`](Self::covers)) or one before it is missing.
    pub fn advance(&mut self, dot: Dot) -> bool {
        match self.0.entry(dot.origin) {
            Entry::Occupied(mut known) => {
                let next = known.get().checked_add(1) == Some(dot.seq);
                if next {
                    known.insert(dot.seq);
                }
                next
            }
            Entry::Vacant(unknown) if dot.seq == 1 => {
                unknown.insert(1);
                true
            }
            Entry::Vacant(_) => false,
        }
    }

    /// Raises an origin to at least `seq`.
    pub fn set_max(&mut self, origin: Origin, seq: u64) {
        if seq > self.get(&origin) {
            self.0.insert(origin, seq);
        }
    }

    /// Learns everything that `other` knows.
    pub fn merge(&mut self, other: &Self) {
        other.iter().for_each(|(origin, seq)| self.set_max(*origin, seq));
    }

    /// Origins with at least one batch known, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Origin, u64)> {
        self.0.iter().map(|(origin, seq)| (origin, *seq))
    }

    /// How many origins are known.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes for disk and wire: a count, then origins in order with their numbers. Equal vectors have equal bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(4 + self.0.len() * 48);
        self.encode_into(&mut out);
        out.into()
    }

    /// Appends what [`encode`](Self::encode) gives.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        codec::put_varint(out, self.0.len() as u64);
        for (origin, seq) in &self.0 {
            codec::put_origin(out, origin);
            codec::put_varint(out, *seq);
        }
    }

    /// Reads a vector that ends where the bytes end.
    ///
    /// # Errors
    /// When the bytes are not what [`encode`](Self::encode) gives.
    pub fn decode(bytes: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let vector = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(vector)
    }

    /// Reads a vector off the front of a reader.
    ///
    /// # Errors
    /// When the bytes are not what [`encode`](Self::encode) gives.
    pub fn read(reader: &mut Reader) -> Result<Self, CodecError> {
        /// Node, epoch, nonce and number take at least this.
        const MIN_ENTRY: usize = 32 + 1 + 8 + 1;
        const WHAT: &str = "version vector";
        let count = reader.count(WHAT, usize::MAX, MIN_ENTRY)?;
        let mut entries = BTreeMap::new();
        for _ in 0..count {
            let origin = reader.origin()?;
            let seq = reader.varint(WHAT)?;
            let ordered = entries.last_key_value().is_none_or(|(last, _)| *last < origin);
            if !ordered || seq == 0 {
                return Err(CodecError::Malformed { what: WHAT });
            }
            entries.insert(origin, seq);
        }
        Ok(Self(entries))
    }

    /// A short name for the vector, the same on every node: the first 16 bytes of the SHA-256 of its encoding.
    pub fn digest(&self) -> [u8; 16] {
        Sha256::digest(self.encode()).first_chunk().copied().unwrap_or_default()
    }
}

impl FromIterator<(Origin, u64)> for VersionVector {
    /// The highest number wins where an origin comes twice; zeros are left out.
    fn from_iter<T: IntoIterator<Item = (Origin, u64)>>(entries: T) -> Self {
        let mut vector = Self::new();
        entries.into_iter().for_each(|(origin, seq)| vector.set_max(origin, seq));
        vector
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::NodeId;

    fn origin(n: u8) -> Origin {
        Origin { node: NodeId([n; 32]), epoch: 1, nonce: u64::from(n) }
    }

    fn vectors() -> impl Strategy<Value = VersionVector> {
        proptest::collection::vec((0u8..5, 0u64..9), 0..8)
            .prop_map(|entries| entries.into_iter().map(|(n, seq)| (origin(n), seq)).collect())
    }

    #[test]
    fn only_the_next_batch_advances() {
        let mut vector = VersionVector::new();
        let dot = |seq| Dot { origin: origin(1), seq };
        assert!(!vector.advance(dot(2)));
        assert!(!vector.advance(dot(0)));
        assert!(vector.advance(dot(1)));
        assert!(!vector.advance(dot(1)));
        assert!(vector.advance(dot(2)));
        assert!(vector.covers(dot(2)) && vector.covers(dot(1)) && !vector.covers(dot(3)));
        vector.set_max(origin(1), u64::MAX);
        assert!(!vector.advance(dot(0)));
    }

    #[test]
    fn the_encoding_is_frozen() {
        let vector: VersionVector = [(origin(2), 300), (origin(1), 1)].into_iter().collect();
        let mut want = vec![2];
        want.extend([1; 32]);
        want.extend([1, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        want.extend([2; 32]);
        want.extend([1, 0, 0, 0, 0, 0, 0, 0, 2, 0xac, 2]);
        assert_eq!(vector.encode(), want);
        assert_eq!(hex::encode(vector.digest()), "ba20229d473f4438b8f753246d8e1172");
        assert_eq!(VersionVector::new().encode(), vec![0]);
    }

    #[test]
    fn unordered_and_empty_entries_are_refused() {
        for entries in [[(2, 1), (1, 1)], [(1, 1), (1, 2)], [(1, 1), (2, 0)]] {
            let mut out = vec![2];
            for (n, seq) in entries {
                codec::put_origin(&mut out, &origin(n));
                codec::put_varint(&mut out, seq);
            }
            assert!(VersionVector::decode(out.into()).is_err(), "{entries:?} was taken");
        }
    }

    proptest! {
        #[test]
        fn merging_is_the_least_upper_bound(a in vectors(), b in vectors()) {
            let mut ab = a.clone();
            ab.merge(&b);
            let mut ba = b.clone();
            ba.merge(&a);
            prop_assert_eq!(&ab, &ba);
            prop_assert!(ab.covers_vector(&a) && ab.covers_vector(&b));
            prop_assert!(ab.iter().all(|(o, seq)| seq == a.get(o) || seq == b.get(o)));
            prop_assert_eq!(a == b, a.digest() == b.digest());
        }

        #[test]
        fn encoding_round_trips(a in vectors()) {
            prop_assert_eq!(VersionVector::decode(a.encode()), Ok(a));
        }

        #[test]
        fn decoding_takes_any_bytes_without_panic(bytes: Vec<u8>) {
            if let Ok(vector) = VersionVector::decode(bytes.clone().into()) {
                prop_assert_eq!(vector.encode(), bytes);
            }
        }
    }
}
