//! Reading and writing the fields of a body.

use crate::DecodeError;
use bytes::{BufMut, Bytes, BytesMut};

/// The longest varint: ten groups of seven bits hold 64.
const MAX_VARINT_BYTES: usize = 10;

/// Writes an unsigned LEB128 integer.
pub(crate) fn put_varint(out: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8((value as u8) | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

/// Writes a length and that many bytes.
pub(crate) fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.put_slice(bytes);
}

/// What is left of a body. Slices share the frame's memory.
pub(crate) struct Reader {
    rest: Bytes,
}

impl Reader {
    pub(crate) fn new(body: Bytes) -> Self {
        Self { rest: body }
    }

    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<Bytes, DecodeError> {
        if len > self.rest.len() {
            return Err(DecodeError::Truncated);
        }
        Ok(self.rest.split_to(len))
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let bytes = self.take(N)?;
        <[u8; N]>::try_from(bytes.as_ref()).map_err(|_| DecodeError::Truncated)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    /// Only the shortest form is taken, so that a value has one encoding.
    pub(crate) fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0_u64;
        for group in 0..MAX_VARINT_BYTES {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            let shift = 7 * group;
            if group == MAX_VARINT_BYTES - 1 && byte > 1 {
                return Err(DecodeError::Invalid("an integer above 64 bits"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return if byte == 0 && group > 0 {
                    Err(DecodeError::Invalid("an integer in a longer form than it needs"))
                } else {
                    Ok(value)
                };
            }
        }
        Err(DecodeError::Invalid("an integer above 64 bits"))
    }

    pub(crate) fn varint_u32(&mut self) -> Result<u32, DecodeError> {
        u32::try_from(self.varint()?).map_err(|_| DecodeError::Invalid("an integer above 32 bits"))
    }

    pub(crate) fn length(&mut self) -> Result<usize, DecodeError> {
        usize::try_from(self.varint()?).map_err(|_| DecodeError::Truncated)
    }

    pub(crate) fn bytes(&mut self) -> Result<Bytes, DecodeError> {
        let len = self.length()?;
        self.take(len)
    }

    pub(crate) fn text(&mut self, most: usize) -> Result<String, DecodeError> {
        let bytes = self.bytes()?;
        if bytes.len() > most {
            return Err(DecodeError::Invalid("a text that is too long"));
        }
        std::str::from_utf8(&bytes)
            .map(str::to_owned)
            .map_err(|_| DecodeError::Invalid("a text that is not UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_have_one_form() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = BytesMut::new();
            put_varint(&mut out, value);
            assert_eq!(Reader::new(out.freeze()).varint().unwrap(), value);
        }
        for bad in
            [&[0x80, 0x00][..], &[0x80], &[], &[0xff; 11], &[255, 255, 255, 255, 255, 255, 255, 255, 255, 2]]
        {
            assert!(Reader::new(Bytes::copy_from_slice(bad)).varint().is_err(), "{bad:?}");
        }
    }
}
