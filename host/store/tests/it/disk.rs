//! One suite for both disks, and what the one in memory shows after a crash.

use std::{collections::BTreeSet, sync::Arc};

use numax_store::{Disk, DiskError, DiskFile, FaultPlan, Faults, FsDisk, MemDisk, Survives};
use proptest::prelude::*;

/// Runs a case on a real directory and in memory.
fn on_both(case: impl Fn(&dyn Disk)) {
    let dir = tempfile::tempdir().unwrap();
    case(&FsDisk::open(dir.path().join("made on opening")).unwrap());
    case(&MemDisk::new());
}

fn read(file: &dyn DiskFile) -> Vec<u8> {
    file.read_at(0, usize::MAX).unwrap().to_vec()
}

#[test]
fn files_are_appended_read_and_cut() {
    on_both(|disk| {
        let file = disk.create("a").unwrap();
        assert!(file.is_empty().unwrap());
        file.reserve(1 << 16).unwrap();
        assert_eq!(file.len().unwrap(), 0, "room is not length");
        file.append(b"hello ").unwrap();
        file.append(b"world").unwrap();
        file.sync().unwrap();
        assert_eq!(file.len().unwrap(), 11);
        assert_eq!(&file.read_at(6, 3).unwrap()[..], b"wor");
        assert_eq!(&file.read_at(6, 99).unwrap()[..], b"world");
        assert_eq!(&file.read_at(11, 1).unwrap()[..], b"");
        assert_eq!(&file.read_at(u64::MAX, usize::MAX).unwrap()[..], b"");
        file.truncate(5).unwrap();
        file.append(b"!").unwrap();
        assert_eq!(read(&*file), b"hello!");
        let again = disk.open_append("a").unwrap();
        again.append(b"?").unwrap();
        assert_eq!(read(&*file), b"hello!?");
    });
}

#[test]
fn names_are_made_listed_moved_and_removed() {
    on_both(|disk| {
        assert_eq!(disk.list("log").unwrap(), [] as [&str; 0], "no directory, no files");
        assert!(matches!(disk.create("log/1"), Err(DiskError::NotFound { .. })));
        disk.create_dir("log").unwrap();
        disk.create_dir("log").unwrap();
        disk.create_dir("log/old/er").unwrap();
        for name in ["log/2", "log/1", "log/old/er/0", "top"] {
            disk.create(name).unwrap().append(name.as_bytes()).unwrap();
        }
        assert_eq!(disk.list("").unwrap(), ["top"]);
        assert_eq!(disk.list("log").unwrap(), ["1", "2"], "files only, in order");
        assert!(matches!(disk.create("log/1"), Err(DiskError::Exists { .. })));
        let open = disk.open_append("log/1").unwrap();
        disk.rename("log/1", "log/2").unwrap();
        assert_eq!(disk.list("log").unwrap(), ["2"]);
        assert_eq!(read(&*disk.open_append("log/2").unwrap()), b"log/1");
        disk.sync_dir("log").unwrap();
        disk.remove("log/2").unwrap();
        open.append(b"+").unwrap();
        assert_eq!(read(&*open), b"log/1+", "an open file outlives its name");
        assert!(matches!(disk.open_append("log/2"), Err(DiskError::NotFound { .. })));
        assert!(matches!(disk.remove("log/2"), Err(DiskError::NotFound { .. })));
        assert!(matches!(disk.rename("log/2", "x"), Err(DiskError::NotFound { .. })));
        disk.sync_dir("").unwrap();
    });
}

#[test]
fn names_cannot_lead_out_of_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FsDisk::open(dir.path().join("inner")).unwrap();
    for name in ["../out", "/etc/x", "a/../../out", "a//b", ".", "a/", "a\0b"] {
        assert!(matches!(disk.create(name), Err(DiskError::Io { .. })), "{name:?} was taken");
    }
    assert!(!dir.path().join("out").exists());
}

/// A file with ten synced bytes under a synced name, and ten more that are not.
fn twenty() -> MemDisk {
    let disk = MemDisk::new();
    let file = disk.create("f").unwrap();
    disk.sync_dir("").unwrap();
    file.append(b"0123456789").unwrap();
    file.sync().unwrap();
    file.append(b"abcdefghij").unwrap();
    disk
}

fn found(disk: &MemDisk, name: &str) -> Option<Vec<u8>> {
    disk.open_append(name).ok().map(|file| read(&*file))
}

#[test]
fn synced_bytes_survive_and_later_ones_may_be_lost_torn_or_holes() {
    let after = |survives| found(&twenty().crash(survives), "f").unwrap();
    assert_eq!(after(Survives::SyncedOnly), b"0123456789");
    assert_eq!(after(Survives::Everything), b"0123456789abcdefghij");
    let outcomes: BTreeSet<Vec<u8>> = (0..200).map(|seed| after(Survives::Chosen(seed))).collect();
    assert!(outcomes.iter().all(|bytes| bytes.starts_with(b"0123456789") && bytes.len() <= 20));
    assert!(outcomes.contains(&b"0123456789"[..]) && outcomes.contains(&b"0123456789abcdefghij"[..]));
    assert!(outcomes.contains(&b"0123456789abc"[..]), "a torn tail");
    assert!(outcomes.iter().any(|bytes| bytes.ends_with(&[0, 0])), "a hole");
    assert_eq!(after(Survives::Chosen(7)), after(Survives::Chosen(7)), "a seed is one outcome");
}

