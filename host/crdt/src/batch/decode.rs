//! Reading batches. Any bytes may come in: the answer is a batch within all limits, or an error.

use bytes::Bytes;

use super::{
    Batch, BatchHeader, FORMAT_VERSION,
    fields::OpReader,
    origins::{MIN_DOT, Origins},
};
use crate::{
    codec::{CodecError, Reader},
    family,
    hlc::Hlc,
    key::Key,
    limits::{
        self, MAX_BATCH_BYTES, MAX_BATCH_DOTS, MAX_BATCH_OPS, MAX_BATCH_ORIGINS, MAX_ENCODED_BATCH, MAX_KEY,
    },
    op::Op,
};

/// The fewest bytes of an operation: what their count is checked against before memory is reserved for them.
const MIN_OP: usize = 3;

impl Batch {
    /// Reads a batch. Keys, values and elements share the memory of `bytes`.
    ///
    /// # Errors
    /// When the bytes are not exactly what [`Batch::encode`] gives for a batch within the limits.
    pub fn decode(bytes: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let (header, mut origins) = read_header(&mut reader)?;
        let count = reader.count("batch operations", MAX_BATCH_OPS, MIN_OP)?;
        limits::check("batch", reader.remaining(), MAX_BATCH_BYTES)?;
        let mut dots_left = MAX_BATCH_DOTS;
        let mut ops = Vec::with_capacity(count);
        for _ in 0..count {
            ops.push(read_op(&mut reader, header.hlc, &mut origins, &mut dots_left)?);
        }
        reader.finish()?;
        origins.finish()?;
        let BatchHeader { origin, seq, deps, hlc } = header;
        Ok(Self { origin, seq, deps, hlc, ops })
    }
}

impl BatchHeader {
    /// Reads the head of an encoded batch and leaves the operations alone.
    ///
    /// # Errors
    /// When the head is malformed. The operations may still be; only [`Batch::decode`] tells.
    pub fn peek(bytes: &Bytes) -> Result<Self, CodecError> {
        read_header(&mut Reader::new(bytes.clone())).map(|(header, _)| header)
    }
}

fn read_header(reader: &mut Reader) -> Result<(BatchHeader, Origins), CodecError> {
    limits::check("encoded batch", reader.remaining(), MAX_ENCODED_BATCH)?;
    let found = reader.u8("format version")?;
    if found != FORMAT_VERSION {
        return Err(CodecError::Version { found, known: FORMAT_VERSION });
    }
    let (own, mut origins) = Origins::read(reader)?;
    let seq = reader.varint("sequence number")?;
    let hlc = Hlc::from_u64(reader.u64("time")?);
    let count = reader.count("dependencies", MAX_BATCH_ORIGINS, MIN_DOT)?;
    let mut deps = Vec::with_capacity(count);
    for _ in 0..count {
        let dot = origins.dot(reader, "dependency")?;
        deps.push((dot.origin, dot.seq));
    }
    if seq == 0 || deps.iter().any(|(origin, _)| *origin == own) {
        return Err(CodecError::Malformed { what: "batch head" });
    }
    Ok((BatchHeader { origin: own, seq, deps, hlc }, origins))
}

fn read_op(
    reader: &mut Reader,
    batch: Hlc,
    origins: &mut Origins,
    dots_left: &mut usize,
) -> Result<Op, CodecError> {
    let tag = reader.u8("operation")?;
    let key = Key::new(reader.bytes("key", MAX_KEY)?)?;
    let family = family::of_tag(tag).ok_or(CodecError::Tag { what: "operation", tag })?;
    let body = family.read(tag, &mut OpReader { reader, batch, origins, dots_left })?;
    Ok(Op { key, body })
}
