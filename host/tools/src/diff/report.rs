//! A comparison for people, and as data.

use numax_crdt::Dot;
use serde_json::{Value as Json, json};

use super::{Cause, Comparison, Difference, Fit, Lag, Order, Verdict};
use crate::{
    escape::escape,
    facts,
    log::op_json,
    names::{self, time},
    store::Store,
};

/// Origins and batches that are named one by one.
const MAX_NAMED: usize = 20;
/// Batches of one row that people are shown.
const MAX_BATCHES: usize = 5;

impl Verdict {
    /// The word for it in data.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Behind => "behind",
            Self::RowsOfA => "rows-of-a",
            Self::RowsOfB => "rows-of-b",
            Self::RowsOfBoth => "rows-of-both",
            Self::TwoBatches => "two-batches",
            Self::Merge => "merge",
            Self::Unknown => "unknown",
        }
    }

    /// What it means and what to do.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Behind => {
                "no fault: one side has not got these batches yet. Let the nodes talk to each other, then compare again"
            }
            Self::RowsOfA => {
                "A is wrong: its row is not what was written. Stop node A, move its rows/ aside and start it: they \
                 are built anew from its log, or it says what to do when that does not reach back"
            }
            Self::RowsOfB => {
                "B is wrong: its row is not what was written. Stop node B, move its rows/ aside and start it: they \
                 are built anew from its log, or it says what to do when that does not reach back"
            }
            Self::RowsOfBoth => {
                "both are wrong: neither row is what was written. Stop both nodes, move rows/ aside and start them: they \
                 are built anew from their logs, or they say what to do when those do not reach back"
            }
            Self::TwoBatches => {
                "two different batches bear one name: an origin wrote twice, for example from a copied datastore. \
                 Restore one of the two writers from a snapshot, which begins a new epoch"
            }
            Self::Merge => {
                "both rows are what was written, and the logs hold the same batches: a fault of numax. Keep both \
                 logs (`numax log export`) and report them"
            }
            Self::Unknown => {
                "both sides know the batches, and what is left of the logs does not say which row is right. Compare both \
                 with a third node: the one that differs from it is wrong"
            }
        }
    }
}

impl Fit {
    fn json(self) -> Json {
        match self {
            Self::Fits => json!(true),
            Self::Differs => json!(false),
            Self::Unknown => Json::Null,
        }
    }
}

impl Comparison {
    /// Lines for people.
    #[must_use]
    pub fn lines(&self, a: &Store, b: &Store, all: bool) -> Vec<String> {
        let vectors = &self.vectors;
        let side = |name: &str, store: &Store, batches: u64| {
            format!(
                "{name}  {}: node {}, {}, {batches} batches",
                store.path(),
                store.node().short(),
                store.engine()
            )
        };
        let mut lines = vec![side("A", a, vectors.a_batches), side("B", b, vectors.b_batches)];
        lines.push(match vectors.order {
            Order::Equal => format!("vectors: equal, {} origins", vectors.origins),
            Order::ABehind => "vectors: A is behind B".to_string(),
            Order::BBehind => "vectors: B is behind A".to_string(),
            Order::Apart => "vectors: each lacks batches of the other".to_string(),
        });
        lags(&mut lines, "A", &vectors.a_lacks);
        lags(&mut lines, "B", &vectors.b_lacks);
        match self.differences.len() {
            0 => lines.push(format!("rows: no difference in {} values", self.values)),
            count if all => lines.push(format!("rows: {count} differ, in {} values", self.values)),
            _ => lines.push(format!(
                "rows: the first difference, in value {} (--all shows every one)",
                self.values
            )),
        }
        for difference in &self.differences {
            lines.push(String::new());
            difference.lines(&mut lines);
        }
        lines
    }

    /// The same as data.
    #[must_use]
    pub fn json(&self, a: &Store, b: &Store) -> Json {
        let vectors = &self.vectors;
        let side = |store: &Store, batches: u64, lacks: &[Lag]| {
            let lacks: Vec<Json> = lacks
                .iter()
                .map(
                    |lag| json!({ "origin": names::origin(&lag.origin), "has": lag.has, "other": lag.other }),
                )
                .collect();
            json!({
                "path": store.path(),
                "node": store.node().to_string(),
                "engine": store.engine().name(),
                "batches": batches,
                "lacks": lacks,
            })
        };
        json!({
            "equal": self.is_equal(),
            "vectors": match vectors.order {
                Order::Equal => "equal",
                Order::ABehind => "a-behind",
                Order::BBehind => "b-behind",
                Order::Apart => "apart",
            },
            "a": side(a, vectors.a_batches, &vectors.a_lacks),
            "b": side(b, vectors.b_batches, &vectors.b_lacks),
            "values_compared": self.values,
            "differences": self.differences.iter().map(Difference::json).collect::<Vec<_>>(),
        })
    }
}

