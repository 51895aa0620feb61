//! Segments: their names and headers.

use bytes::Bytes;
use numax_crdt::VersionVector;

use super::DIR;
use crate::error::LogError;

const MAGIC: &[u8; 8] = b"numaxlog";
/// The format version that this program writes and reads.
pub(super) const VERSION: u32 = 1;
const FIXED: usize = 8 + 4 + 4 + 8;
const CRC: usize = 4;
/// Bounds what is read for a header: the vector of a million origins.
const MAX_HEADER: u32 = 64 << 20;

/// A segment of the log.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    /// Its first position, where its header begins.
    pub start: u64,
    /// The position of its first frame.
    pub first: u64,
    /// What had been applied before its first frame.
    pub vector: VersionVector,
}

impl Segment {
    pub(crate) fn file(&self) -> String {
        file_name(self.start)
    }
}

/// The file of the segment that begins at a position.
pub(super) fn file_name(start: u64) -> String {
    format!("{DIR}/{start:016x}.seg")
}

/// The position that a file's name (without directory) tells.
pub(super) fn parse_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg")?;
    let plain = digits.len() == 16 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    plain.then(|| u64::from_str_radix(digits, 16).ok())?
}

/// The header of a segment.
pub(super) fn encode_header(start: u64, vector: &VersionVector) -> Vec<u8> {
    let vector = vector.encode();
    let mut out = Vec::with_capacity(FIXED + vector.len() + CRC);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&((FIXED + vector.len() + CRC) as u32).to_le_bytes());
    out.extend_from_slice(&start.to_le_bytes());
    out.extend_from_slice(&vector);
    out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
    out
}

/// What stands at the beginning of a segment's file.
pub(super) enum Header {
    Good(Segment),
    /// Ours, but not all of it was written: the process or the power ended while the segment was made.
    Torn(&'static str),
}

/// Reads the header of the segment that begins at `start`; `read` gives bytes of the file.
pub(super) fn read_header(
    start: u64,
    mut read: impl FnMut(usize) -> Result<Bytes, LogError>,
) -> Result<Header, LogError> {
    let fixed = read(FIXED)?;
    if fixed.iter().all(|byte| *byte == 0)
        || (fixed.len() < FIXED && MAGIC.starts_with(head(&fixed, MAGIC.len())))
    {
        return Ok(Header::Torn("the header was not written"));
    }
    let word =
        |at: usize| fixed.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
    if head(&fixed, MAGIC.len()) != MAGIC {
        return Err(LogError::Foreign { file: file_name(start) });
    }
    if fixed.len() < FIXED {
        return Ok(Header::Torn("the header was not written"));
    }
    if word(8) != VERSION {
        return Err(LogError::Schema { file: file_name(start), found: word(8), want: VERSION });
    }
    let len = word(12);
    if len > MAX_HEADER || (len as usize) < FIXED + CRC {
        return Ok(Header::Torn("the header's length is out of range"));
    }
    let header = read(len as usize)?;
    let body = head(&header, len as usize - CRC);
    let sum = header.get(body.len()..).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
    if sum != Some(crc32c::crc32c(body)) || body.get(16..FIXED) != Some(&start.to_le_bytes()[..]) {
        return Ok(Header::Torn("the header's checksum or position does not match"));
    }
    match VersionVector::decode(header.slice(FIXED..body.len())) {
        Ok(vector) => Ok(Header::Good(Segment { start, first: start + u64::from(len), vector })),
        Err(_) => Ok(Header::Torn("the header's vector cannot be read")),
    }
}

fn head(bytes: &[u8], len: usize) -> &[u8] {
    bytes.get(..len).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use numax_crdt::Origin;

    fn parse(start: u64, bytes: &[u8]) -> Result<Header, LogError> {
        read_header(start, |len| Ok(Bytes::copy_from_slice(head(bytes, len))))
    }

    #[test]
    fn headers_lead_back_and_damage_is_told_from_foreign_files() {
        let vector = VersionVector::from_iter([(Origin::default(), 300)]);
        let bytes = encode_header(4096, &vector);
        match parse(4096, &bytes).unwrap() {
            Header::Good(segment) => {
                assert_eq!((segment.first, segment.vector), (4096 + bytes.len() as u64, vector))
            }
            Header::Torn(why) => panic!("{why}"),
        }
        for cut in 0..bytes.len() {
            assert!(matches!(parse(4096, &bytes[..cut]), Ok(Header::Torn(_))), "cut at {cut}");
        }
        assert!(matches!(parse(0, &bytes), Ok(Header::Torn(_))));
        assert!(matches!(parse(4096, &[0; 100]), Ok(Header::Torn(_))));
        assert!(matches!(parse(4096, b"#!/bin/sh\nrm -rf and so on and on"), Err(LogError::Foreign { .. })));
        let mut newer = bytes.clone();
        newer[8] = 9;
        assert!(matches!(parse(4096, &newer), Err(LogError::Schema { found: 9, .. })));
    }

    #[test]
    fn names_lead_back() {
        assert_eq!(parse_name("00000000000010ff.seg"), Some(0x10ff));
        for bad in
            ["", ".seg", "10ff.seg", "00000000000010FF.seg", "00000000000010ff.tmp", "+0000000000010ff.seg"]
        {
            assert_eq!(parse_name(bad), None, "{bad}");
        }
    }
}
