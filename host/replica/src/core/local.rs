//! Committing what was written here.

use bytes::Bytes;
use numax_crdt::{
    Batch, Body, Hlc, Key, Kind, Op,
    family::{g_counter, lww_map, lww_register, pn_counter, rga},
    limits::MAX_VALUE,
    text,
};

use super::{CommitTicket, Core, group, group::Group, held};
use crate::{
    applied::Applied,
    draft::{LocalBatch, LocalBody, LocalOp, WriterId},
    error::{CommitError, CoreError},
    planted::Planted,
    rows::{name, staging::StagedRows},
};

fn invalid(text: &str) -> CoreError {
    CoreError::Refused(CommitError::Invalid(text.to_string()))
}

impl Core {
    /// Adds a turn's batch to a group.
    pub(super) fn commit(
        &mut self,
        group: &mut Group,
        batch: LocalBatch,
        now_ms: u64,
    ) -> Result<CommitTicket, CoreError> {
        if batch.is_empty() {
            return Ok(CommitTicket { position: group.position, dot: None });
        }
        if batch.ops.is_empty() {
            let position = group.push(None, false, &batch.local)?;
            self.stage_local(batch.local);
            return Ok(CommitTicket { position, dot: None });
        }
        if self.duplicate_origin {
            return Err(CoreError::Refused(CommitError::DuplicateOrigin));
        }
        let (last, max_skew_ms) = (self.tip.clock.last(), self.config.max_skew_ms);
        self.clocks.local(self.origin.node, last, now_ms, max_skew_ms);
        let hlc = match self.config.has_bug(Planted::BareClock) {
            false => self.tip.clock.tick(now_ms),
            true => Hlc::from_parts(now_ms, 0),
        };
        // All of a batch is resolved before any of it is staged: what is refused leaves nothing in the group.
        let mut ops = Vec::with_capacity(batch.ops.len());
        for op in batch.ops {
            ops.push(self.resolve(op, hlc)?);
        }
        let held = self.holds_back();
        let whole = Batch {
            origin: self.origin,
            seq: self.next_seq(),
            deps: self.tip.deps.iter().map(|(origin, seq)| (*origin, *seq)).collect(),
            hlc,
            ops,
        };
        whole.check_limits().map_err(|limit| invalid(&limit.to_string()))?;
        let bytes = whole.encode();
        let dot = whole.dot();
        let position = match held {
            true => group.push_held(&bytes, &batch.local)?,
            false => group.push(Some(&bytes), false, &batch.local)?,
        };
        let changes = group::apply_ops(&self.shared, &mut self.staging, dot, &whole.ops)?;
        self.stage_local(batch.local);
        batch.holds.staged(&self.shared, &mut self.staging);
        group.holds.push(batch.holds);
        if held {
            group.keep_held(&self.held);
            if self.held.is_empty() {
                tracing::info!(
                    "what is written here is held back from the other nodes until this datastore has caught up with the \
                     cluster"
                );
            }
            self.held.add(dot);
            held::keep(&mut self.staging, dot, &bytes);
        } else {
            group.advance(&mut self.tip, dot);
            self.tip.deps.clear();
        }
        group.applied.push(Applied {
            position,
            dot,
            bytes,
            for_peers: !held,
            remote: false,
            writer: Some(batch.writer),
            changes,
        });
        Ok(CommitTicket { position, dot: Some(dot) })
    }

    /// Writes a register if it holds what is expected.
    pub(super) fn compare_and_set(
        &mut self,
        group: &mut Group,
        key: &Key,
        expected: Option<&Bytes>,
        value: Bytes,
        writer: WriterId,
        now_ms: u64,
    ) -> Result<(bool, CommitTicket), CoreError> {
        if key.is_reserved() {
            return Err(invalid("the key belongs to the system"));
        }
        if value.len() > MAX_VALUE {
            return Err(invalid("value too large"));
        }
        let held =
            lww_register::get(&StagedRows::new(&self.shared, &mut self.staging, Kind::LwwRegister, key))?;
        if held.as_ref() != expected {
            return Ok((false, CommitTicket { position: group.position, dot: None }));
        }
        let op = LocalOp { key: key.clone(), body: LocalBody::Register { value: Some(value) } };
        let ticket = self.commit(group, LocalBatch::single(writer, op), now_ms)?;
        Ok((true, ticket))
    }

    fn stage_local(&mut self, writes: Vec<(Bytes, Option<Bytes>)>) {
        for (key, value) in writes {
            self.staging.put(&name::local(&key), value);
        }
    }

    /// Gives an operation its total or time.
    fn resolve(&mut self, op: LocalOp, hlc: Hlc) -> Result<Op, CoreError> {
        let overflow = || invalid("the counter would overflow");
        let kind = op.body.kind();
        // Where there is no row, there may have been a removal that a sender of state had forgotten.
        let floor = Some(self.tip.place.floor).filter(|floor| *floor > Hlc::ZERO);
        let rows = StagedRows::new(&self.shared, &mut self.staging, kind, &op.key);
        let body = match op.body {
            LocalBody::GCounter { by } => {
                let total = g_counter::total(&rows, &self.origin)?;
                Body::GCounter { total: total.checked_add(by).ok_or_else(overflow)? }
            }
            LocalBody::PnCounter { up, down } => {
                let (old_up, old_down) = pn_counter::totals(&rows, &self.origin)?;
                Body::PnCounter {
                    up: old_up.checked_add(up).ok_or_else(overflow)?,
                    down: old_down.checked_add(down).ok_or_else(overflow)?,
                }
            }
            LocalBody::Register { value } if self.config.has_bug(Planted::BlindWrites) => {
                Body::Register { hlc, value }
            }
            LocalBody::Register { value } => {
                Body::Register { hlc: hlc.after(lww_register::written_at(&rows)?.or(floor)), value }
            }
            LocalBody::MapField { field, value } => {
                let hlc = hlc.after(lww_map::written_at(&rows, &field)?.or(floor));
                Body::MapField { field, hlc, value }
            }
            LocalBody::SetAdd { element, replaces } => Body::SetAdd { element, replaces },
            LocalBody::SetRemove { element, removes } => Body::SetRemove { element, removes },
            LocalBody::ListInsert { id, after, own, value } => {
                // Somebody's removal of that element may have come since the call.
                let after = match after {
                    Some(after) if !own => rga::live_ancestor(&rows, after)?,
                    after => after,
                };
                Body::ListInsert { id, after, value }
            }
            LocalBody::ListRemove { id } => Body::ListRemove { id },
            LocalBody::Text { update } => {
                // A draft writes no others; but what peers refuse must not get into the log whatever happens.
                text::State::read_update(&update).map_err(|error| invalid(&error.to_string()))?;
                Body::Text { update }
            }
        };
        Ok(Op { key: op.key, body })
    }
}
