//! The sled engine: one tree, because only a batch on one tree is atomic in sled.
//!
//! What sled 0.34 does not do, and this file does:
//! - `flush` is no barrier against a power cut on Linux (it ends in `sync_file_range`, and values above an eighth of
//!   a megabyte go into files of their own that are never synced): [`Raw::sync`] syncs those files and then `db`,
//!   through handles of its own;
//! - all databases of a process share one lock inside sled, with which two of them, or a flush beside a batch, wait for
//!   each other for good: everything that takes it for writing, or waits while it holds it, takes turns ([`TURN`]).
//!
//! - when a write in the background fails, it does not wake who waits for it, neither in a flush nor in the end of a
//!   database ([`flush`] does); when the file of a large node cannot be written, those wait for ever. So nothing is begun
//!   without room for it, and after any failure sled is neither flushed nor ended before it is clear which of the two it
//!   was ([`Sled::is_stuck`]).
//! - it writes by itself, twice a second, to make room in its file: that is turned off. It makes as much of it while it
//!   is written, and then a failure has somebody who is told.
//! - what it has in memory goes to the disk later: so some room behind the end of its main file is always set aside in
//!   that file ([`Sled::set_aside`]), where others cannot take it.
//! - what has found no space once fails again and again, also in reads: [`look`] reads the files without sled.
//!
//! Sled takes damage for the end of its log, drops what follows and says nothing: rows then go back to an earlier
//! position, which the replica notices, because the position is a row, too.

mod bytes;
mod log;
mod look;

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs::{self, File},
    io::ErrorKind,
    ops::Bound,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use ::bytes::Bytes;

use super::{
    files::{io_failed, kv_io, sync_dir, sync_failed},
    raw::{Look, Raw, Writes},
};
use crate::{
    Engine,
    disk::fs::fallocate,
    kv::KvError,
    room::{Low, free_bytes, total_bytes},
};

/// Memory for sled's page cache. The replica caches rows itself; this is for pages on the way to and from the disk.
const CACHE_BYTES: u64 = 64 << 20;

/// Bytes that have to be free for a batch beside twice its own: some of sled's segments of 512 KiB, which it writes anew as
/// it goes.
const ROOM: u64 = 4 << 20;
/// Bytes behind the end of the main file that are its own already: two segments that are on their way to the disk, and
/// some that sled moves rows to.
const ASIDE: u64 = 4 << 20;
/// With less than this free, nodes that a batch has made too large or too small are mended with it. Else whoever reads
/// them next does it, perhaps while there is no room for it, and beside a flush.
const NEAR: u64 = 1 << 30;
/// When a flush has taken so long, somebody looks whether it still goes on.
const LOOK_AFTER: Duration = Duration::from_secs(1);
/// How often one looks, on a full disk, before it is given up.
const MAX_LOOKS: u32 = 5;
/// The row that is written to look: among the rows about the rows, where no table is.
const LOOK: &[u8] = b"\xff\xfflook";

/// Whoever holds this may apply a batch, flush, open or close a database. A flush and the end of a database hold sled's
/// process-wide lock shared while they wait for that database's own flusher, which wants it shared, too; a batch wants
/// it alone, and the lock lets no reader pass a waiting writer. Reads wait for nobody and need no turn.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An open sled database.
pub(super) struct Sled {
    /// Only the end of this takes it out, in its turn.
    db: Option<sled::Db>,
    dir: PathBuf,
    /// Our own handle of sled's main file: syncing acts on the file, whoever wrote to it.
    main_file: File,
    /// How long the main file was when room was last set aside in it.
    aside: AtomicU64,
    /// Files of large values that are synced already.
    synced_blobs: Mutex<BTreeSet<OsString>>,
    /// Something failed.
    failed: AtomicBool,
    /// Whoever waits for sled waits for good.
    stuck: AtomicBool,
}

impl Sled {
    /// Calls sled and turns its errors into ours.
    fn call<T>(&self, act: impl FnOnce(&sled::Db) -> Result<T, sled::Error>) -> Result<T, KvError> {
        let db = self.db.as_ref().ok_or(KvError::Closed)?;
        act(db).map_err(|error| failed(&self.dir, error)).inspect_err(|error| {
            if matches!(error, KvError::NoSpace { .. } | KvError::Io { .. }) {
                self.failed.store(true, Ordering::Release);
            }
        })
    }

    fn with(dir: &Path) -> Result<Self, KvError> {
        let config = sled::Config::new().path(dir).cache_capacity(CACHE_BYTES).flush_every_ms(None);
        remove_unfinished(dir)?;
        let _ = fs::remove_file(copy_of_main(dir));
        let db = {
            let _turn = turn();
            config.open().map_err(|error| failed(dir, error))?
        };
        let main_path = dir.join("db");
        let main_file = File::options().read(true).write(true).open(&main_path);
        Ok(Self {
            db: Some(db),
            dir: dir.to_owned(),
            main_file: main_file.map_err(io_failed("opening", &main_path))?,
            aside: AtomicU64::new(u64::MAX),
            synced_blobs: Mutex::default(),
            failed: AtomicBool::new(false),
            stuck: AtomicBool::new(false),
        })
    }

