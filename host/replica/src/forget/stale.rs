//! Staged pages of transfers of state that were given up.
//!
//! Removing them is not logged: nothing is lost if a crash takes it back.

use bytes::Bytes;
use numax_crdt::RowError;

use crate::{
    Core,
    rows::{
        staging::Staging,
        view::{Access, Supplied},
    },
    transfer::StagedPart,
};

/// Rows that are removed in one step at most: each may have 1 MiB, and what is removed is read first.
const STEP: usize = 16;

impl Core {
    /// There may be some now.
    pub(crate) fn look_for_stale_pages(&mut self) {
        (self.stale_pages, self.stale_after) = (true, Bytes::new());
    }

    /// Removes some of them, if there are any.
    pub(crate) fn drop_stale_pages(&mut self, max_rows: usize) -> Result<(), RowError> {
        if !self.stale_pages {
            return Ok(());
        }
        let under_way = self.tip.place.incoming.as_ref().map(|incoming| incoming.id);
        let prefix = StagedPart::names();
        let supplied = Supplied::default();
        let access = Access::new(&self.shared, &supplied, true);
        let (rows, next) = access.rows(&prefix, &self.stale_after, max_rows.min(STEP), false)?;
        let mut staging = Staging::default();
        for (row, _) in &rows {
            // Its first byte is the table's.
            let part = row.get(1..).and_then(StagedPart::parse);
            if part.is_some_and(|part| Some(part.id) != under_way) {
                staging.put(row, None);
            }
        }
        staging.publish(&self.shared, self.log.end());
        self.stale_pages = next.is_some();
        self.stale_after = next.unwrap_or_default();
        Ok(())
    }
}
