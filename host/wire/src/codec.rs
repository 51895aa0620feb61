//! Messages to frames and back.

use crate::buf::{Reader, put_bytes, put_varint};
use crate::frame::{HEADER_BYTES, MAX_FRAME};
use crate::message::{self, Class, Hello, Message};
use crate::{ProtocolRange, WireError};
use bytes::{BufMut, Bytes, BytesMut};
use numax_crdt::{NodeId, Origin, VersionVector};
use thiserror::Error;

/// The most batches one frame may hold. The smallest batch has some 60 bytes, so a page of ordinary size holds some
/// thousands; the limit keeps the list of a frame full of one-byte "batches" from taking 32 times the frame's memory.
pub const MAX_BATCHES_PER_FRAME: usize = 65_536;

/// The most acknowledgements one frame may hold: far more members than a cluster has.
pub const MAX_ACKS: usize = 4096;

/// The longest name, address or error text, in bytes.
pub const MAX_LABEL: usize = 1024;

/// Why a frame was refused. The link it came by should be closed with [`WireError::Malformed`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Shorter than a frame's header.
    #[error("a frame is shorter than its header")]
    TooShort,
    /// Longer than a frame may be.
    #[error("a frame of {len} bytes is longer than the {MAX_FRAME} bytes allowed")]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// The body ended in the middle of a field.
    #[error("a message ends in the middle of a field")]
    Truncated,
    /// The body went on after its last field.
    #[error("a message has {0} bytes after its last field")]
    Trailing(usize),
    /// A type that this build does not know and that is not optional.
    #[error("a message of type {0} that is not known here")]
    UnknownType(u16),
    /// A class that does not exist, or not the type's.
    #[error("a message of type {kind} on stream class {class}, where it does not belong")]
    WrongClass {
        /// The message's type.
        kind: u16,
        /// The class it named.
        class: u8,
    },
    /// A field with a value that it may not have.
    #[error("a message holds {0}")]
    Invalid(&'static str),
}

impl From<DecodeError> for WireError {
    fn from(error: DecodeError) -> Self {
        Self::Malformed { detail: error.to_string() }
    }
}

/// Encodes a message as a frame without its length field.
///
/// Names and texts longer than [`MAX_LABEL`] are cut. The caller keeps the sum of batches below [`MAX_FRAME`].
#[must_use]
pub fn encode(message: &Message) -> Bytes {
    let mut out = BytesMut::with_capacity(HEADER_BYTES + body_hint(message));
    out.put_u8(message.class() as u8);
    out.put_u16(message.kind());
    match message {
        Message::Hello(hello) => put_hello(&mut out, hello),
        Message::Digest(digest) => out.put_slice(digest),
        Message::Vector(vector) => put_vector(&mut out, vector),
        Message::Pull { id, after } => {
            put_varint(&mut out, *id);
            put_vector(&mut out, after);
        }
        Message::Push(batches) => put_batches(&mut out, batches),
        Message::Batches { id, batches, done } => {
            put_varint(&mut out, *id);
            out.put_u8(u8::from(*done));
            put_batches(&mut out, batches);
        }
        Message::Acks(acks) => {
            put_varint(&mut out, acks.len() as u64);
            for (member, vector) in acks {
                put_origin(&mut out, member);
                put_vector(&mut out, vector);
            }
        }
        Message::Behind { id } => put_varint(&mut out, *id),
        Message::PullState { id, picture, from, floor } => {
            put_varint(&mut out, *id);
            put_varint(&mut out, *picture);
            put_bytes(&mut out, from);
            put_vector(&mut out, floor);
        }
        Message::State { id, picture, page } => {
            put_varint(&mut out, *id);
            put_varint(&mut out, *picture);
            put_bytes(&mut out, page);
        }
        Message::Error(error) => put_error(&mut out, error),
        Message::Skipped { .. } => {}
    }
    out.freeze()
}

