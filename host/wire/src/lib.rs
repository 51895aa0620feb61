//! What two nodes say to each other, as bytes: messages, frames, protocol versions and typed errors.
//!
//! Sans-IO: this crate turns a [`Message`] into a frame and back, and knows nothing of sockets, clocks or nodes.
//!
//! A frame on a stream is `u32 length | u8 class | u16 type | body`, integers big-endian, the length counting what
//! follows it. [`encode`] makes a frame without its length and [`decode`] takes one; the transport writes the length
//! with [`frame::length_prefix`] and checks one with [`frame::length`] before it allocates anything.
//!
//! # What may change and what may not
//! The layouts of [`Hello`] and of the error message are fixed for ever, except that later versions append fields at
//! their end, which older ones ignore: two nodes that share no version must still be able to tell each other so. All
//! other layouts belong to the protocol version that [`negotiate`] chose. A type with its high bit set is optional: who
//! does not know it skips it ([`Message::Skipped`]). Golden bytes in the tests keep version 1 as it is.
//!
//! No input makes the decoder panic or allocate more than a small multiple of the input's size.

#![forbid(unsafe_code)]

mod buf;
mod codec;
mod error;
pub mod frame;
mod message;
mod protocol;

pub use codec::{DecodeError, MAX_ACKS, MAX_BATCHES_PER_FRAME, MAX_LABEL, decode, encode};
pub use error::WireError;
pub use frame::MAX_FRAME;
pub use message::{Class, FORGETTING, Hello, Message};
pub use protocol::{PROTOCOL_VERSION, ProtocolRange, SUPPORTED, negotiate};
