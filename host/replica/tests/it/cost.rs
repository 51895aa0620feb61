//! What an operation costs does not depend on how much the value holds: rows asked of the engine and written to it,
//! without any cache, for sets and maps of 10, 10,000 and 1,000,000 entries and lists of 10, 10,000 and 100,000.
//! `examples/value_cost.rs` has times.

use std::{
    ops::Bound,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use bytes::Bytes;
use numax_crdt::{ElementId, Kind, codec::put_varint};
use numax_replica::{Core, CoreConfig, Draft, Durability, IdSeed, Request};
use numax_store::{KvBackend, KvError, KvStats, MemDisk, Table, WriteBatch, mem::MemBackend};

use crate::common::{NOW, config, facts, key};

/// An engine that counts the rows that it gives and takes.
#[derive(Default)]
struct Counting {
    engine: MemBackend,
    read: AtomicUsize,
    written: AtomicUsize,
}

impl KvBackend for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, KvError> {
        self.read.fetch_add(1, SeqCst);
        self.engine.get(table, key)
    }

    fn scan(
        &self,
        table: Table,
        from: Bound<&[u8]>,
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, KvError> {
        let found = self.engine.scan(table, from, prefix, limit)?;
        self.read.fetch_add(found.len() + 1, SeqCst);
        Ok(found)
    }

    fn commit(&self, batch: WriteBatch) -> Result<(), KvError> {
        self.written.fetch_add(batch.len(), SeqCst);
        self.engine.commit(batch)
    }

    fn sync(&self) -> Result<(), KvError> {
        self.engine.sync()
    }

    fn stats(&self) -> KvStats {
        self.engine.stats()
    }
}

struct World {
    core: Core,
    engine: Arc<Counting>,
    ids: Vec<ElementId>,
}

fn seed(random: usize) -> IdSeed {
    IdSeed { now_ms: NOW, random: random as u64 }
}

fn entry(n: usize) -> Bytes {
    format!("{n:08}").into()
}

impl World {
    /// A set and a map of so many entries each, and a list, all of them written in turns.
    fn new(size: usize, list: usize) -> Self {
        let engine = Arc::new(Counting::default());
        let config = CoreConfig { cache_rows: 0, ..config(1, Durability::Fsync) };
        let core = Core::open(config, Arc::new(MemDisk::new()), engine.clone(), &facts(), NOW).unwrap();
        let mut world = Self { core, engine, ids: Vec::new() };
        let mut ids = Vec::new();
        for from in (0..size.max(list)).step_by(3000) {
            world.run(&mut |draft| {
                for n in from..size.min(from + 3000) {
                    draft.set_add(&key("s"), entry(n)).unwrap();
                    draft.map_set(&key("m"), &entry(n), entry(n)).unwrap();
                }
                for n in from..list.min(from + 3000) {
                    ids.push(draft.list_push(&key("l"), entry(n), seed(n)).unwrap());
                }
            });
        }
        world.ids = ids;
        world
    }

    /// Makes a set and a map of `from` entries into ones of `to`, in the engine: the rows of an entry more are those of
    /// another entry under its own name.
    fn swell(self, from: usize, to: usize) -> Self {
        let like = entry(5);
        let place = |name: &[u8]| name.windows(like.len()).position(|part| part == like);
        let kinds = [Kind::OrSet, Kind::LwwMap].map(|kind| kind as u8);
        let all = self.engine.engine.scan(Table::Rows, Bound::Unbounded, &[], usize::MAX).unwrap();
        let rows: Vec<_> = all.iter().filter(|(name, _)| kinds.contains(&name[0])).collect();
        let models: Vec<_> = rows.iter().filter_map(|(name, row)| Some((name, place(name)?, row))).collect();
        let count = |entries: usize| {
            let mut head = Vec::new();
            put_varint(&mut head, entries as u64);
            Bytes::from(head)
        };
        let heads: Vec<_> = rows.iter().filter(|(_, row)| *row == count(from)).collect();
        assert_eq!((models.len(), heads.len()), (2, 2), "entries or sizes are stored in another way now");
        for first in (from..to).step_by(50_000) {
            let mut batch = WriteBatch::new();
            for n in first..to.min(first + 50_000) {
                for (name, place, row) in &models {
                    let mut name = name.to_vec();
                    name[*place..*place + like.len()].copy_from_slice(&entry(n));
                    batch.put(Table::Rows, Bytes::from(name), (*row).clone());
                }
            }
            self.engine.commit(batch).unwrap();
            self.engine.sync().unwrap();
        }
        let mut batch = WriteBatch::new();
        heads.iter().for_each(|(name, _)| batch.put(Table::Rows, name.clone(), count(to)));
        self.engine.commit(batch).unwrap();
        self.engine.sync().unwrap();
        let mut draft = Draft::new(self.core.reader(), 1);
        draft.load_inline(true);
        let size = to as u64;
        assert_eq!((draft.set_size(&key("s")).unwrap(), draft.map_size(&key("m")).unwrap()), (size, size));
        self
    }

    /// A turn, its commit, and its rows in the engine.
    fn run(&mut self, turn: &mut dyn FnMut(&mut Draft)) {
        let mut draft = Draft::new(self.core.reader(), 1);
        draft.load_inline(true);
        turn(&mut draft);
        let outcome = self.core.run_group(vec![Request::Commit(draft.take())], NOW);
        assert!(outcome.results[0].is_ok(), "{outcome:?}");
        self.core.flush(true).unwrap();
    }

    /// Rows read and written by a turn.
    fn cost(&mut self, turn: &mut dyn FnMut(&mut Draft)) -> (usize, usize) {
        self.engine.read.store(0, SeqCst);
        self.engine.written.store(0, SeqCst);
        self.run(turn);
        (self.engine.read.load(SeqCst), self.engine.written.load(SeqCst))
    }
}

/// What a turn is called, and what it does.
type Turn = (&'static str, Box<dyn FnMut(&mut Draft)>);

/// Turns of one operation each, in the middle of the value where there is one.
fn turns(size: usize, ids: &[ElementId]) -> Vec<Turn> {
    let mid = size / 2;
    let (new, old) = (Bytes::from(format!("{mid:08}x")), entry(mid - 1));
    let (at, before) = (ids[ids.len() / 2], ids[ids.len() / 2 - 1]);
    let turn = |name, turn: Box<dyn FnMut(&mut Draft)>| (name, turn);
    let (n1, n2, o1, o2, o3, o4) =
        (new.clone(), new.clone(), old.clone(), old.clone(), old.clone(), old.clone());
    vec![
        turn("set: add", Box::new(move |d| d.set_add(&key("s"), n1.clone()).unwrap())),
        turn("set: contains", Box::new(move |d| assert!(d.set_contains(&key("s"), &o1).unwrap()))),
        turn("set: remove", Box::new(move |d| d.set_remove(&key("s"), &o2).unwrap())),
        turn("set: size", Box::new(|d| _ = d.set_size(&key("s")).unwrap())),
        turn("set: page", Box::new(|d| _ = d.set_elements(&key("s"), None, 4).unwrap())),
        turn("map: set", Box::new(move |d| d.map_set(&key("m"), &n2, Bytes::new()).unwrap())),
        turn("map: get", Box::new(move |d| assert!(d.map_get(&key("m"), &o3).unwrap().is_some()))),
        turn("map: remove", Box::new(move |d| d.map_remove(&key("m"), &o4).unwrap())),
        turn("map: size", Box::new(|d| _ = d.map_size(&key("m")).unwrap())),
        turn("map: page", Box::new(|d| _ = d.map_entries(&key("m"), None, 4).unwrap())),
        turn("list: push", Box::new(|d| _ = d.list_push(&key("l"), Bytes::new(), seed(1)).unwrap())),
        turn(
            "list: insert",
            Box::new(move |d| _ = d.list_insert(&key("l"), Some(at), Bytes::new(), seed(2)).unwrap()),
        ),
        turn("list: head", Box::new(|d| _ = d.list_insert(&key("l"), None, Bytes::new(), seed(3)).unwrap())),
        turn("list: get", Box::new(move |d| assert!(d.list_get(&key("l"), before).unwrap().is_some()))),
        turn("list: remove", Box::new(move |d| d.list_remove(&key("l"), before).unwrap())),
        turn("list: size", Box::new(|d| _ = d.list_size(&key("l")).unwrap())),
        turn("list: page", Box::new(move |d| _ = d.list_entries(&key("l"), Some(at), 4).unwrap())),
    ]
}

/// The cost of each turn.
fn costs(mut world: World, size: usize) -> Vec<(&'static str, (usize, usize))> {
    let ids = world.ids.clone();
    turns(size, &ids).into_iter().map(|(name, mut turn)| (name, world.cost(&mut *turn))).collect()
}

#[test]
fn the_cost_of_an_operation_does_not_grow_with_the_value() {
    let few = costs(World::new(10, 10), 10);
    let many = costs(World::new(10_000, 10_000), 10_000);
    let most = costs(World::new(1000, 100_000).swell(1000, 1_000_000), 1_000_000);
    println!("rows read and written with 10 entries, with 10,000, and with 1,000,000 (lists: 100,000)");
    for ((name, few), ((_, many), (_, most))) in few.into_iter().zip(many.into_iter().zip(most)) {
        println!("{name:14} {few:?} {many:?} {most:?}");
        // A list's part of 64 elements is cut in two now and then, which says of at most 32 of them where they are.
        let (reads, writes) = if name.starts_with("list") { (12, 36) } else { (0, 0) };
        // A page is read in steps; a whole small value fits one.
        let page = if name.ends_with("page") { 20 } else { 0 };
        for large in [many, most] {
            assert!(large.0 <= few.0 + reads + page, "{name}: {few:?} and {large:?}");
            assert!(large.1 <= few.1 + writes, "{name}: {few:?} and {large:?}");
        }
    }
}
