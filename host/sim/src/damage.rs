//! Storage that decays, and what an operator does about it.
//!
//! What is damaged must never be served as if it were good: a node notices when it opens or when it reads, and refuses. Then
//! its operator acts: rows are built anew from the log; when the log is damaged too, or does not reach back, the node begins
//! anew and its peers bring back what they have. What only it had is lost, and nothing else.

use crate::plan::{Crash, Part};
use crate::world::World;
use numax_replica::OpenError;

impl World<'_> {
    /// Damages what is on a node's disk.
    pub(crate) fn damage(&mut self, node: usize, part: Part, choice: u64) {
        let Some(machine) = self.nodes.get_mut(node).filter(|machine| !machine.gone) else { return };
        match part {
            Part::Log => machine.storage.flip(choice),
            // An engine that runs has what it needs in memory, mostly.
            Part::Rows if machine.life.is_some() => machine.decay.push(choice),
            Part::Rows => machine.storage.damage_rows(choice),
        }
    }

    /// An error that damage explains: the node's operator sees it and repairs. `false` if nothing is damaged there.
    pub(crate) fn suspect(&mut self, node: usize) -> bool {
        let Some(machine) = self.nodes.get_mut(node).filter(|machine| machine.storage.damaged) else {
            return false;
        };
        machine.must_repair = true;
        if machine.life.is_some() {
            self.crash(node, Crash::Process, 1_000);
        }
        true
    }

    /// A datastore that is damaged does not open.
    pub(crate) fn mend(&mut self, node: usize, error: &OpenError) {
        let Some(machine) = self.nodes.get_mut(node) else { return };
        let rows = matches!(error, OpenError::Corrupt { .. } | OpenError::Store(_));
        if rows && machine.storage.lose_rows() {
            self.stats.repairs += 1;
            return self.schedule.put(self.now + 100, crate::world::What::Start { node });
        }
        self.begin_anew(node);
    }

    /// A log that is damaged, where rows do not help.
    pub(crate) fn begin_anew(&mut self, node: usize) {
        self.stats.repairs += 1;
        self.wipe(node);
    }
}
