//! Records: what a turn wrote, as the log keeps it.

use bytes::Bytes;
use numax_crdt::codec::{CodecError, Reader, put_bytes, put_varint};

use super::frame::MAX_RECORD;

const HAS_BATCH: u8 = 1;
const REMOTE: u8 = 2;
const HAS_LOCAL: u8 = 4;
const HAS_HELD: u8 = 16;
/// Not 8: under that number pages were merged as they came.
const HAS_PAGE: u8 = 32;

/// A write to the node-local store: key, and value or none to delete.
pub(crate) type LocalWrite = (Bytes, Option<Bytes>);

/// A record. At least one of batch, local writes, page and held batch is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// The encoded batch.
    pub batch: Option<Bytes>,
    /// Whether the batch came from a peer.
    pub remote: bool,
    /// Writes to the node-local store in the same turn.
    pub local: Vec<LocalWrite>,
    /// A page of transferred state.
    pub page: Option<Bytes>,
    /// An encoded batch that is applied here and held back from others for now.
    pub held: Option<Bytes>,
}

/// Appends the record of a page of transferred state.
pub(super) fn encode_page(out: &mut Vec<u8>, page: &[u8]) {
    out.push(HAS_PAGE);
    put_bytes(out, page);
}

/// Appends a record.
pub(super) fn encode(out: &mut Vec<u8>, batch: Option<&[u8]>, remote: bool, local: &[LocalWrite]) {
    let mut flags = 0;
    flags |= if batch.is_some() { HAS_BATCH } else { 0 };
    flags |= if remote { REMOTE } else { 0 };
    flags |= if local.is_empty() { 0 } else { HAS_LOCAL };
    out.push(flags);
    if let Some(batch) = batch {
        put_bytes(out, batch);
    }
    put_local(out, local);
}

/// Appends the record of a batch that is held back from others.
pub(super) fn encode_held(out: &mut Vec<u8>, batch: &[u8], local: &[LocalWrite]) {
    out.push(HAS_HELD | if local.is_empty() { 0 } else { HAS_LOCAL });
    put_local(out, local);
    put_bytes(out, batch);
}

fn put_local(out: &mut Vec<u8>, local: &[LocalWrite]) {
    if !local.is_empty() {
        put_varint(out, local.len() as u64);
        for (key, value) in local {
            out.push(u8::from(value.is_some()));
            put_bytes(out, key);
            if let Some(value) = value {
                put_bytes(out, value);
            }
        }
    }
}

/// Reads a record; the parts share its memory.
pub(super) fn decode(bytes: Bytes) -> Result<Record, CodecError> {
    let mut reader = Reader::new(bytes);
    let flags = reader.u8("record flags")?;
    if flags & !(HAS_BATCH | REMOTE | HAS_LOCAL | HAS_PAGE | HAS_HELD) != 0
        || flags & (HAS_BATCH | HAS_LOCAL | HAS_PAGE | HAS_HELD) == 0
    {
        return Err(CodecError::Tag { what: "record flags", tag: flags });
    }
    let batch = (flags & HAS_BATCH != 0).then(|| reader.bytes("batch", MAX_RECORD)).transpose()?;
    let mut local = Vec::new();
    if flags & HAS_LOCAL != 0 {
        for _ in 0..reader.count("local writes", MAX_RECORD, 2)? {
            let tag = reader.u8("local write")?;
            let key = reader.bytes("local key", MAX_RECORD)?;
            let value = match tag {
                0 => None,
                1 => Some(reader.bytes("local value", MAX_RECORD)?),
                tag => return Err(CodecError::Tag { what: "local write", tag }),
            };
            local.push((key, value));
        }
    }
    let page = (flags & HAS_PAGE != 0).then(|| reader.bytes("page", MAX_RECORD)).transpose()?;
    let held = (flags & HAS_HELD != 0).then(|| reader.bytes("held batch", MAX_RECORD)).transpose()?;
    reader.finish()?;
    Ok(Record { batch, remote: flags & REMOTE != 0, local, page, held })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn records_lead_back(
            batch: Option<Vec<u8>>, remote: bool, local: Vec<(Vec<u8>, Option<Vec<u8>>)>,
        ) {
            prop_assume!(batch.is_some() || !local.is_empty());
            let local: Vec<LocalWrite> = local.into_iter().map(|(k, v)| (k.into(), v.map(Bytes::from))).collect();
            let mut out = Vec::new();
            encode(&mut out, batch.as_deref(), remote, &local);
            let want = Record { batch: batch.map(Bytes::from), remote, local, page: None, held: None };
            prop_assert_eq!(decode(out.into()), Ok(want));
        }

        #[test]
        fn held_batches_lead_back(batch: Vec<u8>, local: Vec<(Vec<u8>, Option<Vec<u8>>)>) {
            let local: Vec<LocalWrite> = local.into_iter().map(|(k, v)| (k.into(), v.map(Bytes::from))).collect();
            let mut out = Vec::new();
            encode_held(&mut out, &batch, &local);
            let want = Record { batch: None, remote: false, local, page: None, held: Some(batch.into()) };
            prop_assert_eq!(decode(out.into()), Ok(want));
        }

        #[test]
        fn pages_lead_back(page: Vec<u8>) {
            let mut out = Vec::new();
            encode_page(&mut out, &page);
            let want = Record { batch: None, remote: false, local: Vec::new(), page: Some(page.into()), held: None };
            prop_assert_eq!(decode(out.into()), Ok(want));
        }

        #[test]
        fn any_bytes_decode_without_panic(bytes: Vec<u8>) {
            let _ = decode(bytes.into());
        }
    }
}
