//! What only the sled engine has: files on disk that may be foreign, newer, damaged, locked or cut off.

use std::{fs, ops::Bound, path::Path};

use bytes::Bytes;
use numax_store::{Engine, KvBackend, KvError, Table, WriteBatch, open};

use crate::engines::{Bench, SledBench, contents};

fn commit(engine: &dyn KvBackend, n: u32, value: &[u8]) {
    let mut batch = WriteBatch::new();
    batch.put(Table::Rows, n.to_be_bytes().to_vec(), value.to_vec());
    batch.put(Table::Meta, &b"last"[..], n.to_be_bytes().to_vec());
    engine.commit(batch).unwrap();
}

/// Copies the files as the system has them, which is what is left when the process is killed at that moment.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if fs::copy(entry.path(), &target).is_err() {
            // Sled replaces its small files now and then.
            assert!(!entry.path().exists());
        }
    }
}

#[test]
fn a_directory_with_other_files_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.txt"), "do not touch").unwrap();
    let refused = open(Engine::Sled, dir.path()).err().unwrap();
    assert!(matches!(refused, KvError::Foreign { .. }), "{refused}");
    assert!(refused.to_string().contains("choose an empty directory"), "{refused}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_sled_database_of_another_program_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    ::sled::open(dir.path()).unwrap().insert("theirs", "row").unwrap();
    let refused = open(Engine::Sled, dir.path()).err().unwrap();
    assert!(matches!(refused, KvError::Foreign { .. }), "{refused}");
    assert_eq!(::sled::open(dir.path()).unwrap().len(), 1, "nothing was written into it");
}

#[test]
fn other_schema_versions_are_refused_with_both_numbers() {
    // (table number, version on disk or none, found and wanted as reported)
    let cases = [(1, Some(2), (2, 1)), (1, Some(0), (0, 1)), (2, None, (0, 1)), (9, Some(1), (1, 0))];
    for (table, version, expected) in cases {
        let dir = tempfile::tempdir().unwrap();
        drop(open(Engine::Sled, dir.path()).unwrap());
        let raw = ::sled::open(dir.path()).unwrap();
        match version {
            Some(version) => raw.insert([0xff, table], &u16::to_be_bytes(version)).unwrap(),
            None => raw.remove([0xff, table]).unwrap(),
        };
        drop(raw);
        let refused = open(Engine::Sled, dir.path()).err().unwrap();
        let KvError::Schema { table: reported, found, want } = refused else { panic!("{refused}") };
        assert_eq!((reported, (found, want)), (table, expected));
    }
}

#[test]
fn a_database_belongs_to_one_process() {
    let bench = SledBench::new();
    let again = open(Engine::Sled, &bench.dir.path().join("rows")).err().unwrap();
    assert!(matches!(again, KvError::Locked { .. }), "{again}");
}

#[test]
fn the_first_opening_may_have_been_cut_short() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("blobs")).unwrap();
    fs::write(dir.path().join("conf"), "").unwrap();
    let engine = open(Engine::Sled, dir.path()).unwrap();
    commit(&*engine, 1, b"v");
}

#[test]
fn what_was_synced_is_in_the_files() {
    let bench = SledBench::new();
    let large = vec![5; 700 << 10];
    for n in 0..200 {
        commit(&*bench.engine(), n, b"small");
    }
    commit(&*bench.engine(), 200, &large);
    bench.engine().sync().unwrap();
    assert!(bench.engine().stats().disk_bytes > 0 && bench.engine().stats().syncs == 1);
    let found = bench.dir.path().join("found");
    copy(&bench.dir.path().join("rows"), &found);

    let again = open(Engine::Sled, &found).unwrap();
    assert_eq!(contents(&*again), contents(&*bench.engine()));
    assert_eq!(again.get(Table::Rows, &200u32.to_be_bytes()).unwrap(), Some(Bytes::from(large)));
}

