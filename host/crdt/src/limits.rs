//! How large things may be, and why.
//!
//! The limits hold for local writes (a guest sees `invalid`) and for decoding (a peer's batch is refused), so that
//! no node can store what another would not take.

/// Bytes of a key. Keys are stored in front of every row of their value; 8 KiB keeps a row's name far below its
/// usual value and lets any path, URL or composite name through.
pub const MAX_KEY: usize = 8 << 10;

/// Bytes of a register's value, a set's element or a map field's value. Four of the largest fit one batch; a larger
/// object belongs into several rows, because a row is read, merged and sent whole.
pub const MAX_VALUE: usize = 1 << 20;

/// Bytes of a map's field name: the same reasons as [`MAX_KEY`].
pub const MAX_FIELD: usize = 8 << 10;

/// Encoded bytes of a batch's operations. A batch becomes visible at once, so it is held in memory, logged in one
/// record and sent in one frame; 4 MiB bounds what one turn may ask of every node.
pub const MAX_BATCH_BYTES: usize = 4 << 20;

/// Operations in one batch: bounds the work of applying it while every other writer waits.
pub const MAX_BATCH_OPS: usize = 10_000;

/// Dots that the set operations of one batch may name together. A dot takes two bytes encoded and 56 in memory, so
/// without this limit 4 MiB from a peer could unfold to more than 100 MiB. 131,072 lets a batch clear 10,000
/// elements with thirteen concurrent additions each.
pub const MAX_BATCH_DOTS: usize = 1 << 17;

/// Origins that one batch may name, counting its own, those it depends on and those of its dots. One node adds one
/// origin in its life and one per restore, so this is far above any cluster; with [`MAX_BATCH_BYTES`] it keeps a
/// batch below [`MAX_ENCODED_BATCH`].
pub const MAX_BATCH_ORIGINS: usize = 1 << 14;

/// Bytes of an encoded batch with its head (origin table, dependencies). Larger input is refused before decoding.
pub const MAX_ENCODED_BATCH: usize = MAX_BATCH_BYTES + (2 << 20);

/// Bytes of one update of a text: the same reasons as [`MAX_VALUE`].
pub const MAX_TEXT_UPDATE: usize = 1 << 20;

/// Bytes that a text takes in storage, with what is needed to merge (deleted units leave a trace) and updates that are
/// not folded in yet. Beyond it, local insertions are refused; merging is not, or replicas would part. An editor holds
/// a text in memory at some twenty times its stored bytes. The history of a whole scientific paper, 260,000 key
/// strokes, takes 160 KiB.
pub const MAX_TEXT: usize = 2 << 20;

/// UTF-16 units that one client may insert into one text in its life: what fits the signed 32-bit numbers that Yjs
/// libraries count in.
pub const MAX_TEXT_CLOCK: u32 = (1 << 31) - 2;

/// Keys that begin so belong to the system; guests cannot write them.
pub const RESERVED_PREFIX: &str = "__nx/";

/// Something is larger than it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} too large: {size}, the limit is {limit}")]
pub struct LimitError {
    /// What was measured, for example `"key"`.
    pub what: &'static str,
    /// Its size, in bytes or in pieces.
    pub size: usize,
    /// What is allowed.
    pub limit: usize,
}

/// `Ok` when `size` is within `limit`.
pub(crate) fn check(what: &'static str, size: usize, limit: usize) -> Result<(), LimitError> {
    if size > limit { Err(LimitError { what, size, limit }) } else { Ok(()) }
}
