//! The loop: takes what happens next and lets it happen.

use crate::families::Call;
use crate::inspect::TWINS;
use crate::net::Net;
use crate::node::{Job, Life, Node};
use crate::oracle::{Oracle, Survives};
use crate::outcome::{Outcome, Stats};
use crate::plan::{Crash, Plan};
use crate::schedule::Schedule;
use crate::trace::Trace;
use bytes::Bytes;
use numax_cluster::{Event, LinkId, LogCursor};
use numax_crdt::VersionVector;
use numax_replica::{CoreConfig, Durability, Health, LocalBatch, Settling};
use rand::{Rng, RngExt};

/// How long after the last fault nodes may take to agree, in simulated milliseconds. Hello timeouts, pulls that were
/// given up and back-off all have to end; some ten rounds should do.
const QUIET_MS: u64 = 120_000;

/// Something that will happen. Where a node's life is named, it happens only if that process still runs.
pub enum What {
    /// A line tries to connect.
    Dial(usize),
    /// The transport tells a node of a new link.
    LinkUp { node: usize, life: u64, link: LinkId, peer: usize, dialed: bool },
    /// The transport tells a node that a link is gone.
    LinkDown { node: usize, life: u64, link: LinkId },
    /// A frame arrives.
    Frame { node: usize, link: LinkId, frame: Bytes },
    /// The protocol's timer.
    Timer { node: usize, life: u64 },
    /// The transport says how much waits to be sent.
    Backlog { node: usize, life: u64, link: LinkId },
    /// The turn's batch goes to the committer.
    Submit { node: usize, life: u64, turn: u64, batch: LocalBatch },
    /// A guest runs a turn that had to wait for another.
    Again { node: usize, life: u64, calls: Vec<Call>, trap: bool },
    /// The committer works off its queue.
    Commit { node: usize, life: u64 },
    /// A page of the log is read for a peer.
    Read {
        node: usize,
        life: u64,
        request: u64,
        after: VersionVector,
        cursor: Option<LogCursor>,
        max_bytes: usize,
    },
    /// The log's sync begins, or ends.
    Sync { node: usize, life: u64 },
    /// Moving rows to the engine begins, or ends.
    Flush { node: usize, life: u64 },
    /// A machine starts its process.
    Start { node: usize },
    /// A process goes on that stood still.
    Resume { node: usize, life: u64 },
    /// The connections of a node that still stands still break.
    Silent { node: usize, life: u64 },
    /// A reader looks at a node.
    Look { node: usize, life: u64 },
    /// The next entry of the plan.
    Step(usize),
    /// Faults and turns end.
    Quiet,
    /// Do all agree?
    Check,
}

/// A run in progress.
pub(crate) struct World<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) config: CoreConfig,
    pub(crate) protocol: numax_cluster::Config,
    pub(crate) now: u64,
    pub(crate) schedule: Schedule<What>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) net: Net,
    pub(crate) oracle: Oracle,
    pub(crate) trace: Trace,
    pub(crate) stats: Stats,
    /// Faults are over.
    pub(crate) quiet: bool,
    pub(crate) turns: u64,
    /// Bytes of the largest frame that was sent.
    pub(crate) largest_frame: usize,
    /// A bug: new origins are not random.
    pub(crate) same_nonce: bool,
    done: bool,
}

impl What {
    /// The process that it needs to run.
    fn process(&self) -> Option<(usize, u64)> {
        match self {
            Self::LinkUp { node, life, .. }
            | Self::LinkDown { node, life, .. }
            | Self::Backlog { node, life, .. }
            | Self::Timer { node, life }
            | Self::Submit { node, life, .. }
            | Self::Again { node, life, .. }
            | Self::Commit { node, life }
            | Self::Read { node, life, .. }
            | Self::Sync { node, life }
            | Self::Flush { node, life }
            | Self::Look { node, life } => Some((*node, *life)),
            _ => None,
        }
    }
}

