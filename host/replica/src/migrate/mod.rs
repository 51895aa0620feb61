//! Another engine for a datastore's rows, or the next schema, while nobody has it open.
//!
//! The rows are copied, table by table in key order, into a second engine directory, `rows.new`; on the way each becomes
//! what the steps of the [chain](crate::schema) make of it. Each batch there says how far it is, in one more row, so a
//! copy that was cut short goes on where it was; if the datastore was written to meanwhile, it begins anew. When the
//! new directory holds exactly what the old one leads to, by number and SHA-256, the two change places in one step, and
//! the old one goes last. At every moment `rows` is a whole engine that fits the log.
//!
//! `meta.json` says the new schema last. Cut short before that, the datastore is refused by older programs for its
//! tables, and by this one with the word to migrate, which then has only that left to do.

mod copy;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use numax_store::{Engine, KvBackend, KvError, Options, Reserve, Table, open_with};
use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::Errno,
};

use crate::{
    error::OpenError,
    meta::Meta,
    repair::sync_dir,
    replica::files::{self, ROWS, engine_of, failed},
    schema::{Chain, PROGRAM, Step},
    snapshot::swap,
};
use copy::{Digest, copy, digest, found};

/// The engine that is being made.
const NEW: &str = "rows.new";
/// What is left of the old engine after the change.
const OLD: &str = "rows.old";

/// Where a migration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A copy that was cut short goes on in this table.
    Resumed(Table),
    /// So many rows were copied now.
    Copied(u64),
    /// So many rows of the engine were read again, to compare.
    Compared(Engine, u64),
    /// Something on the disk was changed: what. It may be cut short behind each of them.
    Stored(&'static str),
}

/// What a migration did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    /// The engine before, and now.
    pub engine: (Engine, Engine),
    /// The schema before, and now.
    pub schema: (u64, u64),
    /// How many rows there are now.
    pub rows: u64,
}

/// What a datastore is, without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Its engine.
    pub engine: Engine,
    /// Its schema.
    pub schema: u64,
    /// The program that had it open last; empty when it left no name.
    pub program: String,
    /// What the steps to the last schema change, one line each; none when it is up to date.
    pub steps: Vec<&'static str>,
}

/// What the datastore at `dir` is. Reads two small files.
///
/// # Errors
/// When there is none, or a newer program's.
pub fn state(dir: &Path, chain: Chain) -> Result<State, OpenError> {
    let nothing = || OpenError::NoDatastore { path: dir.display().to_string() };
    let engine = engine_of(dir)?.ok_or_else(nothing)?;
    let disk = numax_store::FsDisk::open(dir)?;
    let written = crate::meta::Written::load(&disk)?.ok_or_else(nothing)?;
    chain.check_known(&written)?;
    let steps = chain.after(written.schema).iter().map(|step| step.what).collect();
    Ok(State { engine, schema: written.schema, program: written.program, steps })
}

/// Brings the datastore at `dir` to the chain's last schema, and its rows to another engine if one is named; none when
/// there is nothing to do. Blocks, long.
///
/// May be cut short at any moment; called again, it goes on.
///
/// # Errors
/// When there is no datastore, it is in use, damaged, or of a newer program, or the disk is full: it is as it was then.
pub fn migrate(
    dir: &Path,
    chain: Chain,
    to: Option<Engine>,
    mut progress: impl FnMut(Progress),
) -> Result<Option<Migrated>, OpenError> {
    // Before anything is made there.
    state(dir, chain)?;
    let held = files::hold(dir, Reserve::default())?;
    settle_telling(dir, &mut progress)?;
    let State { engine: from, schema, .. } = state(dir, chain)?;
    let to = to.unwrap_or(from);
    let last = chain.last();
    let steps = chain.after(schema);
    let mut rows = 0;
    if from == to && steps.is_empty() {
        // The old engine, when the last migration was cut short right behind the change.
        remove(&dir.join(NEW))?;
        if schema == last {
            return Ok(None);
        }
    } else {
        let with = |schema| Options { schemas: chain.tables(schema), ..Options::default() };
        let (source, steps) = match files::open_engine(dir, from, &with(schema)) {
            // The rows are there already, when the last migration was cut short between the two.
            Err(OpenError::Store(KvError::Schema { .. })) => {
                (files::open_engine(dir, from, &with(last))?, &[][..])
            }
            opened => (opened?, steps),
        };
        if from != to || !steps.is_empty() {
            rows = rewrite(dir, (from, source), (to, &with(last)), steps, &mut progress)?;
        } else {
            // The old engine, if that was cut short right behind the change.
            remove(&dir.join(NEW))?;
        }
    }
    if schema != last {
        let mut meta = Meta::load(&*held.disk, chain)?.ok_or_else(|| OpenError::Foreign {
            path: dir.display().to_string(),
            detail: "meta.json is gone".to_string(),
        })?;
        meta.format = last;
        meta.program = PROGRAM.to_string();
        meta.store(&*held.disk)?;
        progress(Progress::Stored("the schema in meta.json"));
    }
    Ok(Some(Migrated { engine: (from, to), schema: (schema, last), rows }))
}

