//! A week in the life of a small cluster: long times in which little happens.
//!
//! Some nodes go for the night, one is away for days and finds that the log no longer reaches back to where it was, all
//! are restarted in turn, clocks drift, the power fails now and then, and an old copy is put back. A few turns an hour.

use super::swarm::{mesh, one_of};
use super::{Crash, NodePlan, Plan, Step};
use numax_replica::Durability;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const DAYS: u64 = 7;

/// How much slower everything goes that nodes do at intervals: rounds of anti-entropy once a minute.
const SLOWER: u64 = 60;

/// How far a clock drifts in an hour, in milliseconds, at most: 50 millionths, as cheap quartzes do.
const DRIFT: i64 = 180;

/// The plan of a seed.
pub(super) fn plan(seed: u64, nodes: Option<usize>) -> Plan {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x7765_656b);
    let nodes = nodes.unwrap_or_else(|| rng.random_range(3..=6));
    let durability = if rng.random() { Durability::default() } else { Durability::Fsync };
    let segment_bytes = one_of(&mut rng, &[2_000, 10_000]);
    let mut plan = Plan {
        nodes: (0..nodes)
            .map(|_| NodePlan {
                start: Some(rng.random_range(0..MINUTE)),
                skew: rng.random_range(-2_000..2_000),
                newer: 0,
            })
            .collect(),
        lines: mesh(nodes),
        durability,
        segment_bytes,
        // A day or two of what is written; who is away for longer gets a transfer of state.
        op_log_budget: segment_bytes * one_of(&mut rng, &[2, 4]),
        active_ms: DAYS * DAY,
        slower: SLOWER,
        ..Plan::bare(seed)
    };
    let between = one_of(&mut rng, &[10, 20, 40]) * MINUTE;
    plan.add_turns(between, &mut rng);
    // One stays up, as a server does; the others are somebody's own machines.
    (1..nodes).for_each(|node| nights(&mut plan, node, &mut rng));
    (0..nodes).for_each(|node| drift(&mut plan, node, &mut rng));
    away(&mut plan, &mut rng);
    release(&mut plan, &mut rng);
    power_cuts(&mut plan, &mut rng);
    if rng.random() {
        old_copy(&mut plan, &mut rng);
    }
    if rng.random() {
        let node = rng.random_range(1..nodes);
        plan.put(rng.random_range(DAY..6 * DAY), Step::Wipe { node });
    }
    if rng.random() {
        cut_off(&mut plan, &mut rng);
    }
    plan.entries.sort_by_key(|entry| entry.at);
    plan
}

/// Off from some time in the evening to some time in the morning, most nights.
fn nights(plan: &mut Plan, node: usize, rng: &mut ChaCha8Rng) {
    for day in 0..DAYS {
        if rng.random_range(0..4) > 0 {
            let down = rng.random_range(6 * HOUR..13 * HOUR);
            plan.put(day * DAY + rng.random_range(18 * HOUR..23 * HOUR), Step::Stop { node, down });
        }
    }
}

/// The clock goes a little too fast or too slow, and is now and then set right again.
fn drift(plan: &mut Plan, node: usize, rng: &mut ChaCha8Rng) {
    let (by, mut wrong) = (rng.random_range(-DRIFT..=DRIFT), 0);
    for hour in 1..DAYS * 24 {
        let at = hour * HOUR + rng.random_range(0..HOUR / 2);
        let right = rng.random_range(0..24) == 0;
        let by = if right { -wrong } else { by };
        wrong += by;
        plan.put(at, Step::Jump { node, by });
    }
}

/// Somebody is away for days.
fn away(plan: &mut Plan, rng: &mut ChaCha8Rng) {
    let node = rng.random_range(1..plan.nodes.len());
    let down = rng.random_range(2 * DAY..5 * DAY);
    plan.put(rng.random_range(HOUR..DAY + DAY / 2), Step::Stop { node, down });
}

/// A new release: one node after the other is restarted.
fn release(plan: &mut Plan, rng: &mut ChaCha8Rng) {
    let mut at = rng.random_range(DAY..6 * DAY);
    for node in 0..plan.nodes.len() {
        plan.put(at, Step::Stop { node, down: rng.random_range(5_000..2 * MINUTE) });
        at += rng.random_range(2 * MINUTE..20 * MINUTE);
    }
}

fn power_cuts(plan: &mut Plan, rng: &mut ChaCha8Rng) {
    for _ in 0..rng.random_range(0..4) {
        let node = rng.random_range(0..plan.nodes.len());
        let how = if rng.random() { Crash::Process } else { Crash::Power(rng.random()) };
        let (after, down) = (rng.random_range(0..30), rng.random_range(MINUTE..3 * HOUR));
        plan.put(rng.random_range(HOUR..DAYS * DAY), Step::Crash { node, how, after, down });
    }
}

/// A backup of days ago is put back.
fn old_copy(plan: &mut Plan, rng: &mut ChaCha8Rng) {
    let node = rng.random_range(0..plan.nodes.len());
    let copied = rng.random_range(HOUR..4 * DAY);
    plan.put(copied, Step::Copy { node });
    plan.put(copied + rng.random_range(HOUR..3 * DAY), Step::Restore { node, marked: rng.random() });
}

/// One is cut off from the others for some hours and goes on by itself.
fn cut_off(plan: &mut Plan, rng: &mut ChaCha8Rng) {
    let node = rng.random_range(0..plan.nodes.len());
    let ends = plan.lines.iter().filter(|(a, b)| *a == node || *b == node);
    let ways = ends.flat_map(|(a, b)| [(*a, *b), (*b, *a)]).collect();
    let at = rng.random_range(DAY..5 * DAY);
    plan.put(at, Step::Partition { ways });
    plan.put(at + MINUTE, Step::Starve);
    plan.put(at + rng.random_range(HOUR..DAY), Step::Heal);
}
