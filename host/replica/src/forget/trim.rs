//! Segments of the log that go.
//!
//! A segment goes when the engine holds, synced, everything up to its end, and either every member has acknowledged
//! that much or the log is larger than its budget. A node that knows of no other keeps its log up to the budget: there
//! it is the second copy of the data.

use crate::{Core, error::LogError};

/// What forgetting did in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forgot {
    /// Segments of the log that went.
    pub segments: usize,
    /// Tombstones that went.
    pub tombstones: usize,
}

impl Core {
    /// Bytes of the log on the disk.
    pub fn log_bytes(&self) -> u64 {
        self.log.end().saturating_sub(self.log.first())
    }

    /// The first position that the log still has.
    pub fn log_start(&self) -> u64 {
        self.log.first()
    }

    /// Removes segments of the log that need not be kept; answers how many.
    ///
    /// # Errors
    /// When the disk refuses; it is tried again.
    pub fn trim_log(&mut self) -> Result<usize, LogError> {
        let acked = if self.members.is_alone() { None } else { self.members.stable() };
        // Never below what a power cut leaves of the engine: opening replays from there.
        let durable = self.flush.durable();
        let budget = self.config.op_log_budget;
        self.log
            .trim(durable, budget, |vector| acked.as_ref().is_some_and(|acked| acked.covers_vector(vector)))
    }

    /// One step of forgetting, bounded by `max_rows` rows that are looked at: for whoever moves rows to the engine, in
    /// between. `now_ms` is Unix time in milliseconds.
    ///
    /// # Errors
    /// When disk or engine refuse; it is tried again.
    pub fn forget_step(&mut self, max_rows: usize, now_ms: u64) -> Result<Forgot, String> {
        if self.log.broken().is_some() {
            return Ok(Forgot::default());
        }
        self.pictures.purge(now_ms);
        let segments = self.trim_log().map_err(|error| error.to_string())?;
        let tombstones = self.collect_step(max_rows).map_err(|error| error.to_string())?;
        self.drop_stale_pages(max_rows).map_err(|error| error.to_string())?;
        Ok(Forgot { segments, tombstones })
    }
}
