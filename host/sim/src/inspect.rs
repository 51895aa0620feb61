//! Looking into nodes: do they keep their promises?

use crate::act::TURN_KEY;
use crate::families::{Value, with_rows};
use crate::model::{Visible, visible};
use crate::node::Node;
use crate::world::World;
use bytes::Bytes;
use numax_crdt::{Batch, Kind, VersionVector};
use numax_replica::{Core, Draft, DraftError, Health};

/// The promise that two nodes under one origin stop.
pub(crate) const TWINS: &str = "twins";

impl World<'_> {
    /// Nodes that run under an origin under which another runs, too.
    fn twins(&self) -> Vec<(usize, &Core)> {
        let mut lives = Vec::new();
        for (index, node) in self.nodes.iter().enumerate() {
            lives.extend(node.life.as_ref().map(|life| (index, &life.core)));
        }
        let same = |core: &Core| lives.iter().filter(|(_, twin)| twin.origin() == core.origin()).count() > 1;
        lives.iter().filter(|(_, core)| same(core)).copied().collect()
    }

    /// Whether all of them have stopped writing.
    pub(crate) fn twins_stopped(&self) -> bool {
        self.twins().iter().all(|(_, core)| core.health() == Health::DuplicateOrigin)
    }

    /// They had time enough to meet.
    pub(crate) fn inspect_twins(&mut self) {
        let writing = self.twins().into_iter().find(|(_, core)| core.health() != Health::DuplicateOrigin);
        if let Some((node, core)) = writing {
            let detail = format!("node {node} writes under {}, and so does another", core.origin());
            self.oracle.violation(TWINS, detail);
        }
    }

    /// A node is back: it has what was promised, its log says what its vector says, and its rows are those of its log.
    pub(crate) fn inspect_start(&mut self, node: usize, vector: &VersionVector) {
        let damaged = self.nodes.get(node).is_some_and(|machine| machine.storage.damaged);
        if damaged {
            // What decayed is lost here, and must be known to be.
            self.oracle.replaced(node, VersionVector::default());
        }
        self.oracle.returned(node, vector);
        self.inspect_log(node);
        if let Some(machine) = self.nodes.get_mut(node).filter(|machine| machine.life.is_some())
            && std::mem::take(&mut machine.must_repair)
        {
            machine.storage.sound();
        }
        if self.nodes.len() < 5 {
            self.inspect_rows(node);
        }
        self.inspect_turn(node, vector);
    }

    /// The node-local part of the last turn is there exactly if its replicated part is.
    fn inspect_turn(&mut self, node: usize, vector: &VersionVector) {
        let Some(machine) = self.nodes.get(node) else { return };
        let (Some(life), Some(origin)) = (&machine.life, machine.wrote_under) else { return };
        let mut draft = Draft::new(life.core.reader(), 0);
        let found = with_rows(&mut draft, |draft| draft.kv_get(TURN_KEY));
        // What is held back was committed, too: its turns are behind all that the vector covers.
        let held = life.core.held_dots().into_iter().rfind(|dot| dot.origin == origin);
        let up_to = held.map_or(0, |dot| dot.seq).max(vector.get(&origin));
        let last = self.oracle.last_turn(&origin, up_to);
        let found = match found {
            Ok(bytes) => bytes.and_then(|bytes| std::str::from_utf8(&bytes).ok()?.parse().ok()),
            Err(error) => return self.unreadable(node, &error),
        };
        // A turn whose commit was not answered, or that wrote nothing but this, may have come after.
        let later = found.is_some_and(|turn| !self.oracle.has_dot(turn));
        if last.is_some() && found != last && !later {
            self.oracle.violation("turns", format!("node {node} has {found:?} of the turn {last:?}"));
        }
    }

    pub(crate) fn inspect_health(&mut self, node: usize) {
        let Some(life) = self.nodes.get(node).and_then(|node| node.life.as_ref()) else { return };
        let quarantined = life.core.quarantined().len();
        match life.core.health() {
            Health::DuplicateOrigin => {
                self.oracle.violation("once", format!("node {node} found its own origin elsewhere"));
            }
            // The disk failed. Its process is started anew, as a supervisor would.
            Health::ReadOnly(_) => self.crash(node, crate::plan::Crash::Process, 1_000),
            Health::Ok if quarantined > 0 => {
                self.oracle.violation("once", format!("node {node} found two batches under one dot"));
            }
            Health::Ok => {}
        }
    }

    /// The log holds, without gaps and in causal order, what the vector says.
    fn inspect_log(&mut self, node: usize) {
        let Some(life) = self.nodes.get_mut(node).and_then(|node| node.life.as_mut()) else { return };
        let batches = match read_log(&mut life.core) {
            Ok(batches) => batches,
            Err(_) if self.nodes.get(node).is_some_and(|machine| machine.storage.damaged) => {
                return self.begin_anew(node);
            }
            Err(error) => return self.oracle.violation("log", format!("node {node}: {error}")),
        };
        // What was forgotten or came as rows is not in the log: then only what is there can be looked at.
        let whole = !life.core.had_transfer();
        let mut vector = life.core.log_start_vector();
        for (batch, bytes) in &batches {
            self.oracle.payload(node, batch.dot(), bytes);
            if !whole {
                continue;
            }
            if !vector.advance(batch.dot()) {
                return self
                    .oracle
                    .violation("order", format!("node {node} has {} out of order in its log", batch.dot()));
            }
            if let Some((origin, seq)) = batch.deps.iter().find(|(origin, seq)| vector.get(origin) < *seq) {
                let detail = format!("node {node} has {} before {origin}#{seq} in its log", batch.dot());
                return self.oracle.violation("order", detail);
            }
        }
        if whole {
            self.oracle.vector(node, &vector);
        }
    }

    /// A reader sees what all batches make of everything that this node has applied.
    fn inspect_rows(&mut self, node: usize) {
        let Some(life) = self.nodes.get(node).and_then(|node| node.life.as_ref()) else { return };
        // While a peer's state is being merged, or batches are held back, rows are ahead of the vector.
        if life.core.transfer_state().is_some_and(|state| state.merging) || life.core.held_back() > 0 {
            return;
        }
        let want: &Visible = &self.oracle.visible(life.core.vector());
        match visible(&mut Draft::new(life.core.reader(), 0)) {
            Ok(have) if have == *want => {}
            Ok(have) => {
                let (differs, item) = difference(want, &have);
                let history = item.map(|(key, item)| self.oracle.history(&key, &item)).unwrap_or_default();
                let detail = format!("node {node} does not read what it applied: {differs}{history}");
                self.oracle.violation("state", detail);
            }
            Err(error) => self.unreadable(node, &error),
        }
    }

    /// A node's rows cannot be read.
    pub(crate) fn unreadable(&mut self, node: usize, error: &DraftError) {
        if !self.died(node) && !self.suspect(node) {
            self.oracle.violation("state", format!("node {node} cannot be read: {error}"));
        }
    }

    /// Whether all nodes run and have applied the same, with nothing under way.
    pub(crate) fn agree(&self) -> bool {
        let mut vectors = self.nodes.iter().filter(|node| !node.gone).map(|node| {
            let idle = |life: &&crate::node::Life| {
                life.queue.is_empty() && life.waiting.is_empty() && life.core.held_back() == 0
            };
            let life = node.life.as_ref().filter(idle)?;
            Some(life.core.vector())
        });
        let first = vectors.next().flatten();
        first.is_some() && vectors.all(|vector| vector == first)
    }

    /// What stands between the nodes and agreement, for a report.
    pub(crate) fn disagreement(&self) -> String {
        let of = |(index, node): (usize, &Node)| match &node.life {
            None if node.gone => format!("node {index} is gone"),
            None => format!("node {index} is down"),
            Some(life) => {
                let all: u64 = life.core.vector().iter().map(|(_, seq)| seq).sum();
                let ready = life.cluster.peers().iter().filter(|peer| peer.ready).count();
                format!("node {index} has {all} batches, {ready} peers, {} pending", life.core.pending())
            }
        };
        let all: Vec<String> = self.nodes.iter().enumerate().map(of).collect();
        all.join("; ")
    }

    /// At the end: everything that was acknowledged is everywhere, and all is the same.
    pub(crate) fn inspect_all(&mut self) {
        let mut hashes = Vec::new();
        for node in 0..self.nodes.len() {
            if self.nodes.get(node).is_none_or(|node| node.gone) {
                continue;
            }
            self.inspect_log(node);
            self.inspect_rows(node);
            let Some(life) = self.nodes.get(node).and_then(|node| node.life.as_ref()) else { continue };
            let vector = life.core.vector().clone();
            match life.core.state_hash() {
                Ok(hash) => hashes.push(hash),
                Err(error) => self.oracle.violation("state", format!("node {node} cannot be read: {error}")),
            }
            self.oracle.complete(node, &vector);
        }
        if hashes.windows(2).any(|pair| pair.first() != pair.last()) {
            self.oracle.violation("convergence", "equal vectors, but not equal states".into());
        }
        let Some(life) = self.nodes.iter().find_map(|node| node.life.as_ref()) else { return };
        let Ok(all) = visible(&mut Draft::new(life.core.reader(), 0)) else { return };
        self.trace.note(&all);
        for ((kind, key), value) in &all {
            let counter = [Kind::GCounter as u8, Kind::PnCounter as u8].contains(kind);
            let number = value.first().and_then(|(_, text)| std::str::from_utf8(text).ok()?.parse().ok());
            if let (true, Some(number)) = (counter, number) {
                self.oracle.counter(*kind, key, number);
            }
        }
    }
}

