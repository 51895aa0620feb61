//! A disk in memory that can be crashed: for tests and simulation.
//!
//! Files keep apart what is synced and what is not, and so do directories; directories themselves are durable at
//! once. A crash chooses among what a real disk could show: un-synced bytes are gone, there in part, or there with
//! holes of zeros where the system had not yet written a sector; un-synced names are as they were after some of the
//! changes, in order.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;

use super::{Disk, DiskError, DiskFile};
use crate::{Faults, Survives, fault::Fault, rng::Rng};

/// The unit in which a torn write is lost.
const SECTOR: usize = 512;

/// A disk in memory. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct MemDisk {
    faults: Faults,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Clone, Default)]
struct State {
    files: BTreeMap<u64, File>,
    next_file: u64,
    names: BTreeMap<String, u64>,
    dirs: BTreeSet<String>,
    durable_names: BTreeMap<String, u64>,
    /// Changes of names that are not synced, in order.
    pending: Vec<Change>,
}

/// A file's bytes. What is durable is `data[..base]` and then `old_tail`.
#[derive(Debug, Clone, Default)]
struct File {
    data: Vec<u8>,
    base: usize,
    /// Durable bytes that a truncation cut off and that the next sync forgets.
    old_tail: Vec<u8>,
    /// A sync failed: bytes from here on never become durable, unless they are cut off and appended again.
    doomed_from: Option<usize>,
}

#[derive(Debug, Clone)]
enum Change {
    Create(String, u64),
    Rename(String, String),
    Remove(String),
}

impl MemDisk {
    /// An empty disk without faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty disk with faults, which it may share with others.
    pub fn with_faults(faults: Faults) -> Self {
        Self { faults, ..Self::default() }
    }

    /// The faults, to plan them or to count operations.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Crashes the disk: this one has lost power from now on, with all its open files; the one that is returned is
    /// what is found after, and has no faults planned.
    #[must_use]
    pub fn crash(&self, survives: Survives) -> Self {
        self.faults.cut_power();
        let mut state = std::mem::take(&mut *self.state());
        if survives != Survives::Everything {
            state.lose(survives);
        }
        Self { faults: Faults::default(), state: Arc::new(Mutex::new(state)) }
    }

    /// A copy of the disk as it stands, without faults: an old backup or a clone, to be opened later.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        Self { faults: Faults::default(), state: Arc::new(Mutex::new(self.state().clone())) }
    }

    /// Flips one bit of a file at rest, in one of the files whose names begin with `prefix`: a seed is one choice. Where
    /// it is: name and offset; none when there are no bytes. Open handles see it, too.
    pub fn flip_bit(&self, prefix: &str, seed: u64) -> Option<(String, u64)> {
        let mut state = self.state();
        let State { names, files, .. } = &mut *state;
        let mut found: Vec<(&String, u64, usize)> = Vec::new();
        for (name, id) in names.range(prefix.to_owned()..).take_while(|(name, _)| name.starts_with(prefix)) {
            found.extend(files.get(id).map(|file| (name, *id, file.data.len())).filter(|(.., len)| *len > 0));
        }
        let mut rng = Rng::new(seed);
        // Every byte is as likely as any other.
        let mut at = rng.up_to(found.iter().map(|(.., len)| len).sum::<usize>().checked_sub(1)?);
        for (name, id, len) in found {
            if at < len {
                let byte = files.get_mut(&id).and_then(|file| file.data.get_mut(at))?;
                *byte ^= 1 << rng.up_to(7);
                return Some((name.clone(), at as u64));
            }
            at -= len;
        }
        None
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn alive(&self) -> Result<MutexGuard<'_, State>, DiskError> {
        if self.faults.power_lost() { Err(DiskError::PowerLost) } else { Ok(self.state()) }
    }

    /// Begins an operation that changes something and that, when power goes, did not happen.
    fn begin(&self) -> Result<MutexGuard<'_, State>, DiskError> {
        let state = self.alive()?;
        self.faults.begin().map_err(|_| DiskError::PowerLost)?;
        Ok(state)
    }

    fn handle(&self, id: u64, name: &str) -> Arc<dyn DiskFile> {
        Arc::new(MemFile { disk: self.clone(), id, name: name.to_owned() })
    }
}

