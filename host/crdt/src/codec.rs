//! The few primitives that every binary format of the project is made of: varints, fixed integers, byte strings.
//!
//! Varints are LEB128: seven bits a byte, low bits first, and only the shortest form is taken, so that a value has
//! exactly one encoding and a re-encoded batch has the same bytes.

use bytes::{Buf, Bytes};

use crate::{
    element::ElementId,
    id::{NodeId, Origin},
    limits::LimitError,
};

/// Bytes that are not what they should be. Nothing was changed; the input is refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The input ends within a value.
    #[error("the input ends within {what}")]
    Truncated {
        /// What was being read.
        what: &'static str,
    },
    /// Bytes follow after the end.
    #[error("{count} bytes follow after the end")]
    Trailing {
        /// How many.
        count: usize,
    },
    /// The format version is none that this program knows.
    #[error("format version {found}, this program reads {known}; upgrade the older side")]
    Version {
        /// The version found.
        found: u8,
        /// The version this program reads.
        known: u8,
    },
    /// A tag byte that this program does not know.
    #[error("unknown {what} tag {tag}; it may come from a newer version")]
    Tag {
        /// What was being read.
        what: &'static str,
        /// The byte found.
        tag: u8,
    },
    /// A value that is never written.
    #[error("malformed {what}")]
    Malformed {
        /// What was being read.
        what: &'static str,
    },
    /// Something is larger than it may be.
    #[error(transparent)]
    Limit(#[from] LimitError),
}

