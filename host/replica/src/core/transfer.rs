//! Taking pieces of a peer's state, and merging pages when all of them are here.

use bytes::Bytes;
use numax_crdt::{Dot, NodeId, Origin};

use super::{Core, Tip, group::Group, pending::Pending};
use crate::{
    applied::{Applied, Change},
    error::{CommitError, CoreError},
    planted::Planted,
    rows::{name, shared::Shared, staging::Staging},
    transfer::{Merging, Piece, TransferState, Transferred, merge_page},
};

impl Tip {
    /// What a page moves on; `own` is what is written under here.
    pub(super) fn merging(&mut self, own: Option<Origin>) -> Merging<'_> {
        Merging { place: &mut self.place, vector: &mut self.vector, deps: &mut self.deps, own, keeps: false }
    }

    /// For simulators that look for this bug: merges pages though others are missing.
    pub(super) fn merge_early(
        &mut self,
        shared: &Shared,
        staging: &mut Staging,
        own: Option<Origin>,
        position: u64,
    ) -> Result<Vec<Change>, CoreError> {
        let mut changes = Vec::new();
        while let Some((page, _, false)) = self.place.next_page(shared, staging, true)? {
            changes.extend(merge_page(shared, staging, self.merging(own), &page, false, position)?);
        }
        Ok(changes)
    }
}

fn refused(text: impl ToString) -> CoreError {
    CoreError::Refused(CommitError::Invalid(text.to_string()))
}

impl Core {
    /// Stages a piece and adds its record to a group.
    pub(super) fn take_page(&mut self, group: &mut Group, bytes: Bytes) -> Result<Transferred, CoreError> {
        // A copy, so that rows that stay in memory do not keep the frame alive they came in.
        let bytes = Bytes::copy_from_slice(&bytes);
        let piece = Piece::decode(bytes.clone()).map_err(refused)?;
        if piece.as_of().get(&self.origin) > self.tip.vector.get(&self.origin) {
            self.stop_for_duplicate();
            return Err(refused("the page knows more of this node than the node itself"));
        }
        if !self.tip.place.takes(&piece) {
            return Err(refused("the page is not the next one of the transfer"));
        }
        if piece.cursor().is_empty() && self.tip.vector.covers_vector(piece.as_of()) {
            // A sender whose engine takes nothing more has a picture of long ago only.
            return Err(refused("the peer's rows show nothing that is not known here"));
        }
        let completes = match self.tip.place.completes(&self.shared, &self.staging, &piece) {
            Ok(completes) => completes,
            Err(CoreError::Page(error)) => {
                // What came of it so far is of no use.
                self.abandon_transfer();
                return Err(refused(error));
            }
            Err(error) => return Err(error),
        };
        self.keep_place(group);
        let position = group.push_page(&bytes)?;
        if piece.cursor().is_empty() {
            self.look_for_stale_pages();
        }
        self.tip.place.stage(&mut self.staging, &piece, &bytes, completes, position);
        if self.config.has_bug(Planted::MergedByHalves) {
            let changes =
                self.tip.merge_early(&self.shared, &mut self.staging, Some(self.origin), position)?;
            tell(group, piece.sender(), position, changes);
        }
        Ok(Transferred { position, next: self.transfer_state() })
    }

    /// Merges the next page, if all are here.
    pub(super) fn merge_next(&mut self, group: &mut Group, now_ms: u64) -> Result<Transferred, CoreError> {
        self.keep_place(group);
        if let Some((page, keys, last)) = self.tip.place.next_page(&self.shared, &self.staging, false)? {
            let gone: Vec<_> = keys.iter().map(|key| (key.clone(), None)).collect();
            let position = group.push(None, false, &gone)?;
            self.tip.clock.observe(page.clock, now_ms, self.config.max_skew_ms);
            let own = Some(self.origin);
            let keeps = self.config.has_bug(Planted::KeptRows);
            let into = Merging { keeps, ..self.tip.merging(own) };
            let changes = merge_page(&self.shared, &mut self.staging, into, &page, last, position)?;
            keys.iter().for_each(|key| self.staging.put(&name::local(key), None));
            tell(group, page.sender, position, changes);
            if last {
                // What waited for batches that have come by rows would wait for ever; it is asked for again.
                self.pending = Pending::new(self.config.pending_bytes);
                // Were the group to fail, a base that is too late only makes the log say less than it could.
                self.log.reader().set_base(self.tip.place.base.clone());
            }
        }
        Ok(Transferred { position: group.position, next: self.transfer_state() })
    }

    /// So that a transfer can be taken back to where it was.
    fn keep_place(&self, group: &mut Group) {
        if group.before_page.is_none() {
            group.before_page = Some((self.tip.vector.clone(), self.tip.place.clone()));
        }
    }

    /// The transfer that has begun and not ended, if there is one: after a restart it goes on from there.
    pub fn transfer_state(&self) -> Option<TransferState> {
        self.tip.place.state()
    }

    /// Gives up a transfer of which pages are missing; what has come of it is thrown away. One whose pages are all
    /// here goes on.
    pub fn abandon_transfer(&mut self) {
        if !self.tip.place.merges() {
            self.tip.place.incoming = None;
            self.look_for_stale_pages();
        }
    }
}

/// Watchers learn what changed, whichever way it came.
fn tell(group: &mut Group, sender: NodeId, position: u64, changes: Vec<Change>) {
    if changes.is_empty() {
        return;
    }
    let dot = Dot { origin: Origin { node: sender, ..Origin::default() }, seq: 0 };
    let (bytes, for_peers) = (Bytes::new(), false);
    group.applied.push(Applied { position, dot, bytes, for_peers, remote: true, writer: None, changes });
}