/// Decodes a frame without its length field. Batches share the frame's memory.
///
/// # Errors
/// [`DecodeError`]; the frame's stream is no longer to be trusted then.
pub fn decode(frame: Bytes) -> Result<Message, DecodeError> {
    if frame.len() > MAX_FRAME {
        return Err(DecodeError::TooLong { len: frame.len() });
    }
    if frame.len() < HEADER_BYTES {
        return Err(DecodeError::TooShort);
    }
    let mut body = Reader::new(frame);
    let class = body.u8()?;
    let kind = body.u16()?;
    let wrong_class = DecodeError::WrongClass { kind, class };
    if kind >= message::OPTIONAL && !(message::ACKS..=message::STATE).contains(&kind) {
        return if Class::from_u8(class).is_some() {
            Ok(Message::Skipped { kind })
        } else {
            Err(wrong_class)
        };
    }
    let message = match kind {
        message::HELLO => Message::Hello(hello(&mut body)?),
        message::DIGEST => Message::Digest(body.array()?),
        message::VECTOR => Message::Vector(vector(&mut body)?),
        message::PULL => Message::Pull { id: body.varint()?, after: vector(&mut body)? },
        message::PUSH => Message::Push(batches(&mut body)?),
        message::BATCHES => {
            let id = body.varint()?;
            let done = flag(&mut body)?;
            Message::Batches { id, batches: batches(&mut body)?, done }
        }
        message::ACKS => Message::Acks(acks(&mut body)?),
        message::BEHIND => Message::Behind { id: body.varint()? },
        message::PULL_STATE => Message::PullState {
            id: body.varint()?,
            picture: body.varint()?,
            from: body.bytes()?,
            floor: vector(&mut body)?,
        },
        message::STATE => Message::State { id: body.varint()?, picture: body.varint()?, page: body.bytes()? },
        message::ERROR => Message::Error(error(&mut body)?),
        _ => return Err(DecodeError::UnknownType(kind)),
    };
    if message.class() as u8 != class {
        return Err(wrong_class);
    }
    // Later versions may have added fields to these two, which every version must be able to read.
    let open_ended = matches!(message, Message::Hello(_) | Message::Error(_));
    match body.remaining() {
        0 => Ok(message),
        _ if open_ended => Ok(message),
        rest => Err(DecodeError::Trailing(rest)),
    }
}

fn body_hint(message: &Message) -> usize {
    const ORIGIN_BYTES: usize = 60;
    match message {
        Message::Push(batches) | Message::Batches { batches, .. } => {
            32 + batches.iter().map(|batch| batch.len() + 4).sum::<usize>()
        }
        Message::State { page, .. } => 32 + page.len(),
        Message::Acks(acks) => {
            16 + acks.iter().map(|(_, vector)| (1 + vector.len()) * ORIGIN_BYTES).sum::<usize>()
        }
        Message::PullState { from, floor, .. } => 32 + from.len() + floor.len() * ORIGIN_BYTES,
        Message::Vector(vector) | Message::Pull { after: vector, .. } => 16 + vector.len() * ORIGIN_BYTES,
        _ => 192,
    }
}

fn put_text(out: &mut BytesMut, text: &str) {
    let mut end = text.len().min(MAX_LABEL);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    put_bytes(out, text.get(..end).unwrap_or_default().as_bytes());
}

fn put_origin(out: &mut BytesMut, origin: &Origin) {
    out.put_slice(&origin.node.0);
    put_varint(out, origin.epoch);
    out.put_u64(origin.nonce);
}

fn origin(body: &mut Reader) -> Result<Origin, DecodeError> {
    Ok(Origin { node: NodeId(body.array()?), epoch: body.varint()?, nonce: body.u64()? })
}

fn put_range(out: &mut BytesMut, range: ProtocolRange) {
    put_varint(out, u64::from(range.min));
    put_varint(out, u64::from(range.max));
}

fn range(body: &mut Reader) -> Result<ProtocolRange, DecodeError> {
    Ok(ProtocolRange { min: body.varint_u32()?, max: body.varint_u32()? })
}

fn flag(body: &mut Reader) -> Result<bool, DecodeError> {
    match body.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::Invalid("a flag that is neither 0 nor 1")),
    }
}

fn put_hello(out: &mut BytesMut, hello: &Hello) {
    put_range(out, hello.protocol);
    out.put_slice(&hello.cluster_id);
    out.put_slice(&hello.node.0);
    put_origin(out, &hello.origin);
    out.put_u64(hello.instance);
    put_text(out, &hello.name);
    out.put_u8(u8::from(hello.listen.is_some()));
    if let Some(listen) = &hello.listen {
        put_text(out, listen);
    }
    put_varint(out, hello.features);
}

fn hello(body: &mut Reader) -> Result<Hello, DecodeError> {
    Ok(Hello {
        protocol: range(body)?,
        cluster_id: body.array()?,
        node: NodeId(body.array()?),
        origin: origin(body)?,
        instance: body.u64()?,
        name: body.text(MAX_LABEL)?,
        listen: if flag(body)? { Some(body.text(MAX_LABEL)?) } else { None },
        features: body.varint()?,
    })
}

