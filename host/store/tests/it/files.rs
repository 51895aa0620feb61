//! Engines on real files that may be foreign, another engine's, newer, locked or cut off.

use std::{fs, ops::Bound, path::Path};

use bytes::Bytes;
use numax_store::{Engine, KvBackend, KvError, Table, WriteBatch, engine_of, open};

use crate::engines::{Bench, FileBench, contents};

pub fn commit(engine: &dyn KvBackend, n: u32, value: &[u8]) {
    let mut batch = WriteBatch::new();
    batch.put(Table::Rows, n.to_be_bytes().to_vec(), value.to_vec());
    batch.put(Table::Meta, &b"last"[..], n.to_be_bytes().to_vec());
    engine.commit(batch).unwrap();
}

/// Copies the files as the system has them, which is what is left when the process is killed at that moment.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if fs::copy(entry.path(), &target).is_err() {
            // Engines replace their small files now and then.
            assert!(!entry.path().exists());
        }
    }
}

fn refusal(engine: Engine, dir: &Path) -> KvError {
    open(engine, dir).err().unwrap()
}

#[test]
fn a_directory_with_other_files_is_refused_and_left_alone() {
    for engine in Engine::ALL {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("thesis.txt"), "do not touch").unwrap();
        let refused = refusal(engine, dir.path());
        assert!(matches!(refused, KvError::Foreign { .. }), "{refused}");
        assert!(refused.to_string().contains("choose an empty directory"), "{refused}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}

#[test]
fn a_database_of_another_program_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let [sled, redb, fjall] = ["sled", "redb", "fjall"].map(|name| dir.path().join(name));
    ::sled::open(&sled).unwrap().insert("theirs", "row").unwrap();
    fs::create_dir(&redb).unwrap();
    raw_redb(&redb, |table| drop(table.insert(&b"theirs"[..], &b"row, and its sum"[..]).unwrap()));
    raw_fjall(&fjall, |rows| rows.insert("theirs", "row").unwrap());
    for (engine, dir) in Engine::ALL.into_iter().zip([&sled, &redb, &fjall]) {
        let refused = refusal(engine, dir);
        assert!(matches!(refused, KvError::Foreign { .. } | KvError::Corrupt { .. }), "{engine}: {refused}");
        assert_eq!(engine_of(dir).unwrap(), None);
    }
    assert_eq!(::sled::open(&sled).unwrap().len(), 1, "nothing was written into it");
}

fn raw_redb(dir: &Path, act: impl FnOnce(&mut ::redb::Table<'_, &[u8], &[u8]>)) {
    let db = ::redb::Database::create(dir.join("rows.redb")).unwrap();
    let write = db.begin_write().unwrap();
    act(&mut write.open_table(::redb::TableDefinition::new("rows")).unwrap());
    write.commit().unwrap();
}

fn raw_fjall(dir: &Path, act: impl FnOnce(&::fjall::Keyspace)) {
    let db = ::fjall::Database::builder(dir).worker_threads(1).open().unwrap();
    act(&db.keyspace("rows", ::fjall::KeyspaceCreateOptions::default).unwrap());
    db.persist(::fjall::PersistMode::SyncAll).unwrap();
}

/// Writes a header row behind the engine's back.
fn set_version(engine: Engine, dir: &Path, table: u8, version: Option<u16>) {
    let key = [0xff, table];
    let value = version.map(u16::to_be_bytes);
    match engine {
        Engine::Sled => {
            let raw = ::sled::open(dir).unwrap();
            match value {
                Some(value) => raw.insert(key, &value).unwrap(),
                None => raw.remove(key).unwrap(),
            };
        }
        Engine::Redb => raw_redb(dir, |rows| match value {
            Some(value) => {
                let sum = crc32c::crc32c_append(crc32c::crc32c(&key), &value).to_le_bytes();
                drop(rows.insert(&key[..], &[&value[..], &sum].concat()[..]).unwrap());
            }
            None => drop(rows.remove(&key[..]).unwrap()),
        }),
        Engine::Fjall => raw_fjall(dir, |rows| match value {
            Some(value) => rows.insert(key, value).unwrap(),
            None => rows.remove(key).unwrap(),
        }),
    }
}

#[test]
fn other_schema_versions_are_refused_with_both_numbers() {
    // (table number, version on disk or none, found and wanted as reported)
    let cases = [(1, Some(2), (2, 1)), (1, Some(0), (0, 1)), (2, None, (0, 1)), (9, Some(1), (1, 0))];
    for engine in Engine::ALL {
        for (table, version, expected) in cases {
            let dir = tempfile::tempdir().unwrap();
            drop(open(engine, dir.path()).unwrap());
            set_version(engine, dir.path(), table, version);
            let refused = refusal(engine, dir.path());
            let KvError::Schema { table: reported, found, want } = refused else { panic!("{refused}") };
            assert_eq!((reported, (found, want)), (table, expected), "{engine}");
        }
    }
}

#[test]
fn a_database_belongs_to_one_process() {
    for engine in Engine::ALL {
        let bench = FileBench::new(engine);
        let again = refusal(engine, &bench.rows());
        assert!(matches!(again, KvError::Locked { .. }), "{engine}: {again}");
    }
}

#[test]
fn a_database_knows_its_engine() {
    for engine in Engine::ALL {
        let mut bench = FileBench::new(engine);
        commit(&*bench.engine(), 1, b"v");
        bench.engine().sync().unwrap();
        bench.close();
        assert_eq!(engine_of(&bench.rows()).unwrap(), Some(engine));
        for other in Engine::ALL.into_iter().filter(|other| *other != engine) {
            let refused = refusal(other, &bench.rows());
            let text = refused.to_string();
            assert!(matches!(refused, KvError::OtherEngine { .. }), "{engine} as {other}: {refused}");
            assert!(text.contains(&format!("`numax migrate --to {other}`")), "{text}");
            assert!(text.contains(&format!("engine = \"{engine}\"")), "{text}");
        }
        bench.reopen();
        assert_eq!(contents(&*bench.engine()).len(), 2, "{engine}");
    }
}

#[test]
fn a_damaged_mark_is_written_anew_where_the_files_say_whose_they_are() {
    for engine in Engine::ALL {
        let mut bench = FileBench::new(engine);
        commit(&*bench.engine(), 1, b"v");
        let mark = bench.rows().join("numax-rows");
        let good = fs::read(&mark).unwrap();
        let mut flipped = good.clone();
        flipped[3] ^= 8;
        for hurt in [&b"numax rows 1 rocksdb"[..], b"numax rows 2", b"numax rows 1", b"", &flipped, &[0; 9]] {
            bench.close();
            fs::write(&mark, hurt).unwrap();
            assert_eq!(engine_of(&bench.rows()).unwrap(), Some(engine), "{}", hurt.escape_ascii());
            bench.reopen();
            assert_eq!(contents(&*bench.engine()).len(), 2, "{engine}");
            assert_eq!(fs::read(&mark).unwrap(), good);
        }
        bench.close();
        fs::remove_file(&mark).unwrap();
        let other = Engine::ALL.into_iter().find(|other| *other != engine).unwrap();
        let refused = refusal(other, &bench.rows());
        assert!(matches!(refused, KvError::Corrupt { .. }), "{refused}");
    }
}

#[test]
fn files_that_are_none_of_ours_are_refused_whatever_the_mark_says() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("holiday.jpg"), "mine").unwrap();
    for (mark, foreign) in [("numax rows 1 rocksdb", true), ("numax rows 1 redb", true), ("x", false)] {
        fs::write(dir.path().join("numax-rows"), mark).unwrap();
        let refused = refusal(Engine::Redb, dir.path());
        assert_eq!(matches!(refused, KvError::Foreign { .. }), foreign, "{mark}: {refused}");
    }
    assert_eq!(fs::read(dir.path().join("holiday.jpg")).unwrap(), b"mine");
}