impl<'a> World<'a> {
    pub(crate) fn new(plan: &'a Plan, config: CoreConfig, protocol: numax_cluster::Config) -> Self {
        let node = |(index, node)| Node::new(index, node, plan.seed);
        let mut world = Self {
            plan,
            config,
            protocol,
            now: 0,
            schedule: Schedule::default(),
            nodes: plan.nodes.iter().enumerate().map(node).collect(),
            net: Net::new(&plan.lines, plan.net.clone(), plan.seed),
            oracle: Oracle::new(plan.nodes.len()),
            trace: Trace::default(),
            stats: Stats::default(),
            quiet: false,
            turns: 0,
            largest_frame: 0,
            same_nonce: false,
            done: false,
        };
        world.oracle.only = plan.twins.then_some(TWINS);
        for (node, start) in
            plan.nodes.iter().enumerate().filter_map(|(index, node)| Some((index, node.start?)))
        {
            world.schedule.put(start, What::Start { node });
        }
        for line in 0..world.net.lines() {
            world.schedule.put(500, What::Dial(line));
        }
        for (index, entry) in plan.entries.iter().enumerate() {
            world.schedule.put(entry.at, What::Step(index));
        }
        world.schedule.put(plan.active_ms, What::Quiet);
        world
    }

    /// Runs to the end: until all agree, something is broken, or they had their time.
    pub(crate) fn run(mut self) -> Outcome {
        let quiet = QUIET_MS * self.plan.slower;
        let last = self.plan.active_ms + quiet;
        while !self.done && self.oracle.violations.is_empty() {
            let Some((at, what)) = self.schedule.pop() else { break };
            self.now = at;
            self.oracle.now = at;
            if at > last {
                self.inspect_twins();
                let state = self.disagreement();
                self.oracle.violation("convergence", format!("after {quiet} ms without faults: {state}"));
                break;
            }
            self.happen(what);
        }
        if self.oracle.violations.is_empty() && !self.plan.twins {
            self.inspect_all();
        }
        self.stats.simulated_ms = self.now;
        self.stats.net_faults = self.net.hurt;
        self.trace.note((self.stats.turns, self.stats.frames, self.oracle.violations.len()));
        Outcome {
            seed: self.plan.seed,
            trace: self.trace.hash(),
            events: self.trace.events(),
            stats: self.stats,
            violations: self.oracle.violations,
        }
    }

    pub(crate) fn happen(&mut self, what: What) {
        let turn =
            |index: &usize| self.plan.entries.get(*index).filter(|entry| entry.step.is_turn())?.step.node();
        let node = match &what {
            What::Frame { node, .. } => Some(*node),
            What::Step(index) => turn(index),
            other => match other.process() {
                Some((node, life)) if !self.alive(node, life) => return,
                process => process.map(|(node, _)| node),
            },
        };
        if let Some(waiting) = node.and_then(|node| self.nodes.get_mut(node)?.paused.as_mut()) {
            return waiting.push(what);
        }
        match what {
            What::Dial(line) => self.dial(line),
            What::LinkUp { node, link, peer, dialed, .. } => {
                let Some(peer) = self.nodes.get(peer).map(|peer| peer.id) else { return };
                self.step(node, Event::LinkUp { link, peer, dialed });
            }
            What::LinkDown { node, link, .. } => self.step(node, Event::LinkDown { link }),
            What::Backlog { node, life, link } => self.backlog(node, life, link),
            What::Frame { node, link, frame } => self.frame(node, link, frame),
            What::Timer { node, life } => {
                let now = self.now;
                if self.life(node, life).is_some_and(|life| life.timer <= now) {
                    self.step(node, Event::Timer);
                }
            }
            What::Submit { node, turn, batch, .. } => self.enqueue(node, Job::Turn(turn, batch)),
            What::Again { node, calls, trap, .. } if !self.quiet => self.turn(node, &calls, trap),
            What::Again { .. } => {}
            What::Commit { node, life } => self.commit(node, life),
            What::Read { node, life, request, after, cursor, max_bytes } => {
                self.read(node, life, request, &after, cursor, max_bytes);
            }
            What::Sync { node, life } => self.sync(node, life),
            What::Flush { node, life } => self.flush(node, life),
            What::Start { node } => self.start(node),
            What::Resume { node, life } => self.resume(node, life),
            What::Silent { node, life } => {
                if self.alive(node, life) && self.nodes.get(node).is_some_and(|node| node.paused.is_some()) {
                    self.cut_all(node, None);
                }
            }
            What::Look { node, life } => self.look(node, life),
            What::Step(index) => {
                let plan = self.plan;
                if let Some(entry) = plan.entries.get(index).filter(|_| !self.quiet) {
                    self.take(&entry.step);
                }
            }
            What::Quiet => self.calm_down(),
            What::Check => self.check(),
        }
    }

