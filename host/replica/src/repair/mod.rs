//! A datastore whose files are damaged.
//!
//! **Rows** are an index of the log. Damaged ones are noticed when the engine is opened, when its notes are read, and
//! when they do not fit the log; the engine's directory is then moved aside (`rows.damaged-1`, and so on) and the rows
//! are built anew from the log. That loses nothing, so it happens at every open, without asking. It needs a log that
//! reaches back to the beginning, or rows to begin with: those of a snapshot of this datastore, from which the log leads
//! on ([`repair_from`]).
//!
//! **The log** is the truth, and what is damaged there may be lost. [`repair`] looks at all of it, says what it finds,
//! and where something may be lost that no peer has, does nothing until it is told to go on. What is taken out of the log
//! is kept in `log.damaged-1`, and so on. Then the datastore goes on in a new epoch, and peers bring back what they have,
//! batches of this node included.

mod base;
mod plan;
mod rows;
mod run;
mod trust;

use std::{
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use numax_store::{KvError, Options};

pub use base::{repair_from, rows_are_whole};
pub use run::{Report, repair};
pub use trust::{lift_quarantine, new_epoch};

use crate::{
    config::ReplicaConfig,
    core::Core,
    error::OpenError,
    migrate,
    replica::files::{self, Held, ROWS, failed},
};

/// Opens the datastore's core; rows that are damaged are built anew if the log reaches back to the beginning.
pub(crate) fn open_core(config: &ReplicaConfig, held: &Held) -> Result<Core, OpenError> {
    migrate::settle(&config.dir)?;
    let none = numax_store::engine_of(&migrate::rows(&config.dir)).is_ok_and(|engine| engine.is_none());
    let facts = config.given.as_ref().map_or(&held.facts, |given| &given.facts);
    let open = || {
        let schemas = config.core.schemas;
        // Before the engine, which does not know who wrote its tables.
        schemas.check(&*held.disk)?;
        let options = Options { room: Some(held.room.clone()), schemas: schemas.tables(schemas.last()) };
        let engine = files::open_engine(&config.dir, config.engine, &options)?;
        Core::open(config.core.clone(), held.disk.clone(), engine, facts, config.now_ms())
    };
    let core = match open() {
        Err(error) if is_rows_damage(&error) => {
            rebuild(config, held, &error)?;
            open()
        }
        opened => opened,
    }?;
    if none && core.vector().iter().next().is_some() {
        tracing::warn!("the datastore had no rows; they were built anew from the log");
    }
    Ok(core)
}

/// Whether an error says that the rows are damaged, and not that they are somebody else's.
fn is_rows_damage(error: &OpenError) -> bool {
    match error {
        OpenError::Corrupt { .. } | OpenError::Store(KvError::Corrupt { .. }) => true,
        // A file of the engine's is not there, or one that it is about to make is.
        OpenError::Store(KvError::Io { source, .. }) => matches!(
            source.kind(),
            ErrorKind::NotFound
                | ErrorKind::AlreadyExists
                // One that is empty cannot be mapped.
                | ErrorKind::InvalidInput
                | ErrorKind::NotADirectory
                | ErrorKind::IsADirectory
        ),
        _ => false,
    }
}

/// Moves the rows aside; the next open builds them anew from the log.
fn rebuild(config: &ReplicaConfig, held: &Held, reason: &OpenError) -> Result<(), OpenError> {
    if !plan::reaches_back(&*held.disk)? {
        return Err(OpenError::RowsLost { detail: reason.to_string() });
    }
    let aside = move_aside(&config.dir, ROWS)?;
    tracing::warn!(
        reason = %reason,
        aside = %aside.display(),
        "the rows are damaged; they are built anew from the log, and the damaged files are kept"
    );
    Ok(())
}

/// Renames a file or directory of the datastore to the first free `NAME.damaged-N`.
fn move_aside(dir: &Path, name: &str) -> Result<PathBuf, OpenError> {
    let from = dir.join(name);
    let aside = free_name(dir, name);
    fs::rename(&from, &aside).map_err(failed("renaming", &from))?;
    sync_dir(dir)?;
    Ok(aside)
}

/// The first `NAME.damaged-N` that is not there.
fn free_name(dir: &Path, name: &str) -> PathBuf {
    let mut number = 1_u64;
    loop {
        let aside = dir.join(format!("{name}.damaged-{number}"));
        if !aside.exists() {
            return aside;
        }
        number += 1;
    }
}

pub(crate) fn sync_dir(dir: &Path) -> Result<(), OpenError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("syncing the directory", dir))
}
