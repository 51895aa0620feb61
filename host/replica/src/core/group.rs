//! A group: requests that share one write to the log.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use numax_crdt::{ApplyError, CodecError, Dot, Key, Kind, Op, OpKind, Origin, VersionVector, applier};

use super::{CommitTicket, Core, Ingested, Tip, held::Held};
use crate::{
    applied::{Applied, Change},
    config::Durability,
    draft::{LocalBatch, WriterId},
    error::{CommitError, CoreError, LogError},
    log::Frames,
    planted::Planted,
    rows::{
        shared::Shared,
        staging::{StagedRows, Staging},
    },
    texts::Holds,
    transfer::{Place, Transferred},
};

/// Something for the committer to do.
#[derive(Debug, Clone)]
pub enum Request {
    /// Commit a turn's batch.
    Commit(LocalBatch),
    /// Write a register if it holds what is expected.
    CompareAndSet {
        /// The register.
        key: Key,
        /// What it must hold; none for no value.
        expected: Option<Bytes>,
        /// What is written.
        value: Bytes,
        /// Who writes.
        writer: WriterId,
    },
    /// Apply batches that came from peers, encoded.
    Ingest(Vec<Bytes>),
    /// Take a piece of a peer's state, encoded.
    Transfer(Bytes),
    /// All pages of a peer's state are here: merge the next.
    Merge,
    /// This node has caught up with a member: settle some of what is held back.
    Settle,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// The batch is committed.
    Committed(CommitTicket),
    /// Whether the register held what was expected, and the batch if it did.
    Compared(bool, CommitTicket),
    /// What became of the batches.
    Ingested(Ingested),
    /// What became of the piece, or how far merging is.
    Transferred(Transferred),
    /// Some was settled; whether there is more, [`Core::is_unsettled`] says.
    Settled,
}

/// What came of a group.
#[derive(Debug)]
pub struct GroupOutcome {
    /// One result per request, in their order.
    pub results: Vec<Result<Response, CommitError>>,
    /// What was applied, in the order of the log. Under `fsync` nobody else may see it before it is
    /// [`committed`](Core::committed).
    pub applied: Vec<Arc<Applied>>,
}

/// A group in the making.
pub(super) struct Group {
    pub frames: Frames,
    pub applied: Vec<Applied>,
    /// The log position behind the last record of the group.
    pub position: u64,
    /// What was known of the origins that advanced.
    undo: Vec<(Origin, u64)>,
    /// The texts that its batches edit; given back without what was written unless the group is published.
    pub holds: Vec<Holds>,
    deps: BTreeMap<Origin, u64>,
    /// Vector and transfer before the first page of the group.
    pub before_page: Option<(VersionVector, Place)>,
    /// What was held back before the group, if it changed that.
    before_held: Option<Held>,
    /// Whether it settles what is held back.
    pub settles: bool,
}

impl Core {
    /// Works off a group: appends it, and shows it to readers. `now_ms` is Unix time in milliseconds.
    ///
    /// Under [`Durability::Fsync`] it is committed later, by a sync: see [`committed`](Self::committed).
    pub fn run_group(&mut self, requests: Vec<Request>, now_ms: u64) -> GroupOutcome {
        let count = requests.len();
        let failed =
            |error: CommitError| GroupOutcome { results: vec![Err(error); count], applied: Vec::new() };
        if let Err(error) = self.writable() {
            return failed(error);
        }
        let end = self.log.end();
        let frames = match self.log.begin(&self.tip.vector) {
            Ok(frames) => frames,
            Err(error) => {
                self.take_back();
                return failed(self.refused(&CoreError::Log(error)));
            }
        };
        if self.log.end() != end {
            // A new segment begins with everything before it synced.
            self.receipts.mark(self.log.end(), &self.tip.vector);
        }
        let mut group = Group {
            frames,
            applied: Vec::new(),
            position: self.log.end(),
            undo: Vec::new(),
            holds: Vec::new(),
            deps: self.tip.deps.clone(),
            before_page: None,
            before_held: None,
            settles: false,
        };
        let mut results = Vec::with_capacity(count);
        for request in requests {
            match self.request(&mut group, request, now_ms) {
                Ok(result) => results.push(result),
                Err(error) => {
                    self.abandon(group);
                    self.remember();
                    return failed(self.refused(&error));
                }
            }
        }
        self.remember();
        if let Err(error) = self.append(&group.frames, group.settles)
            && !self.config.has_bug(Planted::AnsweredAnyway)
        {
            self.abandon(group);
            self.take_back();
            return failed(self.refused(&CoreError::Log(error)));
        }
        GroupOutcome { results, applied: self.publish(group) }
    }

