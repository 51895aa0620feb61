//! Writing batches.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{
    Batch, FORMAT_VERSION, TAG_FIELD_REMOVE, TAG_FIELD_SET, TAG_G_COUNTER, TAG_LIST_INSERT_AFTER,
    TAG_LIST_INSERT_HEAD, TAG_LIST_REMOVE, TAG_PN_COUNTER, TAG_REGISTER_CLEAR, TAG_REGISTER_SET, TAG_SET_ADD,
    TAG_SET_REMOVE, TAG_TEXT,
};
use crate::{
    codec::{put_bytes, put_origin, put_varint, varint_len},
    element::ElementId,
    hlc::Hlc,
    id::{Dot, Origin},
    limits::{
        self, LimitError, MAX_BATCH_BYTES, MAX_BATCH_DOTS, MAX_BATCH_OPS, MAX_BATCH_ORIGINS, MAX_FIELD,
        MAX_KEY, MAX_TEXT_UPDATE, MAX_VALUE,
    },
    op::{Body, Op},
};

/// The most bytes that a stamp takes: the varint of any 64-bit number.
const STAMP_BOUND: usize = 10;
/// The most bytes that a dot takes: an origin index below 2^14 and any number.
const DOT_BOUND: usize = 2 + 10;

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
            encode_op(&mut tail, op, self.hlc, &mut origins);
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
    /// An upper bound of the bytes that the operation takes in a batch. The sum over a batch may be up to
    /// [`MAX_BATCH_BYTES`]; that is the measure for `invalid("batch too large")`.
    pub fn encoded_bound(&self) -> usize {
        let bytes = |len: usize| varint_len(len as u64) + len;
        let stamped =
            |value: &Option<Bytes>| STAMP_BOUND + value.as_ref().map_or(0, |value| bytes(value.len()));
        let body = match &self.body {
            Body::GCounter { total } => varint_len(*total),
            Body::PnCounter { up, down } => varint_len(*up) + varint_len(*down),
            Body::Register { value, .. } => stamped(value),
            Body::MapField { field, value, .. } => bytes(field.len()) + stamped(value),
            Body::SetAdd { element, replaces: dots } | Body::SetRemove { element, removes: dots } => {
                bytes(element.len()) + varint_len(dots.len() as u64) + dots.len() * DOT_BOUND
            }
            Body::ListInsert { value, .. } => 2 * ElementId::LEN + bytes(value.len()),
            Body::ListRemove { .. } => ElementId::LEN,
            Body::Text { update } => bytes(update.len()),
        };
        1 + bytes(self.key.as_bytes().len()) + body
    }

    /// Whether key, field, element and value are within their limits.
    ///
    /// # Errors
    /// The first limit that it breaks.
    pub fn check_limits(&self) -> Result<(), LimitError> {
        limits::check("key", self.key.as_bytes().len(), MAX_KEY)?;
        let value =
            |value: &Option<Bytes>| limits::check("value", value.as_ref().map_or(0, Bytes::len), MAX_VALUE);
        match &self.body {
            Body::GCounter { .. } | Body::PnCounter { .. } | Body::ListRemove { .. } => Ok(()),
            Body::ListInsert { value, .. } => limits::check("value", value.len(), MAX_VALUE),
            Body::Register { value: written, .. } => value(written),
            Body::MapField { field, value: written, .. } => {
                limits::check("field", field.len(), MAX_FIELD)?;
                value(written)
            }
            Body::SetAdd { element, .. } | Body::SetRemove { element, .. } => {
                limits::check("element", element.len(), MAX_VALUE)
            }
            Body::Text { update } => limits::check("text update", update.len(), MAX_TEXT_UPDATE),
        }
    }
}

fn encode_op(out: &mut Vec<u8>, op: &Op, batch: Hlc, origins: &mut OriginTable) {
    let key = op.key.as_bytes();
    let mut head = |tag: u8| {
        out.push(tag);
        put_bytes(out, key);
    };
    match &op.body {
        Body::GCounter { total } => {
            head(TAG_G_COUNTER);
            put_varint(out, *total);
        }
        Body::PnCounter { up, down } => {
            head(TAG_PN_COUNTER);
            put_varint(out, *up);
            put_varint(out, *down);
        }
        Body::Register { hlc, value } => {
            head(if value.is_some() { TAG_REGISTER_SET } else { TAG_REGISTER_CLEAR });
            put_stamped(out, *hlc, batch, value.as_deref());
        }
        Body::MapField { field, hlc, value } => {
            head(if value.is_some() { TAG_FIELD_SET } else { TAG_FIELD_REMOVE });
            put_bytes(out, field);
            put_stamped(out, *hlc, batch, value.as_deref());
        }
        Body::SetAdd { element, replaces } => {
            head(TAG_SET_ADD);
            put_bytes(out, element);
            put_dots(out, replaces, origins);
        }
        Body::SetRemove { element, removes } => {
            head(TAG_SET_REMOVE);
            put_bytes(out, element);
            put_dots(out, removes, origins);
        }
        Body::ListInsert { id, after, value } => {
            head(if after.is_some() { TAG_LIST_INSERT_AFTER } else { TAG_LIST_INSERT_HEAD });
            out.extend_from_slice(id.as_bytes());
            out.extend_from_slice(after.as_ref().map_or(&[][..], |id| id.as_bytes()));
            put_bytes(out, value);
        }
        Body::ListRemove { id } => {
            head(TAG_LIST_REMOVE);
            out.extend_from_slice(id.as_bytes());
        }
        Body::Text { update } => {
            head(TAG_TEXT);
            put_bytes(out, update);
        }
    }
}

/// A row's time relative to the batch's, which is nearly always the same: one byte instead of eight.
fn put_stamped(out: &mut Vec<u8>, hlc: Hlc, batch: Hlc, value: Option<&[u8]>) {
    let delta = hlc.as_u64().wrapping_sub(batch.as_u64()) as i64;
    put_varint(out, ((delta << 1) ^ (delta >> 63)) as u64);
    if let Some(value) = value {
        put_bytes(out, value);
    }
}

fn put_dots(out: &mut Vec<u8>, dots: &[Dot], origins: &mut OriginTable) {
    put_varint(out, dots.len() as u64);
    for dot in dots {
        put_varint(out, origins.index(&dot.origin));
        put_varint(out, dot.seq);
    }
}

/// Gives origins their index in order of first use.
struct OriginTable {
    order: Vec<Origin>,
    /// Filled from [`FEW`] origins on.
    known: BTreeMap<Origin, u64>,
}

/// Origins that are looked up one by one: nearly all batches name one or two, and a map for each would cost more than
/// the rest of the encoding.
const FEW: usize = 8;

impl OriginTable {
    fn new(own: Origin) -> Self {
        Self { order: vec![own], known: BTreeMap::new() }
    }

    fn index(&mut self, origin: &Origin) -> u64 {
        let known = match self.known.is_empty() {
            true => self.order.iter().position(|known| known == origin).map(|index| index as u64),
            false => self.known.get(origin).copied(),
        };
        if let Some(index) = known {
            return index;
        }
        let index = self.order.len() as u64;
        self.order.push(*origin);
        if self.order.len() == FEW {
            self.known = self.order.iter().copied().zip(0..).collect();
        } else if self.order.len() > FEW {
            self.known.insert(*origin, index);
        }
        index
    }
}