impl State {
    /// Loses what a power cut loses.
    fn lose(&mut self, survives: Survives) {
        let mut rng = match survives {
            Survives::Chosen(seed) => Some(Rng::new(seed)),
            Survives::SyncedOnly | Survives::Everything => None,
        };
        let keep = rng.as_mut().map_or(0, |rng| rng.up_to(self.pending.len()));
        let changes: Vec<_> = self.pending.drain(..).take(keep).collect();
        changes.iter().for_each(|change| change.apply(&mut self.durable_names));
        self.names = self.durable_names.clone();
        let named: BTreeSet<u64> = self.names.values().copied().collect();
        self.files.retain(|id, _| named.contains(id));
        self.files.values_mut().for_each(|file| file.lose(rng.as_mut()));
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.pending.push(change);
    }
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<String, u64>) {
        match self {
            Self::Create(name, id) => drop(names.insert(name.clone(), *id)),
            Self::Rename(from, to) => {
                if let Some(id) = names.remove(from) {
                    names.insert(to.clone(), id);
                }
            }
            Self::Remove(name) => drop(names.remove(name)),
        }
    }

    /// Whether it changes names in a directory.
    fn touches(&self, dir: &str) -> bool {
        match self {
            Self::Create(name, _) | Self::Remove(name) => parent(name) == dir,
            Self::Rename(from, to) => parent(from) == dir || parent(to) == dir,
        }
    }
}

/// The directory of a name.
fn parent(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(dir, _)| dir)
}

impl File {
    fn truncate(&mut self, len: usize) {
        self.doomed_from = self.doomed_from.filter(|from| *from < len);
        if len < self.base {
            let mut cut = self.data.split_off(len);
            cut.truncate(self.base - len);
            cut.append(&mut self.old_tail);
            self.old_tail = cut;
            self.base = len;
        }
        self.data.resize(len, 0);
    }

    fn sync(&mut self) {
        if self.doomed_from.is_none() {
            self.base = self.data.len();
            self.old_tail.clear();
        }
    }

    /// Leaves what a power cut leaves; without choices that is what was synced.
    fn lose(&mut self, rng: Option<&mut Rng>) {
        // A truncation that is not synced may or may not have got to the disk.
        let choices = rng.and_then(|rng| (self.old_tail.is_empty() || rng.up_to(1) == 1).then_some(rng));
        match choices {
            Some(rng) => self.tear(rng),
            None => {
                self.data.truncate(self.base);
                self.data.append(&mut self.old_tail);
            }
        }
        *self = Self { base: self.data.len(), data: std::mem::take(&mut self.data), ..Self::default() };
    }

    /// Keeps some of the un-synced bytes.
    fn tear(&mut self, rng: &mut Rng) {
        let kept = rng.up_to(self.data.len().saturating_sub(self.base));
        self.data.truncate(self.base + kept);
        if rng.up_to(1) == 0 {
            return;
        }
        // The length got to the disk before some of the sectors.
        let mut start = self.base;
        while start < self.data.len() {
            let end = ((start / SECTOR + 1) * SECTOR).min(self.data.len());
            if rng.up_to(2) == 0 {
                self.data.get_mut(start..end).into_iter().for_each(|sector| sector.fill(0));
            }
            start = end;
        }
    }
}

fn not_found(name: &str) -> DiskError {
    DiskError::NotFound { name: name.to_owned() }
}

impl Disk for MemDisk {
    fn list(&self, dir: &str) -> Result<Vec<String>, DiskError> {
        let state = self.alive()?;
        let within = state.names.keys().filter(|name| parent(name) == dir);
        Ok(within.map(|name| name.rsplit('/').next().unwrap_or_default().to_owned()).collect())
    }

    fn create_dir(&self, dir: &str) -> Result<(), DiskError> {
        let mut state = self.begin()?;
        let ends = dir.match_indices('/').map(|(at, _)| at).chain([dir.len()]);
        state.dirs.extend(ends.filter_map(|end| dir.get(..end)).map(str::to_owned));
        Ok(())
    }

