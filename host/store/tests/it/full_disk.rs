//! A disk that is really full, on every engine: what is there stays readable, and it goes on once there is space.

use std::{collections::BTreeMap, ops::Bound, path::PathBuf, sync::Arc};

use bytes::Bytes;
use numax_store::{Engine, KvBackend, KvError, Options, Reserve, Room, Table, WriteBatch, open_with};

use crate::small_disk::SmallDisk;

const MIB: u64 = 1 << 20;

struct Store {
    dir: PathBuf,
    kind: Engine,
    engine: Arc<dyn KvBackend>,
    want: BTreeMap<Vec<u8>, Bytes>,
}

fn opened(kind: Engine, dir: &std::path::Path, watched: bool) -> Result<Arc<dyn KvBackend>, KvError> {
    let room = watched.then(|| Arc::new(Room::watch(dir, Reserve::default())));
    open_with(kind, &dir.join("rows"), &Options { room, ..Options::default() })
}

impl Store {
    fn new(kind: Engine, disk: &SmallDisk) -> Self {
        let dir = disk.path().join("data");
        std::fs::create_dir(&dir).unwrap();
        let engine = opened(kind, &dir, true).unwrap();
        Self { dir, kind, engine, want: BTreeMap::new() }
    }

    /// Bytes that no engine packs.
    fn value(n: u32, len: usize) -> Bytes {
        let mut state = u64::from(n) + 1;
        let byte = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        (0..len).map(byte).collect()
    }

    fn commit(&mut self, rows: &[(u32, usize)]) -> Result<(), KvError> {
        let mut batch = WriteBatch::new();
        let rows: Vec<_> =
            rows.iter().map(|(n, len)| (n.to_be_bytes().to_vec(), Self::value(*n, *len))).collect();
        rows.iter().for_each(|(key, value)| batch.put(Table::Rows, key.clone(), value.clone()));
        self.engine.commit(batch)?;
        self.want.extend(rows);
        Ok(())
    }

    /// Everything can be read, row by row and in one go.
    fn check(&self, when: &str) {
        let kind = self.kind;
        for (key, value) in &self.want {
            let found =
                self.engine.get(Table::Rows, key).unwrap_or_else(|error| panic!("{kind}, {when}: {error}"));
            assert!(found.as_ref() == Some(value), "{kind}, {when}: {key:?}");
        }
        let found = self.engine.scan(Table::Rows, Bound::Unbounded, b"", usize::MAX);
        let found = found.unwrap_or_else(|error| panic!("{kind}, {when}: {error}"));
        let found: BTreeMap<_, _> = found.into_iter().map(|(key, value)| (key.to_vec(), value)).collect();
        assert!(found == self.want, "{kind}, {when}: {} rows of {}", found.len(), self.want.len());
    }

    /// Rows that a batch brought which the engine may have or not.
    fn want_too(&mut self, rows: &[(u32, usize)]) {
        if self.engine.get(Table::Rows, &rows[0].0.to_be_bytes()).unwrap().is_some() {
            self.want.extend(rows.iter().map(|(n, len)| (n.to_be_bytes().to_vec(), Self::value(*n, *len))));
        }
    }

    fn reopen_with(&mut self, watched: bool) -> Result<(), KvError> {
        self.engine = Arc::new(numax_store::mem::MemBackend::new());
        self.engine = opened(self.kind, &self.dir, watched)?;
        Ok(())
    }

    fn reopen(mut self) -> Self {
        let kind = self.kind;
        self.reopen_with(true).unwrap_or_else(|error| panic!("{kind}: {error}"));
        self
    }

