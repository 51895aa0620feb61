//! Others take all room of a disk again and again, and within a millisecond whatever an engine gives up, while it is
//! written and read: every read is answered, and each time there is space it goes on.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread::{self, sleep},
    time::{Duration, Instant},
};

use bytes::Bytes;
use numax_store::{Engine, KvBackend, KvError, Options, Reserve, Room, Table, WriteBatch, open_with};

use crate::small_disk::SmallDisk;

const KEYS: u64 = 40;
/// How often the disk is full, and for how long; `NUMAX_RACE_TIMES` is for tests by hand.
const TIMES: u64 = 2;
const FULL: Duration = Duration::from_millis(600);
/// How long an engine may take to notice that there is space again.
const NOTICES: Duration = Duration::from_secs(20);

struct Race<'a> {
    engine: &'a dyn KvBackend,
    kind: Engine,
    disk: &'a SmallDisk,
    /// The version of each key that was written last.
    written: Vec<AtomicU64>,
    full: AtomicBool,
    stop: AtomicBool,
    reads: AtomicU64,
}

/// Stops the others, also when one of them has failed.
struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// The version, and bytes that no engine packs.
fn row(key: u64, version: u64) -> Bytes {
    let mut state = (version << 8) ^ key;
    let rest = (0..10_000 + version * 7919 % 40_000).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    });
    version.to_be_bytes().into_iter().chain(rest).collect()
}

impl Race<'_> {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Acquire)
    }

    fn commit(&self, version: u64) -> Result<(), KvError> {
        let keys = [version % KEYS, (version * 7 + 3) % KEYS];
        let mut batch = WriteBatch::new();
        keys.iter().for_each(|key| batch.put(Table::Rows, key.to_be_bytes().to_vec(), row(*key, version)));
        self.engine.commit(batch)?;
        keys.iter().for_each(|key| self.written[*key as usize].store(version, Ordering::Release));
        Ok(())
    }

    fn write(&self) {
        let _stops = Stops(&self.stop);
        for version in 1.. {
            if !self.goes_on() {
                return;
            }
            match self.commit(version) {
                Ok(()) => {}
                Err(KvError::Low { .. } | KvError::NoSpace { .. }) => sleep(Duration::from_millis(5)),
                Err(error) => panic!("{}: {error}", self.kind),
            }
            if version % 16 == 0 {
                let _ = self.engine.sync();
            }
        }
    }

    fn fill(&self) {
        while self.goes_on() {
            if self.full.load(Ordering::Acquire) {
                self.disk.fill(0);
            }
            sleep(Duration::from_millis(1));
        }
    }

    fn read(&self) {
        let _stops = Stops(&self.stop);
        for key in (0..KEYS).cycle() {
            if !self.goes_on() {
                return;
            }
            self.check(self.engine, key);
            self.reads.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A key has at least what was written last.
    fn check(&self, engine: &dyn KvBackend, key: u64) {
        let least = self.written[key as usize].load(Ordering::Acquire);
        let found = engine.get(Table::Rows, &key.to_be_bytes());
        let found = found.unwrap_or_else(|error| panic!("{}: {error}", self.kind));
        let version = found.as_ref().map_or(0, |row| u64::from_be_bytes(row.first_chunk().copied().unwrap()));
        assert!(version >= least, "{}: key {key} has {version} and had {least}", self.kind);
        assert!(found.is_none_or(|found| found == row(key, version)), "{}: key {key}", self.kind);
    }

    fn last(&self) -> u64 {
        self.written.iter().map(|version| version.load(Ordering::Acquire)).max().unwrap()
    }

    fn run(&self) {
        let _stops = Stops(&self.stop);
        let times = std::env::var("NUMAX_RACE_TIMES").map_or(TIMES, |times| times.parse().unwrap());
        for time in 0..times {
            sleep(Duration::from_millis(150 + 70 * (time % 5)));
            self.full.store(true, Ordering::Release);
            sleep(FULL);
            self.full.store(false, Ordering::Release);
            sleep(Duration::from_millis(20));
            let (start, before) = (Instant::now(), self.last());
            while self.last() == before && self.goes_on() {
                self.disk.free();
                assert!(
                    start.elapsed() < NOTICES,
                    "{}: it does not go on: {:?}",
                    self.kind,
                    self.engine.sync()
                );
                sleep(Duration::from_millis(5));
            }
        }
    }
}

#[test]
fn every_read_is_answered_while_others_race_for_the_disk() {
    let only = std::env::var("NUMAX_RACE_ENGINE").ok();
    for kind in Engine::ALL.into_iter().filter(|kind| only.as_ref().is_none_or(|only| kind.name() == only)) {
        let Some(disk) = SmallDisk::new(96) else { return };
        let dir = disk.path().join("data");
        std::fs::create_dir(&dir).unwrap();
        let room = Some(std::sync::Arc::new(Room::watch(&dir, Reserve::default())));
        let engine = open_with(kind, &dir.join("rows"), &Options { room, ..Options::default() }).unwrap();
        let race = Race {
            engine: &*engine,
            kind,
            disk: &disk,
            written: (0..KEYS).map(|_| AtomicU64::new(0)).collect(),
            full: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            reads: AtomicU64::new(0),
        };
        thread::scope(|scope| {
            scope.spawn(|| race.write());
            scope.spawn(|| race.fill());
            scope.spawn(|| race.read());
            race.run();
        });
        assert!(race.reads.load(Ordering::Relaxed) > 100, "{kind}");
        // A new process finds all of it, which another one leaves that was not restarted meanwhile.
        engine.sync().unwrap();
        let copy = tempfile::tempdir().unwrap();
        copy_dir(&dir.join("rows"), copy.path());
        let copy = open_with(kind, copy.path(), &Options::default()).unwrap();
        (0..KEYS).for_each(|key| race.check(&*copy, key));
    }
}
