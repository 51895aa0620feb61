//! The log: every batch in the order in which it was applied here, own and received, with the node-local writes of the
//! same turn. It is the truth of a commit; rows are an index of it.
//!
//! # Format, version 1
//! A *position* is a byte offset in the whole log. Segments are files `log/<start, 16 hex digits>.seg`, each beginning
//! at the position where the one before ends. Integers are little-endian; lengths inside records are varints.
//!
//! ```text
//! segment = "numaxlog" | version u32 | header length u32 | start u64 | applied vector | crc32c u32 | frames
//! frame   = length u32 | crc32c u32 | record       the checksum covers position, length and record
//! record  = flags u8 | [batch length | batch] | [local writes] | [page length | page] | [held length | held batch]
//!           flags: 1 batch, 2 remote, 4 local writes, 16 a batch that is held back, 32 a piece of transferred state
//! local   = count | count x (tag u8 | key length | key | [value length | value])       tag: 0 delete, 1 put
//! ```
//! The checksum is salted with the position, so that a record found anywhere else, in a recycled block or a copied
//! file, is not taken for one. The header carries the vector of everything before the segment: with it a reader finds
//! the segment to begin at, for any vector of a peer.
//!
//! The torn end of the last write is cut off. Only the last segment can have one: behind the position up to which the log
//! is known to be synced, and unless the machine went down, only as a record whose end is missing with nothing behind it.
//! After a power cut there may also be holes, with records behind them; they go, too, and a new epoch begins. Anything
//! else is damage, and said so.

mod frame;
mod open;
mod read;
mod record;
mod segment;
mod survey;
mod sync;
mod trim;
mod writer;

pub(crate) use open::{End, Replayed, first_position, open};
pub use read::LogCursor;
pub(crate) use read::LogReader;
pub(crate) use record::{LocalWrite, Record};
#[cfg(test)]
pub(crate) use segment::Segment;
pub(crate) use survey::{Part, records, survey};
pub(crate) use sync::LogSync;
pub use writer::LogStats;
pub(crate) use writer::{Frames, Log, begin, create};

/// The directory of the segments.
pub(crate) const DIR: &str = "log";
