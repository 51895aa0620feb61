//! The crashing engine in memory: exactly the promises of the trait, and no more.

use std::ops::Bound;

use numax_store::{
    FaultPlan, Faults, KvBackend, KvError, MemDisk, Survives, Table, WriteBatch,
    mem::{Damage, MemBackend},
};
use proptest::prelude::*;

use crate::engines::{Model, batch, contents, play, writes};

fn row(n: u8) -> WriteBatch {
    let mut batch = WriteBatch::new();
    batch.put(Table::Rows, vec![n], vec![n]);
    batch.put(Table::Meta, vec![n], vec![n]);
    batch
}

fn count(engine: &MemBackend) -> usize {
    let rows = engine.scan(Table::Rows, Bound::Unbounded, b"", 1000).unwrap().len();
    assert_eq!(rows, engine.scan(Table::Meta, Bound::Unbounded, b"", 1000).unwrap().len());
    rows
}

/// Three synced commits, then five that are not.
fn eight() -> MemBackend {
    let engine = MemBackend::new();
    (0..3).for_each(|n| engine.commit(row(n)).unwrap());
    engine.sync().unwrap();
    (3..8).for_each(|n| engine.commit(row(n)).unwrap());
    engine
}

#[test]
fn a_power_cut_loses_commits_from_the_end_and_never_synced_ones() {
    assert_eq!(count(&eight().crash(Survives::SyncedOnly)), 3);
    assert_eq!(count(&eight().crash(Survives::Everything)), 8);
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..100 {
        let found = eight().crash(Survives::Chosen(seed));
        assert_eq!(count(&found), count(&eight().crash(Survives::Chosen(seed))), "a seed is one outcome");
        seen.insert(count(&found));
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), (3..=8).collect::<Vec<_>>());
}

#[test]
fn a_killed_process_leaves_commits_that_a_power_cut_can_still_take() {
    let killed = eight().crash(Survives::Everything);
    assert_eq!(count(&killed.crash(Survives::SyncedOnly)), 3);
    let killed = eight().crash(Survives::Everything);
    killed.sync().unwrap();
    assert_eq!(count(&killed.crash(Survives::SyncedOnly)), 8);
}

#[test]
fn what_a_power_cut_left_is_on_the_disk() {
    let found = eight().crash(Survives::Chosen(1));
    let rows = count(&found);
    assert_eq!(count(&found.crash(Survives::SyncedOnly)), rows);
}

#[test]
fn a_crashed_engine_is_closed() {
    let engine = eight();
    let found = engine.crash(Survives::Everything);
    assert!(matches!(engine.get(Table::Rows, &[0]), Err(KvError::Closed)));
    assert!(matches!(engine.commit(row(9)), Err(KvError::Closed)));
    assert!(matches!(engine.sync(), Err(KvError::Closed)));
    assert_eq!(count(&found), 8);
}

#[test]
fn a_failed_sync_makes_it_read_only_until_it_is_opened_again() {
    let engine = eight();
    engine.faults().set_plan(FaultPlan { fail_sync: Some(0), ..FaultPlan::default() });
    assert!(matches!(engine.sync(), Err(KvError::Io { .. })));
    assert!(matches!(engine.sync(), Err(KvError::ReadOnly { .. })));
    assert!(matches!(engine.commit(row(9)), Err(KvError::ReadOnly { .. })));
    assert_eq!(count(&engine), 8);
    let opened = engine.crash(Survives::Everything);
    opened.commit(row(9)).unwrap();
    opened.sync().unwrap();
    assert_eq!(count(&opened), 9);
}

#[test]
fn a_full_disk_takes_no_part_of_a_batch() {
    let engine = MemBackend::new();
    engine.faults().set_plan(FaultPlan { space_left: Some(9), ..FaultPlan::default() });
    engine.commit(row(0)).unwrap();
    engine.commit(row(1)).unwrap();
    assert!(matches!(engine.commit(row(2)), Err(KvError::NoSpace { .. })));
    assert_eq!(count(&engine), 2);
    engine.faults().set_plan(FaultPlan::default());
    engine.commit(row(2)).unwrap();
    assert_eq!(count(&engine), 3);
}

