//! What stands in for the table of texts in a program without them.

use std::convert::Infallible;

use crate::rows::{shared::Shared, staging::Staging};

/// No text is held by a batch.
#[derive(Debug, Clone, Default)]
pub(crate) struct Holds(());

impl Holds {
    pub(crate) fn staged(&self, _: &Shared, _: &mut Staging) {}

    pub(crate) fn publish(self) {}
}

/// Nobody waits for a text in a program without them.
#[derive(Debug)]
pub struct Busy(Infallible);

/// Nobody is given a text in a program without them.
#[derive(Debug)]
pub struct Permit(pub(crate) Infallible);

impl Busy {
    /// Cannot be called.
    pub async fn wait(self) -> Permit {
        match self.0 {}
    }

    /// Cannot be called.
    pub fn key(&self) -> &numax_crdt::Key {
        match self.0 {}
    }
}
