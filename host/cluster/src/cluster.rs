//! The state machine: events to effects.

use crate::event::{Effect, Event, LinkId, Millis, PeerView, Report};
use crate::link::Link;
use crate::settle::Settling;
use crate::state::Transfer;
use crate::sync::Pull;
use crate::{Config, Identity, PageRequest};
use numax_crdt::{NodeId, VersionVector};
use numax_wire::{Message, WireError};
use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt, SeedableRng};
use std::collections::BTreeMap;

/// An [`Effect::Ingest`] that is not answered yet.
#[derive(Debug)]
pub(crate) struct Ingest {
    pub(crate) link: LinkId,
    pub(crate) bytes: usize,
    /// For a page that we asked for: whether more of it follows.
    pub(crate) more: Option<bool>,
}

/// The protocol of one node.
#[derive(Debug)]
pub struct Cluster {
    pub(crate) config: Config,
    pub(crate) identity: Identity,
    /// Random per process, see [`Hello::instance`](numax_wire::Hello::instance).
    pub(crate) instance: u64,
    pub(crate) rng: ChaCha8Rng,
    pub(crate) now: Millis,
    /// What this node has applied.
    pub(crate) vector: VersionVector,
    pub(crate) digest: [u8; 16],
    pub(crate) links: BTreeMap<LinkId, Link>,
    pub(crate) next_sync: Millis,
    /// The page that we asked for.
    pub(crate) pull: Option<Pull>,
    pub(crate) last_pull: u64,
    pub(crate) ingests: BTreeMap<u64, Ingest>,
    /// Which link a page is being read for.
    pub(crate) reads: BTreeMap<u64, LinkId>,
    /// Which link a page of state is being read for, and the peer's number for it.
    pub(crate) state_reads: BTreeMap<u64, (LinkId, u64)>,
    /// The transfer of state that this node receives.
    pub(crate) transfer: Option<Transfer>,
    /// What this node waits for, while it holds back what it writes.
    pub(crate) settling: Option<Settling>,
    last_request: u64,
    timer: Option<Millis>,
}

impl Cluster {
    /// A node that has not started. All its randomness comes from `seed`, which must differ between processes.
    #[must_use]
    pub fn new(config: Config, identity: Identity, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Self {
            instance: rng.next_u64(),
            config,
            identity,
            rng,
            now: Millis(0),
            vector: VersionVector::default(),
            digest: VersionVector::default().digest(),
            links: BTreeMap::new(),
            next_sync: Millis(0),
            pull: None,
            last_pull: 0,
            ingests: BTreeMap::new(),
            reads: BTreeMap::new(),
            state_reads: BTreeMap::new(),
            transfer: None,
            settling: None,
            last_request: 0,
            timer: None,
        }
    }

    /// Takes an event at a time that never goes back, and appends what is to be done. Events of links that are gone
    /// do nothing.
    pub fn step(&mut self, now: Millis, event: Event, fx: &mut Vec<Effect>) {
        self.now = self.now.max(now);
        match event {
            Event::Start { vector } => {
                self.set_vector(vector);
                self.schedule_sync();
            }
            Event::LinkUp { link, peer, dialed } => self.link_up(link, peer, dialed, fx),
            Event::LinkDown { link } => self.forget(link, fx),
            Event::Frame { link, message } => self.message(link, message, fx),
            Event::BadFrame { link, error } => self.refuse(link, error, fx),
            Event::Backlog { link, bytes } => {
                if let Some(link) = self.links.get_mut(&link) {
                    link.backlog = bytes;
                }
            }
            Event::Applied { batches, vector } => {
                self.set_vector(vector);
                self.push(&batches, fx);
            }
            Event::Ingested { request, outcome, vector } => {
                self.set_vector(vector);
                self.ingested(request, outcome, fx);
            }
            Event::LogPage { request, batches, next } => self.page_read(request, batches, next, fx),
            Event::LogFailed { request, reason } => self.page_failed(request, reason, fx),
            Event::LogBehind { request, batches } => self.log_behind(request, batches, fx),
            Event::Unfinished { state } => self.unfinished(state, fx),
            Event::Unsettled { newcomer } => self.settling = Some(Settling::new(newcomer)),
            Event::Settled { done } => self.settled(done, fx),
            Event::StateRead { request, page } => self.state_read(request, page, fx),
            Event::StateTaken { request, outcome, vector } => {
                self.set_vector(vector);
                self.state_taken(request, outcome, fx);
            }
            // Whoever keeps the time may have come early: tell it again when to come.
            Event::Timer => self.timer = None,
            Event::Stop => self.stop(fx),
        }
        self.expire(fx);
        self.look_whether_settled(fx);
        self.set_timer(fx);
    }

