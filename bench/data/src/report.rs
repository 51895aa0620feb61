//! Figures: what was measured on what, beside its limit and its goal.

use serde::Serialize;
use std::fmt::Write as _;

/// What a figure was measured on: everything that changes it.
#[derive(Debug, Clone, Serialize)]
pub struct Subject {
    /// The engine that holds the rows; `-` where none takes part.
    pub engine: String,
    /// When a commit counts.
    pub durability: &'static str,
    /// Keys in the datastore.
    pub keys: u64,
    /// Writers at once.
    pub writers: usize,
}

/// A figure's goal.
#[derive(Debug, Clone, Copy, Serialize)]
pub enum Goal {
    /// It must be at least this.
    AtLeast(f64),
    /// It must be at most this.
    AtMost(f64),
}

/// What a figure stands beside, measured in the same run.
#[derive(Debug, Clone, Serialize)]
pub struct Limit {
    /// What it is.
    pub what: String,
    /// Its median.
    pub median: f64,
    /// The figure divided by it.
    pub ratio: f64,
}

/// One measured figure.
#[derive(Debug, Serialize)]
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// On what.
    #[serde(flatten)]
    pub subject: Subject,
    /// Of the values.
    pub unit: &'static str,
    /// The middle one of the runs.
    pub median: f64,
    /// All runs, in their order.
    pub runs: Vec<f64>,
    /// User and system time of the whole process per operation, in microseconds, load included: what a busy machine
    /// does not change much.
    pub cpu_us: Option<f64>,
    /// What it stands beside.
    pub limit: Option<Limit>,
    /// What it should be.
    pub goal: Option<Goal>,
}

impl Figure {
    /// A figure of interleaved runs.
    pub fn new(what: impl Into<String>, subject: &Subject, unit: &'static str, runs: Vec<f64>) -> Self {
        Self {
            what: what.into(),
            subject: subject.clone(),
            unit,
            median: median(&runs),
            runs,
            cpu_us: None,
            limit: None,
            goal: None,
        }
    }

    /// With the CPU time per operation.
    pub fn cpu(mut self, runs: &[f64]) -> Self {
        self.cpu_us = Some(median(runs));
        self
    }

    /// Beside its limit.
    pub fn beside(mut self, what: impl Into<String>, runs: &[f64]) -> Self {
        let limit = median(runs);
        self.limit = Some(Limit { what: what.into(), median: limit, ratio: self.median / limit });
        self
    }

    /// With a goal.
    pub fn goal(mut self, goal: Goal) -> Self {
        self.goal = Some(goal);
        self
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
        "{:<34} {:<6} {:<9} {:>8} {:>4} {:>10} {:>19} {:<8} {:>7} {:>10}  beside",
        "what", "engine", "durable", "keys", "wrs", "median", "range", "unit", "cpu us", "goal"
    );
    for figure in figures {
        let low = figure.runs.iter().copied().fold(f64::INFINITY, f64::min);
        let high = figure.runs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let range = format!("{}..{}", number(low), number(high));
        let goal = match figure.goal {
            None => String::new(),
            Some(Goal::AtLeast(goal)) => mark(">=", goal, figure.median >= goal),
            Some(Goal::AtMost(goal)) => mark("<=", goal, figure.median <= goal),
        };
        let beside = figure.limit.as_ref().map_or(String::new(), |limit| {
            format!("{:.2} x {} ({})", limit.ratio, limit.what, number(limit.median))
        });
        let _ = writeln!(
            out,
            "{:<34} {:<6} {:<9} {:>8} {:>4} {:>10} {range:>19} {:<8} {:>7} {goal:>10}  {beside}",
            figure.what,
            figure.subject.engine,
            figure.subject.durability,
            figure.subject.keys,
            figure.subject.writers,
            number(figure.median),
            figure.unit,
            figure.cpu_us.map_or(String::new(), number),
        );
    }
    out
}

fn mark(relation: &str, goal: f64, met: bool) -> String {
    format!("{relation}{}{}", number(goal), if met { " ok" } else { " NO" })
}

fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 10_000.0 => format!("{:.0}k", value / 1000.0),
        v if v >= 100.0 => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}
