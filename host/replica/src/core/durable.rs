//! What is committed at the configured durability, and going back to it.
//!
//! Under `fsync` a group is visible on this node from its append on and committed from its sync on. What is between must
//! not leave: a power cut may take it, and then its dots are given again. So peers are shown the log up to what is
//! synced, and whoever answers the outside waits for [`Core::committed`]. When the sync fails nobody knows what the disk
//! holds, and what was visible and not committed is taken back: readers go on with the rows of the last sync.

use std::sync::Arc;

use numax_crdt::VersionVector;

use super::{Core, Tip, held::Held, notes, notes::Notes, replay::Replay};
use crate::{
    config::Durability,
    error::CoreError,
    planted::Planted,
    rows::{shared::Shared, staging::Staging},
};

impl Core {
    /// The log position up to which everything is committed at the configured durability.
    pub fn committed(&self) -> u64 {
        if self.waits_for_sync() { self.log.synced() } else { self.log.end() }
    }

    /// What is committed, as a vector: what others may be told of. Under `fsync` it follows [`committed`](Self::committed)
    /// as closely as syncs began.
    pub fn committed_vector(&mut self) -> &VersionVector {
        if self.waits_for_sync() { self.received() } else { &self.tip.vector }
    }

    /// Lets readers of the log see what may leave.
    pub(super) fn expose(&self) {
        // Behind a sync that failed there may be what was taken back, and is settled anew after a restart.
        if self.waits_for_sync() || self.log.broken().is_none() {
            self.log.expose(self.waits_for_sync());
        }
    }

    /// Whether what is appended is committed by a sync.
    pub(crate) fn waits_for_sync(&self) -> bool {
        self.config.durability == Durability::Fsync && !self.config.has_bug(Planted::LeavesUnsynced)
    }

    /// After the log has failed under `fsync`: shows readers what is committed, and nothing more.
    pub(super) fn take_back(&mut self) {
        if !self.waits_for_sync() || self.log.broken().is_none() || self.taken_back {
            return;
        }
        self.taken_back = true;
        let synced = self.log.settle_syncs();
        self.expose();
        if self.shared.visible() <= synced {
            return;
        }
        match self.rows_at(synced) {
            Ok((tip, held, earlier)) => {
                tracing::warn!(
                    bytes = self.log.end() - synced,
                    "what was written and not synced is not shown any more; it may be there again after a restart"
                );
                self.shared.vector_mut().clone_from(&tip.vector);
                self.shared.take_back(earlier.into_state(), synced);
                self.flush.give_up();
                self.tip = tip;
                self.held = held;
            }
            // Then what was seen stays visible here, and waits in vain to leave.
            Err(error) => tracing::error!(%error, "what was written and not synced cannot be taken back"),
        }
    }

    /// The rows in front of the engine as they were at a log position, and what was known there.
    fn rows_at(&self, position: u64) -> Result<(Tip, Held, Shared), CoreError> {
        // As long as this is held the engine is not written.
        let _side = self.shared.engine_side();
        let engine = self.shared.engine();
        let failed = |error: crate::OpenError| CoreError::Invalid(error.to_string());
        let notes = Notes::load(&*engine, self.config.node).map_err(failed)?;
        let shared = Arc::new(Shared::new(engine.clone(), self.config.cache_rows, self.config.cache_bytes));
        shared.state_mut().origins = notes::load_origins(&*engine).map_err(failed)?;
        let from = notes.position;
        let mut replay = Replay {
            shared: &shared,
            node: self.config.node,
            max_skew_ms: self.config.max_skew_ms,
            // Nothing is written any more, so it does not matter what the clock learns.
            now_ms: 0,
            own: Some(self.origin),
            tip: Tip::of(&notes),
            staging: Staging::default(),
            write_at: usize::MAX,
            by_halves: self.config.has_bug(Planted::MergedByHalves),
            held: Held::load(&*engine, self.config.node)?,
            settled_at: 0,
        };
        let mut result = Ok(());
        self.log.reader().read(from, |end, record| {
            if end <= position {
                result = replay.record(end, record);
            }
            end < position && result.is_ok()
        })?;
        result?;
        let (tip, held) = (replay.tip, replay.held);
        let shared = Arc::into_inner(shared);
        shared
            .map(|shared| (tip, held, shared))
            .ok_or_else(|| CoreError::Invalid("rows are in use".to_string()))
    }
}
