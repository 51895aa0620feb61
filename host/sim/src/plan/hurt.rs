//! What goes wrong in the run of a seed: one function for each kind of fault.

use super::swarm::{mesh, one_of};
use super::{Crash, Part, Plan, Scenario, Step};
use crate::net::{NetFaults, Pair};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;

const DAY: i64 = 86_400_000;

/// A kind of fault: in which scenario it is the point, in how many of 1000 mixed runs it occurs, and what adds it. The
/// number that it is given says how often, in per cent of the usual.
type Kind = (Scenario, u32, fn(&mut Plan, u64, &mut ChaCha8Rng));

/// Those that choose who has a line to whom come first: others name lines.
const KINDS: [Kind; 17] = [
    (Scenario::Twins, 0, twins),
    (Scenario::Restore, 100, clones),
    (Scenario::Churn, 150, comings_and_goings),
    (Scenario::Network, 500, frames),
    (Scenario::Network, 400, partitions),
    (Scenario::Network, 250, slow_lines),
    (Scenario::Clock, 300, skew),
    (Scenario::Clock, 300, jumps),
    (Scenario::Clock, 250, pauses),
    (Scenario::Crash, 700, crashes),
    (Scenario::Disk, 150, full_disks),
    (Scenario::Disk, 150, bad_syncs),
    (Scenario::Disk, 200, slow_syncs),
    (Scenario::Disk, 120, decay),
    (Scenario::Restore, 200, restores),
    (Scenario::Churn, 250, stops),
    (Scenario::Join, 50, joins),
];

/// Adds faults: in a mixed run a random subset, otherwise the scenario's, now and then without one of them.
pub(super) fn add(plan: &mut Plan, scenario: Scenario, rng: &mut ChaCha8Rng) {
    let mut chosen = 0;
    for (index, (point, per_mille, add)) in KINDS.into_iter().enumerate() {
        let last = !KINDS.iter().skip(index + 1).any(|(other, ..)| *other == scenario);
        let wanted = match scenario {
            Scenario::Calm => false,
            Scenario::Mix => rng.random_range(0..1000) < per_mille,
            _ => point == scenario && ((last && chosen == 0) || rng.random_range(0..4) > 0),
        };
        if wanted {
            chosen += 1;
            let often = one_of(rng, &[30, 100, 100, 300]);
            add(plan, often, rng);
        }
    }
}

/// A mean time for something that usually happens every `usual` milliseconds.
fn every(usual: u64, often: u64) -> u64 {
    usual * 100 / often.max(1)
}

fn any_node(plan: &Plan, rng: &mut ChaCha8Rng) -> usize {
    rng.random_range(0..plan.nodes.len())
}

fn frames(plan: &mut Plan, _: u64, rng: &mut ChaCha8Rng) {
    let mut one = |choices: &[u64]| u32::try_from(one_of(rng, choices)).unwrap_or(0);
    plan.net = NetFaults {
        loss: one(&[0, 10, 100, 300]),
        duplicates: one(&[0, 20, 200]),
        reorder: one(&[0, 50, 500]),
        resets: one(&[0, 1, 10]),
    };
    if plan.net == NetFaults::default() {
        plan.net.loss = 50;
    }
}

fn partitions(plan: &mut Plan, often: u64, rng: &mut ChaCha8Rng) {
    let nodes = plan.nodes.len();
    let mut at = rng.random_range(0..8_000);
    while at < plan.active_ms {
        let side: Vec<bool> = (0..nodes).map(|_| rng.random()).collect();
        // One direction only, sometimes: the other side hears us and we do not hear it.
        let one_way = rng.random_range(0..4) == 0;
        // A node that still talks to both sides, sometimes.
        let bridge = (rng.random_range(0..4) == 0).then(|| rng.random_range(0..nodes));
        // Each hears its neighbours alone, sometimes.
        let ring = rng.random_range(0..6) == 0;
        let cut = |(a, b): &Pair| {
            if ring {
                return a.abs_diff(*b) > 1 && a.abs_diff(*b) < nodes - 1;
            }
            let apart = side.get(*a) != side.get(*b) && bridge != Some(*a) && bridge != Some(*b);
            apart && !(one_way && side.get(*a) == Some(&true))
        };
        let both_ways = plan.lines.iter().flat_map(|(a, b)| [(*a, *b), (*b, *a)]);
        let ways = both_ways.filter(cut).collect();
        plan.put(at, Step::Partition { ways });
        let lasts = rng.random_range(500..20_000);
        let silence = rng.random_range(500..15_000);
        if silence < lasts {
            plan.put(at + silence, Step::Starve);
        }
        plan.put(at + lasts, Step::Heal);
        at += lasts + 500 + rng.random_range(0..every(10_000, often));
    }
}

