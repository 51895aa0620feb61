//! Frames on a stream: `u32` length (big endian), then that many bytes.
//!
//! A stream begins with one byte, its class. What is in a frame is not this crate's business.

use bytes::{Bytes, BytesMut};
pub use numax_wire::MAX_FRAME;

/// Memory reserved when a length arrives. Lengths are claims: beyond this, memory grows with the bytes that really come.
const FIRST_RESERVE: usize = 64 * 1024;

/// Frames up to this length are copied together into one write; longer ones are handed over as they are.
const COPY_LIMIT: usize = 8 * 1024;

/// A stream that does not keep to the format. The connection is closed with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A length beyond [`MAX_FRAME`].
    #[error("it announced a frame of {0} bytes, the limit is {MAX_FRAME}")]
    TooLong(usize),
    /// A frame of no bytes.
    #[error("it sent an empty frame")]
    Empty,
    /// The stream ended inside a frame.
    #[error("its stream ended inside a frame")]
    Truncated,
}

/// Puts a stream's pieces together again. Feed it with [`FrameDecoder::push`], then take frames until there is none.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    /// What has arrived and is not decoded yet; in the order of the stream.
    input: Bytes,
    /// The part of the length that has arrived.
    head: Vec<u8>,
    /// The frame that is being filled, and how long it will be.
    open: Option<(BytesMut, usize)>,
}

impl FrameDecoder {
    /// Gives the next piece. Every frame of the piece before must have been taken.
    pub fn push(&mut self, piece: Bytes) {
        if self.input.is_empty() {
            self.input = piece;
        } else {
            self.input = [&self.input[..], &piece[..]].concat().into();
        }
    }

    /// The next whole frame, `None` when more pieces are needed. A frame owns its memory: keeping it keeps nothing else.
    ///
    /// # Errors
    /// The stream does not keep to the format; nothing after that can be understood.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, FrameError> {
        loop {
            if let Some((frame, length)) = &mut self.open {
                let take = self.input.len().min(*length - frame.len());
                frame.extend_from_slice(&self.input.split_to(take));
                if frame.len() < *length {
                    return Ok(None);
                }
                return Ok(self.open.take().map(|(frame, _)| frame.freeze()));
            }
            let take = self.input.len().min(4 - self.head.len());
            self.head.extend_from_slice(&self.input.split_to(take));
            let Ok(head) = <[u8; 4]>::try_from(self.head.as_slice()) else { return Ok(None) };
            self.head.clear();
            match usize::try_from(u32::from_be_bytes(head)).unwrap_or(usize::MAX) {
                0 => return Err(FrameError::Empty),
                length if length > MAX_FRAME => return Err(FrameError::TooLong(length)),
                length => self.open = Some((BytesMut::with_capacity(length.min(FIRST_RESERVE)), length)),
            }
        }
    }

    /// Whether the stream may end here.
    ///
    /// # Errors
    /// It ends inside a frame.
    pub fn finish(&self) -> Result<(), FrameError> {
        match self.head.is_empty() && self.open.is_none() && self.input.is_empty() {
            true => Ok(()),
            false => Err(FrameError::Truncated),
        }
    }
}

/// Frames on their way out, as few pieces as sensible.
#[derive(Debug, Default)]
pub(crate) struct FrameEncoder {
    pieces: Vec<Bytes>,
    small: BytesMut,
}

impl FrameEncoder {
    /// Adds a frame, which must have 1 to [`MAX_FRAME`] bytes.
    pub(crate) fn push(&mut self, frame: Bytes) {
        let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        self.small.extend_from_slice(&length.to_be_bytes());
        if frame.len() <= COPY_LIMIT {
            self.small.extend_from_slice(&frame);
        } else {
            self.pieces.push(self.small.split().freeze());
            self.pieces.push(frame);
        }
    }

    /// The pieces to write; the encoder is empty afterwards.
    pub(crate) fn take(&mut self) -> Vec<Bytes> {
        if !self.small.is_empty() {
            self.pieces.push(self.small.split().freeze());
        }
        std::mem::take(&mut self.pieces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(stream: &[u8], piece: usize) -> Result<Vec<Bytes>, FrameError> {
        let mut decoder = FrameDecoder::default();
        let mut frames = Vec::new();
        for piece in stream.chunks(piece) {
            decoder.push(Bytes::copy_from_slice(piece));
            while let Some(frame) = decoder.next_frame()? {
                frames.push(frame);
            }
        }
        decoder.finish().map(|()| frames)
    }

    #[test]
    fn frames_come_back_however_the_stream_is_cut() {
        let frames: Vec<Bytes> = [1, 3, 4, 100, COPY_LIMIT, COPY_LIMIT + 1, 3 * FIRST_RESERVE, 2]
            .iter()
            .map(|n| vec![*n as u8; *n].into())
            .collect();
        let mut encoder = FrameEncoder::default();
        frames.iter().cloned().for_each(|frame| encoder.push(frame));
        let stream = encoder.take().concat();
        assert!(encoder.take().is_empty());
        for piece in [1, 2, 3, 5, 1_200, 65_536, stream.len()] {
            assert_eq!(decode(&stream, piece).unwrap(), frames, "cut into {piece}");
        }
        assert_eq!(decode(&stream[..stream.len() - 1], 7), Err(FrameError::Truncated));
        assert_eq!(decode(&stream[..3], 1), Err(FrameError::Truncated));
    }

    #[test]
    fn bad_lengths_are_refused_before_memory_is_taken() {
        assert_eq!(decode(&[0, 0, 0, 0], 1), Err(FrameError::Empty));
        assert_eq!(decode(&[0xff; 4], 4), Err(FrameError::TooLong(u32::MAX as usize)));
        let over = u32::try_from(MAX_FRAME + 1).unwrap().to_be_bytes();
        assert_eq!(decode(&over, 4), Err(FrameError::TooLong(MAX_FRAME + 1)));
        let mut decoder = FrameDecoder::default();
        decoder.push(Bytes::copy_from_slice(&u32::try_from(MAX_FRAME).unwrap().to_be_bytes()));
        assert_eq!(decoder.next_frame(), Ok(None));
        assert!(decoder.open.as_ref().unwrap().0.capacity() <= FIRST_RESERVE);
    }
}
