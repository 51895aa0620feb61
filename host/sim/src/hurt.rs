//! What the plan says happens, and what goes wrong with it.

use crate::node::{Node, Storage};
use crate::plan::{Crash, Step};
use crate::world::{What, World};
use numax_crdt::VersionVector;
use numax_replica::Durability;
use numax_store::FaultPlan;

/// How long a peer may be silent before its connections break, in milliseconds: the transport's idle time.
const SILENCE_MS: u64 = 15_000;

impl World<'_> {
    /// Takes a step of the plan.
    pub(crate) fn take(&mut self, step: &Step) {
        if let Step::Turn { node, calls, trap } = step {
            return self.turn(*node, calls, *trap);
        }
        self.trace.note((self.now, "step", std::mem::discriminant(step)));
        if !matches!(step, Step::Crash { .. }) {
            self.stats.other_faults += 1;
        }
        match step {
            Step::Turn { .. } => {}
            Step::Crash { node, how, after, down } => {
                let Some(machine) = self.nodes.get_mut(*node).filter(|machine| !machine.gone) else { return };
                match (*after, &machine.life) {
                    (0, None) => {}
                    (0, Some(_)) => self.crash(*node, *how, *down),
                    // What does not run yet may also end while it starts.
                    (after, _) => machine.plan_crash(*how, after - 1, *down),
                }
            }
            Step::Stop { node, down } => self.stop(*node, *down),
            Step::Leave { node } => self.leave(*node),
            Step::Pause { node, ms } => self.pause(*node, *ms),
            Step::Partition { ways } => self.net.block(ways.iter().copied()),
            Step::Starve => {
                for link in self.net.starved() {
                    self.cut(link, None);
                }
            }
            Step::Slow { line, latency, bytes_per_ms } => self.net.slow(*line, *latency, *bytes_per_ms),
            Step::Heal => self.net.heal(),
            Step::Jump { node, by } => {
                if let Some(machine) = self.nodes.get_mut(*node) {
                    machine.skew = machine.skew.saturating_add(*by);
                }
            }
            Step::Copy { node } => self.copy(*node),
            Step::Restore { node, marked } => self.restore(*node, *marked),
            Step::Clone { node, of } => self.clone_of(*node, *of),
            Step::Wipe { node } => self.wipe(*node),
            Step::Full { node, bytes } => {
                self.set_disk(*node, FaultPlan { space_left: Some(*bytes), ..FaultPlan::default() });
            }
            Step::Room { node } => self.set_disk(*node, FaultPlan::default()),
            Step::BadSync { node } => {
                self.set_disk(*node, FaultPlan { fail_sync: Some(0), ..FaultPlan::default() });
            }
            Step::Damage { node, part, choice } => self.damage(*node, *part, *choice),
            Step::SlowSync { node, by, lasts } => {
                if let Some(machine) = self.nodes.get_mut(*node) {
                    machine.slow_sync = (*by, self.now + lasts);
                }
            }
        }
    }

    /// Plans a fault of a disk, unless a crash is planned there.
    fn set_disk(&mut self, node: usize, plan: FaultPlan) {
        if let Some(machine) = self.nodes.get_mut(node).filter(|machine| machine.doom.is_none()) {
            machine.storage.faults.set_plan(plan);
            machine.bad_disk = plan != FaultPlan::default();
        }
    }

    /// Ends a node in order. What is in the way of that makes it an end like any other.
    fn stop(&mut self, node: usize, down: u64) {
        let Some(machine) = self.nodes.get_mut(node).filter(|machine| machine.paused.is_none()) else {
            return;
        };
        let Some(life) = machine.life.as_mut() else { return };
        // Jobs that run end first.
        if let Some((job, _)) = life.syncing.take() {
            let result = job.run();
            life.core.finish_sync(&result);
        }
        if let Some(job) = life.flushing.take() {
            let outcome = job.run();
            let _ = life.core.finish_flush(&job, outcome);
        }
        let closed = life.core.close();
        let vector = life.core.vector().clone();
        let fsync = self.config.durability == Durability::Fsync;
        if !self.died(node) {
            match closed {
                Ok(()) => self.oracle.synced(node, vector),
                Err(_) if fsync => self.oracle.taken_back(node, &vector),
                Err(_) => {}
            }
            self.crash(node, Crash::Process, down);
        }
    }

    /// Takes a node away for good.
    fn leave(&mut self, node: usize) {
        let Some(machine) = self.nodes.get_mut(node).filter(|machine| !machine.gone) else { return };
        machine.gone = true;
        if machine.life.is_some() {
            self.crash(node, Crash::Process, 1);
        }
        self.oracle.left(node);
    }

    /// Lets a process stand still. Who hears nothing of it for long enough takes its connections for broken.
    fn pause(&mut self, node: usize, ms: u64) {
        let Some(machine) = self.nodes.get_mut(node).filter(|machine| machine.paused.is_none()) else {
            return;
        };
        let Some(life) = machine.life.as_ref().map(|life| life.number) else { return };
        machine.paused = Some(Vec::new());
        self.schedule.put(self.now + ms, What::Resume { node, life });
        if ms > SILENCE_MS {
            self.schedule.put(self.now + SILENCE_MS, What::Silent { node, life });
        }
    }

    /// Lets a process go on: first with what came while it stood still.
    pub(crate) fn resume(&mut self, node: usize, life: u64) {
        if !self.alive(node, life) {
            return;
        }
        let waited = self.nodes.get_mut(node).and_then(|machine| machine.paused.take());
        for what in waited.unwrap_or_default() {
            self.happen(what);
        }
    }

    /// What a copy of a node's disk promises: what the end of the process would leave.
    fn promised(&self, node: usize) -> VersionVector {
        let facts = self.oracle.facts(node);
        let runs = self.nodes.get(node).is_some_and(|machine| machine.life.is_some());
        match (runs, self.config.durability) {
            (false, _) => facts.promised,
            (true, Durability::None) => facts.synced,
            (true, _) => facts.applied,
        }
    }

    fn copy(&mut self, node: usize) {
        let promised = self.promised(node);
        let able = |machine: &&mut Node| machine.life.is_some() && !machine.holds_back();
        if let Some(machine) = self.nodes.get_mut(node).filter(able) {
            machine.copy = Some((machine.storage.copy(), promised));
        }
    }

    /// Puts the copy in the place of a node's disk.
    fn restore(&mut self, node: usize, marked: bool) {
        let Some(machine) = self.nodes.get_mut(node).filter(|machine| !machine.gone) else { return };
        let Some((copy, promised)) = machine.copy.take() else { return };
        if marked && let Err(error) = numax_replica::mark_restored(copy.disk()) {
            let detail = format!("a copy of node {node} cannot be marked: {error}");
            return self.oracle.violation("reopen", detail);
        }
        self.replace(node, copy, marked, promised);
    }

    /// Makes a node another's clone.
    fn clone_of(&mut self, node: usize, of: usize) {
        let promised = self.promised(of);
        let able = |original: &&Node| original.lives > 0 && !original.gone && !original.holds_back();
        let Some(original) = self.nodes.get(of).filter(able) else {
            return;
        };
        let (copy, id, identity) = (original.storage.copy(), original.id, original.identity());
        let Some(machine) = self.nodes.get_mut(node).filter(|machine| !machine.gone) else { return };
        if machine.life.is_some() {
            self.crash(node, Crash::Process, 100);
        }
        if let Some(machine) = self.nodes.get_mut(node) {
            machine.id = id;
            machine.copy = None;
        }
        self.oracle.cloned(node, of);
        self.replace(node, copy, self.plan.twins, promised);
        if let Some(machine) = self.nodes.get_mut(node).filter(|_| self.plan.twins) {
            machine.pass_for(identity);
        }
    }

    /// Replaces a node's disk by an empty one.
    pub(crate) fn wipe(&mut self, node: usize) {
        if self.nodes.get(node).is_some_and(|machine| !machine.gone && machine.lives > 0) {
            self.replace(node, Storage::new(), false, VersionVector::default());
        }
    }

    fn replace(&mut self, node: usize, disk: Storage, known: bool, promised: VersionVector) {
        if self.nodes.get(node).is_some_and(|machine| machine.life.is_some()) {
            self.crash(node, Crash::Process, 100);
        }
        let Some(machine) = self.nodes.get_mut(node) else { return };
        machine.replace_disk(disk, known);
        self.oracle.replaced(node, promised);
        self.schedule.put(self.now + 100, What::Start { node });
    }
}