fn lags(lines: &mut Vec<String>, side: &str, lacks: &[Lag]) {
    for lag in lacks.iter().take(MAX_NAMED) {
        let Lag { origin, has, other } = lag;
        lines.push(format!("  {side} lacks {} batches of {origin}: has {has} of {other}", other - has));
    }
    if lacks.len() > MAX_NAMED {
        lines.push(format!("  {side} lacks batches of {} more origins", lacks.len() - MAX_NAMED));
    }
}

fn dots(dots: &std::collections::BTreeSet<Dot>) -> String {
    let mut names: Vec<String> = dots.iter().take(MAX_NAMED).map(ToString::to_string).collect();
    if dots.len() > MAX_NAMED {
        names.push(format!("{} more", dots.len() - MAX_NAMED));
    }
    names.join(", ")
}

impl Difference {
    fn lines(&self, lines: &mut Vec<String>) {
        let (kind, key) = &self.value;
        let row = facts::row_name(&self.row);
        lines.push(format!("{} {}, {row}", kind.config_name(), escape(key.as_bytes())));
        for (side, facts) in [("A", &self.a), ("B", &self.b)] {
            let shown = facts.as_ref().map_or_else(|| "nothing".to_string(), facts::row);
            lines.push(format!("  {side}: {shown}"));
        }
        let Some(cause) = &self.cause else {
            lines.push("  (not explained: there are too many; name it with --prefix)".to_string());
            return;
        };
        lines.push(format!("  {}", cause.verdict().words()));
        let Cause { a_lacks, b_lacks, two_batches, .. } = cause;
        for (side, lacks) in [("A", a_lacks), ("B", b_lacks)] {
            if !lacks.is_empty() {
                lines.push(format!("  {side} lacks {}", dots(lacks)));
            }
        }
        for ((hlc, dot), ops) in cause.batches.iter().rev().take(MAX_BATCHES) {
            let who = match (a_lacks.contains(dot), b_lacks.contains(dot)) {
                (true, _) => "only B has it",
                (_, true) => "only A has it",
                _ if two_batches.contains(dot) => "DIFFERENT in A and B",
                _ => "both have it",
            };
            lines.push(format!("  batch {dot} ({}), {who}:", time(hlc.ms())));
            lines.extend(ops.iter().take(MAX_NAMED).map(|op| format!("    {}", op_json(op))));
        }
        if cause.batches.len() > MAX_BATCHES {
            lines.push("  and earlier ones: `numax log export --key` shows all".to_string());
        }
    }

    fn json(&self) -> Json {
        let (kind, key) = &self.value;
        let names = |dots: &std::collections::BTreeSet<Dot>| dots.iter().map(names::dot).collect::<Vec<_>>();
        let cause = self.cause.as_ref().map(|cause| {
            let batches: Vec<Json> = cause
                .batches
                .iter()
                .map(|((hlc, dot), ops)| {
                    json!({
                        "dot": names::dot(dot),
                        "hlc": hlc.to_string(),
                        "time": time(hlc.ms()),
                        "ops": ops.iter().map(op_json).collect::<Vec<_>>(),
                    })
                })
                .collect();
            json!({
                "verdict": cause.verdict().name(),
                "advice": cause.verdict().words(),
                "a_lacks": names(&cause.a_lacks),
                "b_lacks": names(&cause.b_lacks),
                "two_batches": names(&cause.two_batches),
                "a_fits_its_log": cause.a_fits.json(),
                "b_fits_its_log": cause.b_fits.json(),
                "batches": batches,
            })
        });
        json!({
            "kind": kind.config_name(),
            "key": escape(key.as_bytes()),
            "row": facts::row_name_json(&self.row),
            "a": self.a.as_ref().map(facts::row_json),
            "b": self.b.as_ref().map(facts::row_json),
            "cause": cause,
        })
    }
}