#[test]
fn disk_and_engine_of_a_node_lose_power_together() {
    let faults = Faults::new(FaultPlan { crash_at: Some(3), ..FaultPlan::default() });
    let (engine, disk) = (MemBackend::with_faults(faults.clone()), MemDisk::with_faults(faults.clone()));
    use numax_store::{Disk, DiskError};
    let file = disk.create("log").unwrap();
    engine.commit(row(0)).unwrap();
    file.append(b"x").unwrap();
    assert_eq!(faults.operations(), 3);
    assert!(matches!(engine.sync(), Err(KvError::Closed)));
    assert!(faults.power_lost());
    assert!(matches!(file.append(b"y"), Err(DiskError::PowerLost)));
    assert!(matches!(file.read_at(0, 1), Err(DiskError::PowerLost)));
    assert_eq!(count(&engine.crash(Survives::SyncedOnly)), 0);
}

#[test]
fn the_commit_at_which_power_goes_may_or_may_not_be_found() {
    let crash = |seed| {
        let faults = Faults::new(FaultPlan { crash_at: Some(0), ..FaultPlan::default() });
        let engine = MemBackend::with_faults(faults);
        assert!(matches!(engine.commit(row(0)), Err(KvError::Closed)));
        count(&engine.crash(Survives::Chosen(seed)))
    };
    let found: Vec<_> = (0..20).map(crash).collect();
    assert!(found.contains(&0) && found.contains(&1), "{found:?}");
}

#[test]
fn a_snapshot_is_an_old_copy_that_lives_on_its_own() {
    let engine = eight();
    let old = engine.snapshot();
    engine.commit(row(8)).unwrap();
    drop(engine.crash(Survives::SyncedOnly));
    assert_eq!(count(&old), 8);
    old.commit(row(9)).unwrap();
    assert_eq!(count(&old.crash(Survives::SyncedOnly)), 8, "what was copied is on the copy's disk");
}

proptest! {
    /// After a crash at any operation, what is found is the state after some commit at or behind the last sync.
    #[test]
    fn every_crash_leaves_a_prefix(
        steps in prop::collection::vec(prop::option::weighted(0.8, writes()), 1..12),
        crash_at in 0u64..12,
        seed: u64,
    ) {
        let faults = Faults::new(FaultPlan { crash_at: Some(crash_at), ..FaultPlan::default() });
        let engine = MemBackend::with_faults(faults);
        let mut model = Model::new();
        let mut possible = vec![model.clone()];
        for step in &steps {
            let done = match step {
                Some(writes) => {
                    play(&mut model, writes);
                    possible.push(model.clone());
                    engine.commit(batch(writes))
                }
                None => engine.sync().inspect(|()| drop(possible.drain(..possible.len() - 1))),
            };
            if done.is_err() {
                break;
            }
        }
        let found = contents(&engine.crash(Survives::Chosen(seed)));
        prop_assert!(possible.contains(&found));
    }
}

#[test]
fn damage_is_said_or_goes_back_by_whole_commits() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let engine = eight();
        engine.sync().unwrap();
        let engine = engine.crash(Survives::SyncedOnly);
        let damage = engine.damage(seed).unwrap();
        assert_eq!(eight().damage(seed), Some(damage.clone()), "a seed is one choice");
        let scan = engine.scan(Table::Rows, Bound::Unbounded, b"", 1000);
        match &damage {
            Damage::Everything => {
                assert!(matches!(scan, Err(KvError::Corrupt { .. })));
                assert!(matches!(engine.commit(row(9)), Err(KvError::Corrupt { .. })));
            }
            Damage::Row(table, key) => {
                assert!(matches!(engine.get(*table, key), Err(KvError::Corrupt { .. })));
                assert_eq!(scan.is_err(), *table == Table::Rows);
                let others = (0..8_u8).filter(|n| key[..] != [*n]);
                others.for_each(|n| assert!(engine.get(*table, &[n]).unwrap().is_some()));
            }
            Damage::GoesBack(commits) => assert_eq!(count(&engine), 8_usize.saturating_sub(*commits)),
        }
        seen.insert(format!("{damage:?}").split('(').next().unwrap().to_string());
    }
    assert_eq!(seen.len(), 3, "{seen:?}");
    assert_eq!(MemBackend::new().damage(1), None);
}