    fn request(
        &mut self,
        group: &mut Group,
        request: Request,
        now_ms: u64,
    ) -> Result<Result<Response, CommitError>, CoreError> {
        let outcome = match request {
            Request::Commit(batch) => self.commit(group, batch, now_ms).map(Response::Committed),
            Request::CompareAndSet { key, expected, value, writer } => self
                .compare_and_set(group, &key, expected.as_ref(), value, writer, now_ms)
                .map(|(held, ticket)| Response::Compared(held, ticket)),
            Request::Ingest(batches) => self.ingest_all(group, batches, now_ms).map(Response::Ingested),
            Request::Transfer(page) => self.take_page(group, page).map(Response::Transferred),
            Request::Merge => self.merge_next(group, now_ms).map(Response::Transferred),
            Request::Settle => self.settle(group, now_ms).map(|()| Response::Settled),
        };
        match outcome {
            Ok(response) => Ok(Ok(response)),
            // A single request's own fault, found before it changed anything.
            Err(CoreError::Refused(error)) => Ok(Err(error)),
            Err(error) => Err(error),
        }
    }

    /// Whether the datastore takes writes.
    fn writable(&mut self) -> Result<(), CommitError> {
        if let Some(reason) = self.log.broken() {
            return Err(CommitError::ReadOnly(reason.to_string()));
        }
        let room = self.disk.check_room();
        self.low.note(room);
        if let Err(low) = room {
            return Err(CommitError::Unavailable(format!(
                "{low}; free some space, and the node goes on by itself"
            )));
        }
        let lag = self.log.end().saturating_sub(self.flush.durable());
        match self.flush.failure() {
            Some(reason) if lag > self.config.max_lag_bytes => Err(CommitError::Unavailable(format!(
                "the engine cannot be written, and the log must not run further ahead: {reason}"
            ))),
            _ => Ok(()),
        }
    }

    /// The error of a group that failed as a whole.
    fn refused(&self, error: &CoreError) -> CommitError {
        match self.log.broken() {
            Some(reason) => CommitError::ReadOnly(reason.to_string()),
            None => CommitError::Unavailable(error.to_string()),
        }
    }

    /// Writes a group to the log. What `settles` is synced at every durability: a power cut that took it back, when it
    /// had left, would have it written anew under the same dots.
    fn append(&mut self, frames: &Frames, settles: bool) -> Result<(), LogError> {
        if frames.is_empty() {
            return Ok(());
        }
        // Not by way of the buffer: what waits there stays there when it cannot be written, and would come into the log
        // later, beside what is then settled anew.
        self.log.append(frames, self.config.durability == Durability::None && !settles)?;
        if settles {
            self.log.sync_now()?;
        }
        self.expose();
        Ok(())
    }

    /// Takes back what a group did to the tip; its staged rows go.
    fn abandon(&mut self, group: Group) {
        self.staging.clear();
        self.tip.deps = group.deps;
        if let Some(held) = group.before_held {
            self.held = held;
        }
        if let Some((vector, place)) = group.before_page {
            self.tip.vector = vector;
            self.tip.place = place;
        }
        if !group.undo.is_empty() {
            let mut before = group.undo;
            before.reverse();
            let before: BTreeMap<Origin, u64> = before.into_iter().collect();
            let entries = self.tip.vector.iter().map(|(o, seq)| (*o, before.get(o).copied().unwrap_or(seq)));
            self.tip.vector = entries.filter(|(_, seq)| *seq > 0).collect::<VersionVector>();
        }
    }