#[test]
fn the_first_opening_may_have_been_cut_short() {
    let first_files: [(Engine, &[&str], &[&str]); 3] = [
        (Engine::Sled, &["blobs"], &["conf"]),
        (Engine::Redb, &[], &["rows.redb"]),
        (Engine::Fjall, &[], &["lock"]),
    ];
    for (kind, dirs, files) in first_files {
        let dir = tempfile::tempdir().unwrap();
        dirs.iter().for_each(|name| fs::create_dir(dir.path().join(name)).unwrap());
        files.iter().for_each(|name| fs::write(dir.path().join(name), "").unwrap());
        let engine = open(kind, dir.path()).unwrap();
        commit(&*engine, 1, b"v");
    }
}

#[test]
fn what_was_synced_is_in_the_files() {
    for kind in Engine::ALL {
        let bench = FileBench::new(kind);
        let large = vec![5; 700 << 10];
        for n in 0..200 {
            commit(&*bench.engine(), n, b"small");
        }
        commit(&*bench.engine(), 200, &large);
        bench.engine().sync().unwrap();
        assert!(bench.engine().stats().disk_bytes > 0 && bench.engine().stats().syncs == 1);
        let found = bench.dir.path().join("found");
        copy(&bench.rows(), &found);

        let again = open(kind, &found).unwrap();
        assert_eq!(contents(&*again), contents(&*bench.engine()), "{kind}");
        assert_eq!(again.get(Table::Rows, &200u32.to_be_bytes()).unwrap(), Some(Bytes::from(large)));
    }
}