fn slow_lines(plan: &mut Plan, often: u64, rng: &mut ChaCha8Rng) {
    for at in plan.times(every(6_000, often), rng) {
        let line = rng.random_range(0..plan.lines.len());
        let latency = one_of(rng, &[20, 200, 2_000]);
        let bytes_per_ms = one_of(rng, &[1, 10, 1_000]);
        plan.put(at, Step::Slow { line, latency, bytes_per_ms });
        if rng.random_range(0..3) == 0 {
            plan.put(at + rng.random_range(1_000..10_000), Step::Heal);
        }
    }
}

fn skew(plan: &mut Plan, _: u64, rng: &mut ChaCha8Rng) {
    for node in &mut plan.nodes {
        node.skew = match rng.random_range(0..8) {
            0..4 => rng.random_range(-200..200),
            4..7 => rng.random_range(-120_000..120_000),
            // A year ahead.
            _ => 365 * DAY,
        };
    }
}

fn jumps(plan: &mut Plan, often: u64, rng: &mut ChaCha8Rng) {
    for at in plan.times(every(8_000, often), rng) {
        let by = match rng.random_range(0..4) {
            0 => rng.random_range(-2_000..2_000),
            1 => [-365, -1, 1, 365].get(rng.random_range(0..4)).copied().unwrap_or(1) * DAY,
            _ => rng.random_range(-3_600_000..3_600_000),
        };
        let node = any_node(plan, rng);
        plan.put(at, Step::Jump { node, by });
    }
}

fn pauses(plan: &mut Plan, often: u64, rng: &mut ChaCha8Rng) {
    for at in plan.times(every(6_000, often), rng) {
        let longest = one_of(rng, &[500, 3_000, 25_000]);
        let ms = rng.random_range(10..longest);
        let node = any_node(plan, rng);
        plan.put(at, Step::Pause { node, ms });
    }
}

fn crashes(plan: &mut Plan, often: u64, rng: &mut ChaCha8Rng) {
    for at in plan.times(every(5_000, often), rng) {
        let how = if rng.random() { Crash::Process } else { Crash::Power(rng.random()) };
        let after = if rng.random_range(0..3) == 0 { 0 } else { rng.random_range(1..30) };
        let longest = rng.random_range(100..10_000);
        let down = rng.random_range(10..longest);
        let node = any_node(plan, rng);
        plan.put(at, Step::Crash { node, how, after, down });
        // The power goes soon after the process did: what that one left to the system is gone.
        if how == Crash::Process && rng.random_range(0..3) == 0 {
            let soon = at + down + rng.random_range(100..3_000);
            let how = Crash::Power(rng.random());
            plan.put(soon, Step::Crash { node, how, after: rng.random_range(0..30), down: 100 });
        }
    }
}

fn full_disks(plan: &mut Plan, often: u64, rng: &mut ChaCha8Rng) {
    for at in plan.times(every(10_000, often), rng) {
        let node = any_node(plan, rng);
        plan.put(at, Step::Full { node, bytes: rng.random_range(0..3_000) });
        plan.put(at + rng.random_range(500..5_000), Step::Room { node });
    }
}

fn bad_syncs(plan: &mut Plan, often: u64, rng: &mut ChaCha8Rng) {
    for at in plan.times(every(10_000, often), rng) {
        let node = any_node(plan, rng);
        plan.put(at, Step::BadSync { node });
    }
}

fn slow_syncs(plan: &mut Plan, often: u64, rng: &mut ChaCha8Rng) {
    for at in plan.times(every(8_000, often), rng) {
        let (by, lasts) = (one_of(rng, &[10, 200, 3_000]), rng.random_range(500..10_000));
        let node = any_node(plan, rng);
        plan.put(at, Step::SlowSync { node, by, lasts });
    }
}

/// Storage that decays, half of it while the node is down.
fn decay(plan: &mut Plan, often: u64, rng: &mut ChaCha8Rng) {
    for at in plan.times(every(15_000, often), rng) {
        let node = any_node(plan, rng);
        let part = if rng.random() { Part::Log } else { Part::Rows };
        if rng.random() {
            let how = if rng.random() { Crash::Process } else { Crash::Power(rng.random()) };
            plan.put(at, Step::Crash { node, how, after: 0, down: rng.random_range(20..2_000) });
        }
        plan.put(at + 10, Step::Damage { node, part, choice: rng.random() });
    }
}

fn restores(plan: &mut Plan, often: u64, rng: &mut ChaCha8Rng) {
    for _ in 0..rng.random_range(1..=1 + often / 50) {
        let node = any_node(plan, rng);
        let copied = rng.random_range(0..plan.active_ms / 2);
        let restored = copied + rng.random_range(200..plan.active_ms / 2);
        plan.put(copied, Step::Copy { node });
        plan.put(restored, Step::Restore { node, marked: rng.random() });
    }
}

