//! Views of the whole state of an open datastore.

use std::sync::Arc;

use numax_store::{Engine, KvBackend};

use super::Replica;
use crate::{
    core::Health,
    error::{CommitError, OpenError},
    snapshot::StateView,
};

impl Replica {
    /// The engine that holds the rows.
    pub fn engine(&self) -> Engine {
        self.inner.config.engine
    }

    /// A view of all rows as of now: everything that was committed before the call is in it. Commits go on. `scratch` is
    /// another engine, for what the view has to keep and does not fit into memory. Blocks.
    ///
    /// # Errors
    /// When rows cannot be moved to the engine, or the engine cannot be read.
    pub fn view(&self, scratch: Arc<dyn KvBackend>) -> Result<StateView, OpenError> {
        let wanted = self.inner.core().position();
        loop {
            {
                let core = self.inner.core();
                if core.included() >= wanted {
                    return core.view(scratch);
                }
                if let Health::ReadOnly(reason) = core.health() {
                    return Err(CommitError::ReadOnly(reason).into());
                }
                if let Some(failure) = core.flush_failure() {
                    return Err(CommitError::Unavailable(failure.to_string()).into());
                }
            }
            if self.inner.closed.borrow().is_some() {
                return Err(CommitError::Closed.into());
            }
            self.inner.signals.flush_and_wait();
        }
    }
}
