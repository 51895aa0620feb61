//! Taking pages of a peer's state.

use bytes::Bytes;
use numax_crdt::{Dot, Origin};

use super::{Core, Tip, group::Group, pending::Pending};
use crate::{
    applied::Applied,
    error::{CommitError, CoreError},
    planted::Planted,
    transfer::{Merging, Page, TransferState, Transferred, merge_page},
};

impl Tip {
    /// What a page moves on; `own` is what is written under here.
    pub(super) fn merging(&mut self, own: Option<Origin>) -> Merging<'_> {
        Merging { place: &mut self.place, vector: &mut self.vector, deps: &mut self.deps, own, keeps: false }
    }
}

fn refused(text: String) -> CoreError {
    CoreError::Refused(CommitError::Invalid(text))
}

impl Core {
    /// Merges a page and adds its record to a group.
    pub(super) fn take_page(
        &mut self,
        group: &mut Group,
        bytes: Bytes,
        now_ms: u64,
    ) -> Result<Transferred, CoreError> {
        // A copy, so that rows that stay in memory do not keep the frame alive they came in.
        let bytes = Bytes::copy_from_slice(&bytes);
        let page = Page::decode(bytes.clone()).map_err(|error| refused(error.to_string()))?;
        if page.as_of.get(&self.origin) > self.tip.vector.get(&self.origin) {
            self.stop_for_duplicate();
            return Err(refused("the page knows more of this node than the node itself".to_string()));
        }
        if !self.tip.place.takes(&page) {
            return Err(refused("the page is not the next one of the transfer".to_string()));
        }
        if group.before_page.is_none() {
            group.before_page = Some((self.tip.vector.clone(), self.tip.place.clone()));
        }
        let position = group.push_page(&bytes)?;
        self.tip.clock.observe(page.clock, now_ms, self.config.max_skew_ms);
        let own = Some(self.origin);
        let keeps = self.config.has_bug(Planted::KeptRows);
        let into = Merging { keeps, ..self.tip.merging(own) };
        let (last, changes) = merge_page(&self.shared, &mut self.staging, into, &page, position)?;
        // Watchers learn what changed, whichever way it came.
        if !changes.is_empty() {
            let dot = Dot { origin: Origin { node: page.sender, ..Origin::default() }, seq: 0 };
            let (bytes, for_peers) = (Bytes::new(), false);
            group.applied.push(Applied {
                position,
                dot,
                bytes,
                for_peers,
                remote: true,
                writer: None,
                changes,
            });
        }
        if last {
            // What waited for batches that have come by rows would wait for ever; it is asked for again.
            self.pending = Pending::new(self.config.pending_bytes);
            // Were the group to fail, a base that is too late only makes the log say less than it could.
            self.log.reader().set_base(self.tip.place.base.clone());
        }
        Ok(Transferred { position, next: self.transfer_state() })
    }

    /// The transfer that has begun and not ended, if there is one: after a restart it goes on from there.
    pub fn transfer_state(&self) -> Option<TransferState> {
        let incoming = self.tip.place.incoming.clone()?;
        Some(TransferState { sender: incoming.sender, floor: incoming.floor, cursor: incoming.cursor })
    }

    /// Gives up a transfer that has begun: what it would have brought is taken batch by batch again.
    pub fn abandon_transfer(&mut self) {
        self.tip.place.incoming = None;
    }
}
