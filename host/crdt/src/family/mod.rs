//! The families of replicated values: how each stores, merges and reads its rows. One file per family.

use bytes::Bytes;

use crate::{
    id::Dot,
    kind::{Kind, OpKind},
    op::Body,
    rows::{ApplyError, Rows},
};

/// How one family applies operations. Implementations are stateless; there is one table of them, [`applier`].
pub trait OpApplier: Send + Sync {
    /// The family.
    fn kind(&self) -> Kind;

    /// Applies one operation of the batch named `dot` to the rows of its key.
    ///
    /// Answers what a watcher is told, or none when the operation changed nothing (it was known, or lost against a
    /// later write). Applying a run of operations again, in the same order, changes nothing in the end; a *single*
    /// old operation must not be applied again after others, which is why known dots are dropped before they come
    /// here.
    ///
    /// # Errors
    /// When rows cannot be read or written, or are damaged. Rows may then be half written: the caller drops them.
    fn apply(&self, rows: &mut dyn Rows, dot: Dot, op: &Body) -> Result<Option<OpKind>, ApplyError>;

    /// Whether a value with this head (the row under the empty subkey) exists for a reader. A value without a head
    /// never does.
    ///
    /// # Errors
    /// [`ApplyError::Damaged`].
    fn is_live(&self, head: &Bytes) -> Result<bool, ApplyError>;

    /// A row in a form that means the same on every node: subkey and value with origins written out. None for rows
    /// that only sum up others. Equal replicas have equal exports.
    ///
    /// # Errors
    /// When the row is damaged or names an unknown origin.
    fn export(
        &self,
        rows: &dyn Rows,
        sub: &[u8],
        row: &Bytes,
    ) -> Result<Option<(Vec<u8>, Vec<u8>)>, ApplyError>;
}

/// The family for a kind; none for kinds that this program cannot apply yet.
pub fn applier(_kind: Kind) -> Option<&'static dyn OpApplier> {
    None
}
