//! The task that owns the protocol's state.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use numax_cluster::{Cluster, Effect, Event, LinkId, Millis, Report};
use numax_crdt::Dot;
use numax_net::{NetEvents, NetHandle, SendError};
use numax_replica::{Applied, Replica, Seldom, Settling};
use numax_runtime::{PeerState, PeerView};
use numax_wire::{Message, WireError};
use tokio::sync::broadcast::Receiver as Feed;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{mpsc, oneshot};

use super::work::{self, Done, Results};
use super::{Peers, net};

/// Applied batches handed to the protocol at once. More wait in the feed; a feed that overflows
/// is made good by anti-entropy.
const APPLIED_AT_ONCE: usize = 256;

/// Bytes of acknowledgements told at once.
const ACK_BYTES: usize = 64 << 10;

/// How stale the protocol's picture of what waits for a slow peer may be.
const BACKLOG_EVERY: Duration = Duration::from_millis(100);

pub(super) struct Driver {
    cluster: Cluster,
    replica: Replica,
    net: NetHandle,
    peers: Peers,
    /// How many others are configured.
    configured: usize,
    started: Instant,
    timer: Option<Millis>,
    effects: Vec<Effect>,
    /// Links that did not take a frame, until the protocol was told.
    full: Vec<LinkId>,
    backlog_told: Instant,
    said: Said,
}

/// What peers try again and again while its cause lasts.
#[derive(Default)]
struct Said {
    duplicate: Seldom,
    ingest: Seldom,
    read: Seldom,
}

impl Driver {
    pub(super) fn new(
        cluster: Cluster,
        replica: Replica,
        net: NetHandle,
        peers: Peers,
        configured: usize,
    ) -> Self {
        Self {
            cluster,
            replica,
            net,
            peers,
            configured,
            started: Instant::now(),
            timer: None,
            effects: Vec::new(),
            full: Vec::new(),
            backlog_told: Instant::now(),
            said: Said::default(),
        }
    }

    /// Runs until `stopped` or until the network is gone.
    pub(super) async fn run(mut self, mut network: NetEvents, mut stopped: oneshot::Receiver<()>) {
        let (results, mut finished) = mpsc::unbounded_channel();
        let mut feed = self.replica.applied();
        let vector = self.replica.vector();
        self.step(Event::Start { vector }, &results);
        if let Some(state) = self.replica.transfer_state() {
            self.step(Event::Unfinished { state }, &results);
        }
        if self.replica.is_unsettled() {
            let newcomer = (self.replica.settling() == Settling::Newcomer).then_some(self.configured);
            self.step(Event::Unsettled { newcomer }, &results);
        }
        loop {
            self.tell_backlog(&results);
            let timer = self.until_timer();
            tokio::select! {
                _ = &mut stopped => break,
                event = network.recv() => match event {
                    Some(event) => {
                        if let Some(event) = net::event(event) {
                            self.step(event, &results);
                        }
                    }
                    None => {
                        tracing::error!("the network ended by itself; this node replicates no more");
                        break;
                    }
                },
                Some(done) = finished.recv() => self.finished(done, &results),
                notice = feed.recv() => match notice {
                    Err(RecvError::Closed) => break,
                    Err(RecvError::Lagged(_)) => self.applied(Vec::new(), &results),
                    Ok(first) => {
                        let batches = drain(first, &mut feed);
                        self.applied(batches, &results);
                    }
                },
                () = tokio::time::sleep(timer) => self.step(Event::Timer, &results),
            }
        }
        self.step(Event::Stop, &results);
        self.net.shutdown().await;
    }

