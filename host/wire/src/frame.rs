//! The length before each frame.

use crate::DecodeError;

/// Bytes of the length field before each frame.
pub const LENGTH_BYTES: usize = 4;

/// Bytes of a frame before its body: class and type.
pub const HEADER_BYTES: usize = 3;

/// The greatest frame, in bytes without its length field.
///
/// It must hold the greatest encoded batch (6 MiB, `numax_crdt::limits::MAX_ENCODED_BATCH`) in one message, because a
/// batch is never split: half of one must never be visible. The rest is room for the page before it. It is still small
/// enough that one hostile peer cannot take much memory: a receiver holds at most one frame per class and peer.
pub const MAX_FRAME: usize = 8 * 1024 * 1024;
const _: () = assert!(MAX_FRAME > numax_crdt::limits::MAX_ENCODED_BATCH + 1024 * 1024);

/// Reads the length field.
///
/// # Errors
/// [`DecodeError::TooShort`] below a header, [`DecodeError::TooLong`] above [`MAX_FRAME`]. Nothing after such a length
/// can be trusted: close the link.
pub fn length(field: [u8; LENGTH_BYTES]) -> Result<usize, DecodeError> {
    let len = usize::try_from(u32::from_be_bytes(field)).unwrap_or(usize::MAX);
    if len < HEADER_BYTES {
        Err(DecodeError::TooShort)
    } else if len > MAX_FRAME {
        Err(DecodeError::TooLong { len })
    } else {
        Ok(len)
    }
}

/// The length field to write before `frame`, which is what [`encode`](crate::encode) gave.
///
/// # Errors
/// [`DecodeError::TooLong`] for a frame that no receiver would take.
pub fn length_prefix(frame: &[u8]) -> Result<[u8; LENGTH_BYTES], DecodeError> {
    match u32::try_from(frame.len()) {
        Ok(len) if frame.len() <= MAX_FRAME => Ok(len.to_be_bytes()),
        _ => Err(DecodeError::TooLong { len: frame.len() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_outside_the_limits_are_refused() {
        assert!(matches!(length([0, 0, 0, 2]), Err(DecodeError::TooShort)));
        assert!(matches!(length([0, 0, 0, 3]), Ok(3)));
        assert!(matches!(length([0, 0x80, 0, 0]), Ok(MAX_FRAME)));
        assert!(matches!(length([0, 0x80, 0, 1]), Err(DecodeError::TooLong { .. })));
        assert!(matches!(length([255; 4]), Err(DecodeError::TooLong { .. })));
        assert_eq!(length_prefix(&[0; 5]).unwrap(), [0, 0, 0, 5]);
        assert!(length_prefix(&vec![0; MAX_FRAME + 1]).is_err());
    }
}
