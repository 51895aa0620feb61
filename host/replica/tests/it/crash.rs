//! A crash at every operation of disk and engine.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use numax_crdt::{BatchHeader, Dot};
use numax_replica::{CommitError, Core, CoreConfig, Draft, Durability, HostFacts, Request};
use numax_store::{FaultPlan, Faults, MemDisk, Survives, mem::MemBackend};

use crate::common::{NOW, Node, bytes, config, facts, key};

/// What the outside world knows of a run.
#[derive(Default)]
struct Seen {
    /// Batches that were committed at the configured durability, so that they may have left.
    left: BTreeMap<Dot, Bytes>,
    /// The number of batches that a power cut may not take.
    safe: u64,
    /// Acknowledged increments.
    acknowledged: u64,
}

fn small(durability: Durability) -> CoreConfig {
    CoreConfig { segment_bytes: 700, ..config(1, durability) }
}

/// Writes, syncs and flushes until something fails.
fn run(core: &mut Core, seen: &mut Seen) {
    let (mut waiting, mut appended) = (Vec::new(), 0);
    for n in 0..24 {
        let mut draft = Draft::new(core.reader(), 7);
        draft.load_inline(true);
        let wrote = draft.g_counter_increment(&key("n"), 1).and_then(|()| {
            draft.set_add(&key("set"), bytes(&format!("{}", n % 5)))?;
            draft.register_set(&key(&format!("r{n}")), bytes("value"))?;
            draft.kv_set(b"k", bytes(&format!("{n}")))
        });
        if wrote.is_err() {
            return;
        }
        let outcome = core.run_group(vec![Request::Commit(draft.take())], NOW);
        match &outcome.results[0] {
            Ok(_) => {}
            Err(CommitError::Unavailable(_) | CommitError::ReadOnly(_)) => return,
            Err(other) => panic!("{other}"),
        }
        waiting.extend(outcome.applied);
        appended += 1;
        // Under fsync most groups share a sync with the next one.
        let fsync = core.committed() != core.position();
        if (n % 5 == 4 || (fsync && n % 2 == 0)) && core.sync().is_err() {
            return;
        }
        if core.committed() == core.position() {
            seen.left.extend(waiting.drain(..).map(|applied| (applied.dot, applied.bytes.clone())));
            seen.acknowledged = appended;
        }
        seen.note(core);
        if n % 7 == 6 && core.flush(n % 2 == 0).is_err() {
            return;
        }
        seen.note(core);
    }
    if core.close().is_ok() {
        seen.note(core);
    }
}

impl Seen {
    fn note(&mut self, core: &Core) {
        if core.synced_position() == core.position() {
            self.safe = self.acknowledged;
        }
    }
}

fn check(node: &mut Node, seen: &Seen, what: &str) {
    let counted = node.counter("n");
    assert!(counted >= seen.safe, "{what}: {counted} of {} safe increments are left", seen.safe);
    let in_log = node.log();
    assert_eq!(counted, in_log.len() as u64, "{what}: the rows are those of the log");
    for batch in &in_log {
        let dot = BatchHeader::peek(batch).unwrap().dot();
        if let Some(left) = seen.left.get(&dot) {
            assert_eq!(left, batch, "{what}: {dot} is another batch now");
        }
    }
    let applied = node.commit(|draft| draft.g_counter_increment(&key("n"), 1).unwrap());
    assert!(!seen.left.contains_key(&applied.dot), "{what}: {} is used twice", applied.dot);
    // Whoever has what was lost brings it back, and nothing collides.
    let ingested = node.ingest(seen.left.values().cloned().collect());
    assert_eq!((ingested.rejected, node.core.pending()), (0, 0), "{what}: {ingested:?}");
    assert!(node.counter("n") > seen.acknowledged, "{what}");
}

/// Runs on new hardware that fails as planned, crashes it, and checks what is found. Whether the run was through
/// before the crash.
fn crash_at(operation: u64, durability: Durability, survives: Survives) -> bool {
    let what = format!("{durability:?}, crash at {operation}, {survives:?}");
    let faults = Faults::new(FaultPlan { crash_at: Some(operation), ..FaultPlan::default() });
    let disk = MemDisk::with_faults(faults.clone());
    let engine = Arc::new(MemBackend::with_faults(faults.clone()));
    let mut seen = Seen::default();
    if let Ok(mut node) = Node::open(small(durability), disk.clone(), engine.clone(), facts()) {
        run(&mut node.core, &mut seen);
    }
    let finished = !faults.power_lost();
    let rebooted = HostFacts { boot_id: "boot-2".to_string(), nonce: 2, ..facts() };
    let mut after = Node::open(small(durability), disk.crash(survives), engine.crash(survives), rebooted)
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    check(&mut after, &seen, &what);
    finished
}

#[test]
fn a_crash_at_every_operation_loses_nothing_that_is_safe_and_uses_no_dot_twice() {
    for durability in [Durability::Fsync, Durability::default(), Durability::None] {
        let mut operation = 0;
        while !crash_at(operation, durability, Survives::SyncedOnly) {
            for seed in 0..3 {
                crash_at(operation, durability, Survives::Chosen(operation * 31 + seed));
            }
            operation += 1;
        }
        assert!(operation > 40, "{durability:?}: only {operation} operations");
    }
}

#[test]
fn a_crash_while_opening_after_a_crash_does_no_harm_either() {
    for operation in 0.. {
        let mut node = Node::with(small(Durability::Fsync));
        let mut seen = Seen::default();
        run(&mut node.core, &mut seen);
        let disk = node.disk.crash(Survives::Chosen(operation));
        // The engine is lost, so that opening has something to do.
        disk.faults().set_plan(FaultPlan { crash_at: Some(operation), ..FaultPlan::default() });
        let opened = Node::open(node.config.clone(), disk.clone(), MemBackend::new(), facts());
        let finished = opened.is_ok();
        drop(opened);
        let disk = disk.crash(Survives::Chosen(operation + 1));
        let mut after = Node::open(node.config.clone(), disk, MemBackend::new(), facts()).unwrap();
        check(&mut after, &seen, &format!("second crash at {operation}"));
        if finished {
            assert!(operation > 3, "only {operation} operations");
            return;
        }
    }
}