    /// Makes a group visible that is in the log.
    fn publish(&mut self, group: Group) -> Vec<Arc<Applied>> {
        if group.settles {
            self.settled();
        }
        if group.frames.is_empty() {
            self.staging.clear();
            return Vec::new();
        }
        self.staging.publish(&self.shared, self.log.end());
        let mut vector = self.shared.vector_mut();
        // Of batches in a row from one origin the last says it all.
        let mut applied = group.applied.iter().filter(|batch| batch.for_peers).peekable();
        while let Some(batch) = applied.next() {
            if applied.peek().is_none_or(|next| next.dot.origin != batch.dot.origin) {
                vector.set_max(batch.dot.origin, batch.dot.seq);
            }
        }
        if group.before_page.is_some() {
            vector.clone_from(&self.tip.vector);
        }
        drop(vector);
        for batch in group.applied.iter().filter(|batch| batch.for_peers) {
            self.recent.put(batch.dot, batch.bytes.clone());
        }
        self.log.reuse(group.frames);
        group.holds.into_iter().for_each(Holds::publish);
        group.applied.into_iter().map(Arc::new).collect()
    }
}

impl Group {
    /// Adds a record and moves the group's position behind it.
    pub(super) fn push(
        &mut self,
        batch: Option<&[u8]>,
        remote: bool,
        local: &[crate::log::LocalWrite],
    ) -> Result<u64, CoreError> {
        let position = self.frames.push(batch, remote, local);
        self.position =
            position.ok_or_else(|| CoreError::Invalid("a record is too large for the log".to_string()))?;
        Ok(self.position)
    }

    /// Adds the record of a batch that is held back; answers the position behind it.
    pub(super) fn push_held(
        &mut self,
        batch: &[u8],
        local: &[crate::log::LocalWrite],
    ) -> Result<u64, CoreError> {
        let position = self.frames.push_held(batch, local);
        self.position =
            position.ok_or_else(|| CoreError::Invalid("a record is too large for the log".to_string()))?;
        Ok(self.position)
    }

    /// Keeps what is held back, so that changes of it can be taken back.
    pub(super) fn keep_held(&mut self, held: &Held) {
        self.before_held.get_or_insert_with(|| held.clone());
    }

    /// Adds the record of a page of transferred state; answers the position behind it.
    pub(super) fn push_page(&mut self, page: &[u8]) -> Result<u64, CoreError> {
        let position = self.frames.push_page(page);
        self.position =
            position.ok_or_else(|| CoreError::Invalid("a page is too large for the log".to_string()))?;
        Ok(self.position)
    }

    /// Advances the vector so that it can be taken back.
    pub(super) fn advance(&mut self, tip: &mut Tip, dot: Dot) -> bool {
        let advanced = tip.vector.advance(dot);
        if advanced {
            self.undo.push((dot.origin, dot.seq - 1));
        }
        advanced
    }
}

/// Applies a batch's operations to staged rows; answers what changed for a reader.
pub(super) fn apply_ops(
    shared: &Shared,
    staging: &mut Staging,
    dot: Dot,
    ops: &[Op],
) -> Result<Vec<Change>, CoreError> {
    let mut apply = |op: &Op| {
        let kind = op.body.kind();
        let family = applier(kind).ok_or(ApplyError::Damaged {
            kind,
            source: CodecError::Tag { what: "family", tag: kind as u8 },
        })?;
        family.apply(&mut StagedRows::new(shared, staging, kind, &op.key), dot, &op.body)
    };
    if let [op] = ops {
        let change =
            apply(op)?.map(|change| Change { kind: op.body.kind(), key: op.key.clone(), op: change });
        return Ok(change.into_iter().collect());
    }
    let mut changes: BTreeMap<(Kind, &Key), OpKind> = BTreeMap::new();
    for op in ops {
        if let Some(change) = apply(op)? {
            changes.insert((op.body.kind(), &op.key), change);
        }
    }
    Ok(changes.into_iter().map(|((kind, key), op)| Change { kind, key: key.clone(), op }).collect())
}
