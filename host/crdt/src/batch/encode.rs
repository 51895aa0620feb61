//! Writing batches.

use bytes::Bytes;

use super::{Batch, FORMAT_VERSION, fields::OpWriter, origins::OriginTable};
use crate::{
    codec::{put_origin, put_varint, varint_len},
    family,
    limits::{self, LimitError, MAX_BATCH_BYTES, MAX_BATCH_DOTS, MAX_BATCH_OPS, MAX_BATCH_ORIGINS, MAX_KEY},
    op::Op,
};

impl Batch {
    /// The bytes for log and wire. Limits are not checked here: the writer checks while it collects
    /// ([`Op::encoded_bound`]) and every reader checks again.
    pub fn encode(&self) -> Bytes {
        let mut origins = OriginTable::new(self.origin);
        let mut tail = Vec::with_capacity(64 + self.ops.iter().map(Op::encoded_bound).sum::<usize>());
        put_varint(&mut tail, self.seq);
        tail.extend_from_slice(&self.hlc.as_u64().to_be_bytes());
        put_varint(&mut tail, self.deps.len() as u64);
        for (origin, seq) in &self.deps {
            put_varint(&mut tail, origins.index(origin));
            put_varint(&mut tail, *seq);
        }
        put_varint(&mut tail, self.ops.len() as u64);
        for op in &self.ops {
            op.write(&mut OpWriter::bytes_of(&mut tail, op.key.as_bytes(), self.hlc, &mut origins));
        }

        let mut out = Vec::with_capacity(8 + origins.order.len() * 50 + tail.len());
        out.push(FORMAT_VERSION);
        put_varint(&mut out, origins.order.len() as u64);
        origins.order.iter().for_each(|origin| put_origin(&mut out, origin));
        out.extend_from_slice(&tail);
        out.into()
    }

    /// Whether every reader would take the batch, as far as sizes go.
    ///
    /// # Errors
    /// The first limit that it breaks.
    pub fn check_limits(&self) -> Result<(), LimitError> {
        self.ops.iter().try_for_each(Op::check_limits)?;
        limits::check("batch operations", self.ops.len(), MAX_BATCH_OPS)?;
        limits::check("batch", self.ops.iter().map(Op::encoded_bound).sum(), MAX_BATCH_BYTES)?;
        limits::check("batch dots", self.ops.iter().map(|op| op.body.dots().len()).sum(), MAX_BATCH_DOTS)?;
        let mut origins = OriginTable::new(self.origin);
        for origin in self.deps.iter().map(|(origin, _)| origin) {
            origins.index(origin);
        }
        for dot in self.ops.iter().flat_map(|op| op.body.dots()) {
            origins.index(&dot.origin);
        }
        limits::check("batch origins", origins.order.len(), MAX_BATCH_ORIGINS)
    }
}

impl Op {
    /// Writes the fields.
    fn write(&self, fields: &mut OpWriter<'_>) {
        if let Some(family) = family::applier(self.body.kind()) {
            family.write(&self.body, fields);
        }
    }

    /// An upper bound of the bytes that the operation takes in a batch. The sum over a batch may be up to
    /// [`MAX_BATCH_BYTES`]; that is the measure for `invalid("batch too large")`.
    pub fn encoded_bound(&self) -> usize {
        let key = self.key.as_bytes().len();
        varint_len(key as u64) + key + OpWriter::bound(|fields| self.write(fields))
    }

    /// Whether key, field, element and value are within their limits.
    ///
    /// # Errors
    /// The first limit that it breaks.
    pub fn check_limits(&self) -> Result<(), LimitError> {
        limits::check("key", self.key.as_bytes().len(), MAX_KEY)?;
        OpWriter::limits(|fields| self.write(fields))
    }
}
