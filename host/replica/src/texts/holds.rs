//! The texts that a batch on its way to the log holds.

use std::sync::{Arc, Mutex, PoisonError};

use numax_crdt::{
    Kind,
    family::text::{self, Version},
};

use super::table::{Hold, Open};
use crate::rows::{
    shared::Shared,
    staging::{StagedRows, Staging},
};

/// Texts that a batch has edited, each with the document that has the edits. They are given back when the batch is
/// published, or with the last clone of it, and then without the documents: what was not committed was not written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Holds(Vec<Arc<Mutex<Option<Held>>>>);

#[derive(Debug)]
struct Held {
    hold: Hold,
    open: Open,
}

impl Holds {
    pub(crate) fn push(&mut self, hold: Hold, open: Open) {
        self.0.push(Arc::new(Mutex::new(Some(Held { hold, open }))));
    }

    /// Takes note that the batch was staged as the last one.
    pub(crate) fn staged(&self, shared: &Shared, staging: &mut Staging) {
        for held in &self.0 {
            if let Some(held) = &mut *held.lock().unwrap_or_else(PoisonError::into_inner) {
                let rows = StagedRows::new(shared, staging, Kind::Text, held.hold.key());
                // If nothing came in between, the document is up to date; otherwise it will read on from where it
                // was, its own edits included.
                let next = Version(held.open.version.0 + 1);
                if text::version(&rows) == Ok(next) {
                    held.open.version = next;
                }
            }
        }
    }

    /// The batch is visible: the documents are good for others.
    pub(crate) fn publish(self) {
        for held in self.0 {
            if let Some(Held { hold, open }) = held.lock().unwrap_or_else(PoisonError::into_inner).take() {
                hold.keep(open);
            }
        }
    }
}
