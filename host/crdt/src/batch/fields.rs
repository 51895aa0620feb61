//! The fields of an operation: what families write and read them with.
//!
//! A family says once what its operations consist of ([`OpApplier::write`](crate::OpApplier::write)); from that come
//! their bytes, an upper bound of how many those are, and whether all is within the limits.

use bytes::Bytes;

use crate::{
    codec::{CodecError, Reader, put_bytes, put_varint, varint_len},
    element::ElementId,
    hlc::Hlc,
    id::Dot,
    limits::{self, LimitError},
};

use super::origins::{MIN_DOT, OriginTable, Origins};

/// The most bytes that a stamp takes: the varint of any 64-bit number.
const STAMP_BOUND: usize = 10;
/// The most bytes that a dot takes: an origin index below 2^14 and any number.
const DOT_BOUND: usize = 2 + 10;

/// Takes the fields of an operation, in their order.
pub struct OpWriter<'a>(Sink<'a>);

enum Sink<'a> {
    /// Writes them.
    Bytes { out: &'a mut Vec<u8>, key: &'a [u8], batch: Hlc, origins: &'a mut OriginTable },
    /// Adds up what they take at most, the key left out.
    Bound(usize),
    /// Looks for one that is too large.
    Limits(Result<(), LimitError>),
}

impl<'a> OpWriter<'a> {
    pub(super) fn bytes_of(
        out: &'a mut Vec<u8>,
        key: &'a [u8],
        batch: Hlc,
        origins: &'a mut OriginTable,
    ) -> Self {
        Self(Sink::Bytes { out, key, batch, origins })
    }

    pub(super) fn bound(write: impl FnOnce(&mut Self)) -> usize {
        let mut writer = Self(Sink::Bound(0));
        write(&mut writer);
        if let Sink::Bound(bytes) = writer.0 { bytes } else { 0 }
    }

    pub(super) fn limits(write: impl FnOnce(&mut Self)) -> Result<(), LimitError> {
        let mut writer = Self(Sink::Limits(Ok(())));
        write(&mut writer);
        if let Sink::Limits(result) = writer.0 { result } else { Ok(()) }
    }

    /// Which operation it is: one of the family's tags. First, and once.
    pub fn tag(&mut self, tag: u8) {
        match &mut self.0 {
            Sink::Bytes { out, key, .. } => {
                out.push(tag);
                put_bytes(out, key);
            }
            Sink::Bound(bytes) => *bytes += 1,
            Sink::Limits(_) => {}
        }
    }

    /// A number.
    pub fn number(&mut self, number: u64) {
        match &mut self.0 {
            Sink::Bytes { out, .. } => put_varint(out, number),
            Sink::Bound(bytes) => *bytes += varint_len(number),
            Sink::Limits(_) => {}
        }
    }

    /// Bytes, of which there may be so many.
    pub fn bytes(&mut self, what: &'static str, limit: usize, value: &[u8]) {
        match &mut self.0 {
            Sink::Bytes { out, .. } => put_bytes(out, value),
            Sink::Bound(bytes) => *bytes += varint_len(value.len() as u64) + value.len(),
            Sink::Limits(result) => {
                if result.is_ok() {
                    *result = limits::check(what, value.len(), limit);
                }
            }
        }
    }

    /// When something was written: relative to the batch, of which it nearly always is the time: one byte instead of
    /// eight.
    pub fn stamp(&mut self, hlc: Hlc) {
        match &mut self.0 {
            Sink::Bytes { out, batch, .. } => {
                let delta = hlc.as_u64().wrapping_sub(batch.as_u64()) as i64;
                put_varint(out, ((delta << 1) ^ (delta >> 63)) as u64);
            }
            Sink::Bound(bytes) => *bytes += STAMP_BOUND,
            Sink::Limits(_) => {}
        }
    }

    /// An element's id.
    pub fn element(&mut self, id: &ElementId) {
        match &mut self.0 {
            Sink::Bytes { out, .. } => out.extend_from_slice(id.as_bytes()),
            Sink::Bound(bytes) => *bytes += ElementId::LEN,
            Sink::Limits(_) => {}
        }
    }

    /// Dots.
    pub fn dots(&mut self, dots: &[Dot]) {
        match &mut self.0 {
            Sink::Bytes { out, origins, .. } => {
                put_varint(out, dots.len() as u64);
                for dot in dots {
                    put_varint(out, origins.index(&dot.origin));
                    put_varint(out, dot.seq);
                }
            }
            Sink::Bound(bytes) => *bytes += varint_len(dots.len() as u64) + dots.len() * DOT_BOUND,
            Sink::Limits(_) => {}
        }
    }
}

/// Gives the fields of an operation back, in the order in which they were written.
pub struct OpReader<'a> {
    pub(super) reader: &'a mut Reader,
    pub(super) batch: Hlc,
    pub(super) origins: &'a mut Origins,
    /// How many dots the batch may still name.
    pub(super) dots_left: &'a mut usize,
}

impl OpReader<'_> {
    /// A number.
    ///
    /// # Errors
    /// When the bytes are something else; so for all of these.
    pub fn number(&mut self, what: &'static str) -> Result<u64, CodecError> {
        self.reader.varint(what)
    }

    /// Bytes, of which there may be so many.
    ///
    /// # Errors
    /// Also when there are more.
    pub fn bytes(&mut self, what: &'static str, limit: usize) -> Result<Bytes, CodecError> {
        self.reader.bytes(what, limit)
    }

    /// When something was written.
    ///
    /// # Errors
    /// See [`number`](Self::number).
    pub fn stamp(&mut self) -> Result<Hlc, CodecError> {
        let zigzag = self.reader.varint("time")?;
        let delta = (zigzag >> 1) ^ (zigzag & 1).wrapping_neg();
        Ok(Hlc::from_u64(self.batch.as_u64().wrapping_add(delta)))
    }

    /// An element's id.
    ///
    /// # Errors
    /// See [`number`](Self::number).
    pub fn element(&mut self) -> Result<ElementId, CodecError> {
        self.reader.element()
    }

    /// Dots.
    ///
    /// # Errors
    /// Also when the batch names more of them than it may.
    pub fn dots(&mut self) -> Result<Vec<Dot>, CodecError> {
        let count = self.reader.count("batch dots", *self.dots_left, MIN_DOT)?;
        *self.dots_left -= count;
        let mut dots = Vec::with_capacity(count);
        for _ in 0..count {
            dots.push(self.origins.dot(self.reader, "dot")?);
        }
        Ok(dots)
    }
}