    /// All links with what is known of their peers, in the order they came up.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerView> {
        self.links.iter().map(|(id, link)| link.view(*id, &self.vector)).collect()
    }

    /// Bytes of batches of the link that has most of them on their way into the log: about
    /// [`Config::ingest_bytes`] at most.
    #[must_use]
    pub fn ingesting(&self) -> usize {
        self.links.values().map(|link| link.ingesting).max().unwrap_or(0)
    }

    /// What this node has applied, as far as it was told here.
    #[must_use]
    pub fn vector(&self) -> &VersionVector {
        &self.vector
    }

    fn message(&mut self, link: LinkId, message: Message, fx: &mut Vec<Effect>) {
        let Some(state) = self.links.get(&link) else { return };
        if !state.ready() {
            match message {
                Message::Hello(hello) => self.hello(link, hello, fx),
                Message::Error(error) => self.peer_error(link, error, fx),
                Message::Skipped { .. } => {}
                // These have streams of their own, so they may overtake the hello. Anti-entropy brings them again.
                Message::Push(_) | Message::Batches { .. } | Message::State { .. } => {}
                other => self.malformed(link, format!("{} before hello", other.name()), fx),
            }
            return;
        }
        match message {
            Message::Hello(hello) => {
                if state.hello.as_ref() != Some(&hello) {
                    self.malformed(link, "a second hello that differs from the first".into(), fx);
                }
            }
            Message::Digest(digest) => self.peer_digest(link, digest, fx),
            Message::Vector(vector) => self.peer_vector(link, vector, fx),
            Message::Pull { id, after } => self.pulled(link, id, after, fx),
            Message::Push(batches) => self.pushed(link, batches, fx),
            Message::Batches { id, batches, done } => self.page(link, id, batches, done, fx),
            Message::Acks(acks) => self.peer_acks(link, acks, fx),
            Message::Behind { id } => self.peer_behind(link, id, fx),
            Message::PullState { id, picture, from, floor } => {
                let request = PageRequest { picture, from, floor, max_bytes: 0 };
                self.state_pulled(link, id, request, fx);
            }
            Message::State { id, picture, page } => self.state_page(link, id, picture, page, fx),
            Message::Error(error) => self.peer_error(link, error, fx),
            Message::Skipped { .. } => {}
        }
    }

    fn peer_error(&mut self, link: LinkId, error: WireError, fx: &mut Vec<Effect>) {
        let Some(state) = self.links.get_mut(&link) else { return };
        fx.push(Effect::Report(Report::RefusedBy { link, peer: state.peer, error: error.clone() }));
        if error.closes_link() {
            fx.push(Effect::Close { link, error: None });
            self.forget(link, fx);
        } else {
            let wait = u64::try_from(error.backoff(0).as_millis()).unwrap_or(u64::MAX);
            state.quiet_until = self.now.plus(wait);
        }
    }

    /// Ends a link because of what its peer did.
    pub(crate) fn refuse(&mut self, link: LinkId, error: WireError, fx: &mut Vec<Effect>) {
        let Some(state) = self.links.get(&link) else { return };
        fx.push(Effect::Report(Report::Refused { link, peer: state.peer, error: error.clone() }));
        fx.push(Effect::Send { link, message: Message::Error(error.clone()) });
        fx.push(Effect::Close { link, error: Some(error) });
        self.forget(link, fx);
    }

    pub(crate) fn malformed(&mut self, link: LinkId, detail: String, fx: &mut Vec<Effect>) {
        self.refuse(link, WireError::Malformed { detail }, fx);
    }

    /// Forgets a link, and goes on without it.
    pub(crate) fn forget(&mut self, link: LinkId, fx: &mut Vec<Effect>) {
        if self.links.remove(&link).is_none() {
            return;
        }
        if self.pull.as_ref().is_some_and(|pull| pull.link == link) {
            self.pull = None;
        }
        self.transfer_link_lost(link);
        self.settle_without(link);
        self.serve_waiting(fx);
    }

    fn stop(&mut self, fx: &mut Vec<Effect>) {
        for link in std::mem::take(&mut self.links).into_keys() {
            fx.push(Effect::Send { link, message: Message::Error(WireError::Shutdown) });
            fx.push(Effect::Close { link, error: Some(WireError::Shutdown) });
        }
        self.pull = None;
        self.reads.clear();
    }

    /// The nodes that can be talked to, each by its newest link.
    pub(crate) fn ready_links(&self) -> Vec<LinkId> {
        let newest: BTreeMap<NodeId, LinkId> =
            self.links.iter().filter(|(_, link)| link.ready()).map(|(id, link)| (link.peer, *id)).collect();
        newest.into_values().collect()
    }

    pub(crate) fn set_vector(&mut self, vector: VersionVector) {
        // Answers may come in another order than they were made.
        if self.vector.covers_vector(&vector) {
            return;
        }
        self.vector.merge(&vector);
        self.digest = self.vector.digest();
    }

    pub(crate) fn schedule_sync(&mut self) {
        let fifth = self.config.sync_interval_ms / 5;
        let shortest = self.config.sync_interval_ms - fifth;
        self.next_sync = self.now.plus(shortest + self.rng.random_range(0..=2 * fifth));
    }

    pub(crate) fn next_request(&mut self) -> u64 {
        self.last_request += 1;
        self.last_request
    }

    /// Does what the time asks for.
    fn expire(&mut self, fx: &mut Vec<Effect>) {
        let limit = self.config.hello_timeout_ms;
        let silent: Vec<LinkId> = self
            .links
            .iter()
            .filter(|(_, link)| !link.ready() && link.since.plus(limit) <= self.now)
            .map(|(id, _)| *id)
            .collect();
        for link in silent {
            self.malformed(link, format!("no hello within {limit} ms"), fx);
        }
        if self.next_sync <= self.now {
            self.schedule_sync();
            self.sync_with_somebody(fx);
            self.look_after_transfer(fx);
        }
    }

    fn set_timer(&mut self, fx: &mut Vec<Effect>) {
        let hello = self.config.hello_timeout_ms;
        let silent =
            self.links.values().filter(|link| !link.ready()).map(|link| link.since.plus(hello)).min();
        let next = silent.map_or(self.next_sync, |silent| silent.min(self.next_sync));
        if self.timer != Some(next) {
            self.timer = Some(next);
            fx.push(Effect::TimerAt(next));
        }
    }
}