#[test]
fn a_cut_off_file_holds_a_prefix_of_the_batches() {
    let bench = SledBench::new();
    for n in 0..50 {
        commit(&*bench.engine(), n, b"synced");
    }
    bench.engine().sync().unwrap();
    let rows = bench.dir.path().join("rows");
    let synced = bench.dir.path().join("synced");
    copy(&rows, &synced);
    for n in 50..100 {
        commit(&*bench.engine(), n, b"later");
        bench.engine().sync().unwrap();
    }
    let later = bench.dir.path().join("later");
    copy(&rows, &later);

    // The later bytes of the main file as if some of their sectors had not been written yet.
    let (old, new) = (fs::read(synced.join("db")).unwrap(), fs::read(later.join("db")).unwrap());
    let differs = (0..new.len()).filter(|at| old.get(*at) != new.get(*at));
    let (first, last) = (differs.clone().min().unwrap(), differs.max().unwrap());
    for part in 0..8 {
        let mut torn = new.clone();
        let cut = first + (last - first) * part / 8;
        for (at, byte) in torn.iter_mut().enumerate().take(last + 1).skip(cut) {
            *byte = old.get(at).copied().unwrap_or(0);
        }
        let dir = bench.dir.path().join(format!("torn-{part}"));
        copy(&synced, &dir);
        fs::write(dir.join("db"), torn).unwrap();
        let engine = open(Engine::Sled, &dir).unwrap();
        let count = engine.scan(Table::Rows, Bound::Unbounded, b"", 1000).unwrap().len() as u32;
        let mark = engine.get(Table::Meta, b"last").unwrap().unwrap();
        assert!(count >= 50, "synced rows are missing: {count}");
        assert_eq!(mark, (count - 1).to_be_bytes().to_vec(), "a batch is there in part");
    }
}

/// Sled takes damage for the end of its log and drops what follows. That is why the replica keeps the position that
/// its rows include among them: whatever is found must be a whole prefix, or be refused.
#[test]
fn damaged_files_hold_a_prefix_of_the_batches_or_are_refused() {
    let bench = SledBench::new();
    for n in 0..300 {
        commit(&*bench.engine(), n, &[n as u8; 500]);
    }
    bench.engine().sync().unwrap();
    let rows = bench.dir.path().join("rows");
    let whole = fs::read(rows.join("db")).unwrap();
    let mut found = Vec::new();
    for n in 0..24 {
        let dir = bench.dir.path().join(format!("damaged-{n}"));
        copy(&rows, &dir);
        let mut db = whole.clone();
        let at = db.len() * n / 24;
        let end = (at + 700).min(db.len());
        db[at..end].fill(if n % 2 == 0 { 0 } else { 0xa5 });
        fs::write(dir.join("db"), db).unwrap();
        let read = open(Engine::Sled, &dir).and_then(|engine| {
            let rows = engine.scan(Table::Rows, Bound::Unbounded, b"", 1000)?;
            let mark = engine.get(Table::Meta, b"last")?;
            engine.sync()?;
            Ok((rows.len() as u32, mark))
        });
        if let Ok((count, mark)) = &read {
            let want = count.checked_sub(1).map(|last| Bytes::copy_from_slice(&last.to_be_bytes()));
            assert_eq!(*mark, want, "damage at {at}: rows and their mark disagree");
        }
        found.push(read.map(|(count, _)| count).map_err(|error| error.to_string()));
    }
    assert!(found.iter().any(|read| *read != Ok(300)), "no damage was noticed");
}

#[test]
fn a_database_that_lost_everything_is_not_taken_for_a_new_one() {
    let bench = SledBench::new();
    commit(&*bench.engine(), 1, b"v");
    bench.engine().sync().unwrap();
    let found = bench.dir.path().join("found");
    copy(&bench.dir.path().join("rows"), &found);
    fs::write(found.join("db"), "").unwrap();
    for entry in fs::read_dir(&found).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("snap.") {
            fs::remove_file(path).unwrap();
        }
    }
    let refused = open(Engine::Sled, &found).err().unwrap();
    assert!(matches!(refused, KvError::Corrupt { .. }), "{refused}");
}

#[test]
fn several_databases_of_one_process_do_not_wait_for_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let (done, wait) = std::sync::mpsc::channel();
    for thread in 0..4_u32 {
        let (path, done) = (dir.path().join(thread.to_string()), done.clone());
        std::thread::spawn(move || {
            for round in 0..8 {
                let engine = open(Engine::Sled, &path).unwrap();
                std::thread::scope(|scope| {
                    scope.spawn(|| (0..40).for_each(|n| commit(&*engine, n, b"value")));
                    scope.spawn(|| (0..4).for_each(|_| engine.sync().unwrap()));
                });
                assert_eq!(
                    engine.get(Table::Rows, &39_u32.to_be_bytes()).unwrap().as_deref(),
                    Some(&b"value"[..])
                );
                drop(engine);
                let _ = done.send((thread, round));
            }
        });
    }
    drop(done);
    for _ in 0..4 * 8 {
        // Without turns this stands still at once; a minute is not a measurement.
        wait.recv_timeout(std::time::Duration::from_secs(60)).expect("two databases wait for each other");
    }
}
