//! One suite for every engine: the same calls, compared with a map.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use numax_store::{
    Engine, KvBackend, KvError, MAX_ROW, Survives, Table, WriteBatch, fingerprint, mem::MemBackend, open,
};
use proptest::prelude::*;
use tempfile::TempDir;

/// An engine that can be closed and opened again.
pub trait Bench {
    fn engine(&self) -> Arc<dyn KvBackend>;
    /// Ends the process that has it open, as far as the engine can tell, and opens it again.
    fn reopen(&mut self);
}

pub struct FileBench {
    pub dir: TempDir,
    pub kind: Engine,
    engine: Option<Arc<dyn KvBackend>>,
}

impl FileBench {
    pub fn new(kind: Engine) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let engine = open(kind, &dir.path().join("rows")).unwrap();
        Self { dir, kind, engine: Some(engine) }
    }

    /// The engine's directory.
    pub fn rows(&self) -> std::path::PathBuf {
        self.dir.path().join("rows")
    }

    pub fn close(&mut self) {
        self.engine = None;
    }
}

impl Bench for FileBench {
    fn engine(&self) -> Arc<dyn KvBackend> {
        self.engine.clone().unwrap()
    }

    fn reopen(&mut self) {
        self.close();
        self.engine = Some(open(self.kind, &self.rows()).unwrap());
    }
}

struct MemBench(Mutex<Arc<MemBackend>>);

impl Bench for MemBench {
    fn engine(&self) -> Arc<dyn KvBackend> {
        self.0.lock().unwrap().clone()
    }

    fn reopen(&mut self) {
        let mut engine = self.0.lock().unwrap();
        *engine = Arc::new(engine.crash(Survives::Everything));
    }
}

fn mem() -> MemBench {
    MemBench(Mutex::new(Arc::new(MemBackend::new())))
}