#[test]
fn a_killed_process_leaves_bytes_that_a_power_cut_can_still_take() {
    let killed = twenty().crash(Survives::Everything);
    assert_eq!(found(&killed.crash(Survives::SyncedOnly), "f").unwrap(), b"0123456789");
    let killed = twenty().crash(Survives::Everything);
    killed.open_append("f").unwrap().sync().unwrap();
    assert_eq!(found(&killed.crash(Survives::SyncedOnly), "f").unwrap(), b"0123456789abcdefghij");
}

#[test]
fn a_truncation_is_undone_by_a_power_cut_until_it_is_synced() {
    let cut = |sync: bool, survives| {
        let disk = twenty();
        let file = disk.open_append("f").unwrap();
        file.truncate(4).unwrap();
        file.append(b"XY").unwrap();
        if sync {
            file.sync().unwrap();
        }
        found(&disk.crash(survives), "f").unwrap()
    };
    assert_eq!(cut(false, Survives::SyncedOnly), b"0123456789");
    assert_eq!(cut(true, Survives::SyncedOnly), b"0123XY");
    let outcomes: BTreeSet<_> = (0..100).map(|seed| cut(false, Survives::Chosen(seed))).collect();
    assert!(outcomes.contains(&b"0123456789"[..]) && outcomes.contains(&b"0123X"[..]), "{outcomes:?}");
}

#[test]
fn names_survive_when_their_directory_was_synced() {
    let make = || {
        let disk = MemDisk::new();
        disk.create_dir("d").unwrap();
        for name in ["d/a", "d/b", "top"] {
            let file = disk.create(name).unwrap();
            file.append(b"x").unwrap();
            file.sync().unwrap();
        }
        disk
    };
    let names = |disk: &MemDisk| [disk.list("d").unwrap(), disk.list("").unwrap()].concat();
    assert_eq!(names(&make().crash(Survives::SyncedOnly)), [] as [&str; 0]);
    let disk = make();
    disk.sync_dir("d").unwrap();
    assert_eq!(names(&disk.crash(Survives::SyncedOnly)), ["a", "b"]);

    let disk = make();
    ["d", ""].into_iter().for_each(|dir| disk.sync_dir(dir).unwrap());
    disk.rename("d/a", "d/b").unwrap();
    disk.remove("top").unwrap();
    let chosen = |seed| names(&disk.snapshot().crash(Survives::Chosen(seed)));
    let outcomes: BTreeSet<_> = (0..50).map(chosen).collect();
    let text = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(outcomes, BTreeSet::from([text(&["a", "b", "top"]), text(&["b", "top"]), text(&["b"])]));
}

#[test]
fn a_full_disk_takes_what_fits() {
    let disk = MemDisk::new();
    disk.faults().set_plan(FaultPlan { space_left: Some(4), ..FaultPlan::default() });
    let file = disk.create("f").unwrap();
    let full = file.append(b"abcdef").unwrap_err();
    assert!(matches!(full, DiskError::NoSpace { .. }) && full.to_string().contains("f"), "{full}");
    assert_eq!(read(&*file), b"abcd");
    file.truncate(0).unwrap();
    assert!(matches!(file.append(b"a"), Err(DiskError::NoSpace { .. })));
    disk.faults().set_plan(FaultPlan::default());
    file.append(b"a").unwrap();
    assert_eq!(read(&*file), b"a");
}

#[test]
fn after_a_failed_sync_only_what_is_written_anew_gets_to_the_disk() {
    let failed = || {
        let disk = twenty();
        let file: Arc<dyn DiskFile> = disk.open_append("f").unwrap();
        disk.faults().set_plan(FaultPlan { fail_sync: Some(0), ..FaultPlan::default() });
        assert!(matches!(file.sync(), Err(DiskError::Io { .. })));
        (disk, file)
    };
    let (disk, file) = failed();
    file.append(b"!").unwrap();
    file.sync().unwrap();
    assert_eq!(found(&disk.crash(Survives::SyncedOnly), "f").unwrap(), b"0123456789", "a retry is a lie");

    let (disk, file) = failed();
    file.truncate(10).unwrap();
    file.append(b"!").unwrap();
    file.sync().unwrap();
    assert_eq!(found(&disk.crash(Survives::SyncedOnly), "f").unwrap(), b"0123456789!");
}

fn bits_that_differ(a: &[u8], b: &[u8]) -> u32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum()
}

#[test]
fn one_bit_flips_at_rest() {
    let whole = b"0123456789abcdefghij";
    let mut places = BTreeSet::new();
    for seed in 0..200 {
        let disk = twenty();
        let (name, at) = disk.flip_bit("", seed).unwrap();
        let found = found(&disk, "f").unwrap();
        assert_eq!((name.as_str(), bits_that_differ(&found, whole)), ("f", 1));
        assert_ne!(found[at as usize], whole[at as usize]);
        places.insert(at);
    }
    assert_eq!(places.len(), 20, "every byte is hit: {places:?}");
    assert_eq!(twenty().flip_bit("other/", 1), None);
    assert_eq!(MemDisk::new().flip_bit("", 1), None);
}

