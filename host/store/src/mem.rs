//! An engine in memory that can be crashed: for tests and simulation.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;

use crate::{
    Faults, Survives,
    fault::Fault,
    kv::{KvBackend, KvError, KvStats, Table, WriteBatch},
    rng::Rng,
};

type Name = (Table, Bytes);

/// Synced commits that damage may take back: as many as sled was seen to drop.
const HISTORY: usize = 32;

/// What damage at rest does to an engine, as real ones were seen to answer it. None serves a wrong value: all of them
/// check sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// Every call fails with [`KvError::Corrupt`].
    Everything,
    /// Reading this row does, and every scan across it. (An inner page of redb, a block of fjall.)
    Row(Table, Bytes),
    /// So many commits at the end are gone without a word, synced ones too. (sled takes damage for the end of its
    /// log.)
    GoesBack(usize),
}

/// Rows in memory. What was not synced can be undone commit by commit, which is what a crash does.
#[derive(Debug, Default)]
pub struct MemBackend {
    faults: Faults,
    state: Mutex<State>,
}

type Undo = Vec<(Name, Option<Bytes>)>;

#[derive(Debug, Default)]
struct State {
    rows: BTreeMap<Name, Bytes>,
    /// Per commit that is not synced, what it overwrote.
    undo: Vec<Undo>,
    /// The same of the last that are.
    history: VecDeque<Undo>,
    /// Rows that cannot be read.
    unreadable: BTreeSet<Name>,
    /// Nothing can be read.
    ruined: bool,
    /// A sync failed: no more writes, and what is in `undo` never becomes durable.
    failed: bool,
    stats: KvStats,
}

impl MemBackend {
    /// An empty engine without faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty engine with faults, which it may share with others.
    pub fn with_faults(faults: Faults) -> Self {
        Self { faults, ..Self::default() }
    }

    /// The same engine with faults that it shares with others: after a crash, with the disk beside it.
    #[must_use]
    pub fn sharing(self, faults: Faults) -> Self {
        Self { faults, ..self }
    }

    /// The faults, to plan them or to count operations.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Crashes the engine: this one is closed from now on; the one that is returned holds what is found on opening
    /// again, and has no faults planned.
    #[must_use]
    pub fn crash(&self, survives: Survives) -> Self {
        self.faults.cut_power();
        let mut state = std::mem::take(&mut *self.state());
        let keep = match survives {
            Survives::SyncedOnly => 0,
            Survives::Chosen(seed) => Rng::new(seed).up_to(state.undo.len()),
            Survives::Everything => state.undo.len(),
        };
        for undo in state.undo.drain(keep..).rev() {
            take_back(&mut state.rows, undo);
        }
        if survives != Survives::Everything {
            // After a power cut, what is there was read from the disk.
            state.settle();
        }
        let state = State { failed: false, stats: KvStats::default(), ..state };
        Self { faults: Faults::default(), state: Mutex::new(state) }
    }

    /// A copy of the engine as it stands, without faults: an old backup, to be opened later.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        let rows = self.state().rows.clone();
        Self { faults: Faults::default(), state: Mutex::new(State { rows, ..State::default() }) }
    }

    /// Damages what is there, between a crash and the next open: a seed is one choice. What was done; none when there is
    /// nothing to damage.
    pub fn damage(&self, seed: u64) -> Option<Damage> {
        let mut rng = Rng::new(seed);
        let mut state = self.state();
        let rows = state.rows.len().checked_sub(1)?;
        let damage = match rng.up_to(3) {
            0 => Damage::Everything,
            1 => Damage::GoesBack(1 + rng.up_to(HISTORY - 1)),
            _ => {
                let (table, key) = state.rows.keys().nth(rng.up_to(rows))?;
                Damage::Row(*table, key.clone())
            }
        };
        state.hurt(&damage);
        Some(damage)
    }

    /// Damages what is there in this way.
    pub fn hurt(&self, damage: &Damage) {
        self.state().hurt(damage);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn alive(&self) -> Result<MutexGuard<'_, State>, KvError> {
        if self.faults.power_lost() { Err(KvError::Closed) } else { Ok(self.state()) }
    }

    fn writable(&self) -> Result<MutexGuard<'_, State>, KvError> {
        let state = self.alive()?;
        if state.failed {
            return Err(KvError::ReadOnly { reason: "a sync failed".to_owned() });
        }
        if state.ruined {
            return Err(KvError::Corrupt { detail: "planned damage".to_owned() });
        }
        Ok(state)
    }
}

