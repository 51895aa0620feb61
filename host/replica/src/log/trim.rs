//! Removing segments from the front of the log.

use numax_crdt::VersionVector;

use super::{DIR, writer::Log};
use crate::error::LogError;

impl Log {
    /// The first position that is still there.
    pub(crate) fn first(&self) -> u64 {
        self.reader.first().map_or(self.start, |(start, _)| start)
    }

    /// What had been applied before the first record that is still there.
    pub(crate) fn first_vector(&self) -> VersionVector {
        self.reader.first().map(|(_, vector)| vector).unwrap_or_default()
    }

    /// Removes segments from the front, as long as the next one begins at or before `durable` and either `acked` says
    /// of everything before it that nobody needs it or the log has more than `budget` bytes. Answers how many went.
    ///
    /// Each removal is made durable before the next: after a crash the log begins with some segment and has no gap.
    pub(crate) fn trim(
        &mut self,
        durable: u64,
        budget: u64,
        acked: impl Fn(&VersionVector) -> bool,
    ) -> Result<usize, LogError> {
        let mut removed = 0;
        while let Some((first, next)) = self.reader.first_two() {
            let pressed = self.end.saturating_sub(first.start) > budget;
            if next.start > durable || !(pressed || acked(&next.vector)) {
                break;
            }
            if removed == 0 {
                // One that was removed before may not be gone for certain.
                self.disk.sync_dir(DIR)?;
            }
            // Readers first, so that none of them finds a segment without its file.
            self.reader.drop_first(first.start);
            self.disk.remove(&first.file())?;
            self.disk.sync_dir(DIR)?;
            removed += 1;
        }
        Ok(removed)
    }
}
