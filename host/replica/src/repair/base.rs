//! Damaged rows from a snapshot of the same datastore and the log behind it, when the log alone does not reach back.
//!
//! Nothing is lost with that, so the epoch goes on. Whether a log leads on from given rows is found out by doing it: the
//! checksum of a record holds its position, and every batch must follow the one before, so another datastore's rows, or
//! those of a log that was begun anew since, do not get far. Then everything is as it was.

use std::{fs, path::Path};

use numax_crdt::Hlc;
use numax_store::Options;

use super::{
    Report, is_rows_damage, move_aside, open_core,
    plan::{self, Plan},
    run::read_rows,
    sync_dir,
};
use crate::{
    config::ReplicaConfig,
    core::Notes,
    error::OpenError,
    log,
    replica::files::{self, ROWS, failed},
};

/// Whether every row of a datastore that nobody has open can be read, and the log leads on from them. Blocks, long.
///
/// # Errors
/// When it is in use, another node's or a newer program's, or the system refuses.
pub fn rows_are_whole(config: &ReplicaConfig) -> Result<bool, OpenError> {
    let held = files::hold(&config.dir, config.reserve)?;
    config.core.schemas.check(&*held.disk)?;
    match read_rows(config, &mut Report::default()) {
        // An engine that dropped its end may be where the log no longer is.
        Ok(notes) => Ok(plan::plan(&log::survey(&*held.disk)?, Some(notes.position)) != Plan::BeginAnew),
        Err(error) if is_rows_damage(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Puts the engine in the directory `base`, closed and of the datastore's own kind, in the place of the rows, which are
/// kept aside, and lets the log lead on from there. `base` is gone then. Blocks, long.
///
/// # Errors
/// [`OpenError::RowsLost`] when the log does not lead on from `base`, and as [`Replica::open`](crate::Replica::open):
/// everything is where it was.
pub fn repair_from(config: &ReplicaConfig, base: &Path) -> Result<Report, OpenError> {
    let held = files::hold(&config.dir, config.reserve)?;
    let schemas = config.core.schemas;
    schemas.check(&*held.disk)?;
    let notes = {
        let options = Options { schemas: schemas.tables(schemas.last()), ..Options::default() };
        let engine = numax_store::open_with(config.engine, base, &options)?;
        Notes::load(&*engine, config.core.node)?
    };
    if notes.place.floor > Hlc::ZERO {
        // Which of what peers ask for stands in the log then is known to the rows only.
        let detail = "state was transferred to this datastore, which a snapshot does not tell".to_string();
        return Err(OpenError::RowsLost { detail });
    }
    let parts = log::survey(&*held.disk)?;
    let plan = plan::plan(&parts, Some(notes.position));
    if !matches!(plan, Plan::Whole | Plan::DropHistory) {
        let detail = format!("the log does not lead on whole from position {}", notes.position);
        return Err(OpenError::RowsLost { detail });
    }
    let rows = config.dir.join(ROWS);
    let aside = rows.exists().then(|| move_aside(&config.dir, ROWS)).transpose()?;
    fs::rename(base, &rows).map_err(failed("renaming", base))?;
    sync_dir(&config.dir)?;
    let closed = open_core(config, &held).and_then(|mut core| {
        core.close().map_err(|detail| OpenError::Io { what: "closing the datastore".to_string(), detail })
    });
    if let Err(error) = closed {
        // Whatever opening made of the base.
        fs::remove_dir_all(&rows).map_err(failed("removing", &rows))?;
        if let Some(aside) = &aside {
            fs::rename(aside, &rows).map_err(failed("renaming", aside))?;
        }
        sync_dir(&config.dir)?;
        return Err(error);
    }
    let from = notes.position;
    let kept = aside.map_or_else(String::new, |aside| format!("; the damaged ones are {}", aside.display()));
    Ok(Report {
        found: vec!["rows: damaged".to_string()],
        done: vec![format!("built the rows anew from a snapshot and the log from position {from} on{kept}")],
        ..Report::default()
    })
}