/// Where the rows that count lie, also when a change of places was cut short. Changes nothing.
pub(crate) fn rows(dir: &Path) -> PathBuf {
    let rows = swap::rows(dir);
    let new = dir.join(NEW);
    if !rows.exists() && dir.join(OLD).exists() && new.exists() { new } else { rows }
}

/// Writes the rows anew and puts them in their place; answers how many there are.
fn rewrite(
    dir: &Path,
    (from, source): (Engine, Arc<dyn KvBackend>),
    (to, options): (Engine, &Options),
    steps: &[Step],
    progress: &mut impl FnMut(Progress),
) -> Result<u64, OpenError> {
    let (target, after) = found(&dir.join(NEW), &*source, || open_with(to, &dir.join(NEW), options))?;
    progress(Progress::Stored("the new engine"));
    if let Some((table, _)) = &after {
        progress(Progress::Resumed(*table));
    }
    copy(&*source, &*target, steps, after, progress)?;
    let want = digest(&*source, steps, |rows| progress(Progress::Compared(from, rows)))?;
    let now: Digest = digest(&*target, &[], |rows| progress(Progress::Compared(to, rows)))?;
    drop((source, target));
    if want != now {
        remove(&dir.join(NEW))?;
        let detail = format!("the copy in {to} is not what the rows in {from} lead to; try again");
        return Err(OpenError::Corrupt { detail });
    }
    change_places(dir, progress)?;
    // It was read as a whole a moment ago; this is about its directory.
    drop(files::open_engine(dir, to, options)?);
    settle_telling(dir, progress)?;
    Ok(now.rows())
}

/// Finishes a change of places that was cut short, and removes what is left of an old engine.
pub(crate) fn settle(dir: &Path) -> Result<(), OpenError> {
    settle_telling(dir, &mut |_| ())
}

fn settle_telling(dir: &Path, progress: &mut impl FnMut(Progress)) -> Result<(), OpenError> {
    let [rows, new, old] = [ROWS, NEW, OLD].map(|name| dir.join(name));
    if !old.exists() {
        return Ok(());
    }
    if !rows.exists() && new.exists() {
        rename(&new, &rows)?;
        sync_dir(dir)?;
        progress(Progress::Stored("the new engine in its place"));
    }
    if rows.exists() {
        remove(&old)?;
        progress(Progress::Stored("the old engine, removed"));
    }
    Ok(())
}

/// `rows.new` becomes `rows`, and `rows` becomes `rows.old`.
fn change_places(dir: &Path, progress: &mut impl FnMut(Progress)) -> Result<(), OpenError> {
    let [rows, new, old] = [ROWS, NEW, OLD].map(|name| dir.join(name));
    remove(&old)?;
    match renameat_with(CWD, &rows, CWD, &new, RenameFlags::EXCHANGE) {
        Ok(()) => {
            progress(Progress::Stored("both engines, exchanged"));
            sync_dir(dir)?;
            rename(&new, &old)?;
        }
        // Not every file system can. Then a moment is without `rows`; whoever opens next puts it right.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            rename(&rows, &old)?;
            progress(Progress::Stored("the old engine, out of the way"));
            sync_dir(dir)?;
            rename(&new, &rows)?;
        }
        Err(error) => return Err(failed("renaming", &rows)(error.into())),
    }
    progress(Progress::Stored("the new engine in its place"));
    sync_dir(dir)
}

fn rename(from: &PathBuf, to: &PathBuf) -> Result<(), OpenError> {
    fs::rename(from, to).map_err(failed("renaming", from))
}

pub(super) fn remove(path: &Path) -> Result<(), OpenError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed("removing", path)(error)),
        _ => Ok(()),
    }
}