    /// Flushes, or finds out that sled will not come back from it.
    fn flush(&self, db: &sled::Db) -> Result<(), KvError> {
        let _turn = turn();
        match flush(&self.dir, db, &self.failed) {
            Some(result) => result.map(drop).map_err(|error| failed(&self.dir, error)),
            None => {
                self.stuck.store(true, Ordering::Release);
                Err(KvError::ReadOnly {
                    reason: "the engine waits for ever, since the disk was full".to_owned(),
                })
            }
        }
    }

    /// Whether who waits for it waits for good. After the failure of a large node's file sled goes on as if nothing had
    /// happened, except for what waits; after any other it answers that one again and again.
    fn is_stuck(&self) -> bool {
        if self.failed.load(Ordering::Acquire) && self.call(|db| db.insert(LOOK, &[])).is_ok() {
            self.stuck.store(true, Ordering::Release);
        }
        self.stuck.load(Ordering::Acquire)
    }

    /// Ends it. Whether its files are free then.
    fn end(&mut self) -> bool {
        let stuck = self.is_stuck();
        let Some(db) = self.db.take() else { return true };
        // It flushes once more, and of what failed it knows then.
        if stuck || self.flush(&db).is_err() && self.stuck.load(Ordering::Acquire) {
            // Its files stay locked until the process ends.
            std::mem::forget(db);
            return false;
        }
        let _turn = turn();
        // With a broken disk it panics.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(db)));
        true
    }

    fn check(&self) -> Result<(), KvError> {
        if self.failed.load(Ordering::Acquire) {
            // The error is told again, if it can be.
            self.call(|db| db.insert(LOOK, &[]))?;
            return Err(KvError::NoSpace { what: format!("using the datastore in {}", self.dir.display()) });
        }
        Ok(())
    }

    /// Sets room aside behind the end of the main file, if that has moved. Without it sled is not worse off than others.
    fn set_aside(&self) {
        let Ok(len) = self.main_file.metadata().map(|data| data.len()) else { return };
        if self.aside.swap(len, Ordering::AcqRel) == len {
            return;
        }
        let aside = ASIDE.min(total_bytes(&self.dir).unwrap_or(0) / 32);
        if aside > 0 {
            let _ = fallocate(&self.main_file, len, aside);
        }
    }

    /// Syncs files of large values that are new since the last call.
    fn sync_blobs(&self) -> Result<(), KvError> {
        let dir = self.dir.join("blobs");
        let mut synced = self.synced_blobs.lock().unwrap_or_else(PoisonError::into_inner);
        let mut present = BTreeSet::new();
        let entries = fs::read_dir(&dir).map_err(io_failed("listing", &dir))?;
        for entry in entries {
            let entry = entry.map_err(io_failed("listing", &dir))?;
            let name = entry.file_name();
            if !synced.contains(&name) {
                match File::open(entry.path()).and_then(|blob| blob.sync_all()) {
                    // Sled may remove files while this runs; then nothing refers to them any more.
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    result => result.map_err(sync_failed("syncing", &entry.path()))?,
                }
            }
            present.insert(name);
        }
        if !present.is_subset(&synced) {
            sync_dir(&dir)?;
        }
        *synced = present;
        Ok(())
    }
}

impl Drop for Sled {
    fn drop(&mut self) {
        self.end();
    }
}

impl Look for Sled {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, KvError> {
        Ok(self.call(|db| db.get(key))?.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn scan(&self, from: Bound<Vec<u8>>, visit: &mut dyn FnMut(&[u8], Bytes) -> bool) -> Result<(), KvError> {
        self.call(|db| {
            for row in db.range((from, Bound::<Vec<u8>>::Unbounded)) {
                let (key, value) = row?;
                if !visit(&key, Bytes::copy_from_slice(&value)) {
                    break;
                }
            }
            Ok(())
        })
    }
}

impl Raw for Sled {
    const ENGINE: Engine = Engine::Sled;
    const CAN_FREE: bool = true;

    fn open(dir: &Path) -> Result<Self, KvError> {
        Self::with(dir)
    }

    fn look(dir: &Path) -> Option<Result<Box<dyn Look>, KvError>> {
        Some(look::Files::open(dir).map(|files| Box::new(files) as Box<dyn Look>))
    }

