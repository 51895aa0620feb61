//! A handle on a datastore's committed rows.

use std::sync::Arc;

use numax_crdt::{Origin, VersionVector};

use crate::rows::shared::Shared;

/// Committed rows, for a [`Draft`](crate::Draft) to read. Cheap to clone; every thread may have one.
#[derive(Clone)]
pub struct Reader {
    pub(crate) shared: Arc<Shared>,
    pub(crate) origin: Origin,
}

impl Reader {
    /// The origin under which this datastore writes.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Everything that is applied and visible.
    pub fn vector(&self) -> VersionVector {
        self.shared.vector().clone()
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("origin", &self.origin).finish_non_exhaustive()
    }
}
