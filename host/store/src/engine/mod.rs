//! The engines that hold rows on disk. Each is a flat, ordered map of bytes ([`raw::Raw`]); [`tables::Tables`] makes
//! tables of it, checks whose files they are, and keeps a failed engine from being written on.

mod files;
#[cfg(feature = "fjall")]
mod fjall;
mod header;
#[cfg(feature = "fjall")]
mod long_keys;
mod raw;
#[cfg(feature = "redb")]
mod redb;
mod sled;
mod tables;

use std::{path::Path, sync::Arc};

use crate::{
    kv::{KvBackend, KvError, Schemas},
    room::Room,
};

/// An engine to hold rows on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Engine {
    /// sled 0.34: a log-structured tree.
    #[default]
    Sled,
    /// redb 4: one file with a copy-on-write tree.
    Redb,
    /// fjall 3: a log-structured merge tree.
    Fjall,
}

impl Engine {
    /// All of them, also those that this program was built without.
    pub const ALL: [Self; 3] = [Self::Sled, Self::Redb, Self::Fjall];

    /// The word for it in settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sled => "sled",
            Self::Redb => "redb",
            Self::Fjall => "fjall",
        }
    }

    /// The engine with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|engine| engine.name() == name)
    }

    /// Whether an engine makes a file or directory of this name at the top of its directory.
    fn owns(self, name: &str) -> bool {
        match self {
            Self::Sled => matches!(name, "conf" | "db" | "blobs") || name.starts_with("snap."),
            Self::Redb => name == "rows.redb",
            Self::Fjall => {
                matches!(name, "version" | "lock" | "keyspaces" | "journals") || name.ends_with(".jnl")
            }
        }
    }
}

impl std::fmt::Display for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The engine whose files lie in a directory; none when it holds no whole database.
///
/// # Errors
/// [`KvError::Foreign`], [`KvError::Corrupt`]: the directory's mark cannot be understood. [`KvError::Io`].
pub fn engine_of(dir: &Path) -> Result<Option<Engine>, KvError> {
    files::marked(dir)
}

/// Opens the engine's files in `dir`, which is made when it is not there. Blocks.
///
/// # Errors
/// [`KvError::Foreign`], [`KvError::OtherEngine`], [`KvError::Schema`], [`KvError::Corrupt`], [`KvError::Locked`]: the
/// directory is not what this program can use, and holds what it held. [`KvError::Io`], [`KvError::NoSpace`]: the
/// system refused. [`KvError::NotBuilt`]: this program knows the engine by name only.
pub fn open(engine: Engine, dir: &Path) -> Result<Arc<dyn KvBackend>, KvError> {
    open_with(engine, dir, &Options::default())
}

/// How an engine is to be opened.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The disk is not to be filled beyond what this keeps free.
    pub room: Option<Arc<Room>>,
    /// The schemas that the tables must have, and get if they are new.
    pub schemas: Schemas,
}

/// The same as [`open`] with options. Blocks.
///
/// # Errors
/// As [`open`].
pub fn open_with(engine: Engine, dir: &Path, options: &Options) -> Result<Arc<dyn KvBackend>, KvError> {
    let deadline = std::time::Instant::now() + LOCK_PATIENCE;
    loop {
        match open_now(engine, dir, options) {
            Err(KvError::Locked { .. }) if std::time::Instant::now() < deadline => {
                std::thread::sleep(LOCK_PATIENCE / 20);
            }
            result => return result,
        }
    }
}

/// How long to wait for a lock that somebody holds. A child that was forked just now holds its parent's locks, also those
/// that the parent has let go, until it runs its own program.
pub const LOCK_PATIENCE: std::time::Duration = std::time::Duration::from_millis(200);

fn open_now(engine: Engine, dir: &Path, options: &Options) -> Result<Arc<dyn KvBackend>, KvError> {
    match engine {
        Engine::Sled => Ok(Arc::new(tables::Tables::<sled::Sled>::open(dir, options)?)),
        #[cfg(feature = "redb")]
        Engine::Redb => Ok(Arc::new(tables::Tables::<redb::Redb>::open(dir, options)?)),
        #[cfg(feature = "fjall")]
        Engine::Fjall => Ok(Arc::new(tables::Tables::<fjall::Fjall>::open(dir, options)?)),
        #[allow(unreachable_patterns, reason = "reached in builds without some engine")]
        other => Err(KvError::NotBuilt { engine: other.name() }),
    }
}
