//! Room on the disk of a datastore.
//!
//! Every engine gives up for good when a write finds no space, in the background too, and then does not even read. So
//! writes stop **before** the disk is full: new batches below the [`Reserve`], rows on their way to the engine below
//! half of it. The half between is what the engine needs for rows that are in the log already, and for its own work on
//! them; once they are there, segments of the log can go and make room.
//!
//! Somebody else may fill the disk all the same. For that a file without content, the **ballast**, takes a quarter of
//! the reserve beforehand. It is given up when the datastore is opened on a disk that is nearly full, and when an engine
//! found no space: that is enough to open an engine again and to read from it. While it is gone, so much less is free
//! that no write gets through. It is made again when there is room.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::disk::fs::fallocate;

/// The ballast's name in the datastore's directory.
const BALLAST: &str = "ballast";
/// How long an answer of the system counts. At 1 GB/s another program writes 10 MB meanwhile, which the reserve has.
const FRESH: Duration = Duration::from_millis(10);

/// What is kept free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserve {
    /// Bytes below which no batches are taken. On small disks a sixteenth of them, if that is less.
    pub bytes: u64,
}

impl Default for Reserve {
    /// 64 MiB. Rows may go to the engine down to half of it: 32 MiB, which an engine may need to write the 16 MiB of a
    /// flush to its log and once more to its tables. By design and not by measurement.
    fn default() -> Self {
        Self { bytes: 64 << 20 }
    }
}

/// What a write is for: how far the disk may be filled with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// New batches.
    Batches,
    /// Rows of batches that the log holds.
    Rows,
}

/// There is too little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Low {
    /// Bytes that are free.
    pub free: u64,
    /// Bytes that have to be.
    pub kept: u64,
}

/// Watches how much is free on the disk of one datastore.
#[derive(Debug)]
pub struct Room {
    dir: PathBuf,
    reserve: Reserve,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The system's last answer, and when.
    asked: Option<(Instant, Space)>,
    ballast: bool,
}

/// What the system says of a disk, in bytes.
#[derive(Debug, Clone, Copy)]
struct Space {
    free: u64,
    total: u64,
}

impl Room {
    /// Watches the disk of the datastore in `dir`, which exists. Makes the ballast when there is room for it, and gives
    /// it up when the disk is nearly full, so that the datastore can be opened.
    #[must_use]
    pub fn watch(dir: &Path, reserve: Reserve) -> Self {
        let ballast = dir.join(BALLAST).exists();
        let room =
            Self { dir: dir.to_owned(), reserve, state: Mutex::new(State { ballast, ..State::default() }) };
        match room.check(Use::Batches, 0) {
            Ok(()) => room.restore_ballast(),
            Err(_) => room.give_up_ballast(),
        }
        room
    }

    /// Whether a write of so many bytes may go on, which takes up to twice that.
    ///
    /// # Errors
    /// [`Low`] when not. Where the system does not tell, it may.
    pub fn check(&self, what: Use, bytes: u64) -> Result<(), Low> {
        let mut state = self.state();
        let Some(space) = self.space(&mut state) else { return Ok(()) };
        let kept = match what {
            Use::Batches => self.kept(space),
            Use::Rows => self.kept(space) / 2,
        };
        let kept = kept.saturating_add(bytes.saturating_mul(2));
        if space.free < kept { Err(Low { free: space.free, kept }) } else { Ok(()) }
    }

    /// Whether so many bytes may be set aside for later: then nobody else can have them.
    pub(crate) fn has_spare(&self, bytes: u64) -> bool {
        let mut state = self.state();
        self.space(&mut state).is_none_or(|space| space.free / 2 > self.kept(space).saturating_add(bytes))
    }

    /// Gives up the ballast, so that an engine can be opened.
    pub(crate) fn give_up_ballast(&self) {
        let mut state = self.state();
        // That it cannot be removed shows in what comes next: there is no space.
        let _ = fs::remove_file(self.dir.join(BALLAST));
        *state = State::default();
    }

    /// Makes the ballast, when it is not there and there is room for it.
    pub(crate) fn restore_ballast(&self) {
        let mut state = self.state();
        if state.ballast {
            return;
        }
        let Some(space) = self.space(&mut state) else { return };
        let bytes = self.kept(space) / 4;
        if bytes == 0 || space.free < self.kept(space).saturating_add(2 * bytes) {
            return;
        }
        let path = self.dir.join(BALLAST);
        // Without one the datastore is not worse off than before.
        state.ballast = File::create(&path).and_then(|file| fallocate(&file, 0, bytes)).is_ok();
        if !state.ballast {
            let _ = fs::remove_file(&path);
        }
        state.asked = None;
    }

    fn kept(&self, space: Space) -> u64 {
        self.reserve.bytes.min(space.total / 16)
    }

    fn space(&self, state: &mut State) -> Option<Space> {
        match state.asked {
            Some((at, space)) if at.elapsed() < FRESH => Some(space),
            _ => {
                let space = space(&self.dir).ok()?;
                state.asked = Some((Instant::now(), space));
                Some(space)
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that are free on the file system of a path, for this user.
///
/// # Errors
/// The system's.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    space(path).map(|space| space.free)
}

/// Bytes that the file system of a path has in all.
pub(crate) fn total_bytes(path: &Path) -> io::Result<u64> {
    space(path).map(|space| space.total)
}

fn space(path: &Path) -> io::Result<Space> {
    loop {
        match rustix::fs::statvfs(path) {
            Ok(stat) => {
                let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
                return Ok(Space { free: bytes(stat.f_bavail), total: bytes(stat.f_blocks) });
            }
            Err(errno) if io::Error::from(errno).kind() == ErrorKind::Interrupted => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

impl std::fmt::Display for Low {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        write!(
            f,
            "the disk is nearly full: {:.1} MiB are free, and {:.1} MiB have to be",
            mib(self.free),
            mib(self.kept)
        )
    }
}
