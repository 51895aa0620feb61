//! What goes wrong.

use crate::plan::{Crash, Fault};
use crate::world::{What, World};
use numax_store::FaultPlan;

impl World<'_> {
    /// Lets something go wrong.
    pub(crate) fn fault(&mut self, fault: Fault) {
        self.trace.note((self.now, "fault", std::mem::discriminant(&fault)));
        if !matches!(fault, Fault::Crash { .. }) {
            self.stats.other_faults += 1;
        }
        match fault {
            Fault::Crash { node, how, after, down } => {
                let Some(machine) = self.nodes.get_mut(node) else { return };
                match (after, &machine.life) {
                    (0, None) => {}
                    (0, Some(_)) => self.crash(node, how, down),
                    // What does not run yet may also end while it starts.
                    (after, _) => machine.plan_crash(how, after - 1, down),
                }
            }
            Fault::Partition(pairs) => self.net.block(pairs),
            Fault::Starve => {
                for link in self.net.starved() {
                    self.cut(link, None);
                }
            }
            Fault::Heal => self.net.heal(),
            Fault::ClockJump(node, by) => {
                if let Some(machine) = self.nodes.get_mut(node) {
                    machine.skew += by;
                }
            }
            Fault::Copy(node) => self.copy(node),
            Fault::Restore { node, marked } => self.restore(node, marked),
            Fault::FullDisk(node, bytes) => {
                self.set_disk(node, FaultPlan { space_left: Some(bytes), ..FaultPlan::default() });
            }
            Fault::RoomAgain(node) => self.set_disk(node, FaultPlan::default()),
            Fault::SyncError(node) => {
                self.set_disk(node, FaultPlan { fail_sync: Some(0), ..FaultPlan::default() });
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

    /// Copies a node's disk. The copy promises what the end of the process would leave.
    fn copy(&mut self, node: usize) {
        let facts = self.oracle.facts(node);
        let buffered = self.config.durability == numax_replica::Durability::None;
        if let Some(machine) = self.nodes.get_mut(node).filter(|machine| machine.life.is_some()) {
            let promised = if buffered { facts.synced } else { facts.applied };
            machine.copy = Some((machine.storage.copy(), promised));
        }
    }

    /// Puts the copy in the place of a node's disk.
    fn restore(&mut self, node: usize, marked: bool) {
        let Some(machine) = self.nodes.get_mut(node) else { return };
        let Some((copy, promised)) = machine.copy.take() else { return };
        if marked && let Err(error) = numax_replica::mark_restored(copy.disk()) {
            return self
                .oracle
                .violation("reopen", format!("a copy of node {node} cannot be marked: {error}"));
        }
        if machine.life.is_some() {
            self.crash(node, Crash::Process, 100);
        }
        let Some(machine) = self.nodes.get_mut(node) else { return };
        machine.restore(copy, !marked);
        self.oracle.replaced(node, promised);
        self.schedule.put(self.now + 100, What::Start { node });
    }
}
