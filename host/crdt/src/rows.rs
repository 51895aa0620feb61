//! What a family sees of storage: the rows of one value.

use bytes::Bytes;

use crate::{codec::CodecError, id::Origin, kind::Kind};

/// The rows of **one** (kind, key), ordered by their subkey.
///
/// The row under the empty subkey is the value's *head*: it sorts first, and while it is live the value exists (see
/// [`OpApplier::is_live`](crate::OpApplier::is_live)). All other subkeys begin with a prefix byte, so an element or a
/// field can never collide with it.
///
/// Rows name origins by small numbers that the implementation gives out. They are local to a datastore and never
/// leave it.
pub trait Rows {
    /// The row under a subkey.
    ///
    /// # Errors
    /// See [`RowError`], as for every function here.
    fn get(&self, sub: &[u8]) -> Result<Option<Bytes>, RowError>;

    /// Writes a row.
    ///
    /// # Errors
    /// See [`RowError`].
    fn put(&mut self, sub: &[u8], value: Bytes) -> Result<(), RowError>;

    /// Removes a row; that it is not there is no error.
    ///
    /// # Errors
    /// See [`RowError`].
    fn delete(&mut self, sub: &[u8]) -> Result<(), RowError>;

    /// Up to `limit` rows in order, from the first one whose subkey is greater than `after` (or the very first).
    /// Fewer than `limit` rows mean that there are no more.
    ///
    /// # Errors
    /// See [`RowError`].
    fn scan(&self, after: Option<&[u8]>, limit: usize) -> Result<Vec<(Bytes, Bytes)>, RowError>;

    /// The number of an origin; gives it one when it has none.
    ///
    /// # Errors
    /// See [`RowError`].
    fn intern(&mut self, origin: &Origin) -> Result<u32, RowError>;

    /// The number of an origin, if it has one.
    ///
    /// # Errors
    /// See [`RowError`].
    fn lookup(&self, origin: &Origin) -> Result<Option<u32>, RowError>;

    /// The origin with a number.
    ///
    /// # Errors
    /// [`RowError::UnknownOrigin`] when the number was never given out.
    fn origin(&self, id: u32) -> Result<Origin, RowError>;
}

/// Why rows could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// The row is not in memory and the implementation does not block. It knows which row it was; load that and call
    /// again. Nothing is wrong.
    #[error("the row is not in memory yet")]
    Miss,
    /// A row names an origin that was never given out.
    #[error(
        "a row names origin number {0}, which is in no table; the datastore is damaged, restore it from a snapshot"
    )]
    UnknownOrigin(u32),
    /// Storage failed; the text says how.
    #[error("{0}")]
    Unavailable(String),
}

/// Why an operation could not be applied or a value not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Storage failed, or the row is not in memory.
    #[error(transparent)]
    Row(#[from] RowError),
    /// A stored row is not what its family writes.
    #[error(
        "a row of the family {kind} is damaged ({source}); stop the node: `numax repair` builds the rows anew from the log, or says what else helps"
    )]
    Damaged {
        /// The family.
        kind: Kind,
        /// What is wrong with the row.
        source: CodecError,
    },
    /// The operation is for another family.
    #[error("an operation for a {found} was given to a {wanted}")]
    WrongKind {
        /// The family that was asked.
        wanted: Kind,
        /// The family the operation is for.
        found: Kind,
    },
}