    /// Puts a copy of the main file in its place, which nobody has locked. Whoever has the other one does nothing any
    /// more.
    fn free_files(dir: &Path) -> Result<File, KvError> {
        let (path, copy) = (dir.join("db"), copy_of_main(dir));
        let old = File::options().write(true).open(&path).map_err(io_failed("opening", &path))?;
        let copied = fs::copy(&path, &copy).and_then(|_| File::open(&copy)?.sync_all());
        let moved = copied.and_then(|()| fs::rename(&copy, &path));
        moved.inspect_err(|_| drop(fs::remove_file(&copy))).map_err(io_failed("copying", &path))?;
        sync_dir(dir)?;
        Ok(old)
    }

    /// Also sled's own small files, and the names of all.
    fn establish(&self) -> Result<(), KvError> {
        let conf = self.dir.join("conf");
        File::open(&conf).and_then(|file| file.sync_all()).map_err(sync_failed("syncing", &conf))?;
        self.sync()?;
        sync_dir(&self.dir)
    }

    fn apply(&self, writes: Writes) -> Result<(), KvError> {
        self.check()?;
        let bytes = writes.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, Bytes::len));
        let kept = ROOM + 2 * bytes.sum::<usize>() as u64;
        let free = free_bytes(&self.dir).unwrap_or(u64::MAX);
        if free < kept {
            return Err(KvError::Low { low: Low { free, kept }, path: self.dir.display().to_string() });
        }
        self.set_aside();
        let settled =
            if free < NEAR { writes.iter().map(|(key, _)| key.clone()).collect() } else { Vec::new() };
        let mut batch = sled::Batch::default();
        for (key, value) in writes {
            match value {
                Some(value) => batch.insert(key, &value[..]),
                None => batch.remove(key),
            }
        }
        self.call(|db| {
            let _turn = turn();
            db.apply_batch(batch)?;
            settled.iter().try_for_each(|key| db.get(key).map(drop))
        })
    }

    fn close(mut self) -> bool {
        self.end()
    }

    fn sync(&self) -> Result<(), KvError> {
        self.check()?;
        self.flush(self.db.as_ref().ok_or(KvError::Closed)?)?;
        // Large values first: `db` must not name files that a power cut could still take away.
        self.sync_blobs()?;
        self.main_file.sync_all().map_err(sync_failed("syncing", &self.dir.join("db")))
    }

    fn disk_bytes(&self) -> u64 {
        self.call(|db| db.size_on_disk()).unwrap_or(0)
    }
}

/// Flushes, in one's turn. When it takes long, a row is written to look whether it still goes on: if a write in the
/// background has failed, that one is told so and wakes the flush. None when it does not end, although the disk was full
/// or something failed meanwhile: then it never will.
fn flush(dir: &Path, db: &sled::Db, failed: &AtomicBool) -> Option<Result<usize, sled::Error>> {
    let (done, wait) = mpsc::channel();
    let flushing = db.clone();
    let flush = move || {
        let result = flushing.flush();
        // The database ends elsewhere, in its turn.
        drop(flushing);
        let _ = done.send(result);
    };
    if thread::Builder::new().name("numax-sled".to_string()).spawn(flush).is_err() {
        return Some(db.flush());
    }
    let (mut looks, mut full) = (0, false);
    loop {
        match wait.recv_timeout(LOOK_AFTER) {
            Ok(result) => return Some(result),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {
                full |= failed.load(Ordering::Acquire) || free_bytes(dir).is_ok_and(|free| free < ROOM);
                looks += u32::from(full);
                if looks > MAX_LOOKS {
                    return None;
                }
                if full {
                    let _ = db.insert(LOOK, &[]);
                }
            }
        }
    }
}

/// Where a copy of the main file is made: beside the directory, where nobody takes it for sled's.
fn copy_of_main(dir: &Path) -> PathBuf {
    dir.with_extension("copy")
}

/// Removes snapshots that were not finished, for want of space: sled would take the newest for damaged.
fn remove_unfinished(dir: &Path) -> Result<(), KvError> {
    for entry in fs::read_dir(dir).map_err(io_failed("listing", dir))? {
        let path = entry.map_err(io_failed("listing", dir))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(log::UNFINISHED) {
            fs::remove_file(&path).map_err(io_failed("removing", &path))?;
        }
    }
    Ok(())
}

fn failed(dir: &Path, error: sled::Error) -> KvError {
    let path = dir.display().to_string();
    match error {
        // Sled tells a held lock only by its text.
        sled::Error::Io(source) if source.to_string().contains("could not acquire lock") => {
            KvError::Locked { path }
        }
        sled::Error::Io(source) => kv_io(format!("using the datastore in {path}"), source),
        sled::Error::CollectionNotFound(_) => KvError::Closed,
        sled::Error::Unsupported(text) | sled::Error::ReportableBug(text) => {
            KvError::Corrupt { detail: format!("{path}: {text}") }
        }
        sled::Error::Corruption { at, .. } => {
            KvError::Corrupt { detail: at.map_or_else(|| path.clone(), |at| format!("{path}, at {at:?}")) }
        }
    }
}
