//! Figures: what was measured, beside what, and the ratio of the two.

use serde::Serialize;
use std::fmt::Write as _;

/// One measured figure beside its limit.
#[derive(Debug, Serialize)]
pub struct Figure {
    /// The group it belongs to.
    pub group: &'static str,
    /// What was measured, with everything that changes it (durability, engine, instances).
    pub what: String,
    /// The median of the runs.
    pub value: f64,
    /// The smallest and the largest run.
    pub range: (f64, f64),
    /// Of `value` and `limit`.
    pub unit: &'static str,
    /// What it is held against.
    pub against: String,
    /// The median of that in the same process and minute.
    pub limit: f64,
    /// `value / limit`.
    pub ratio: f64,
}

impl Figure {
    /// Medians of interleaved runs and their ratio.
    pub fn new(
        group: &'static str,
        what: &str,
        unit: &'static str,
        runs: &[f64],
        against: &str,
        limit: &[f64],
    ) -> Self {
        let (value, limit) = (median(runs), median(limit));
        let low = runs.iter().copied().fold(f64::INFINITY, f64::min);
        let high = runs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let ratio = value / limit;
        Self {
            group,
            what: what.into(),
            value,
            range: (low, high),
            unit,
            against: against.into(),
            limit,
            ratio,
        }
    }
}

/// The middle of the runs; NaN of none.
pub fn median(runs: &[f64]) -> f64 {
    let mut sorted = runs.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// All figures as a table for people.
pub fn table(figures: &[Figure]) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{:<58} {:>12} {:>25} {:>12}  {:<8} {:>6}  beside",
        "what", "median", "range", "limit", "unit", "ratio"
    );
    for f in figures {
        let range = format!("{} … {}", number(f.range.0), number(f.range.1));
        let _ = writeln!(
            out,
            "{:<58} {:>12} {range:>25} {:>12}  {:<8} {:>6.2}  {}",
            f.what,
            number(f.value),
            number(f.limit),
            f.unit,
            f.ratio,
            f.against
        );
    }
    out
}

fn number(value: f64) -> String {
    if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}
