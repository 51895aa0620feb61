//! The datastore's directory: its lock, and what the machine says about itself.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use numax_store::{Disk, Engine, FsDisk, KvBackend, KvError, LOCK_PATIENCE, Options, Reserve, Room};
use rand::{TryRng, rngs::SysRng};
use rustix::fs::{FlockOperation, flock};

use crate::{error::OpenError, log, meta::HostFacts, snapshot::swap};

/// The engine's directory.
pub(crate) const ROWS: &str = "rows";

/// A datastore's directory, held so that nobody else opens it.
pub(crate) struct Held {
    pub disk: Arc<dyn Disk>,
    pub facts: HostFacts,
    /// What is kept free on the disk.
    pub room: Arc<Room>,
    /// Kept as long as the datastore is open.
    pub lock: File,
}

/// Makes the directory if there is none, takes its lock, and finishes a restore that was cut short.
pub(crate) fn hold(dir: &Path, reserve: Reserve) -> Result<Held, OpenError> {
    let DirLock(lock) = lock(dir)?;
    swap::settle(dir)?;
    // Before anything is written: the disk may be full.
    let room = Arc::new(Room::watch(dir, reserve));
    let log_dir = dir.join(log::DIR);
    fs::create_dir_all(&log_dir).map_err(failed("creating", &log_dir))?;
    let disk = Arc::new(FsDisk::within(dir, room.clone())?);
    Ok(Held { disk, facts: facts(&log_dir)?, room, lock })
}

/// Opens a datastore's engine.
pub(crate) fn open_engine(
    dir: &Path,
    engine: Engine,
    options: &Options,
) -> Result<Arc<dyn KvBackend>, OpenError> {
    numax_store::open_with(engine, &dir.join(ROWS), options).map_err(|error| match error {
        KvError::Locked { path } => OpenError::Locked { path },
        other => OpenError::Store(other),
    })
}

/// The engine that a datastore was made with; none when it is new, or so damaged that nobody can tell: then its rows are built
/// anew.
///
/// # Errors
/// When the engine's directory is not ours, or cannot be read.
pub fn engine_of(dir: &Path) -> Result<Option<Engine>, OpenError> {
    match numax_store::engine_of(&swap::rows(dir)) {
        Err(KvError::Corrupt { .. }) => Ok(None),
        known => Ok(known?),
    }
}

/// The lock of a datastore's directory: as long as it is held, nobody else opens or changes the datastore.
#[derive(Debug)]
pub struct DirLock(File);

/// Takes the lock of a datastore that is not open, for tools; the directory is made when it is not there. The system
/// releases it with the process, however that ends.
///
/// # Errors
/// [`OpenError::Locked`] when another process has it, [`OpenError::Io`].
pub fn lock(dir: &Path) -> Result<DirLock, OpenError> {
    fs::create_dir_all(dir).map_err(failed("creating", dir))?;
    let path = dir.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(failed("opening", &path))?;
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(DirLock(file)),
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < deadline => {
                std::thread::sleep(LOCK_PATIENCE / 20);
            }
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(OpenError::Locked { path: dir.display().to_string() });
            }
            Err(error) => return Err(failed("locking", &path)(error.into())),
        }
    }
}

/// What the machine says of itself and of a datastore's log.
pub(crate) fn facts(log_dir: &Path) -> Result<HostFacts, OpenError> {
    let nonce = SysRng.try_next_u64().map_err(|error| OpenError::Io {
        what: "drawing a random number".to_string(),
        detail: error.to_string(),
    })?;
    // Where the system tells no boot id, every start looks like one after a power cut: that costs an epoch, not data.
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_or_else(|_| format!("unknown-{nonce:016x}"), |id| id.trim().to_string());
    let data = fs::metadata(log_dir).map_err(failed("reading", log_dir))?;
    // The inode tells a copy; the time of birth tells one that was given the inode of a directory removed before.
    let born =
        data.created().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map_or(0, |at| at.as_nanos());
    Ok(HostFacts { boot_id, disk_id: format!("{:x}-{born:x}", data.ino()), nonce })
}

pub(crate) fn failed(what: &str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let what = format!("{what} {}", path.display());
    move |error| OpenError::Io { what, detail: error.to_string() }
}

/// Unix time in milliseconds; 0 before 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