    fn create(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError> {
        let mut state = self.begin()?;
        if state.names.contains_key(name) {
            return Err(DiskError::Exists { name: name.to_owned() });
        }
        if !parent(name).is_empty() && !state.dirs.contains(parent(name)) {
            return Err(not_found(parent(name)));
        }
        let id = state.next_file;
        state.next_file += 1;
        state.files.insert(id, File::default());
        state.change(Change::Create(name.to_owned(), id));
        Ok(self.handle(id, name))
    }

    fn open_append(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError> {
        let id = self.alive()?.names.get(name).copied().ok_or_else(|| not_found(name))?;
        Ok(self.handle(id, name))
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        let mut state = self.begin()?;
        if !state.names.contains_key(from) {
            return Err(not_found(from));
        }
        state.change(Change::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        let mut state = self.begin()?;
        if !state.names.contains_key(name) {
            return Err(not_found(name));
        }
        state.change(Change::Remove(name.to_owned()));
        Ok(())
    }

    fn sync_dir(&self, dir: &str) -> Result<(), DiskError> {
        self.faults.wait_for_sync();
        let mut state = self.begin()?;
        if self.faults.sync_fails() {
            return Err(sync_failed(dir));
        }
        let State { pending, durable_names, .. } = &mut *state;
        for change in pending.extract_if(.., |change| change.touches(dir)) {
            change.apply(durable_names);
        }
        Ok(())
    }
}

fn sync_failed(name: &str) -> DiskError {
    DiskError::Io { what: format!("syncing {name}"), source: io::Error::other("planned fault") }
}

/// An open file of a disk in memory.
#[derive(Debug)]
struct MemFile {
    disk: MemDisk,
    id: u64,
    name: String,
}

impl MemFile {
    fn with<T>(&self, state: &mut State, act: impl FnOnce(&mut File) -> T) -> Result<T, DiskError> {
        state.files.get_mut(&self.id).map(act).ok_or_else(|| not_found(&self.name))
    }
}

impl DiskFile for MemFile {
    fn append(&self, bytes: &[u8]) -> Result<(), DiskError> {
        let mut state = self.disk.alive()?;
        let begun = self.disk.faults.begin();
        if begun == Err(Fault::PowerLost) {
            return Err(DiskError::PowerLost);
        }
        let fit = bytes.get(..self.disk.faults.take_space(bytes.len())).unwrap_or(bytes);
        let flip = self.disk.faults.flip(fit.len());
        self.with(&mut state, |file| {
            let start = file.data.len();
            file.data.extend_from_slice(fit);
            if let Some(bit) = flip
                && let Some(byte) = file.data.get_mut(start + bit / 8)
            {
                *byte ^= 1 << (bit % 8);
            }
        })?;
        // When power goes now, the system has the bytes but nobody was told: a crash may find them.
        begun.map_err(|_| DiskError::PowerLost)?;
        if fit.len() < bytes.len() {
            return Err(DiskError::NoSpace { what: format!("appending to {}", self.name) });
        }
        Ok(())
    }

    fn read_at(&self, offset: u64, len: usize) -> Result<Bytes, DiskError> {
        let mut state = self.disk.alive()?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        self.with(&mut state, |file| {
            let end = start.saturating_add(len).min(file.data.len());
            Bytes::copy_from_slice(file.data.get(start..end).unwrap_or_default())
        })
    }

    fn sync(&self) -> Result<(), DiskError> {
        self.disk.faults.wait_for_sync();
        let mut state = self.disk.begin()?;
        let fails = self.disk.faults.sync_fails();
        self.with(&mut state, |file| {
            if fails {
                file.doomed_from.get_or_insert(file.base);
            }
            file.sync();
        })?;
        if fails { Err(sync_failed(&self.name)) } else { Ok(()) }
    }

    fn truncate(&self, len: u64) -> Result<(), DiskError> {
        let mut state = self.disk.begin()?;
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        self.with(&mut state, |file| file.truncate(len))
    }

    fn len(&self) -> Result<u64, DiskError> {
        let mut state = self.disk.alive()?;
        self.with(&mut state, |file| file.data.len() as u64)
    }
}
