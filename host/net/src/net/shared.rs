//! What all tasks of a node's network share.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use numax_crdt::NodeId;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Direction, NetConfig, Problem, Report,
    events::EventSender,
    link::{self, Link},
    report::Reporter,
    table::{Facts, Verdict, judge},
};
use crate::{
    PeerAddr,
    close::{CloseCode, Closed},
    transport::{Connection, Transport},
};

/// What all tasks of a node's network share.
pub(super) struct Shared {
    pub(super) own: NodeId,
    /// Drawn at the start of this process, so that peers can tell it from the one before.
    pub(super) instance: u64,
    pub(super) config: NetConfig,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) events: EventSender,
    pub(super) reporter: Reporter,
    /// The shutdown has begun.
    pub(super) stopping: CancellationToken,
    /// The shutdown is complete.
    pub(super) over: CancellationToken,
    pub(super) tasks: TaskTracker,
    table: Mutex<Table>,
}

/// Who is linked, and who is about to be.
#[derive(Default)]
struct Table {
    next: u64,
    by_id: BTreeMap<u64, Arc<Link>>,
    by_peer: BTreeMap<NodeId, Arc<Link>>,
    /// Peers to whom a READY is under way from here; a second address of the same node must not race the first.
    dialing: BTreeSet<NodeId>,
    addresses: BTreeSet<PeerAddr>,
}

/// The right to say READY to a peer; given back when dropped.
pub(super) struct Claim {
    shared: Arc<Shared>,
    peer: NodeId,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.shared.table().dialing.remove(&self.peer);
    }
}

impl Shared {
    pub(super) fn new(
        config: NetConfig,
        transport: Arc<dyn Transport>,
        events: EventSender,
        (stopping, over): (CancellationToken, CancellationToken),
        instance: u64,
    ) -> Self {
        let reporter = Reporter::new(config.timing.report_again);
        let own = config.credentials.node_id();
        let (tasks, table) = (TaskTracker::new(), Mutex::default());
        Self { own, instance, config, transport, events, reporter, stopping, over, tasks, table }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Every change of the table is a single statement; a panic elsewhere leaves it whole.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn link(&self, id: u64) -> Option<Arc<Link>> {
        self.table().by_id.get(&id).cloned()
    }

    pub(super) fn link_with(&self, peer: NodeId) -> Option<Arc<Link>> {
        self.table().by_peer.get(&peer).cloned()
    }

    pub(super) fn links(&self) -> Vec<Arc<Link>> {
        self.table().by_peer.values().cloned().collect()
    }

    /// Whether this address is new.
    pub(super) fn remember_address(&self, addr: &PeerAddr) -> bool {
        self.table().addresses.insert(addr.clone())
    }

    /// Asks for the right to say READY; nobody gets it while there is a link or another asks.
    pub(super) fn claim(self: &Arc<Self>, peer: NodeId) -> Option<Claim> {
        let mut table = self.table();
        let free = !table.by_peer.contains_key(&peer) && table.dialing.insert(peer);
        free.then(|| Claim { shared: Arc::clone(self), peer })
    }

    /// Whether the other end is this very process, and not one with a copy of its key.
    pub(super) fn is_this_process(&self, connection: &Arc<dyn Connection>, instance: u64) -> bool {
        connection.peer() == self.own && instance == self.instance
    }

    /// Makes an authenticated connection, on which READY was heard, the link with its peer, if it is the one to keep.
    ///
    /// # Errors
    /// It is not, and was closed.
    pub(super) fn register(
        self: &Arc<Self>,
        connection: Arc<dyn Connection>,
        instance: u64,
        dialed: bool,
    ) -> Result<Arc<Link>, Closed> {
        let peer = connection.peer();
        let refuse = |code, reason: &str| {
            let closed = Closed::here(code, reason);
            connection.close(closed.clone());
            Err(closed)
        };
        let facts = Facts { dialler: if dialed { self.own } else { peer }, instance, since: Instant::now() };
        let mut table = self.table();
        if self.stopping.is_cancelled() {
            return refuse(CloseCode::SHUTDOWN, "shutting down");
        }
        let old = table.by_peer.get(&peer).cloned();
        let window = self.config.timing.handshake * 2;
        if judge(old.as_ref().map(|old| &old.facts), &facts, window) == Verdict::Refuse {
            return refuse(CloseCode::DUPLICATE, "another connection between the two nodes is kept");
        }
        table.next += 1;
        let (new, start) = link::new(table.next, facts, dialed, &connection, self.config.send_queue_bytes);
        table.by_id.insert(new.id, Arc::clone(&new));
        table.by_peer.insert(peer, Arc::clone(&new));
        drop(table);
        if let Some(old) = &old {
            old.replace();
        }
        // Its end is announced before the new one's beginning.
        let before = old.map(|old| old.done.clone());
        self.tasks.spawn(link::run(Arc::clone(self), Arc::clone(&new), connection, start, before));
        Ok(new)
    }

    /// Forgets a link that has ended.
    pub(super) fn forget(&self, link: &Link) {
        let mut table = self.table();
        table.by_id.remove(&link.id);
        if table.by_peer.get(&link.peer).is_some_and(|current| current.id == link.id) {
            table.by_peer.remove(&link.peer);
        }
    }

    /// Reports a problem, unless the same was reported a moment ago.
    pub(super) fn report(
        &self,
        direction: Direction,
        target: String,
        addr: Option<SocketAddr>,
        peer: Option<NodeId>,
        problem: Problem,
    ) {
        let report = Report { direction, target, addr, peer, problem, repeats: 0 };
        if let Some(report) = self.reporter.admit(report, Instant::now()) {
            self.events.report(report);
        }
    }
}