/// Runs every case below for one engine.
macro_rules! suite {
    ($name:ident, $bench:expr, [$($case:ident),* $(,)?]) => {
        mod $name {
            use super::*;
            $(#[test] fn $case() { super::$case(&mut $bench); })*
        }
    };
}

macro_rules! suites {
    ($($case:ident),* $(,)?) => {
        suite!(sled_engine, FileBench::new(Engine::Sled), [$($case),*]);
        suite!(redb_engine, FileBench::new(Engine::Redb), [$($case),*]);
        suite!(fjall_engine, FileBench::new(Engine::Fjall), [$($case),*]);
        suite!(memory_engine, mem(), [$($case),*]);
    };
}

suites!(
    a_batch_is_seen_as_a_whole_and_the_last_write_of_a_key_counts,
    tables_do_not_see_each_other,
    scans_keep_to_prefix_bound_and_limit,
    committed_rows_are_there_after_opening_again,
    rows_of_every_size_up_to_the_limit,
    random_batches_act_like_a_map,
    long_keys_keep_their_order,
    fingerprints_tell_every_difference,
    readers_see_batches_as_a_whole_while_others_write,
);

fn put(rows: &[(Table, &[u8], &[u8])]) -> WriteBatch {
    let mut batch = WriteBatch::new();
    rows.iter().for_each(|(table, key, value)| batch.put(*table, key.to_vec(), value.to_vec()));
    batch
}

fn all(engine: &dyn KvBackend, table: Table) -> Vec<(Bytes, Bytes)> {
    engine.scan(table, Bound::Unbounded, b"", usize::MAX).unwrap()
}

fn a_batch_is_seen_as_a_whole_and_the_last_write_of_a_key_counts(bench: &mut dyn Bench) {
    let engine = bench.engine();
    let mut batch = put(&[(Table::Rows, b"a", b"1"), (Table::Rows, b"a", b"2"), (Table::Rows, b"b", b"")]);
    batch.delete(Table::Rows, &b"b"[..]);
    batch.put(Table::Rows, &b""[..], &b""[..]);
    batch.delete(Table::Rows, &b"never there"[..]);
    assert_eq!(batch.len(), 6);
    engine.commit(batch).unwrap();
    assert_eq!(engine.get(Table::Rows, b"a").unwrap(), Some(Bytes::from_static(b"2")));
    assert_eq!(engine.get(Table::Rows, b"b").unwrap(), None);
    assert_eq!(engine.get(Table::Rows, b"").unwrap(), Some(Bytes::new()), "an empty row is a row");
    engine.commit(WriteBatch::new()).unwrap();
    assert_eq!(engine.stats().commits, 2);
}

fn tables_do_not_see_each_other(bench: &mut dyn Bench) {
    let engine = bench.engine();
    for table in Table::ALL {
        let name = [table as u8];
        engine.commit(put(&[(table, b"k", &name), (table, &[0xff], &name), (table, b"", &name)])).unwrap();
    }
    for table in Table::ALL {
        let value = Bytes::copy_from_slice(&[table as u8]);
        assert_eq!(engine.get(table, b"k").unwrap().as_ref(), Some(&value));
        let keys = [&b""[..], b"k", &[0xff]].map(Bytes::from_static);
        assert_eq!(all(&*engine, table), keys.map(|key| (key, value.clone())));
    }
}

fn scans_keep_to_prefix_bound_and_limit(bench: &mut dyn Bench) {
    let engine = bench.engine();
    let keys: [&[u8]; 6] = [b"a", b"b", b"b\x00", b"b1", b"b\xff", b"c"];
    for key in keys {
        engine.commit(put(&[(Table::Local, key, b"v")])).unwrap();
    }
    let scan = |from: Bound<&[u8]>, prefix: &[u8], limit| {
        let rows = engine.scan(Table::Local, from, prefix, limit).unwrap();
        rows.into_iter().map(|(key, _)| key.to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(scan(Bound::Unbounded, b"", 99), keys);
    assert_eq!(scan(Bound::Unbounded, b"b", 99), keys[1..5]);
    assert_eq!(scan(Bound::Unbounded, b"b", 2), keys[1..3]);
    assert_eq!(scan(Bound::Unbounded, b"b", 0), keys[..0]);
    assert_eq!(scan(Bound::Included(b"b1"), b"b", 99), keys[3..5]);
    assert_eq!(scan(Bound::Excluded(b"b1"), b"b", 99), keys[4..5]);
    assert_eq!(scan(Bound::Excluded(b"b"), b"b", 99), keys[2..5]);
    assert_eq!(scan(Bound::Included(b"a"), b"b", 99), keys[1..5], "a bound before the prefix");
    assert_eq!(scan(Bound::Excluded(b"c"), b"b", 99), keys[..0], "a bound behind the prefix");
    assert_eq!(scan(Bound::Unbounded, b"x", 99), keys[..0]);
}

fn committed_rows_are_there_after_opening_again(bench: &mut dyn Bench) {
    bench.engine().commit(put(&[(Table::Meta, b"k", b"1"), (Table::Rows, b"gone", b"")])).unwrap();
    bench.engine().sync().unwrap();
    bench.reopen();
    let mut batch = put(&[(Table::Meta, b"k", b"2")]);
    batch.delete(Table::Rows, &b"gone"[..]);
    bench.engine().commit(batch).unwrap();
    bench.reopen();
    assert_eq!(bench.engine().get(Table::Meta, b"k").unwrap(), Some(Bytes::from_static(b"2")));
    assert_eq!(all(&*bench.engine(), Table::Rows), []);
}

fn rows_of_every_size_up_to_the_limit(bench: &mut dyn Bench) {
    let sizes = [0, 1, 100, 10_000, (1 << 20) + (8 << 10)];
    for (n, key) in sizes.into_iter().enumerate() {
        for value in sizes {
            let key = vec![n as u8; key];
            bench.engine().commit(put(&[(Table::Rows, &key, &vec![n as u8; value])])).unwrap();
            assert_eq!(bench.engine().get(Table::Rows, &key).unwrap(), Some(vec![n as u8; value].into()));
        }
    }
    let at_limit = vec![7; MAX_ROW - 1];
    bench.engine().commit(put(&[(Table::Rows, b"l", &at_limit)])).unwrap();
    bench.engine().sync().unwrap();
    bench.reopen();
    assert_eq!(bench.engine().get(Table::Rows, b"l").unwrap(), Some(at_limit.into()));
    assert_eq!(all(&*bench.engine(), Table::Rows).len(), sizes.len() + 1);

    let beyond = put(&[(Table::Rows, b"k", b"v"), (Table::Rows, b"l", &vec![0; MAX_ROW])]);
    let refused = bench.engine().commit(beyond);
    assert!(matches!(refused, Err(KvError::TooLarge { size, limit: MAX_ROW }) if size == MAX_ROW + 1));
    assert_eq!(bench.engine().get(Table::Rows, b"k").unwrap(), None, "nothing of a refused batch is there");
    bench.engine().commit(put(&[(Table::Rows, b"k", b"v")])).unwrap();
}

/// Engines that take short keys only must not show it.
fn long_keys_keep_their_order(bench: &mut dyn Bench) {
    let long = |len: usize, end: &[u8]| [&vec![b'x'; len][..], end].concat();
    let mut keys: Vec<Vec<u8>> = [59_998, 59_999, 60_000, 60_001, 200_000]
        .into_iter()
        .flat_map(|len| [&b""[..], b"\0", b"a", b"\xff", b"y"].map(|end| long(len, end)))
        .collect();
    keys.push(b"y".to_vec());
    // In an order that is not theirs, several to a batch, one of them written twice and one removed at once.
    for part in keys.iter().rev().collect::<Vec<_>>().chunks(4) {
        let mut batch = WriteBatch::new();
        for key in part {
            batch.put(Table::Rows, (*key).clone(), vec![0; 3]);
            batch.put(Table::Rows, (*key).clone(), (key.len() as u64).to_be_bytes().to_vec());
        }
        let short_lived = long(60_000, b"short-lived");
        batch.put(Table::Rows, short_lived.clone(), vec![1]);
        batch.delete(Table::Rows, short_lived);
        bench.engine().commit(batch).unwrap();
    }
    keys.sort();
    keys.dedup();
    let check = |engine: &dyn KvBackend, keys: &[Vec<u8>]| {
        let found: Vec<_> =
            all(engine, Table::Rows).into_iter().map(|(key, value)| (key.to_vec(), value)).collect();
        let want =
            keys.iter().map(|key| (key.clone(), Bytes::copy_from_slice(&(key.len() as u64).to_be_bytes())));
        assert!(found == want.collect::<Vec<_>>());
        for (at, key) in keys.iter().enumerate() {
            assert!(engine.get(Table::Rows, key).unwrap().is_some());
            let next = engine.scan(Table::Rows, Bound::Excluded(key), b"x", 1).unwrap();
            let want = keys.get(at + 1).filter(|next| next.starts_with(b"x"));
            assert!(next.first().map(|(key, _)| key.to_vec()).as_ref() == want);
            let this = engine.scan(Table::Rows, Bound::Included(key), b"", 1).unwrap();
            assert!(this[0].0 == *key);
        }
    };
    check(&*bench.engine(), &keys);
    bench.engine().sync().unwrap();
    bench.reopen();
    let mut batch = WriteBatch::new();
    let mut at = 0;
    keys.retain(|key| {
        at += 1;
        if at % 2 == 0 {
            batch.delete(Table::Rows, key.clone());
        }
        at % 2 == 1
    });
    batch.delete(Table::Rows, long(60_000, b"never there"));
    let new = long(60_000, b"new");
    batch.put(Table::Rows, new.clone(), (new.len() as u64).to_be_bytes().to_vec());
    bench.engine().commit(batch).unwrap();
    keys.push(new);
    keys.sort();
    check(&*bench.engine(), &keys);
    let mut batch = WriteBatch::new();
    keys.iter().for_each(|key| batch.delete(Table::Rows, key.clone()));
    bench.engine().commit(batch).unwrap();
    assert_eq!(all(&*bench.engine(), Table::Rows).len(), 0);
}

fn fingerprints_tell_every_difference(bench: &mut dyn Bench) {
    let mut seen = std::collections::BTreeSet::new();
    let engine = bench.engine();
    let mut look = || seen.insert(format!("{:?}", fingerprint(&*engine, |_| ()).unwrap()));
    assert!(look());
    let steps: [(Table, &[u8], &[u8]); 4] = [
        (Table::Rows, b"a", b"b"),
        (Table::Rows, b"", b"ab"),
        (Table::Local, b"a", b"b"),
        (Table::Rows, b"a", b""),
    ];
    for step in steps {
        engine.commit(put(&[step])).unwrap();
        assert!(look(), "{step:?}");
    }
    let found = fingerprint(&*engine, |_| ()).unwrap();
    assert_eq!(found.rows(), 3);
    let other = MemBackend::new();
    for table in Table::ALL {
        all(&*engine, table)
            .iter()
            .for_each(|(key, value)| other.commit(put(&[(table, key, value)])).unwrap());
    }
    assert_eq!(fingerprint(&other, |_| ()).unwrap(), found);
}

/// (table, key, value), where no value removes.
type Writes = Vec<(Table, Vec<u8>, Option<Vec<u8>>)>;

pub fn writes() -> impl Strategy<Value = Writes> {
    let table = prop::sample::select(Table::ALL.to_vec());
    let key = prop::collection::vec(prop::sample::select(vec![0, 1, 0xff]), 0..4);
    let value = prop::option::weighted(0.7, prop::collection::vec(any::<u8>(), 0..3));
    prop::collection::vec((table, key, value), 0..6)
}

pub fn batch(writes: &Writes) -> WriteBatch {
    let mut batch = WriteBatch::new();
    for (table, key, value) in writes.clone() {
        match value {
            Some(value) => batch.put(table, key, value),
            None => batch.delete(table, key),
        }
    }
    batch
}

pub type Model = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

pub fn play(model: &mut Model, writes: &Writes) {
    for (table, key, value) in writes.clone() {
        match value {
            Some(value) => drop(model.insert((table, key), value)),
            None => drop(model.remove(&(table, key))),
        }
    }
}

/// Everything an engine holds, as a model.
pub fn contents(engine: &dyn KvBackend) -> Model {
    let rows = Table::ALL.into_iter().flat_map(|table| {
        all(engine, table).into_iter().map(move |(key, value)| ((table, key.to_vec()), value.to_vec()))
    });
    rows.collect()
}

fn random_batches_act_like_a_map(bench: &mut dyn Bench) {
    let bench = Mutex::new(bench);
    let model = Mutex::new(Model::new());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(40));
    let steps = (prop::collection::vec(writes(), 0..8), any::<bool>());
    // One engine for all cases: each goes on where the one before ended.
    let ran = runner.run(&steps, |(steps, reopen)| {
        let (mut bench, mut model) = (bench.lock().unwrap(), model.lock().unwrap());
        for writes in &steps {
            bench.engine().commit(batch(writes)).unwrap();
            play(&mut model, writes);
            for (table, key, _) in writes {
                let value = bench.engine().get(*table, key).unwrap().map(|value| value.to_vec());
                prop_assert_eq!(value.as_ref(), model.get(&(*table, key.clone())));
            }
        }
        if reopen {
            bench.reopen();
        }
        prop_assert_eq!(&contents(&*bench.engine()), &*model);
        Ok(())
    });
    ran.unwrap();
}

fn readers_see_batches_as_a_whole_while_others_write(bench: &mut dyn Bench) {
    let engine = bench.engine();
    std::thread::scope(|scope| {
        for writer in 0u8..2 {
            let engine = engine.clone();
            scope.spawn(move || {
                for n in 0..100u8 {
                    // Deliberately far apart in key order.
                    let rows = [(Table::Meta, &[writer][..], &[n][..]), (Table::Origins, &[writer], &[n])];
                    engine.commit(put(&rows)).unwrap();
                }
            });
        }
        for _ in 0..100 {
            for writer in 0u8..2 {
                // Reads are not a snapshot, but what a batch wrote last cannot be older than what it wrote first
                // was when that was read before.
                let first = engine.get(Table::Meta, &[writer]).unwrap();
                let second = engine.get(Table::Origins, &[writer]).unwrap();
                assert!(first <= second, "{first:?} was there before {second:?}");
            }
        }
    });
    assert_eq!(engine.stats().commits, 200);
}
