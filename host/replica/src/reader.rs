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

/// Taken before something is read; see [`Reader::seen`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(u64);

impl Reader {
    /// A mark to be taken before something is read.
    pub fn mark(&self) -> Mark {
        Mark(self.shared.times_taken_back())
    }

    /// The log position behind everything that can have been seen since a mark: under `fsync` rows are visible before they
    /// are safe, so what is made of them must wait as what is written does. It is one that no log reaches
    /// ([`u64::MAX`]) if rows were taken back since the mark, because what was seen may be among them.
    pub fn seen(&self, since: Mark) -> u64 {
        let visible = self.shared.visible();
        if self.mark() == since { visible } else { u64::MAX }
    }

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
