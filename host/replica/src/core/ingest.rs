//! Taking batches from peers: each exactly once, in causal order, as a whole.

use std::collections::VecDeque;

use bytes::Bytes;
use numax_crdt::{Batch, BatchHeader, Origin};

use super::{
    Core, group,
    group::Group,
    held,
    pending::{self, Held},
};
use crate::{applied::Applied, error::CoreError, planted::Planted};

/// What became of batches from a peer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ingested {
    /// Applied now, those included that had waited.
    pub applied: usize,
    /// Known already.
    pub duplicates: usize,
    /// Waiting in memory for batches before them.
    pub pending: usize,
    /// Not taken: malformed, from a quarantined origin, under this node's own origin, or without room to wait.
    pub rejected: usize,
    /// How many of the rejected ones cannot be read: whoever sent them is to blame.
    pub malformed: usize,
    /// Origins under one of whose dots a second, different batch was seen now.
    pub quarantined: Vec<Origin>,
}

impl Core {
    /// Applies what can be applied of some encoded batches.
    pub(super) fn ingest_all(
        &mut self,
        group: &mut Group,
        batches: Vec<Bytes>,
        now_ms: u64,
    ) -> Result<Ingested, CoreError> {
        let mut out = Ingested::default();
        for bytes in batches {
            match BatchHeader::peek(&bytes) {
                Ok(header) => self.ingest_one(group, header, bytes, now_ms, &mut out)?,
                Err(error) => {
                    tracing::warn!(%error, "a batch from a peer cannot be read");
                    out.rejected += 1;
                    out.malformed += 1;
                }
            }
        }
        Ok(out)
    }

    fn ingest_one(
        &mut self,
        group: &mut Group,
        header: BatchHeader,
        bytes: Bytes,
        now_ms: u64,
        out: &mut Ingested,
    ) -> Result<(), CoreError> {
        let dot = header.dot();
        if self.quarantined.contains(&dot.origin) {
            out.rejected += 1;
            return Ok(());
        }
        let again = self.config.has_bug(Planted::DoubleApply) && dot.origin != self.origin;
        if self.tip.vector.covers(dot) && !again {
            let differs = self.recent.get(&dot).is_some_and(|known| *known != bytes);
            match differs {
                false => out.duplicates += 1,
                true if dot.origin == self.origin => self.found_duplicate_origin(out),
                true => self.quarantine(dot.origin, out),
            }
            return Ok(());
        }
        if dot.origin == self.origin {
            self.found_duplicate_origin(out);
            return Ok(());
        }
        if self.tip.place.brings(dot) {
            out.pending += 1;
            return Ok(());
        }
        let next = self.tip.vector.get(&dot.origin) + 1 == dot.seq;
        if let Some(missing) = pending::missing(&header, &self.tip.vector)
            && !(next && self.config.has_bug(Planted::NoCausality))
        {
            match self.pending.hold(header, bytes, missing) {
                Held::Now => out.pending += 1,
                Held::Already => out.duplicates += 1,
                Held::Differs => self.quarantine(dot.origin, out),
                Held::NoRoom => out.rejected += 1,
            }
            return Ok(());
        }
        // What a batch lets go may let go others in turn; each is applied before its followers are looked at.
        let mut ready = VecDeque::new();
        let mut next = Some((dot, bytes));
        while let Some((dot, bytes)) = next {
            if self.apply_remote(group, bytes, now_ms, out)? && self.pending.len() > 0 {
                let woken = self.pending.wake(dot, &self.tip.vector);
                ready.extend(woken.into_iter().map(|(header, bytes)| (header.dot(), bytes)));
            }
            next = ready.pop_front();
        }
        Ok(())
    }

    /// Applies a batch whose dependencies are there. `false` when it cannot be read.
    fn apply_remote(
        &mut self,
        group: &mut Group,
        bytes: Bytes,
        now_ms: u64,
        out: &mut Ingested,
    ) -> Result<bool, CoreError> {
        // A copy, so that a batch that stays in memory does not keep the frame it came in alive.
        let bytes = Bytes::copy_from_slice(&bytes);
        let batch = match Batch::decode(bytes.clone()) {
            Ok(batch) => batch,
            Err(error) => {
                tracing::warn!(%error, "a batch from a peer cannot be read");
                out.rejected += 1;
                out.malformed += 1;
                return Ok(false);
            }
        };
        let dot = batch.dot();
        if !group.advance(&mut self.tip, dot) && !self.config.has_bug(Planted::DoubleApply) {
            out.duplicates += 1;
            return Ok(false);
        }
        let report = self.tip.clock.observe(batch.hlc, now_ms, self.config.max_skew_ms);
        self.clocks.remote(dot.origin.node, report);
        let position = group.push(Some(&bytes), true, &[])?;
        let changes = if self.held.contains(dot) {
            // Written and settled in an earlier life of this datastore, of which it has an older copy.
            group.keep_held(&self.held);
            self.held.remove(dot);
            held::resettle(&self.shared, &mut self.staging, dot, &batch.ops)?
        } else {
            group::apply_ops(&self.shared, &mut self.staging, dot, &batch.ops)?
        };
        self.tip.deps.insert(dot.origin, dot.seq);
        group.applied.push(Applied {
            position,
            dot,
            bytes,
            for_peers: true,
            remote: true,
            writer: None,
            changes,
        });
        out.applied += 1;
        Ok(true)
    }

    fn found_duplicate_origin(&mut self, out: &mut Ingested) {
        self.stop_for_duplicate();
        out.rejected += 1;
    }

    fn quarantine(&mut self, origin: Origin, out: &mut Ingested) {
        self.quarantine_origin(origin);
        out.quarantined.push(origin);
        out.rejected += 1;
    }
}