/// Sets a row and answers the one before.
fn replace(rows: &mut BTreeMap<Name, Bytes>, name: Name, value: Option<Bytes>) -> Option<Bytes> {
    match value {
        Some(value) => rows.insert(name, value),
        None => rows.remove(&name),
    }
}

/// Undoes a commit.
fn take_back(rows: &mut BTreeMap<Name, Bytes>, undo: Undo) {
    for (name, old) in undo.into_iter().rev() {
        replace(rows, name, old);
    }
}

impl KvBackend for MemBackend {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, KvError> {
        let state = self.alive()?;
        let name = (table, Bytes::copy_from_slice(key));
        state.readable(&name)?;
        Ok(state.rows.get(&name).cloned())
    }

    fn scan(
        &self,
        table: Table,
        from: Bound<&[u8]>,
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, KvError> {
        let name = |key: &[u8]| (table, Bytes::copy_from_slice(key));
        // The later of the two beginnings: the bound, and the prefix itself.
        let from = match from {
            Bound::Included(key) if key > prefix => Bound::Included(name(key)),
            Bound::Excluded(key) if key >= prefix => Bound::Excluded(name(key)),
            _ => Bound::Included(name(prefix)),
        };
        let state = self.alive()?;
        let found = state.rows.range((from, Bound::Unbounded));
        let found = found.take_while(|((found, key), _)| *found == table && key.starts_with(prefix));
        let found = found.take(limit);
        found.map(|(name, value)| state.readable(name).map(|()| (name.1.clone(), value.clone()))).collect()
    }

    fn commit(&self, batch: WriteBatch) -> Result<(), KvError> {
        batch.check()?;
        let mut state = self.writable()?;
        match self.faults.begin() {
            Ok(()) => {}
            // The batch got to the disk, and nobody was told: a crash may find it.
            Err(Fault::PowerGoes) => {
                state.apply(batch);
                return Err(KvError::Closed);
            }
            Err(Fault::PowerLost) => return Err(KvError::Closed),
        }
        let size = batch.size();
        if self.faults.take_space(size) < size {
            return Err(KvError::NoSpace { what: "writing the engine".to_owned() });
        }
        state.apply(batch);
        state.stats.commits += 1;
        Ok(())
    }

    fn sync(&self) -> Result<(), KvError> {
        self.faults.wait_for_sync();
        let mut state = self.writable()?;
        self.faults.begin().map_err(|_| KvError::Closed)?;
        if self.faults.sync_fails() {
            state.failed = true;
            let source = io::Error::other("planned fault");
            return Err(KvError::Io { what: "syncing the engine".to_owned(), source });
        }
        state.settle();
        state.stats.syncs += 1;
        Ok(())
    }

    fn stats(&self) -> KvStats {
        self.state().stats.clone()
    }
}

impl State {
    /// What is there survives a power cut.
    fn settle(&mut self) {
        self.history.extend(self.undo.drain(..));
        self.history.drain(..self.history.len().saturating_sub(HISTORY));
    }

    fn readable(&self, name: &Name) -> Result<(), KvError> {
        if self.ruined || self.unreadable.contains(name) {
            return Err(KvError::Corrupt { detail: "planned damage".to_owned() });
        }
        Ok(())
    }

    fn hurt(&mut self, damage: &Damage) {
        match damage {
            Damage::Everything => self.ruined = true,
            Damage::Row(table, key) => drop(self.unreadable.insert((*table, key.clone()))),
            Damage::GoesBack(commits) => {
                for _ in 0..*commits {
                    let Some(undo) = self.undo.pop().or_else(|| self.history.pop_back()) else { return };
                    take_back(&mut self.rows, undo);
                }
            }
        }
    }

    fn apply(&mut self, batch: WriteBatch) {
        let overwrite = |(table, key, value): (Table, Bytes, Option<Bytes>)| {
            let name = (table, key);
            self.unreadable.remove(&name);
            let old = replace(&mut self.rows, name.clone(), value);
            (name, old)
        };
        let undo = batch.into_writes().into_iter().map(overwrite).collect();
        self.undo.push(undo);
    }
}
