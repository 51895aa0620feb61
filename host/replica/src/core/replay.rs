//! Making rows of the log's records.

use std::sync::Arc;

use bytes::Bytes;
use numax_crdt::{Batch, HlcClock, NodeId, Origin, VersionVector};

use super::{
    Tip, group,
    held::{self, Held},
    notes::Notes,
};
use crate::{
    error::CoreError,
    log::Record,
    rows::{name, shared::Shared, staging::Staging},
    transfer::{Piece, StagedPart, merge_page},
};

/// Applies the log's records behind the engine's position.
pub(super) struct Replay<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) node: NodeId,
    pub(super) max_skew_ms: u64,
    pub(super) now_ms: u64,
    /// The origin of the last epoch.
    pub(super) own: Option<Origin>,
    pub(super) tip: Tip,
    pub(super) staging: Staging,
    /// Rows after which they are written to the engine.
    pub(super) write_at: usize,
    /// For simulators that look for this bug: pages are merged as they come.
    pub(super) by_halves: bool,
    /// What is held back.
    pub(super) held: Held,
    /// The position behind the last batch that was settled.
    pub(super) settled_at: u64,
}

impl Replay<'_> {
    /// The log holds everything that was applied before a segment, unless rows came in another way (a transfer of
    /// state) and the engine has lost them.
    pub(super) fn segment(&self, vector: &VersionVector) -> Result<(), CoreError> {
        if self.tip.vector.covers_vector(vector) {
            return Ok(());
        }
        Err(CoreError::RowsLost("some came by a transfer of state, and are not in the log".to_string()))
    }

    pub(super) fn record(&mut self, end: u64, record: Record) -> Result<(), CoreError> {
        if let Some(bytes) = record.batch {
            let batch = Batch::decode(bytes)?;
            let known = self.tip.vector.get(&batch.origin);
            // Known ones cannot be there: the engine's notes and the log are one sequence.
            if !self.tip.vector.advance(batch.dot()) {
                return Err(CoreError::Invalid(format!(
                    "the log has batch {} where the {} of this origin are known",
                    batch.dot(),
                    known
                )));
            }
            if self.own == Some(batch.origin) {
                self.tip.deps.clear();
                self.tip.clock = HlcClock::starting_after(self.tip.clock.last().max(batch.hlc));
            } else {
                self.tip.deps.insert(batch.origin, batch.seq);
                self.tip.clock.observe(batch.hlc, self.now_ms, self.max_skew_ms);
            }
            if self.held.contains(batch.dot()) {
                self.held.remove(batch.dot());
                self.settled_at = end;
                held::resettle(self.shared, &mut self.staging, batch.dot(), &batch.ops)?;
            } else {
                group::apply_ops(self.shared, &mut self.staging, batch.dot(), &batch.ops)?;
            }
        }
        if let Some(bytes) = record.held {
            let batch = Batch::decode(bytes.clone())?;
            self.tip.clock = HlcClock::starting_after(self.tip.clock.last().max(batch.hlc));
            self.held.add(batch.dot());
            held::keep(&mut self.staging, batch.dot(), &bytes);
            group::apply_ops(self.shared, &mut self.staging, batch.dot(), &batch.ops)?;
        }
        if let Some(bytes) = record.page {
            self.page(end, bytes)?;
        }
        for (key, value) in record.local {
            if value.is_none() {
                if let Some(dot) = held::parse(self.node, &key) {
                    self.held.remove(dot);
                }
                if let Some(part) = StagedPart::parse(&key) {
                    self.merge(end, part)?;
                }
            }
            self.staging.put(&name::local(&key), value);
        }
        self.staging.publish(self.shared, end);
        if self.shared.state().active.len() >= self.write_at {
            self.write(end)?;
        }
        Ok(())
    }

    /// Stages a piece of transferred state.
    fn page(&mut self, end: u64, bytes: Bytes) -> Result<(), CoreError> {
        let piece = Piece::decode(bytes.clone())?;
        let place = &mut self.tip.place;
        // It was when it was written.
        if place.takes(&piece) {
            let completes = place.completes(self.shared, &self.staging, &piece)?;
            place.stage(&mut self.staging, &piece, &bytes, completes, end);
            if self.by_halves {
                self.tip.merge_early(self.shared, &mut self.staging, self.own, end)?;
            }
        }
        Ok(())
    }

    /// Merges a page whose first row goes with this record.
    fn merge(&mut self, end: u64, part: StagedPart) -> Result<(), CoreError> {
        let tip = &mut self.tip;
        if tip.place.merges_by(part)
            && let Some((page, _, last)) = tip.place.next_page(self.shared, &self.staging, false)?
        {
            tip.clock.observe(page.clock, self.now_ms, self.max_skew_ms);
            merge_page(self.shared, &mut self.staging, tip.merging(self.own), &page, last, end)?;
        }
        Ok(())
    }

    /// Writes what was replayed to the engine. The log is synced as far as it is read.
    fn write(&mut self, end: u64) -> Result<(), CoreError> {
        let Some(frozen) = self.shared.freeze() else { return Ok(()) };
        let notes = Notes {
            position: end,
            vector: self.tip.vector.clone(),
            deps: self.tip.deps.clone(),
            clock: self.tip.clock.last(),
            place: self.tip.place.clone(),
            members: None,
        };
        self.shared.engine().commit(notes.batch(&frozen, self.node))?;
        self.shared.engine_side().moved(notes.engine_at());
        self.shared.settle();
        Ok(())
    }
}
