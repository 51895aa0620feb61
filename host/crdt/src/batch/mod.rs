//! A batch: what one turn of one guest wrote. The unit of the log, the wire, deduplication and visibility.
//!
//! # Format, version 1
//! Frozen: the log and every peer hold these bytes, and batches are forwarded as they came. Integers are varints
//! ([`codec`](crate::codec)) unless said otherwise.
//!
//! ```text
//! batch  = version u8 (1) | origins | seq | hlc (8 bytes, big-endian) | deps | ops
//! origins= count | count x (node 32 bytes | epoch | nonce 8 bytes, big-endian)     index 0 is the batch's own
//! deps   = count | count x (origin index | seq)
//! ops    = count | count x op
//! op     = tag u8 | key length | key | body
//! body 1 = total                                    g-counter
//! body 2 = up | down                                pn-counter
//! body 3 = stamp | value length | value             register written      body 4 = stamp       cleared
//! body 5 = field length | field | stamp | value length | value            field written
//! body 6 = field length | field | stamp             field removed
//! body 7 = element length | element | dots          set addition          body 8 = the same    removal
//! body 9 = id (16 bytes) | value length | value         list element inserted at the head
//! body 10= id | id of the element before it | value length | value       list element inserted after another
//! body 11= id                                       list element removed
//! body 12= update length | update                    text edited, by a Yjs update (version 1) of plain text
//! dots   = count | count x (origin index | seq)
//! stamp  = zigzag of the wrapping difference to the batch's hlc
//! ```
//! Every batch has exactly one encoding: varints are shortest, the origin table is in order of first use without
//! repetition or spare entries, and nothing follows the last operation. Decoding refuses everything else.
//!
//! A body is what its family says ([`OpApplier::write`](crate::OpApplier::write)); which tags are whose is in the table of
//! families.

mod decode;
mod encode;
mod fields;
mod origins;

pub use fields::{OpReader, OpWriter};

use crate::{
    hlc::Hlc,
    id::{Dot, Origin},
    op::Op,
};

/// The format version that this program writes and reads.
pub const FORMAT_VERSION: u8 = 1;

/// What one turn wrote, under one dot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Who wrote it.
    pub origin: Origin,
    /// Its number among the origin's batches, from 1.
    pub seq: u64,
    /// How the origin's knowledge of *others* advanced since its batch before: the batch may be applied once all of
    /// this is. Never names the origin itself; its own batch before is always a dependency.
    pub deps: Vec<(Origin, u64)>,
    /// When it was committed.
    pub hlc: Hlc,
    /// The operations, in order.
    pub ops: Vec<Op>,
}

impl Batch {
    /// The batch's name.
    pub fn dot(&self) -> Dot {
        Dot { origin: self.origin, seq: self.seq }
    }
}

/// The head of a batch, read without its operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchHeader {
    /// Who wrote it.
    pub origin: Origin,
    /// Its number, from 1.
    pub seq: u64,
    /// What must be applied before it, besides the origin's batch before.
    pub deps: Vec<(Origin, u64)>,
    /// When it was committed.
    pub hlc: Hlc,
}

impl BatchHeader {
    /// The batch's name.
    pub fn dot(&self) -> Dot {
        Dot { origin: self.origin, seq: self.seq }
    }
}