#[test]
fn one_bit_of_the_planned_append_is_stored_wrong() {
    let disk = MemDisk::new();
    let file = disk.create("f").unwrap();
    disk.faults().set_plan(FaultPlan { flip_append: Some(1), ..FaultPlan::default() });
    for part in [&b"first "[..], b"", b"second", b" third"] {
        file.append(part).unwrap();
    }
    let found = read(&*file);
    assert_eq!((&found[..6], &found[12..]), (&b"first "[..], &b" third"[..]));
    assert_eq!(bits_that_differ(&found[6..12], b"second"), 1);
}

#[test]
fn a_held_sync_waits_until_it_is_released_or_power_goes() {
    for power_goes in [false, true] {
        let disk = twenty();
        let file = disk.open_append("f").unwrap();
        disk.faults().hold_syncs();
        std::thread::scope(|scope| {
            let sync = scope.spawn(|| file.sync());
            while disk.faults().waiting_syncs() == 0 {
                std::thread::yield_now();
            }
            assert_eq!(read(&*file).len(), 20, "reads and appends go on meanwhile");
            file.append(b"k").unwrap();
            if power_goes {
                disk.faults().cut_power()
            } else {
                disk.faults().release_syncs()
            }
            assert_eq!(sync.join().unwrap().is_err(), power_goes);
        });
    }
}

#[test]
fn a_snapshot_is_an_old_copy_that_lives_on_its_own() {
    let disk = twenty();
    let old = disk.snapshot();
    disk.open_append("f").unwrap().append(b"later").unwrap();
    drop(disk.crash(Survives::SyncedOnly));
    assert_eq!(found(&disk, "f"), None, "the crashed disk is dead");
    assert_eq!(found(&old, "f").unwrap(), b"0123456789abcdefghij");
}

#[test]
fn power_goes_at_the_planned_operation() {
    let run = |crash_at| {
        let disk = MemDisk::with_faults(Faults::new(FaultPlan { crash_at, ..FaultPlan::default() }));
        let steps = || -> Result<(), DiskError> {
            let file = disk.create("f")?;
            disk.sync_dir("")?;
            file.append(b"a")?;
            file.sync()?;
            file.append(b"b")
        };
        (steps().is_ok(), disk.faults().operations(), found(&disk.crash(Survives::SyncedOnly), "f"))
    };
    let file = |text: &str| Some(text.as_bytes().to_vec());
    assert_eq!(run(None), (true, 5, file("a")));
    let found: Vec<_> = (0..5).map(|at| run(Some(at)).2).collect();
    assert_eq!(found, [None, None, file(""), file(""), file("a")]);
    assert!((0..5).all(|at| !run(Some(at)).0));
}

#[derive(Debug, Clone)]
enum Step {
    Append(u8, usize),
    Truncate(prop::sample::Index),
    Sync,
    Kill,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (any::<u8>(), 0usize..1500).prop_map(|(byte, len)| Step::Append(byte, len)),
        1 => any::<prop::sample::Index>().prop_map(Step::Truncate),
        2 => Just(Step::Sync),
        1 => Just(Step::Kill),
    ];
    prop::collection::vec(step, 0..12)
}

proptest! {
    /// Without faults the file is what a byte string would be; after a power cut it is what was synced, or begins
    /// as what was there, up to the shortest length since.
    #[test]
    fn a_file_survives_up_to_its_last_sync(steps in steps(), seed: u64) {
        let mut disk = MemDisk::new();
        disk.create("f").unwrap();
        disk.sync_dir("").unwrap();
        let (mut now, mut synced, mut untouched): (Vec<u8>, Vec<u8>, usize) = Default::default();
        for step in steps {
            let file = disk.open_append("f").unwrap();
            match step {
                Step::Append(byte, len) => {
                    file.append(&vec![byte; len]).unwrap();
                    now.extend(std::iter::repeat_n(byte, len));
                }
                Step::Truncate(at) => {
                    let len = at.index(now.len() + 1);
                    file.truncate(len as u64).unwrap();
                    now.truncate(len);
                    untouched = untouched.min(len);
                }
                Step::Sync => {
                    file.sync().unwrap();
                    synced = now.clone();
                    untouched = now.len();
                }
                Step::Kill => disk = disk.crash(Survives::Everything),
            }
            prop_assert_eq!(&read(&*disk.open_append("f").unwrap()), &now);
        }
        prop_assert_eq!(&found(&disk.snapshot().crash(Survives::SyncedOnly), "f").unwrap(), &synced);
        let torn = found(&disk.crash(Survives::Chosen(seed)), "f").unwrap();
        let from_now = torn.len() <= now.len()
            && torn[..untouched] == now[..untouched]
            && torn.iter().zip(&now).all(|(torn, now)| torn == now || *torn == 0);
        prop_assert!(torn == synced || from_now);
    }
}
