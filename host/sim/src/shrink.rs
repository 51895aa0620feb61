//! Making a failing run small: what is left after shrinking is what matters.
//!
//! Delta debugging (after Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002) over a plan's
//! entries, then over its nodes, then over what is bad all the time, then over its duration, then over the calls of its turns,
//! and again until nothing more can go. A smaller plan counts if it breaks the same promise.

use crate::plan::{Entry, Plan, Step};
use crate::{Bug, Outcome, run_with};
use numax_replica::Durability;

/// How much to try.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Runs at most.
    pub runs: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { runs: 2_000 }
    }
}

/// What is left.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The plan.
    pub plan: Plan,
    /// What came of it.
    pub outcome: Outcome,
    /// How many runs it took.
    pub runs: u64,
}

struct Search {
    bug: Option<Bug>,
    kind: &'static str,
    best: Plan,
    outcome: Outcome,
    runs: u64,
    budget: Budget,
}

/// Makes a plan small that breaks a promise; none if it breaks none.
#[must_use]
pub fn shrink(plan: &Plan, bug: Option<Bug>, budget: Budget) -> Option<Shrunk> {
    let outcome = run_with(plan, bug);
    let kind = outcome.violations.first()?.kind;
    let mut search = Search { bug, kind, best: plan.clone(), outcome, runs: 1, budget };
    loop {
        let before = search.best.clone();
        search.entries();
        search.nodes();
        search.settings();
        search.duration();
        search.calls();
        if search.best == before || search.spent() {
            return Some(Shrunk { plan: search.best, outcome: search.outcome, runs: search.runs });
        }
    }
}

impl Search {
    fn spent(&self) -> bool {
        self.runs >= self.budget.runs
    }

    /// Takes a plan if it still breaks the promise.
    fn take(&mut self, plan: Plan) -> bool {
        if self.spent() || plan == self.best || !plan.is_connected() {
            return false;
        }
        self.runs += 1;
        let outcome = run_with(&plan, self.bug);
        let good = outcome.violations.first().is_some_and(|violation| violation.kind == self.kind);
        if good {
            self.best = plan;
            self.outcome = outcome;
        }
        good
    }

    fn try_change(&mut self, change: impl FnOnce(&mut Plan)) -> bool {
        let mut plan = self.best.clone();
        change(&mut plan);
        self.take(plan)
    }

    fn entries(&mut self) {
        // What happened after the violation had no part in it, unless it was only found at the end.
        if let Some(at) = self.outcome.violations.first().map(|violation| violation.at) {
            self.try_change(|plan| plan.entries.retain(|entry| entry.at <= at));
        }
        // Many turns have no part in it, but some must be there: halves of them first.
        let mut size = self.best.entries.len().div_ceil(2);
        while size > 0 && !self.spent() {
            let mut from = 0;
            while from < self.best.entries.len() {
                let gone = from..(from + size).min(self.best.entries.len());
                if !self.try_change(|plan| drop(plan.entries.drain(gone))) {
                    from += size;
                }
            }
            size /= 2;
        }
    }

    /// Takes nodes out altogether. Their numbers stay, so that the others' choices do.
    fn nodes(&mut self) {
        for node in 0..self.best.nodes.len() {
            if self.best.present().count() > 1 {
                self.try_change(|plan| remove_node(plan, node));
            }
        }
    }

    /// Makes the world better.
    fn settings(&mut self) {
        let calmer: [fn(&mut Plan); 12] = [
            |plan| plan.net.loss = 0,
            |plan| plan.net.duplicates = 0,
            |plan| plan.net.reorder = 0,
            |plan| plan.net.resets = 0,
            |plan| plan.nodes.iter_mut().for_each(|node| node.skew = 0),
            |plan| plan.nodes.iter_mut().for_each(|node| node.newer = 0),
            |plan| plan.nodes.iter_mut().for_each(|node| node.start = node.start.map(|_| 0)),
            |plan| plan.durability = Durability::default(),
            |plan| plan.cache_rows = 10_000,
            |plan| plan.segment_bytes = 1 << 20,
            |plan| plan.pending_bytes = 1 << 20,
            |plan| plan.op_log_budget = 1 << 30,
        ];
        for change in calmer {
            self.try_change(change);
        }
    }

    /// Lets less time pass: at the end, then between entries.
    fn duration(&mut self) {
        let last = self.best.entries.last().map_or(0, |entry| entry.at);
        for spare in [1, 100, 1_000, 5_000] {
            if self.best.active_ms > last + spare && self.try_change(|plan| plan.active_ms = last + spare) {
                break;
            }
        }
        for index in 0..self.best.entries.len() {
            let before = index.checked_sub(1).and_then(|before| self.best.entries.get(before));
            let from = before.map_or(0, |entry| entry.at);
            let gap = self.best.entries.get(index).map_or(0, |entry| entry.at - from);
            for left in [0, gap / 10, gap / 2] {
                if left < gap && self.try_change(|plan| draw_in(plan, index, gap - left)) {
                    break;
                }
            }
        }
    }

    fn calls(&mut self) {
        for index in 0..self.best.entries.len() {
            let count = |plan: &Plan| match plan.entries.get(index).map(|entry| &entry.step) {
                Some(Step::Turn { calls, .. }) => calls.len(),
                _ => 0,
            };
            let mut call = 0;
            while call < count(&self.best) && count(&self.best) > 1 {
                let without = |plan: &mut Plan| {
                    if let Some(Entry { step: Step::Turn { calls, .. }, .. }) = plan.entries.get_mut(index) {
                        calls.remove(call);
                    }
                };
                if !self.try_change(without) {
                    call += 1;
                }
            }
        }
    }
}

/// Lets everything from an entry on happen earlier.
fn draw_in(plan: &mut Plan, from: usize, by: u64) {
    for entry in plan.entries.iter_mut().skip(from) {
        entry.at -= by;
    }
    plan.active_ms = plan.active_ms.saturating_sub(by).max(1);
}

fn remove_node(plan: &mut Plan, node: usize) {
    if let Some(plan) = plan.nodes.get_mut(node) {
        plan.start = None;
    }
    plan.entries.retain(|entry| entry.step.node() != Some(node));
    plan.entries.retain(|entry| !matches!(entry.step, Step::Clone { of, .. } if of == node));
}
