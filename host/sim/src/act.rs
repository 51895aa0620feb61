//! What nodes do: turns, commits, syncs, and carrying out what the protocol asks for.

use crate::families::{Call, with_rows};
use crate::net::Fate;
use crate::node::{Job, Waiting};
use crate::oracle::{Increments, Turn};
use crate::trace::fingerprint;
use crate::world::{What, World};
use bytes::Bytes;
use numax_cluster::{Effect, Event, IngestOutcome, LinkId, LogCursor, Millis, Report};
use numax_crdt::{BatchHeader, VersionVector};
use numax_replica::{Draft, DraftError, Durability, Health, LogError, Response};
use numax_wire::{Message, decode, encode};

/// The node-local key under which every turn leaves its number: it is in the same batch as the turn's replicated writes,
/// so after a crash both are there or none.
pub(crate) const TURN_KEY: &[u8] = b"turn";

/// How far ahead of its own clock a node may be drawn, in milliseconds: what the data model says.
const MAX_SKEW_MS: u64 = 60_000;

/// More calls than a turn has, so that each call of a run has a number of its own.
const CALLS: u64 = 1_000;

/// Bytes that wait on a line before the node behind them is told.
const TOLD: u64 = 4_000;

impl World<'_> {
    /// Gives a node's protocol an event and carries out what it asks for.
    pub(crate) fn step(&mut self, node: usize, event: Event) {
        let now = Millis(self.now);
        let mut effects = Vec::new();
        let Some(life) = self.nodes.get_mut(node).and_then(|node| node.life.as_mut()) else { return };
        life.cluster.step(now, event, &mut effects);
        for effect in effects {
            self.effect(node, effect);
        }
    }

    fn effect(&mut self, node: usize, effect: Effect) {
        let Some(life) = self.life_number(node) else { return };
        match effect {
            Effect::Send { link, message } => self.send(node, link, &message),
            Effect::Close { link, .. } => self.cut(link, None),
            Effect::Ingest { request, batches, .. } => self.enqueue(node, Job::Ingest(request, batches)),
            Effect::ReadLog { request, after, cursor, max_bytes } => {
                let at = self.soon(node, 0, 5);
                self.schedule.put(at, What::Read { node, life, request, after, cursor, max_bytes });
            }
            Effect::TimerAt(at) => {
                if let Some(life) = self.life(node, life) {
                    life.timer = at.0;
                }
                self.schedule.put(at.0.max(self.now), What::Timer { node, life });
            }
            Effect::PeerReady { hello, .. } => {
                let Some(wall) = self.nodes.get(node).map(|node| node.wall(self.now)) else { return };
                if let Some(life) = self.life(node, life) {
                    life.core.heard_of(hello.origin, wall);
                }
            }
            Effect::SendAcks { link } => {
                let Some(life) = self.life(node, life) else { return };
                let acks = life.core.acks(64 << 10);
                let acks = acks.into_iter().map(|ack| (ack.member, ack.vector)).collect();
                self.send(node, link, &Message::Acks(acks));
            }
            Effect::Acknowledged { from, acks, .. } => {
                let Some(wall) = self.nodes.get(node).map(|node| node.wall(self.now)) else { return };
                if let Some(life) = self.life(node, life) {
                    life.core.heard_of(from, wall);
                    life.core.acknowledged(&acks, wall);
                }
            }
            Effect::ReadState { request, page } => {
                let Some(wall) = self.nodes.get(node).map(|node| node.wall(self.now)) else { return };
                let Some(life) = self.life(node, life) else { return };
                let page = life.core.transfer_page(&page, wall).map_err(|error| error.to_string());
                if !(self.died(node) || page.is_err() && self.suspect(node)) {
                    self.step(node, Event::StateRead { request, page });
                }
            }
            Effect::TakeState { request, page, .. } => self.enqueue(node, Job::State(request, page)),
            Effect::MergeState { request } => self.enqueue(node, Job::Merge(request)),
            Effect::Settle => self.enqueue(node, Job::Settle),
            Effect::AbandonTransfer => {
                if let Some(life) = self.life(node, life) {
                    life.core.abandon_transfer();
                }
            }
            Effect::Report(report) => self.report(node, &report),
        }
    }

    fn report(&mut self, node: usize, report: &Report) {
        self.trace.note((self.now, "report", node, std::mem::discriminant(report)));
        match report {
            Report::DuplicateOrigin { .. } if self.plan.twins => {
                if let Some(life) = self.nodes.get_mut(node).and_then(|machine| machine.life.as_mut()) {
                    life.core.stop_for_duplicate();
                }
            }
            Report::DuplicateOrigin { origin } => {
                self.oracle.violation("once", format!("node {node} met its origin {origin} elsewhere"));
            }
            // A hello that is lost, or a peer that ends before it says one, is all a refusal needs.
            Report::Refused { error, .. } if !error.to_string().contains("hello") => {
                self.oracle.violation("protocol", format!("node {node} refused a good peer: {error}"));
            }
            Report::SelfLink { .. } => {
                self.oracle.violation("protocol", format!("node {node} took a peer for itself"));
            }
            _ => {}
        }
    }

    fn send(&mut self, node: usize, link: LinkId, message: &Message) {
        let Some(to) = self.net.other_end(link, node) else { return };
        let frame = encode(message);
        self.stats.frames += 1;
        self.largest_frame = self.largest_frame.max(frame.len());
        match self.net.send(self.now, node, link, &frame) {
            Fate::Arrives(times) => {
                if let (true, Some(life)) =
                    (self.net.backlog(self.now, node, link) > TOLD, self.life_number(node))
                {
                    self.schedule.put(self.now, What::Backlog { node, life, link });
                }
                for at in times {
                    self.schedule.put(at, What::Frame { node: to, link, frame: frame.clone() });
                }
            }
            Fate::Breaks => self.cut(link, None),
        }
    }

    /// Tells a node how much of what it sent waits, again and again until nothing does.
    pub(crate) fn backlog(&mut self, node: usize, life: u64, link: LinkId) {
        let bytes = self.net.backlog(self.now, node, link);
        self.step(node, Event::Backlog { link, bytes });
        if bytes > 0 {
            self.schedule.put(self.now + 200, What::Backlog { node, life, link });
        }
    }

    pub(crate) fn frame(&mut self, node: usize, link: LinkId, frame: Bytes) {
        // What was on its way when a connection broke is lost.
        if self.net.other_end(link, node).is_none() || self.life_number(node).is_none() {
            return;
        }
        self.trace.note((self.now, "frame", node, link, fingerprint(&frame)));
        match decode(frame) {
            Ok(message) => self.step(node, Event::Frame { link, message }),
            Err(error) => self.step(node, Event::BadFrame { link, error: error.into() }),
        }
    }

    /// Tries to connect a line.
    pub(crate) fn dial(&mut self, line: usize) {
        let Some((a, b)) = self.net.ends(line) else { return };
        let lives = (self.life_number(a), self.life_number(b));
        if let (Some(first), Some(second)) = lives
            && self.net.can_connect(line)
            && let Some((link, takes)) = self.net.connect(line)
        {
            let at = self.now + takes;
            self.schedule.put(at, What::LinkUp { node: a, life: first, link, peer: b, dialed: true });
            self.schedule.put(at, What::LinkUp { node: b, life: second, link, peer: a, dialed: false });
        } else {
            let at = self.now + self.net.some_ms(line, 200, 2_000) * self.plan.slower;
            self.schedule.put(at, What::Dial(line));
        }
    }

    /// Ends a connection. Its ends hear of it some time later, a dead one never.
    pub(crate) fn cut(&mut self, link: LinkId, dead: Option<usize>) {
        let Some((line, (a, b))) = self.net.disconnect(link) else { return };
        for node in [a, b] {
            if dead != Some(node)
                && let Some(life) = self.life_number(node)
            {
                let most = if dead.is_some() { 15_000 } else { 200 };
                let at = self.now + self.net.some_ms(line, 0, most);
                self.schedule.put(at, What::LinkDown { node, life, link });
            }
        }
        let at = self.now + self.net.some_ms(line, 200, 2_000);
        self.schedule.put(at, What::Dial(line));
    }

    /// Ends all connections of a node.
    pub(crate) fn cut_all(&mut self, node: usize, dead: Option<usize>) {
        for link in self.net.links_of(node) {
            self.cut(link, dead);
        }
    }

    /// A guest runs a turn, if its node runs.
    pub(crate) fn turn(&mut self, node: usize, calls: &[Call], trap: bool) {
        self.turns += 1;
        let number = self.turns;
        let Some(life) = self.nodes.get(node).and_then(|node| node.life.as_ref()) else { return };
        let mut draft = Draft::new(life.core.reader(), number % 7);
        let life = life.number;
        match run_turn(&mut draft, number, calls) {
            Ok(increments) => {
                self.stats.operations += 1 + calls.len() as u64;
                if trap {
                    draft.rollback();
                    if !draft.is_empty() || !draft.take().is_empty() {
                        let detail = format!("turn {number} left something after its rollback");
                        self.oracle.violation("turns", detail);
                    }
                    return;
                }
                self.stats.turns += 1;
                self.oracle.attempted(number, Turn { increments });
                let batch = draft.take();
                let at = self.soon(node, 0, 50);
                self.schedule.put(at, What::Submit { node, life, turn: number, batch });
            }
            // Somebody edits a text that the turn is to edit: its guest waits, and nothing of it was done.
            Err(DraftError::Busy(_)) => {
                drop(draft);
                let at = self.soon(node, 5, 100);
                self.schedule.put(at, What::Again { node, life, calls: calls.to_vec(), trap });
            }
            Err(error) => {
                if !self.died(node) && !self.suspect(node) {
                    self.oracle.violation("turns", format!("turn {number} on node {node}: {error}"));
                }
            }
        }
    }

    /// Gives the committer something to do.
    pub(crate) fn enqueue(&mut self, node: usize, job: Job) {
        let at = self.soon(node, 0, 8);
        let Some(life) = self.nodes.get_mut(node).and_then(|node| node.life.as_mut()) else { return };
        life.queue.push(job);
        if !life.awake {
            life.awake = true;
            let life = life.number;
            self.schedule.put(at, What::Commit { node, life });
        }
    }

    /// Works off the queue as one group.
    pub(crate) fn commit(&mut self, node: usize, number: u64) {
        let Some(wall) = self.nodes.get(node).map(|node| node.wall(self.now)) else { return };
        let fsync = self.config.durability == Durability::Fsync;
        let Some(life) = self.life(node, number) else { return };
        life.awake = false;
        let jobs = std::mem::take(&mut life.queue);
        let outcome = life.core.run_group(jobs.iter().map(Job::request).collect(), wall);
        let vector = life.core.vector().clone();
        let failed = fsync && matches!(life.core.health(), Health::ReadOnly(_));
        if self.died(node) || (outcome.results.iter().any(Result::is_err) && self.suspect(node)) {
            return;
        }
        self.trace.note((self.now, "commit", node, jobs.len(), vector.digest()));
        self.stats.applied += outcome.applied.len() as u64;
        self.oracle.wall(node, wall);
        let state = |result| matches!(result, &Ok(Response::Transferred(ref done)) if done.next.is_none());
        let moved = outcome.results.iter().any(state);
        for applied in outcome.applied.iter().filter(|applied| applied.for_peers) {
            self.oracle.let_go(applied.dot);
            if moved {
                self.oracle.payload(node, applied.dot, &applied.bytes);
            } else {
                self.oracle.applied(node, applied.dot, &applied.bytes);
            }
            if let (false, Ok(header)) = (applied.remote, BatchHeader::peek(&applied.bytes)) {
                self.oracle.wrote(node, applied.dot, header.hlc, self.config.max_skew_ms.min(MAX_SKEW_MS));
            }
        }
        if moved {
            self.stats.transfers += 1;
            self.oracle.transferred(node, &vector);
        }
        if failed {
            // The log failed with this group, and what was not synced before is not shown any more.
            self.oracle.taken_back(node, &vector);
        }
        self.oracle.vector(node, &vector);
        // A page of a peer's state in the same group may hold what was written later elsewhere.
        let pages = jobs.iter().any(|job| matches!(job, Job::State(..) | Job::Merge(_)));
        if let Some(last) = outcome.applied.last().filter(|applied| !applied.remote && !pages) {
            self.inspect_written(node, &last.bytes);
        }
        let held = outcome.applied.iter().filter(|applied| !applied.for_peers && !applied.remote);
        let held: Vec<numax_crdt::Dot> = held.map(|applied| applied.dot).collect();
        let Some(life) = self.life(node, number) else { return };
        let position = life.core.position();
        let mut failed = Vec::new();
        let free = outcome.applied.into_iter().filter(|applied| applied.for_peers);
        let batches = free.map(|applied| (applied.position, Waiting::Batch(applied)));
        life.waiting.extend(batches);
        let (mut turns, mut settled) = (Vec::new(), None);
        for (job, result) in jobs.into_iter().zip(outcome.results) {
            match (job, result) {
                (Job::Turn(turn, _), Ok(Response::Committed(ticket))) => {
                    turns.extend(ticket.dot.map(|dot| (turn, dot)));
                    let free = ticket.dot.filter(|dot| !held.contains(dot));
                    life.waiting.push_back((position, Waiting::Answer(free)));
                }
                (Job::Ingest(request, _), Ok(Response::Ingested(ingested))) => {
                    let count = |count: usize| count as u64;
                    let outcome = IngestOutcome {
                        applied: count(ingested.applied),
                        duplicates: count(ingested.duplicates),
                        pending: count(ingested.pending),
                        rejected: count(ingested.rejected),
                        malformed: count(ingested.malformed),
                    };
                    life.waiting.push_back((position, Waiting::Ingested(request, outcome)));
                }
                (Job::State(request, _) | Job::Merge(request), Ok(Response::Transferred(done))) => {
                    life.waiting.push_back((position, Waiting::State(request, done.next)));
                }
                (Job::Settle, Ok(Response::Settled)) => settled = Some(true),
                (Job::Settle, Err(_)) => settled = Some(false),
                (Job::Ingest(request, _), Err(error)) => failed.push((request, false, error.to_string())),
                (Job::State(request, _) | Job::Merge(request), Err(error)) => {
                    failed.push((request, true, error.to_string()))
                }
                // Not committed: the guest is told, and nothing of it may be there.
                (Job::Turn(..), Err(_)) => {}
                (_, Ok(other)) => {
                    let detail = format!("an answer to another request: {other:?}");
                    return self.oracle.violation("turns", detail);
                }
            }
        }
        for (turn, dot) in turns {
            if held.contains(&dot) {
                self.stats.held += 1;
                self.oracle.held(turn, dot);
            } else {
                self.oracle.committed(turn, dot);
            }
        }
        self.sync_soon(node, number);
        self.release(node);
        for (request, state, error) in failed {
            let Some(vector) = self.life(node, number).map(|life| life.core.committed_vector().clone())
            else {
                return;
            };
            let event = match state {
                false => Event::Ingested { request, outcome: Err(error), vector },
                true => Event::StateTaken { request, outcome: Err(error), vector },
            };
            self.step(node, event);
        }
        match (settled, self.life(node, number).map(|life| life.core.is_unsettled())) {
            // There was more than goes into one group.
            (Some(true), Some(true)) => self.enqueue(node, Job::Settle),
            (Some(done), _) => self.step(node, Event::Settled { done }),
            (None, _) => {}
        }
        self.inspect_queues(node);
        self.inspect_health(node);
    }

    /// Under `fsync` a sync begins as soon as something was written, unless one runs.
    fn sync_soon(&mut self, node: usize, number: u64) {
        if self.config.durability != Durability::Fsync {
            return;
        }
        let Some(life) = self.life(node, number) else { return };
        if !life.sync_due && life.core.position() > life.core.synced_position() {
            life.sync_due = true;
            let at = self.soon(node, 0, 4);
            self.schedule.put(at, What::Sync { node, life: number });
        }
    }

    /// Lets out what is committed by now.
    fn release(&mut self, node: usize) {
        let fsync = self.config.durability == Durability::Fsync;
        let Some(life) = self.nodes.get_mut(node).and_then(|node| node.life.as_mut()) else { return };
        let committed = life.core.committed();
        let vector = life.core.committed_vector().clone();
        let (mut batches, mut events) = (Vec::new(), Vec::new());
        while let Some((_, waiting)) = life.waiting.pop_front_if(|(position, _)| *position <= committed) {
            match waiting {
                Waiting::Answer(dot) => {
                    self.stats.acknowledged += 1;
                    dot.into_iter().for_each(|dot| self.oracle.acknowledged(dot));
                }
                Waiting::Batch(applied) => batches.push((applied.dot, applied.bytes.clone())),
                Waiting::Ingested(request, outcome) => {
                    events.push(Event::Ingested { request, outcome: Ok(outcome), vector: vector.clone() });
                }
                Waiting::State(request, next) => {
                    events.push(Event::StateTaken { request, outcome: Ok(next), vector: vector.clone() });
                }
            }
        }
        if fsync {
            self.oracle.synced(node, vector.clone());
            if life.core.health() != Health::Ok {
                self.oracle.taken_back(node, life.core.vector());
            }
        }
        if !batches.is_empty() {
            self.step(node, Event::Applied { batches, vector });
        }
        for event in events {
            self.step(node, event);
        }
    }

    /// Reads a page of the log for a peer.
    pub(crate) fn read(
        &mut self,
        node: usize,
        number: u64,
        request: u64,
        after: &VersionVector,
        cursor: Option<LogCursor>,
        max_bytes: usize,
    ) {
        let Some(life) = self.life(node, number) else { return };
        let page = life.core.batches_after(after, cursor, max_bytes);
        if self.died(node) {
            return;
        }
        match page {
            Ok(page) => {
                for batch in &page.batches {
                    if let Ok(header) = BatchHeader::peek(batch) {
                        self.oracle.payload(node, header.dot(), batch);
                    }
                }
                let (batches, next) = (page.batches, page.next);
                let event = match page.behind {
                    true => Event::LogBehind { request, batches },
                    false => Event::LogPage { request, batches, next },
                };
                self.step(node, event);
            }
            Err(LogError::Behind) => {
                self.step(node, Event::LogBehind { request, batches: Vec::new() });
            }
            Err(error) => {
                // A full disk may stand in the way of what is still in memory.
                if !self.nodes.get(node).is_some_and(|node| node.bad_disk) && !self.suspect(node) {
                    self.oracle.violation("log", format!("node {node} cannot read its log: {error}"));
                }
                self.step(node, Event::LogFailed { request, reason: error.to_string() });
            }
        }
    }

    /// Begins a sync of the log, or ends the one that runs: other things happen in between, as on a thread of its own.
    pub(crate) fn sync(&mut self, node: usize, number: u64) {
        let slow = self.nodes.get(node).map_or(0, |node| node.sync_delay(self.now));
        let idle = self.soon(node, 50 * self.plan.slower, 150 * self.plan.slower);
        let patient = self.plan.slower > 1;
        let busy = self.soon(node, 0, 20) + slow;
        let fsync = self.config.durability == Durability::Fsync;
        let Some(life) = self.life(node, number) else { return };
        life.sync_due = false;
        let at = match life.syncing.take() {
            Some((job, vector)) => {
                let result = job.run();
                life.core.finish_sync(&result);
                if self.died(node) {
                    return;
                }
                if result.is_ok() {
                    self.oracle.synced(node, vector);
                }
                self.release(node);
                self.inspect_health(node);
                idle
            }
            None => {
                let vector = life.core.vector().clone();
                let job = life.core.begin_sync();
                life.syncing = job.map(|job| (job, vector));
                life.sync_due = fsync && life.syncing.is_some();
                let at = if patient && life.syncing.is_none() { idle } else { busy };
                if self.died(node) {
                    return;
                }
                at
            }
        };
        let running = self.life(node, number).is_some_and(|life| life.sync_due);
        if !fsync || running {
            self.schedule.put(at, What::Sync { node, life: number });
        } else {
            self.sync_soon(node, number);
        }
    }

    /// Begins to move rows to the engine, or ends the move that runs.
    pub(crate) fn flush(&mut self, node: usize, number: u64) {
        let slow = self.nodes.get(node).map_or(0, |node| node.sync_delay(self.now));
        let idle = self.soon(node, 100 * self.plan.slower, 2_000 * self.plan.slower);
        let patient = self.plan.slower > 1;
        let busy = self.soon(node, 0, 50) + slow;
        let durably = self.soon(node, 0, 1) > self.now;
        let Some(wall) = self.nodes.get(node).map(|node| node.wall(self.now)) else { return };
        let Some(life) = self.life(node, number) else { return };
        let at = match life.flushing.take() {
            Some(job) => {
                let outcome = job.run();
                // A failure is tried again; what matters is that nothing is lost by it.
                let flushed = life.core.finish_flush(&job, outcome);
                let forgot = life.core.forget_step(200, wall);
                if (flushed.is_err() || forgot.is_err()) && self.suspect(node) {
                    return;
                }
                let forgot = forgot.unwrap_or_default();
                self.stats.forgotten += (forgot.segments + forgot.tombstones) as u64;
                if self.died(node) {
                    return;
                }
                self.release(node);
                self.inspect_health(node);
                idle
            }
            None => {
                life.flushing = life.core.begin_flush(durably);
                if patient && life.flushing.is_none() { idle } else { busy }
            }
        };
        if !self.died(node) {
            self.schedule.put(at, What::Flush { node, life: number });
        }
    }
}

/// Does what a turn does: its own number in the node-local store, then its calls.
fn run_turn(draft: &mut Draft, number: u64, calls: &[Call]) -> Result<Increments, DraftError> {
    let mut increments = Increments::new();
    with_rows(draft, |draft| draft.kv_set(TURN_KEY, Bytes::from(number.to_string())))?;
    for (index, call) in (0..).zip(calls) {
        call.run(draft, number * CALLS + index, &mut increments)?;
    }
    Ok(increments)
}
