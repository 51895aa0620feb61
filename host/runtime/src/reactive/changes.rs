//! From the replica's notices to a module's mailbox: what it watches, may read, and did not write itself.

use super::mailbox::{Letter, Mailbox};
use crate::session::{ModuleGrant, Registrations};
use numax_crdt::{Kind, OpApplier, OpKind, applier};
use numax_policy::WatchEvent;
use numax_replica::{Applied, Change, Draft, Page, Replica, WriterId};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// Values that are told of at once after changes were missed.
const PAGE: usize = 256;

/// What a module watches; shared by the feed and the instance.
#[derive(Debug)]
pub(super) struct Watches {
    grant: Arc<ModuleGrant>,
    /// None while an instance registers: then everything that the module may read is kept for it, because what its
    /// `init` has read may change before it has said what it watches.
    watch: RwLock<Option<Vec<WatchEvent>>>,
    /// The mark of the running instance's own batches.
    own: AtomicU64,
}

impl Watches {
    pub(super) fn new(grant: Arc<ModuleGrant>) -> Watches {
        Watches { grant, watch: RwLock::default(), own: AtomicU64::new(0) }
    }

    /// A new instance, whose batches carry this mark, begins to register.
    pub(super) fn registering(&self, own: WriterId) {
        self.own.store(own, Ordering::Release);
        *self.watch.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// It has registered.
    pub(super) fn registered(&self, registrations: &Registrations) {
        *self.watch.write().unwrap_or_else(PoisonError::into_inner) = Some(registrations.watch.clone());
    }

    pub(super) fn list(&self) -> Vec<WatchEvent> {
        self.watch.read().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default()
    }

    /// Whether the module is to be told of a change, as far as is known.
    pub(super) fn wants(&self, change: &Change) -> bool {
        let key = change.key.as_bytes();
        let matches =
            |w: &WatchEvent| w.kind.is_none_or(|k| k == change.kind) && key.starts_with(w.prefix.as_bytes());
        let watch = self.watch.read().unwrap_or_else(PoisonError::into_inner);
        watch.as_ref().is_none_or(|watch| watch.iter().any(matches)) && self.readable(change.kind, key)
    }

    fn readable(&self, kind: Kind, key: &[u8]) -> bool {
        self.grant.policy().crdt(kind).can_read(key) && std::str::from_utf8(key).is_ok()
    }

    fn pass(&self, applied: &Applied, mailbox: &Mailbox) {
        if applied.writer == Some(self.own.load(Ordering::Acquire)) {
            return;
        }
        for change in applied.changes.iter().filter(|c| self.wants(c)) {
            let (origin, remote) = (applied.dot.origin.node, applied.remote);
            mailbox.put(Letter { change: change.clone(), origin, remote });
        }
    }

    /// A page of the values that one watch covers, for a module that has missed changes. Blocking. The operation is the
    /// one that values of the kind usually see; the origin is this node, because nobody knows any more whose it was.
    pub(super) fn page(
        &self,
        replica: &Replica,
        watch: &WatchEvent,
        kind: Kind,
        after: Option<&[u8]>,
    ) -> Result<Page<Letter>, numax_replica::DraftError> {
        let mut draft = Draft::new(replica.reader(), 0);
        draft.load_inline(true);
        let page = draft.keys(kind, watch.prefix.as_bytes(), after, PAGE)?;
        let op = applier(kind).map_or(OpKind::Set, OpApplier::usual_op);
        let origin = replica.origin().node;
        let letters = page.items.into_iter().filter(|key| self.readable(kind, key)).filter_map(|key| {
            let key = numax_crdt::Key::new(key).ok()?;
            Some(Letter { change: Change { kind, key, op }, origin, remote: false })
        });
        Ok(Page { items: letters.collect(), next: page.next })
    }
}

/// Passes notices on until the replica is closed.
pub(super) async fn feed(mut applied: Receiver<Arc<Applied>>, watches: Arc<Watches>, mailbox: Arc<Mailbox>) {
    loop {
        match applied.recv().await {
            Ok(applied) => watches.pass(&applied, &mailbox),
            Err(RecvError::Lagged(_)) => mailbox.miss(),
            Err(RecvError::Closed) => return,
        }
    }
}