/// Appends an integer in the shortest form, one to ten bytes.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// How many bytes [`put_varint`] appends for a value.
pub fn varint_len(value: u64) -> usize {
    // A value of n significant bits takes ceil(n / 7) bytes, and zero takes one.
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// Appends a length and the bytes.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends an origin: 32 bytes of node, the epoch as varint, the nonce as eight bytes big-endian.
pub fn put_origin(out: &mut Vec<u8>, origin: &Origin) {
    out.extend_from_slice(&origin.node.0);
    put_varint(out, origin.epoch);
    out.extend_from_slice(&origin.nonce.to_be_bytes());
}

/// Reads values off the front of some bytes. After an error its position is unspecified.
#[derive(Debug, Clone)]
pub struct Reader {
    rest: Bytes,
}

impl Reader {
    /// A reader at the beginning of `bytes`. Byte strings that it returns share their memory.
    pub fn new(bytes: Bytes) -> Self {
        Self { rest: bytes }
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next `len` bytes, shared.
    ///
    /// # Errors
    /// [`CodecError::Truncated`], as for every other function here.
    pub fn take(&mut self, len: usize, what: &'static str) -> Result<Bytes, CodecError> {
        if len > self.rest.len() {
            return Err(CodecError::Truncated { what });
        }
        Ok(self.rest.split_to(len))
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], CodecError> {
        let head = *self.rest.first_chunk::<N>().ok_or(CodecError::Truncated { what })?;
        self.rest.advance(N);
        Ok(head)
    }

    /// The next byte.
    ///
    /// # Errors
    /// When none is left.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, CodecError> {
        Ok(u8::from_be_bytes(self.array(what)?))
    }

    /// Eight bytes, big-endian.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn u64(&mut self, what: &'static str) -> Result<u64, CodecError> {
        Ok(u64::from_be_bytes(self.array(what)?))
    }

    /// An integer as [`put_varint`] wrote it.
    ///
    /// # Errors
    /// Also when it does not fit 64 bits or is not in its shortest form.
    pub fn varint(&mut self, what: &'static str) -> Result<u64, CodecError> {
        // Most numbers take one byte.
        match self.rest.first() {
            Some(byte) if *byte < 0x80 => {
                let value = u64::from(*byte);
                self.rest.advance(1);
                return Ok(value);
            }
            _ => {}
        }
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8(what)?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                let shortest = shift == 0 || byte != 0;
                return if shortest { Ok(value) } else { Err(CodecError::Malformed { what }) };
            }
        }
        Err(CodecError::Malformed { what })
    }

    /// A count of things that take at least `min_bytes` bytes each, so that a forged count cannot make the reader
    /// reserve more memory than the input could fill.
    ///
    /// # Errors
    /// Also when the count is above `limit` or more than the rest of the input can hold.
    pub fn count(&mut self, what: &'static str, limit: usize, min_bytes: usize) -> Result<usize, CodecError> {
        let count = usize::try_from(self.varint(what)?).unwrap_or(usize::MAX);
        crate::limits::check(what, count, limit)?;
        if count.saturating_mul(min_bytes) > self.remaining() {
            return Err(CodecError::Truncated { what });
        }
        Ok(count)
    }

    /// Bytes as [`put_bytes`] wrote them, at most `limit` of them.
    ///
    /// # Errors
    /// Also when they are more than `limit`.
    pub fn bytes(&mut self, what: &'static str, limit: usize) -> Result<Bytes, CodecError> {
        let len = self.count(what, limit, 1)?;
        self.take(len, what)
    }

    /// An origin as [`put_origin`] wrote it.
    ///
    /// # Errors
    /// When the input ends within it.
    pub fn origin(&mut self) -> Result<Origin, CodecError> {
        let node = NodeId(self.array("node id")?);
        let epoch = self.varint("epoch")?;
        let nonce = self.u64("nonce")?;
        Ok(Origin { node, epoch, nonce })
    }

    /// The id of a list's element: sixteen bytes.
    ///
    /// # Errors
    /// Also when they are no such id.
    pub fn element(&mut self) -> Result<ElementId, CodecError> {
        const WHAT: &str = "element id";
        ElementId::from_bytes(self.array(WHAT)?).ok_or(CodecError::Malformed { what: WHAT })
    }

    /// `Ok` when everything was read.
    ///
    /// # Errors
    /// [`CodecError::Trailing`] otherwise.
    pub fn finish(self) -> Result<(), CodecError> {
        match self.remaining() {
            0 => Ok(()),
            count => Err(CodecError::Trailing { count }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, value);
        out
    }

    #[test]
    fn varints_at_the_edges() {
        assert_eq!(encoded(0), [0]);
        assert_eq!(encoded(127), [127]);
        assert_eq!(encoded(128), [0x80, 1]);
        assert_eq!(encoded(u64::MAX), [255, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
    }

    #[test]
    fn only_the_shortest_form_that_fits_is_taken() {
        let read = |bytes: &'static [u8]| Reader::new(Bytes::from_static(bytes)).varint("x");
        assert_eq!(read(&[0x80, 0]), Err(CodecError::Malformed { what: "x" }));
        assert_eq!(read(&[255; 9]), Err(CodecError::Truncated { what: "x" }));
        assert_eq!(
            read(&[255, 255, 255, 255, 255, 255, 255, 255, 255, 2]),
            Err(CodecError::Malformed { what: "x" })
        );
        assert_eq!(read(&[0x80; 11]), Err(CodecError::Malformed { what: "x" }));
    }

    #[test]
    fn a_forged_count_is_refused_before_anything_is_reserved() {
        let mut out = Vec::new();
        put_varint(&mut out, 1 << 40);
        let read = |limit| Reader::new(Bytes::from(out.clone())).count("x", limit, 1);
        assert!(matches!(read(10), Err(CodecError::Limit(_))));
        assert_eq!(read(usize::MAX), Err(CodecError::Truncated { what: "x" }));
    }

    proptest! {
        #[test]
        fn varints_round_trip_and_know_their_length(shift in 0u32..64, value: u64) {
            let value = value >> shift;
            let bytes = encoded(value);
            prop_assert_eq!(bytes.len(), varint_len(value));
            let mut reader = Reader::new(bytes.into());
            prop_assert_eq!(reader.varint("x"), Ok(value));
            prop_assert_eq!(reader.finish(), Ok(()));
        }
    }
}
