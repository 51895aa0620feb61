//! What an operation takes on values of many sizes: `value_cost [largest set and map] [largest list]`.
//!
//! Writes, commits and reads single entries of sets, maps and lists of 10, 10,000 and so on up to the largest (1,000,000
//! and 100,000), on the default engine in the temporary folder, and prints the median time of each.

use std::time::{Duration, Instant};

use bytes::Bytes;
use numax_crdt::{ElementId, Key, NodeId};
use numax_replica::{Draft, IdSeed, Replica, ReplicaConfig};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Entries written in one batch while a value is filled.
const FILL: usize = 5000;
/// Operations measured of each kind.
const ROUNDS: usize = 500;

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<usize>());
    let mut number = |default| args.next().unwrap_or(Ok(default));
    let (largest, longest) = (number(1_000_000)?, number(100_000)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let dir = std::env::temp_dir().join(format!("numax-value-cost-{}", std::process::id()));
    let replica = Replica::open(ReplicaConfig::new(&dir, NodeId([1; 32])))?;
    let result = [10, 10_000, 1_000_000].into_iter().try_for_each(|size| {
        let mut world = World { replica: &replica, runtime: &runtime, size };
        if size <= largest {
            world.sets_and_maps()?;
        }
        world.size = size.min(longest);
        world.lists()
    });
    runtime.block_on(replica.shutdown())?;
    drop(replica);
    std::fs::remove_dir_all(dir)?;
    result
}

/// A datastore, and how large the values are.
struct World<'a> {
    replica: &'a Replica,
    runtime: &'a tokio::runtime::Runtime,
    size: usize,
}

fn entry(n: usize) -> Bytes {
    format!("{n:010}").into()
}

fn seed(random: usize) -> IdSeed {
    IdSeed { now_ms: 1_700_000_000_000, random: random as u64 }
}

impl World<'_> {
    fn turn<T>(&self, work: impl FnOnce(&mut Draft) -> Result<T, Failure>) -> Result<T, Failure> {
        let mut draft = Draft::new(self.replica.reader(), 1);
        draft.load_inline(true);
        let result = work(&mut draft)?;
        self.runtime.block_on(self.replica.commit(draft.take()))?;
        Ok(result)
    }

    /// Prints the median time of a turn that does one thing.
    fn measure(
        &self,
        what: &str,
        mut work: impl FnMut(&mut Draft, usize) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut times = Vec::with_capacity(ROUNDS);
        for round in 0..ROUNDS {
            // Somewhere in the value, and never the same place twice in a row.
            let at = round.wrapping_mul(7919) % self.size;
            let begin = Instant::now();
            self.turn(|draft| work(draft, at))?;
            times.push(begin.elapsed());
        }
        times.sort_unstable();
        let median = times.get(ROUNDS / 2).copied().unwrap_or(Duration::ZERO);
        println!("{:>9} entries  {what:14} {median:?}", self.size);
        Ok(())
    }

    fn sets_and_maps(&self) -> Result<(), Failure> {
        let (set, map) = (Key::new(format!("s{}", self.size))?, Key::new(format!("m{}", self.size))?);
        for from in (0..self.size).step_by(FILL) {
            self.turn(|draft| {
                for n in from..self.size.min(from + FILL) {
                    draft.set_add(&set, entry(n))?;
                    draft.map_set(&map, &entry(n), entry(n))?;
                }
                Ok(())
            })?;
        }
        self.measure("set add", |draft, at| Ok(draft.set_add(&set, entry(at))?))?;
        self.measure("set contains", |draft, at| Ok(draft.set_contains(&set, &entry(at)).map(|_| ())?))?;
        self.measure("set page", |draft, at| {
            Ok(draft.set_elements(&set, Some(&entry(at)), 10).map(|_| ())?)
        })?;
        self.measure("map set", |draft, at| Ok(draft.map_set(&map, &entry(at), entry(0))?))?;
        self.measure("map get", |draft, at| Ok(draft.map_get(&map, &entry(at)).map(|_| ())?))
    }

    fn lists(&self) -> Result<(), Failure> {
        let list = Key::new(format!("l{}", self.size))?;
        let mut ids: Vec<ElementId> = Vec::with_capacity(self.size);
        for from in (0..self.size).step_by(FILL) {
            self.turn(|draft| {
                for n in from..self.size.min(from + FILL) {
                    ids.push(draft.list_push(&list, entry(n), seed(n))?);
                }
                Ok(())
            })?;
        }
        let id = |at: usize| ids.get(at).copied();
        let mut made = self.size;
        self.measure("list insert", |draft, at| {
            made += 1;
            Ok(draft.list_insert(&list, id(at), entry(at), seed(made)).map(|_| ())?)
        })?;
        self.measure("list push", |draft, at| {
            made += 1;
            Ok(draft.list_push(&list, entry(at), seed(made)).map(|_| ())?)
        })?;
        self.measure("list page", |draft, at| Ok(draft.list_entries(&list, id(at), 10).map(|_| ())?))
    }
}
