//! What clients did and were told, and what that allows in the end.
//!
//! After Jepsen's `set` and `counter` workloads. **Set**: unique elements are added by all clients under faults and read when
//! all is well again. An element that was acknowledged and is absent is *lost*; one that nobody tried to add is *unexpected*; one
//! that was tried without an answer and is there is *recovered*, which is allowed. Some clients remove elements that they have seen: such
//! an element must be gone if the removal was acknowledged, and may be gone if it was tried. **Counter**: in the end it lies
//! between the sum of acknowledged and the sum of attempted increments; a client never reads less of a node than it read before,
//! and never more than was attempted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// How sure it is that something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sure {
    /// Nobody tried.
    No,
    /// It was tried, and the answer did not come or was an error.
    Perhaps,
    /// It was acknowledged.
    Yes,
}

#[derive(Clone, Copy, Debug)]
struct Element {
    added: Sure,
    removed: Sure,
}

/// Everything that clients did.
#[derive(Debug, Default)]
pub struct History {
    elements: BTreeMap<String, Element>,
    /// Increments that were tried and that were acknowledged.
    attempted: u64,
    acknowledged: u64,
    /// What was wrong with single answers.
    pub wrong: Vec<String>,
}

/// What came of it in the end.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Elements that were added for sure, and perhaps.
    pub ok: usize,
    /// Elements without an answer.
    pub unknown: usize,
    /// Of these, elements that are there.
    pub recovered: usize,
    /// Acknowledged and absent, and never removed.
    pub lost: Vec<String>,
    /// There, and never tried.
    pub unexpected: Vec<String>,
    /// There, though their removal was acknowledged.
    pub resurrected: Vec<String>,
    /// The counter, and what it may be.
    pub counter: (u64, u64, u64),
}

impl History {
    /// An increment is about to be tried.
    pub fn increment(&mut self, by: u64) {
        self.attempted += by;
    }

    /// It was acknowledged.
    pub fn incremented(&mut self, by: u64) {
        self.acknowledged += by;
    }

    /// The sum of what was tried.
    pub fn attempted(&self) -> u64 {
        self.attempted
    }

    /// How many increments were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// An element is about to be added.
    pub fn add(&mut self, element: &str) {
        self.elements.insert(element.into(), Element { added: Sure::Perhaps, removed: Sure::No });
    }

    /// It was acknowledged.
    pub fn added(&mut self, element: &str) {
        if let Some(element) = self.elements.get_mut(element) {
            element.added = Sure::Yes;
        }
    }

    /// An element is about to be removed, or its removal was acknowledged by a node that had shown it.
    pub fn remove(&mut self, element: &str, removed: Sure) {
        if let Some(element) = self.elements.get_mut(element) {
            element.removed = removed;
        }
    }

    /// Compares with what all nodes agree on in the end.
    pub fn check(&self, visits: u64, elements: &BTreeSet<String>) -> Verdict {
        let mut verdict =
            Verdict { counter: (visits, self.acknowledged, self.attempted), ..Verdict::default() };
        for (name, element) in &self.elements {
            let there = elements.contains(name);
            match element.added {
                Sure::Yes => verdict.ok += 1,
                Sure::Perhaps | Sure::No => {
                    verdict.unknown += 1;
                    verdict.recovered += usize::from(there);
                }
            }
            if !there && element.added == Sure::Yes && element.removed == Sure::No {
                verdict.lost.push(name.clone());
            }
            if there && element.removed == Sure::Yes {
                verdict.resurrected.push(name.clone());
            }
        }
        let tried = |name: &&String| !self.elements.contains_key(*name);
        verdict.unexpected = elements.iter().filter(tried).cloned().collect();
        verdict
    }
}

impl Verdict {
    /// How many promises were broken.
    pub fn broken(&self) -> usize {
        let (value, least, most) = self.counter;
        let counter = usize::from(value < least || value > most);
        self.lost.len() + self.unexpected.len() + self.resurrected.len() + counter
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, least, most) = self.counter;
        write!(
            f,
            "set: {} ok, {} unknown of which {} recovered, {} lost, {} unexpected, {} resurrected; counter: {value} in \
             [{least}, {most}]",
            self.ok,
            self.unknown,
            self.recovered,
            self.lost.len(),
            self.unexpected.len(),
            self.resurrected.len(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_string()).collect()
    }

    #[test]
    fn each_class_is_told_from_the_others() {
        let mut history = History::default();
        for name in ["kept", "lost", "recovered", "absent", "removed", "half-removed", "back"] {
            history.add(name);
        }
        for name in ["kept", "lost", "removed", "half-removed", "back"] {
            history.added(name);
        }
        history.remove("removed", Sure::Yes);
        history.remove("back", Sure::Yes);
        history.remove("half-removed", Sure::Perhaps);
        let verdict = history.check(0, &set(&["kept", "recovered", "back", "never-tried"]));
        assert_eq!((verdict.ok, verdict.unknown, verdict.recovered), (5, 2, 1));
        assert_eq!(
            (verdict.lost.as_slice(), verdict.unexpected.as_slice()),
            (&["lost".into()][..], &["never-tried".into()][..])
        );
        assert_eq!((verdict.resurrected.as_slice(), verdict.broken()), (&["back".to_string()][..], 3));
    }

    #[test]
    fn a_counter_lies_between_acknowledged_and_attempted() {
        let mut history = History::default();
        history.increment(5);
        history.incremented(5);
        history.increment(2);
        for (value, broken) in [(4, 1), (5, 0), (7, 0), (8, 1)] {
            assert_eq!(history.check(value, &set(&[])).broken(), broken, "{value}");
        }
    }
}