/// The file of an engine that a commit changes.
fn written_file(kind: Engine, dir: &Path) -> std::path::PathBuf {
    match kind {
        Engine::Sled => dir.join("db"),
        Engine::Redb => dir.join("rows.redb"),
        Engine::Fjall => {
            let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
            entries.filter(|path| path.extension().is_some_and(|end| end == "jnl")).max().unwrap()
        }
    }
}

/// What stands in an engine: how many rows, after checking that batches are there as a whole, in order.
fn prefix(engine: &dyn KvBackend) -> Result<u32, KvError> {
    let count = engine.scan(Table::Rows, Bound::Unbounded, b"", 1000)?.len() as u32;
    let mark = engine.get(Table::Meta, b"last")?;
    let want = count.checked_sub(1).map(|last| Bytes::copy_from_slice(&last.to_be_bytes()));
    assert_eq!(mark, want, "a batch is there in part");
    Ok(count)
}

#[test]
fn a_cut_off_file_holds_a_prefix_of_the_batches() {
    for kind in Engine::ALL {
        let bench = FileBench::new(kind);
        for n in 0..50 {
            commit(&*bench.engine(), n, b"synced");
        }
        bench.engine().sync().unwrap();
        let synced = bench.dir.path().join("synced");
        copy(&bench.rows(), &synced);
        let old = fs::read(written_file(kind, &synced)).unwrap();
        for n in 50..100 {
            commit(&*bench.engine(), n, b"later");
            if n == 98 {
                bench.engine().sync().unwrap();
            }
        }
        let new = fs::read(written_file(kind, &bench.rows())).unwrap();

        // The later bytes of the file as if some of their sectors had not been written yet. (redb's file is not
        // written in order; what it has to bear is that its last commit is not whole, which its header tells.)
        let differs = (0..new.len()).filter(|at| old.get(*at) != new.get(*at));
        let (first, last) = (differs.clone().min().unwrap(), differs.max().unwrap());
        for part in 0..8 {
            let mut torn = new.clone();
            let cut = if kind == Engine::Redb { 0 } else { first + (last - first) * part / 8 };
            for (at, byte) in torn.iter_mut().enumerate().take(last + 1).skip(cut) {
                *byte = old.get(at).copied().unwrap_or(0);
            }
            let dir = bench.dir.path().join(format!("torn-{part}"));
            copy(&synced, &dir);
            fs::write(written_file(kind, &dir), torn).unwrap();
            let count = prefix(&*open(kind, &dir).unwrap()).unwrap();
            assert!(count >= 50, "{kind}: synced rows are missing: {count}");
        }
    }
}

#[test]
fn a_killed_process_leaves_a_prefix_with_all_that_was_synced() {
    for kind in Engine::ALL {
        let bench = FileBench::new(kind);
        for n in 0..60 {
            commit(&*bench.engine(), n, &vec![n as u8; 3000]);
            let synced = n / 7 * 7;
            if n % 7 == 0 {
                bench.engine().sync().unwrap();
            }
            if n % 5 == 0 {
                let dir = bench.dir.path().join(format!("killed-{n}"));
                copy(&bench.rows(), &dir);
                let count = prefix(&*open(kind, &dir).unwrap()).unwrap();
                assert!((synced + 1..=n + 1).contains(&count), "{kind}: {count} of {n}");
            }
        }
    }
}

#[test]
fn several_databases_of_one_process_do_not_wait_for_each_other() {
    for kind in Engine::ALL {
        let dir = tempfile::tempdir().unwrap();
        let (done, wait) = std::sync::mpsc::channel();
        for thread in 0..4_u32 {
            let (path, done) = (dir.path().join(thread.to_string()), done.clone());
            std::thread::spawn(move || {
                for round in 0..4 {
                    let engine = open(kind, &path).unwrap();
                    std::thread::scope(|scope| {
                        scope.spawn(|| (0..40).for_each(|n| commit(&*engine, n, b"value")));
                        scope.spawn(|| (0..4).for_each(|_| engine.sync().unwrap()));
                    });
                    let last = engine.get(Table::Rows, &39_u32.to_be_bytes()).unwrap();
                    assert_eq!(last.as_deref(), Some(&b"value"[..]));
                    drop(engine);
                    let _ = done.send((thread, round));
                }
            });
        }
        drop(done);
        for _ in 0..4 * 4 {
            // Without turns sled stands still at once; a minute is not a measurement.
            wait.recv_timeout(std::time::Duration::from_secs(60)).expect("two databases wait for each other");
        }
    }
}