    fn now(&self) -> Millis {
        Millis(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn until_timer(&self) -> Duration {
        // Without a timer there is nothing to wait for but events.
        let Some(at) = self.timer else { return Duration::from_secs(3600) };
        Duration::from_millis(at.0.saturating_sub(self.now().0))
    }

    /// Tells the protocol how much waits for each link: now and then, and when one is full.
    fn tell_backlog(&mut self, results: &Results) {
        if self.full.is_empty() && self.backlog_told.elapsed() < BACKLOG_EVERY {
            return;
        }
        self.full.clear();
        self.backlog_told = Instant::now();
        for link in self.net.links() {
            let bytes = u64::try_from(link.queued_bytes).unwrap_or(u64::MAX);
            self.step(Event::Backlog { link: LinkId(link.link), bytes }, results);
        }
    }

    fn applied(&mut self, batches: Vec<(Dot, Bytes)>, results: &Results) {
        let vector = self.replica.vector();
        self.step(Event::Applied { batches, vector }, results);
    }

    fn finished(&mut self, done: Done, results: &Results) {
        let event = match done {
            Done::Ingested { request, outcome } => {
                Event::Ingested { request, outcome, vector: self.replica.vector() }
            }
            Done::Settled { done } => Event::Settled { done },
            Done::Page { request, batches, next } => Event::LogPage { request, batches, next },
            Done::Unreadable { request, reason } => Event::LogFailed { request, reason },
            Done::Behind { request, batches } => Event::LogBehind { request, batches },
            Done::StateRead { request, page } => Event::StateRead { request, page },
            Done::StateTaken { request, outcome } => {
                Event::StateTaken { request, outcome, vector: self.replica.vector() }
            }
        };
        self.step(event, results);
    }

    fn step(&mut self, event: Event, results: &Results) {
        let peers_changed = matches!(
            event,
            Event::LinkUp { .. } | Event::LinkDown { .. } | Event::Frame { .. } | Event::Timer | Event::Stop
        );
        if matches!(event, Event::Timer) {
            self.timer = None;
        }
        let now = self.now();
        let mut effects = std::mem::take(&mut self.effects);
        self.cluster.step(now, event, &mut effects);
        for effect in effects.drain(..) {
            self.carry_out(effect, results);
        }
        self.effects = effects;
        if peers_changed {
            self.publish_peers();
        }
    }

    fn carry_out(&mut self, effect: Effect, results: &Results) {
        match effect {
            Effect::Send { link, message } => {
                let class = message.class();
                if let Err(SendError::Full) = self.net.send(link.0, class as u8, numax_wire::encode(&message))
                {
                    // What was to be said is lost; anti-entropy asks again when there is room.
                    self.full.push(link);
                }
            }
            Effect::Close { link, error } => net::close(&self.net, link, error.as_ref()),
            Effect::Ingest { request, link: _, batches } => {
                work::ingest(&self.replica, results, request, batches)
            }
            Effect::ReadLog { request, after, cursor, max_bytes } => {
                work::read_log(&self.replica, results, request, after, cursor, max_bytes);
            }
            Effect::SendAcks { link } => {
                let acks = self.replica.acks(ACK_BYTES).into_iter();
                let message = Message::Acks(acks.map(|ack| (ack.member, ack.vector)).collect());
                self.carry_out(Effect::Send { link, message }, results);
            }
            Effect::Acknowledged { from, acks, .. } => {
                self.replica.heard_of(from);
                self.replica.acknowledged(&acks);
            }
            Effect::Settle => work::settle(&self.replica, results),
            Effect::ReadState { request, page } => work::read_state(&self.replica, results, request, page),
            Effect::TakeState { request, link: _, page } => {
                work::take_state(&self.replica, results, request, page);
            }
            Effect::MergeState { request } => work::merge_state(&self.replica, results, request),
            Effect::AbandonTransfer => {
                tracing::warn!("a transfer of state stood still and is given up");
                self.replica.abandon_transfer();
            }
            Effect::TimerAt(at) => self.timer = Some(at),
            Effect::PeerReady { node, hello, .. } => {
                self.replica.heard_of(hello.origin);
                tracing::info!(peer = %node.short(), name = hello.name, "connected");
            }
            Effect::Report(report) => self.report(&report),
        }
    }

    fn report(&self, report: &Report) {
        match report {
            Report::Refused { peer, error, .. } => {
                tracing::warn!(peer = %peer.short(), "refused a peer: {error}");
            }
            Report::RefusedBy { peer, error: WireError::Shutdown, .. } => {
                tracing::info!(peer = %peer.short(), "a peer shuts down");
            }
            Report::RefusedBy { peer, error, .. } => {
                tracing::warn!(peer = %peer.short(), "refused by a peer; it says: {error}");
            }
            Report::DuplicateOrigin { origin } => {
                if let Some(times) = self.said.duplicate.due(Instant::now()) {
                    tracing::error!(epoch = origin.epoch, times, "{}", WireError::DuplicateOrigin);
                }
                let replica = self.replica.clone();
                tokio::task::spawn_blocking(move || replica.stop_for_duplicate());
            }
            Report::SelfLink { .. } => {
                tracing::warn!("this node is among its own peers; leave it out of --peer")
            }
            Report::IngestFailed { link, reason } => {
                if let Some(times) = self.said.ingest.due(Instant::now()) {
                    tracing::warn!(
                        link = link.0,
                        times,
                        "a peer's batches could not be applied, they will be asked for again: {reason}"
                    );
                }
            }
            Report::Rejected { link, batches } => {
                tracing::warn!(link = link.0, batches, "batches of a peer were not taken");
            }
            Report::ReadFailed { link, reason } => {
                if let Some(times) = self.said.read.due(Instant::now()) {
                    tracing::warn!(link = link.0, times, "the log could not be read for a peer: {reason}");
                }
            }
            Report::TransferBegins { link } => {
                tracing::info!(
                    link = link.0,
                    "the peers' logs no longer reach back to what is missing here; their state is transferred"
                );
            }
            Report::TransferEnds { link } => tracing::info!(link = link.0, "state was transferred"),
            Report::PushDropped { link, batches } => {
                tracing::debug!(
                    link = link.0,
                    batches,
                    "a peer is slow; anti-entropy will bring what was not pushed"
                );
            }
        }
    }

    fn publish_peers(&self) {
        let list = self.cluster.peers().into_iter().filter(|peer| peer.ready).map(view).collect();
        *self.peers.lock().unwrap_or_else(PoisonError::into_inner) = list;
    }
}

fn view(peer: numax_cluster::PeerView) -> PeerView {
    PeerView {
        id: peer.node,
        name: peer.name,
        address: peer.listen.unwrap_or_default(),
        // There is a link, and it keeps itself alive or ends.
        state: PeerState::Alive,
        rtt: None,
    }
}

/// Takes what else has been applied by now, so that a busy replica costs few steps.
fn drain(first: Arc<Applied>, feed: &mut Feed<Arc<Applied>>) -> Vec<(Dot, Bytes)> {
    let mut batches = Vec::new();
    let mut push = |applied: &Applied| {
        if applied.for_peers {
            batches.push((applied.dot, applied.bytes.clone()));
        }
    };
    push(&first);
    for _ in 1..APPLIED_AT_ONCE {
        match feed.try_recv() {
            Ok(next) => push(&next),
            Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
    }
    batches
}