fn put_vector(out: &mut BytesMut, vector: &VersionVector) {
    put_varint(out, vector.len() as u64);
    for (origin, seq) in vector.iter() {
        put_origin(out, origin);
        put_varint(out, seq);
    }
}

fn vector(body: &mut Reader) -> Result<VersionVector, DecodeError> {
    let count = body.length()?;
    let mut vector = VersionVector::default();
    let mut previous = None;
    for _ in 0..count {
        let origin = origin(body)?;
        let seq = body.varint()?;
        if previous >= Some(origin) {
            return Err(DecodeError::Invalid("a version vector out of order"));
        }
        if seq == 0 {
            return Err(DecodeError::Invalid("a version vector with an empty entry"));
        }
        previous = Some(origin);
        vector.set_max(origin, seq);
    }
    Ok(vector)
}

/// Each member once, so that a frame cannot hold more than there can be.
fn acks(body: &mut Reader) -> Result<Vec<(Origin, VersionVector)>, DecodeError> {
    let count = body.length()?;
    if count > MAX_ACKS {
        return Err(DecodeError::Invalid("more acknowledgements than a frame may hold"));
    }
    let mut acks = Vec::with_capacity(count.min(body.remaining()));
    for _ in 0..count {
        acks.push((origin(body)?, vector(body)?));
    }
    Ok(acks)
}

fn put_batches(out: &mut BytesMut, batches: &[Bytes]) {
    put_varint(out, batches.len() as u64);
    for batch in batches {
        put_bytes(out, batch);
    }
}

fn batches(body: &mut Reader) -> Result<Vec<Bytes>, DecodeError> {
    let count = body.length()?;
    if count > MAX_BATCHES_PER_FRAME {
        return Err(DecodeError::Invalid("more batches than a frame may hold"));
    }
    let mut batches = Vec::with_capacity(count.min(body.remaining()));
    for _ in 0..count {
        let batch = body.bytes()?;
        if batch.is_empty() {
            return Err(DecodeError::Invalid("an empty batch"));
        }
        batches.push(batch);
    }
    Ok(batches)
}

/// One layout for all kinds, so that a kind from the future can be read: `code, fatal, retry after (ms), our range,
/// their range, text`.
fn put_error(out: &mut BytesMut, error: &WireError) {
    const NONE: ProtocolRange = ProtocolRange { min: 0, max: 0 };
    let (retry_after_ms, ours, theirs, detail) = match error {
        WireError::ProtocolMismatch { ours, theirs } => (0, *ours, *theirs, ""),
        WireError::RateLimited { retry_after_ms } => (*retry_after_ms, NONE, NONE, ""),
        WireError::OpRejected { detail }
        | WireError::NotAuthorized { detail }
        | WireError::Malformed { detail }
        | WireError::Internal { detail } => (0, NONE, NONE, detail.as_str()),
        WireError::ClusterMismatch | WireError::DuplicateOrigin | WireError::Shutdown => (0, NONE, NONE, ""),
    };
    out.put_u8(error.code());
    out.put_u8(u8::from(error.is_fatal()));
    put_varint(out, retry_after_ms);
    put_range(out, ours);
    put_range(out, theirs);
    put_text(out, detail);
}

fn error(body: &mut Reader) -> Result<WireError, DecodeError> {
    let code = body.u8()?;
    let fatal = flag(body)?;
    let retry_after_ms = body.varint()?;
    let ours = range(body)?;
    let theirs = range(body)?;
    let detail = body.text(MAX_LABEL)?;
    Ok(match code {
        1 => WireError::ProtocolMismatch { ours, theirs },
        2 => WireError::ClusterMismatch,
        3 => WireError::DuplicateOrigin,
        4 => WireError::OpRejected { detail },
        5 => WireError::RateLimited { retry_after_ms },
        6 => WireError::NotAuthorized { detail },
        7 => WireError::Malformed { detail },
        8 => WireError::Internal { detail },
        9 => WireError::Shutdown,
        // A newer node's error: what matters is whether to come back soon.
        _ if fatal => {
            WireError::NotAuthorized { detail: format!("error {code} of a newer version: {detail}") }
        }
        _ => WireError::Internal { detail: format!("error {code} of a newer version: {detail}") },
    })
}
