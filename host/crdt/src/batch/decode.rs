//! Reading batches. Any bytes may come in: the answer is a batch within all limits, or an error.

use bytes::Bytes;

use super::{
    Batch, BatchHeader, FORMAT_VERSION, TAG_FIELD_REMOVE, TAG_FIELD_SET, TAG_G_COUNTER,
    TAG_LIST_INSERT_AFTER, TAG_LIST_INSERT_HEAD, TAG_LIST_REMOVE, TAG_PN_COUNTER, TAG_REGISTER_CLEAR,
    TAG_REGISTER_SET, TAG_SET_ADD, TAG_SET_REMOVE, TAG_TEXT,
};
use crate::{
    codec::{CodecError, Reader},
    hlc::Hlc,
    id::{Dot, Origin},
    key::Key,
    limits::{
        self, MAX_BATCH_BYTES, MAX_BATCH_DOTS, MAX_BATCH_OPS, MAX_BATCH_ORIGINS, MAX_ENCODED_BATCH,
        MAX_FIELD, MAX_KEY, MAX_TEXT_UPDATE, MAX_VALUE,
    },
    op::{Body, Op},
    text,
};

/// The fewest bytes of an origin, a dot or dependency, and an operation: what a count is checked against before
/// memory is reserved for it.
const MIN_ORIGIN: usize = 32 + 1 + 8;
const MIN_DOT: usize = 2;
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
    let body = match tag {
        TAG_G_COUNTER => Body::GCounter { total: reader.varint("counter")? },
        TAG_PN_COUNTER => Body::PnCounter { up: reader.varint("counter")?, down: reader.varint("counter")? },
        TAG_REGISTER_SET | TAG_REGISTER_CLEAR => {
            let hlc = read_stamp(reader, batch)?;
            let value = (tag == TAG_REGISTER_SET).then(|| reader.bytes("value", MAX_VALUE)).transpose()?;
            Body::Register { hlc, value }
        }
        TAG_FIELD_SET | TAG_FIELD_REMOVE => {
            let field = reader.bytes("field", MAX_FIELD)?;
            let hlc = read_stamp(reader, batch)?;
            let value = (tag == TAG_FIELD_SET).then(|| reader.bytes("value", MAX_VALUE)).transpose()?;
            Body::MapField { field, hlc, value }
        }
        TAG_SET_ADD => {
            let element = reader.bytes("element", MAX_VALUE)?;
            Body::SetAdd { element, replaces: read_dots(reader, origins, dots_left)? }
        }
        TAG_SET_REMOVE => {
            let element = reader.bytes("element", MAX_VALUE)?;
            Body::SetRemove { element, removes: read_dots(reader, origins, dots_left)? }
        }
        TAG_LIST_INSERT_HEAD | TAG_LIST_INSERT_AFTER => {
            let id = reader.element()?;
            let after = (tag == TAG_LIST_INSERT_AFTER).then(|| reader.element()).transpose()?;
            // Where an element stands in a list is found by this order.
            if after.is_some_and(|after| after >= id) {
                return Err(CodecError::Malformed { what: "element id" });
            }
            Body::ListInsert { id, after, value: reader.bytes("value", MAX_VALUE)? }
        }
        TAG_LIST_REMOVE => Body::ListRemove { id: reader.element()? },
        TAG_TEXT => {
            let update = reader.bytes("text update", MAX_TEXT_UPDATE)?;
            // Every family must be able to apply what was decoded.
            text::State::read_update(&update).map_err(|_| CodecError::Malformed { what: "text update" })?;
            Body::Text { update }
        }
        tag => return Err(CodecError::Tag { what: "operation", tag }),
    };
    Ok(Op { key, body })
}

fn read_stamp(reader: &mut Reader, batch: Hlc) -> Result<Hlc, CodecError> {
    let zigzag = reader.varint("time")?;
    let delta = (zigzag >> 1) ^ (zigzag & 1).wrapping_neg();
    Ok(Hlc::from_u64(batch.as_u64().wrapping_add(delta)))
}

fn read_dots(
    reader: &mut Reader,
    origins: &mut Origins,
    dots_left: &mut usize,
) -> Result<Vec<Dot>, CodecError> {
    let count = reader.count("batch dots", *dots_left, MIN_DOT)?;
    *dots_left -= count;
    let mut dots = Vec::with_capacity(count);
    for _ in 0..count {
        dots.push(origins.dot(reader, "dot")?);
    }
    Ok(dots)
}

/// Whether no origin comes twice.
fn distinct(table: &[Origin]) -> bool {
    match table {
        [_] => true,
        [a, b] => a != b,
        many => {
            let mut sorted = many.to_vec();
            sorted.sort_unstable();
            sorted.is_sorted_by(|a, b| a < b)
        }
    }
}

/// The origin table while the batch is read: checks that entries are used in order.
struct Origins {
    table: Vec<Origin>,
    /// Entries below this were used.
    used: usize,
}

impl Origins {
    /// The batch's own origin, and the table.
    fn read(reader: &mut Reader) -> Result<(Origin, Self), CodecError> {
        const WHAT: &str = "batch origins";
        let count = reader.count(WHAT, MAX_BATCH_ORIGINS, MIN_ORIGIN)?;
        let mut table = Vec::with_capacity(count);
        for _ in 0..count {
            table.push(reader.origin()?);
        }
        match table.first() {
            Some(own) if distinct(&table) => Ok((*own, Self { table, used: 1 })),
            _ => Err(CodecError::Malformed { what: WHAT }),
        }
    }

    fn dot(&mut self, reader: &mut Reader, what: &'static str) -> Result<Dot, CodecError> {
        let index = usize::try_from(reader.varint(what)?).unwrap_or(usize::MAX);
        let seq = reader.varint(what)?;
        match self.table.get(index) {
            Some(origin) if index <= self.used && seq > 0 => {
                self.used = self.used.max(index + 1);
                Ok(Dot { origin: *origin, seq })
            }
            _ => Err(CodecError::Malformed { what }),
        }
    }

    /// `Ok` when every entry was used.
    fn finish(self) -> Result<(), CodecError> {
        if self.used == self.table.len() {
            Ok(())
        } else {
            Err(CodecError::Malformed { what: "batch origins" })
        }
    }
}