    /// The process of a node, if it is still this one.
    pub(crate) fn life(&mut self, node: usize, number: u64) -> Option<&mut Life> {
        self.nodes.get_mut(node)?.life.as_mut().filter(|life| life.number == number)
    }

    pub(crate) fn alive(&mut self, node: usize, number: u64) -> bool {
        self.life(node, number).is_some()
    }

    /// The number of a node's process, if one runs.
    pub(crate) fn life_number(&self, node: usize) -> Option<u64> {
        self.nodes.get(node)?.life.as_ref().map(|life| life.number)
    }

    /// A time some milliseconds from now, as a node chooses.
    pub(crate) fn soon(&mut self, node: usize, least: u64, most: u64) -> u64 {
        self.now + self.nodes.get_mut(node).map_or(most, |node| node.rng.random_range(least..=most))
    }

    fn start(&mut self, node: usize) {
        let now = self.now;
        let others = self.plan.present().count().saturating_sub(1);
        let Some(machine) = self.nodes.get_mut(node) else { return };
        if machine.life.is_some() || machine.gone {
            return;
        }
        if machine.must_repair {
            machine.storage.lose_rows();
        }
        let (nonce, seed) = (machine.rng.next_u64(), machine.rng.next_u64());
        let nonce = if self.same_nonce { 1 } else { nonce };
        let config = CoreConfig { node: machine.id, ..self.config.clone() };
        match machine.start(config, self.protocol.clone(), now, nonce, seed) {
            Ok(()) => {}
            Err(_) if machine.storage.faults.power_lost() => return self.crashed(node),
            // A disk that fails may fail now, too; it is not broken for good.
            Err(_) if std::mem::take(&mut machine.bad_disk) => {
                machine.storage.faults.set_plan(numax_store::FaultPlan::default());
                return self.schedule.put(now + 500, What::Start { node });
            }
            Err(error) if machine.storage.damaged => return self.mend(node, &error),
            Err(error) => {
                return self
                    .oracle
                    .violation("reopen", format!("node {node} cannot open its datastore: {error}"));
            }
        }
        let Some(life) = &mut machine.life else { return };
        life.core.configure_members(&[], others);
        let unfinished = life.core.transfer_state();
        let (number, vector) = (life.number, life.core.vector().clone());
        self.stats.starts += 1;
        self.stats.epochs += u64::from(life.core.new_epoch().is_some());
        // Every epoch is an origin that vectors carry for ever.
        if let (Some(reason), false) =
            (life.core.new_epoch(), std::mem::take(&mut machine.may_renew) || machine.storage.damaged)
        {
            let detail = format!("node {node} began a new epoch without need: {reason}");
            self.oracle.violation("epochs", detail);
        }
        self.trace.note((self.now, "start", node, number, vector.digest()));
        if life.core.new_epoch().is_none() {
            let origin = life.core.origin();
            self.oracle.unwritten(node, &origin, vector.get(&origin));
        }
        if machine.storage.damaged {
            let held = life.core.held_dots();
            self.oracle.held_again(node, &held);
        }
        let unsettled = life.core.is_unsettled();
        let present: std::collections::BTreeSet<usize> = self.plan.present().collect();
        let lines = self.plan.lines.iter().filter(|(a, b)| present.contains(a) && present.contains(b));
        let neighbours = lines.filter(|(a, b)| *a == node || *b == node).count();
        let newcomer = (life.core.settling() == Settling::Newcomer).then_some(neighbours);
        self.inspect_start(node, &vector);
        self.step(node, Event::Start { vector });
        if let Some(state) = unfinished {
            self.step(node, Event::Unfinished { state });
        }
        if unsettled {
            self.step(node, Event::Unsettled { newcomer });
        }
        let (sync, flush, look) =
            (self.soon(node, 1, 100), self.soon(node, 1, 1_500), self.soon(node, 1, 3_000));
        self.schedule.put(look, What::Look { node, life: number });
        if self.config.durability != Durability::Fsync {
            self.schedule.put(sync, What::Sync { node, life: number });
        }
        self.schedule.put(flush, What::Flush { node, life: number });
    }

