//! Frames: how a record stands in a segment.

/// Bytes in front of a record.
pub(super) const FRAME_HEAD: usize = 8;

/// The longest record: the longest encoded batch and as many bytes of local writes, rounded up. Anything that claims
/// to be longer is not a frame.
pub(super) const MAX_RECORD: usize = 16 << 20;

fn checksum(position: u64, record: &[u8]) -> u32 {
    let salt = crc32c::crc32c(&position.to_le_bytes());
    let salt = crc32c::crc32c_append(salt, &(record.len() as u32).to_le_bytes());
    crc32c::crc32c_append(salt, record)
}

/// Appends a frame to `out`, which begins at the position `base`; the record is what `write` appends.
pub(super) fn put(out: &mut Vec<u8>, base: u64, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; FRAME_HEAD]);
    write(out);
    let position = base + at as u64;
    if let Some((head, record)) = out.get_mut(at..).and_then(|frame| frame.split_at_mut_checked(FRAME_HEAD)) {
        let sum = checksum(position, record);
        let (len, crc) = head.split_at_mut(4);
        len.copy_from_slice(&(record.len() as u32).to_le_bytes());
        crc.copy_from_slice(&sum.to_le_bytes());
    }
}

/// What the bytes at a position are.
pub(super) enum Parsed {
    /// A whole frame with a record of so many bytes.
    Record(usize),
    /// The beginning of a frame that needs so many bytes in all.
    Partial(usize),
    /// No frame, and why.
    Bad(&'static str),
}

/// Looks at the bytes that begin at `position`.
pub(super) fn parse(bytes: &[u8], position: u64) -> Parsed {
    let Some((head, rest)) = bytes.split_first_chunk::<FRAME_HEAD>() else {
        return Parsed::Partial(FRAME_HEAD);
    };
    let [a, b, c, d, e, f, g, h] = *head;
    let len = u32::from_le_bytes([a, b, c, d]) as usize;
    if len == 0 || len > MAX_RECORD {
        return Parsed::Bad("there is no record");
    }
    match rest.get(..len) {
        None => Parsed::Partial(FRAME_HEAD + len),
        Some(record) if checksum(position, record) == u32::from_le_bytes([e, f, g, h]) => Parsed::Record(len),
        Some(_) => Parsed::Bad("the checksum does not match"),
    }
}

/// Whether the bytes that begin at `position` are one whole frame, whatever its length field says.
pub(super) fn is_whole(bytes: &[u8], position: u64) -> bool {
    let Some(([_, _, _, _, sum @ ..], record)) = bytes.split_first_chunk::<FRAME_HEAD>() else {
        return false;
    };
    checksum(position, record) == u32::from_le_bytes(*sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_counts_only_where_it_was_written() {
        let mut out = b"before".to_vec();
        put(&mut out, 1000, |out| out.extend_from_slice(b"record"));
        let frame = &out[6..];
        assert!(matches!(parse(frame, 1006), Parsed::Record(6)));
        assert!(matches!(parse(frame, 1007), Parsed::Bad(_)));
        assert!(matches!(parse(&frame[..7], 1006), Parsed::Partial(8)));
        assert!(matches!(parse(&frame[..13], 1006), Parsed::Partial(14)));
        assert!(matches!(parse(&[0; 64], 1006), Parsed::Bad(_)));
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let mut out = Vec::new();
        put(&mut out, 7, |out| out.extend_from_slice(b"some record"));
        for bit in 0..out.len() * 8 {
            let mut bad = out.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(parse(&bad, 7), Parsed::Record(_)), "bit {bit}");
            assert_eq!(is_whole(&bad, 7), bit < 32, "bit {bit}: a wrong length does not hide a record");
        }
    }
}