/// Two clones that boot apart and meet later, at others: a transport has one connection per key, so they have none to
/// each other.
fn clones(plan: &mut Plan, _: u64, rng: &mut ChaCha8Rng) {
    let nodes = plan.nodes.len();
    if nodes < 3 {
        // Nobody would be left to meet.
        return;
    }
    let of = rng.random_range(0..nodes);
    let node = (of + rng.random_range(1..nodes)) % nodes;
    let apart = (node.min(of), node.max(of));
    plan.lines = mesh(nodes).into_iter().filter(|line| *line != apart).collect();
    let at = rng.random_range(0..plan.active_ms / 2);
    let alone: Vec<Pair> = plan
        .lines
        .iter()
        .filter(|(a, b)| [a, b].iter().any(|end| **end == node || **end == of))
        .flat_map(|(a, b)| [(*a, *b), (*b, *a)])
        .collect();
    plan.put(at, Step::Clone { node, of });
    if rng.random() {
        plan.put(at, Step::Partition { ways: alone });
        plan.put(at, Step::Starve);
        plan.put(at + rng.random_range(500..plan.active_ms / 3), Step::Heal);
    }
}

/// A clone that goes on as what it was made from, and meets it.
fn twins(plan: &mut Plan, _: u64, rng: &mut ChaCha8Rng) {
    let nodes = plan.nodes.len();
    let of = rng.random_range(0..nodes);
    let node = (of + rng.random_range(1..nodes)) % nodes;
    plan.lines = mesh(nodes);
    plan.put(rng.random_range(1_000..plan.active_ms), Step::Clone { node, of });
}

fn stops(plan: &mut Plan, often: u64, rng: &mut ChaCha8Rng) {
    for at in plan.times(every(6_000, often), rng) {
        let down = one_of(rng, &[10, 500, 5_000]);
        let node = any_node(plan, rng);
        plan.put(at, Step::Stop { node, down });
    }
}

/// Nodes that begin empty again and again, over lines on which catching up takes its time: behind logs that are short, so
/// that they get rows, or behind whole ones, which still tell what is forgotten in rows.
fn joins(plan: &mut Plan, often: u64, rng: &mut ChaCha8Rng) {
    plan.segment_bytes = one_of(rng, &[2_000, 1 << 20]);
    plan.op_log_budget = plan.segment_bytes * one_of(rng, &[2, 4]);
    for (index, node) in plan.nodes.iter_mut().enumerate() {
        // What a new node writes may be older than removals that it has not heard of.
        let by = i64::try_from(one_of(rng, &[0, 0, 2_000, 20_000])).unwrap_or(0);
        node.skew -= by;
        if index > 1 && rng.random_range(0..3) == 0 {
            node.start = Some(rng.random_range(1_000..plan.active_ms));
        }
    }
    for at in plan.times(every(5_000, often), rng) {
        let node = any_node(plan, rng);
        plan.put(at, Step::Wipe { node });
        let line = rng.random_range(0..plan.lines.len());
        plan.put(at, Step::Slow { line, latency: one_of(rng, &[20, 200, 1_000]), bytes_per_ms: 10 });
        let sender = any_node(plan, rng);
        let soon = at + rng.random_range(300..3_000);
        match rng.random_range(0..3) {
            0 => {
                plan.put(at.saturating_sub(rng.random_range(100..3_000)), Step::Copy { node: sender });
                plan.put(soon, Step::Restore { node: sender, marked: rng.random() });
            }
            1 => {
                let how = if rng.random() { Crash::Process } else { Crash::Power(rng.random()) };
                plan.put(
                    soon,
                    Step::Crash { node: sender, how, after: 0, down: rng.random_range(100..5_000) },
                );
            }
            _ => {}
        }
        if rng.random() {
            plan.put(soon + rng.random_range(500..3_000), Step::Heal);
        }
    }
}

/// Nodes that come late, lose their disk, or leave. Everybody has a line to everybody, so that the others stay connected.
fn comings_and_goings(plan: &mut Plan, _: u64, rng: &mut ChaCha8Rng) {
    let nodes = plan.nodes.len();
    let parted = |plan: &Plan| plan.entries.iter().any(|entry| matches!(entry.step, Step::Clone { .. }));
    if !parted(plan) {
        plan.lines = mesh(nodes);
    }
    for node in plan.nodes.iter_mut().skip(1) {
        if rng.random_range(0..3) == 0 {
            node.start = Some(rng.random_range(1_000..plan.active_ms));
        }
    }
    let at = |rng: &mut ChaCha8Rng| rng.random_range(1_000..plan.active_ms);
    let (wiped, left, first, second) =
        (at(rng), at(rng), rng.random_range(0..nodes), rng.random_range(0..nodes));
    if rng.random() {
        plan.put(wiped, Step::Wipe { node: first });
    }
    // Of two one would be left, for whom there is nobody to catch up with: what it holds back stays so, as it should.
    if rng.random() && !parted(plan) && nodes > 2 {
        plan.put(left, Step::Leave { node: second });
    }
}