    /// Ends a node's process now, or notes that its storage just did.
    pub(crate) fn crash(&mut self, node: usize, how: Crash, down: u64) {
        let Some(machine) = self.nodes.get_mut(node) else { return };
        let ran = machine.life.is_some();
        self.stats.crashes += 1;
        self.trace.note((self.now, "crash", node, matches!(how, Crash::Process)));
        machine.crash(how);
        machine.may_renew |= self.config.durability == Durability::None;
        let survives = match how {
            Crash::Power(_) => Survives::Synced,
            Crash::Process if !ran => Survives::AsBefore,
            Crash::Process if self.config.durability == Durability::None => Survives::Synced,
            Crash::Process => Survives::Applied,
        };
        self.oracle.ended(node, survives);
        self.cut_all(node, Some(node));
        let at = if self.quiet { self.now + 1 } else { self.now + down };
        self.schedule.put(at, What::Start { node });
    }

    /// The storage of a node has reached its planned end.
    pub(crate) fn crashed(&mut self, node: usize) {
        let doom = self.nodes.get_mut(node).and_then(|machine| machine.doom.take());
        let (how, down) = doom.unwrap_or((Crash::Process, 100));
        self.crash(node, how, down);
    }

    /// Whether a node's storage has just ended; if so, so does its process.
    pub(crate) fn died(&mut self, node: usize) -> bool {
        let dead =
            self.nodes.get(node).is_some_and(|node| node.life.is_some() && node.storage.faults.power_lost());
        if dead {
            self.crashed(node);
        }
        dead
    }

    fn calm_down(&mut self) {
        self.quiet = true;
        self.net.faults = crate::net::NetFaults::default();
        self.net.heal();
        for node in 0..self.nodes.len() {
            let Some(machine) = self.nodes.get_mut(node) else { continue };
            machine.storage.faults.set_plan(numax_store::FaultPlan::default());
            machine.doom = None;
            machine.slow_sync = (0, 0);
            let runs = machine.life.is_some();
            // An engine whose sync failed takes nothing more until its node is started anew, and says so.
            let sick = |life: &Life| life.core.health() != Health::Ok || life.core.flush_failure().is_some();
            let sick = machine.life.as_ref().is_some_and(sick);
            let repaired = self.suspect(node);
            if !runs {
                self.schedule.put(self.now + 1, What::Start { node });
            } else if sick && !repaired {
                // A disk that failed is replaced by starting anew.
                self.crash(node, Crash::Process, 1);
            }
        }
        self.schedule.put(self.now + 500, What::Check);
    }

    fn check(&mut self) {
        self.done = if self.plan.twins { self.twins_stopped() } else { self.agree() };
        if !self.done {
            self.schedule.put(self.now + 500, What::Check);
        }
    }
}