/// The first value that differs, and what of it; and one entry that differs, by the value's key and its name.
fn difference(want: &Visible, have: &Visible) -> (String, Option<(Bytes, Bytes)>) {
    let none = Value::new();
    let names = want.keys().chain(have.keys());
    let pair = |name| (want.get(name).unwrap_or(&none), have.get(name).unwrap_or(&none));
    let Some(name) = names.into_iter().find(|name| want.get(*name) != have.get(*name)) else {
        return ("nothing differs".into(), None);
    };
    let (want, have) = pair(name);
    let only = |these: &Value, those: &Value| -> Vec<(Bytes, Bytes)> {
        these.iter().filter(|entry| !those.contains(entry)).take(4).cloned().collect()
    };
    let (kind, key) = name;
    let (lacking, extra) = (only(want, have), only(have, want));
    let item = lacking.iter().chain(&extra).next().map(|(item, _)| (key.clone(), item.clone()));
    let differs = format!(
        "kind {kind}, key {key:?}: {} entries instead of {}, lacking {:?}, with {:?} too much",
        have.len(),
        want.len(),
        lacking,
        extra
    );
    (differs, item)
}

fn read_log(core: &mut Core) -> Result<Vec<(Batch, Bytes)>, String> {
    let mut all = Vec::new();
    let mut cursor = None;
    loop {
        let page = core.log_page(cursor, 64 * 1024).map_err(|error| error.to_string())?;
        for bytes in page.batches {
            all.push((Batch::decode(bytes.clone()).map_err(|error| error.to_string())?, bytes));
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(all),
        }
    }
}