    /// Writes again, waiting for the moment for which an answer of the system counts.
    fn goes_on(&mut self, n: u32) {
        for _ in 0..200 {
            match self.commit(&[(n, 1000)]) {
                Ok(()) => return self.engine.sync().unwrap(),
                Err(KvError::Low { .. } | KvError::NoSpace { .. }) => {}
                Err(error) => panic!("{}: {error}", self.kind),
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("{}: it does not go on", self.kind);
    }
}

#[test]
fn writes_stop_before_the_disk_is_full_and_everything_stays_readable() {
    for kind in Engine::ALL {
        let Some(disk) = SmallDisk::new(96) else { return };
        // What is given back in the end.
        disk.fill(50 * MIB);
        let mut store = Store::new(kind, &disk);
        assert!(store.dir.join("ballast").exists());
        let (mut n, mut synced) = (0, BTreeMap::new());
        let refused = loop {
            match store.commit(&[(n, 20_000)]) {
                Ok(()) => n += 1,
                Err(error) => break error,
            }
            if n.is_multiple_of(20) {
                store.engine.sync().unwrap();
                synced = store.want.clone();
            }
        };
        assert!(matches!(refused, KvError::Low { .. }) && n > 100, "{kind}: {refused} after {n}");
        assert!(refused.to_string().contains("free some space"), "{refused}");
        store.check("when writes are refused");
        // Then somebody else takes the rest.
        disk.fill(0);
        assert!(matches!(store.commit(&[(n, 1)]), Err(KvError::Low { .. })));
        store.check("when others have filled the disk");
        // Restarted on a full disk it is there, too: the ballast makes room for that.
        let mut store = store.reopen();
        // What was not synced may be gone: the log has it.
        let Store { want, engine, .. } = &mut store;
        want.retain(|key, _| synced.contains_key(key) || engine.get(Table::Rows, key).unwrap().is_some());
        store.check("opened on a full disk");
        assert!(matches!(store.commit(&[(n, 1)]), Err(KvError::Low { .. })), "{kind}");
        assert!(!store.dir.join("ballast").exists());
        disk.free();
        store.goes_on(n + 1);
        store.reopen().check("at the end");
    }
}

#[test]
fn an_engine_that_found_no_space_is_read_and_then_written_again() {
    for kind in Engine::ALL {
        for restarted in [false, true] {
            let Some(disk) = SmallDisk::new(96) else { return };
            let mut store = Store::new(kind, &disk);
            // Nobody looks whether there is room: this is about what happens when others are faster.
            store.reopen_with(false).unwrap();
            for n in 0..60 {
                store.commit(&[(n, 30_000)]).unwrap();
                if n == 40 {
                    store.engine.sync().unwrap();
                }
            }
            // As much as an engine asks for, and what it sets aside in between.
            disk.fill(16 * MIB);
            for n in 60..70 {
                store.commit(&[(n, 30_000)]).unwrap();
            }
            disk.fill(0);
            // What an engine set aside or kept in memory may take some more.
            let failed = (70..400).find_map(|n| {
                store.commit(&[(n, 30_000)]).and_then(|()| store.engine.sync()).err().map(|error| (n, error))
            });
            let (last, error) = failed.expect("there is no end to the disk");
            assert!(matches!(error, KvError::NoSpace { .. } | KvError::Low { .. }), "{kind}: {error}");
            store.want_too(&[(last, 30_000)]);
            store.check("after it found no space");
            assert!(store.commit(&[(1, 3 << 20)]).is_err(), "{kind}");
            store.check("after another try");
            // What an engine had not written yet finds no space either; it says so, and does not wait for ever.
            let _ = store.engine.sync();
            store.check("after another sync");
            disk.free();
            if restarted {
                // A batch may be there in part: it is whole, or not at all, or nothing is opened.
                match store.reopen_with(true) {
                    Ok(()) => {
                        let found =
                            store.engine.scan(Table::Rows, Bound::Unbounded, b"", 1000).unwrap().len();
                        assert!((41..=last as usize + 1).contains(&found), "{kind}: {found} rows");
                    }
                    Err(error) => assert!(matches!(error, KvError::Corrupt { .. }), "{kind}: {error}"),
                }
                continue;
            }
            store.goes_on(500);
            store.check("when it goes on");
            store.reopen_with(true).unwrap();
            store.check("at the end");
        }
    }
}
