//! Acknowledgements, members and transfers of state, for whoever runs the cluster's protocol.

use bytes::Bytes;
use numax_crdt::{NodeId, Origin};

use super::{Replica, files, unexpected};
use crate::{
    core::{Request, Response},
    error::CommitError,
    forget::{Ack, Member},
    rows::frozen::FrozenError,
    settling::Settling,
    transfer::{PageRequest, SentPage, TransferState, Transferred},
};

impl Replica {
    /// See [`Core::acks`](crate::Core::acks).
    pub fn acks(&self, max_bytes: usize) -> Vec<Ack> {
        self.inner.core().acks(max_bytes)
    }

    /// See [`Core::acknowledged`](crate::Core::acknowledged).
    pub fn acknowledged(&self, acks: &[Ack]) {
        self.inner.core().acknowledged(acks, files::now_ms());
        // There may be something to forget now.
        self.inner.signals.written(false);
    }

    /// See [`Core::heard_of`](crate::Core::heard_of).
    pub fn heard_of(&self, origin: Origin) {
        self.inner.core().heard_of(origin, files::now_ms());
        self.inner.signals.written(false);
    }

    /// See [`Core::configure_members`](crate::Core::configure_members).
    pub fn configure_members(&self, nodes: &[NodeId], at_least: usize) {
        self.inner.core().configure_members(nodes, at_least);
    }

    /// See [`Core::evict_member`](crate::Core::evict_member).
    pub fn evict_member(&self, node: NodeId) -> bool {
        self.inner.core().evict_member(node)
    }

    /// See [`Core::evict_unseen`](crate::Core::evict_unseen).
    pub fn evict_unseen(&self, horizon_ms: u64) -> Vec<NodeId> {
        self.inner.core().evict_unseen(files::now_ms(), horizon_ms)
    }

    /// See [`Core::members`](crate::Core::members).
    pub fn members(&self) -> Vec<Member> {
        self.inner.core().members()
    }

    /// Reads a page of this node's state for a peer. Blocks: not for an async worker.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn transfer_page(&self, request: &PageRequest) -> Result<SentPage, FrozenError> {
        let (picture, rows, from) = self.inner.core().transfer_picture(request, files::now_ms())?;
        // Beside the committer: a picture needs nobody to wait.
        let page = rows.piece(self.origin().node, from, request.max_bytes)?;
        Ok(SentPage { picture, page })
    }

    /// Takes a piece of a peer's state.
    ///
    /// # Errors
    /// See [`CommitError`]; nothing was changed then.
    pub async fn take_page(&self, page: Bytes) -> Result<Transferred, CommitError> {
        let bytes = page.len();
        self.transfer(Request::Transfer(page), bytes).await
    }

    /// Merges a page of a peer's state, all of which is here.
    ///
    /// # Errors
    /// See [`CommitError`]; it is to be tried again then.
    pub async fn merge_page(&self) -> Result<Transferred, CommitError> {
        self.transfer(Request::Merge, 0).await
    }

    async fn transfer(&self, request: Request, bytes: usize) -> Result<Transferred, CommitError> {
        match self.inner.queue.submit(request, bytes).await? {
            Response::Transferred(done) => Ok(done),
            other => Err(unexpected(&other)),
        }
    }

    /// Settles what is held back, all of it: this node has caught up with a member.
    ///
    /// # Errors
    /// See [`CommitError`]; what was not settled is held back as before.
    pub async fn settle(&self) -> Result<(), CommitError> {
        while self.is_unsettled() {
            match self.inner.queue.submit(Request::Settle, 0).await? {
                Response::Settled => {}
                other => return Err(unexpected(&other)),
            }
        }
        Ok(())
    }

    /// See [`Core::settling`](crate::Core::settling).
    pub fn settling(&self) -> Settling {
        self.inner.core().settling()
    }

    /// See [`Core::is_unsettled`](crate::Core::is_unsettled).
    pub fn is_unsettled(&self) -> bool {
        self.inner.core().is_unsettled()
    }

    /// See [`Core::transfer_state`](crate::Core::transfer_state).
    pub fn transfer_state(&self) -> Option<TransferState> {
        self.inner.core().transfer_state()
    }

    /// See [`Core::abandon_transfer`](crate::Core::abandon_transfer).
    pub fn abandon_transfer(&self) {
        self.inner.core().abandon_transfer();
    }

    /// Bytes of the log on the disk.
    pub fn log_bytes(&self) -> u64 {
        self.inner.core().log_bytes()
    }
}
