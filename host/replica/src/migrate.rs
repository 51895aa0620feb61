//! Another engine for a datastore's rows, while nobody has it open.
//!
//! The rows are copied, table by table in key order, into a second engine directory, `rows.new`. Each batch there says
//! how far it is, in one more row, so a copy that was cut short goes on where it was; if the datastore was written to
//! meanwhile, it begins anew. When both directories hold the same rows, by number and SHA-256, the two change places in
//! one step, and the old one goes last. At every moment `rows` is a whole engine that fits the log.

use std::{
    fs,
    ops::Bound,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use numax_store::{Engine, Fingerprint, KvBackend, KvError, Table, WriteBatch, fingerprint, for_each_row};
use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::Errno,
};

use crate::{
    error::OpenError,
    repair::sync_dir,
    replica::files::{self, ROWS, engine_of, failed},
    snapshot::swap,
};

/// The engine that is being made.
const NEW: &str = "rows.new";
/// What is left of the old engine after the change.
const OLD: &str = "rows.old";
/// The row of the new engine that says how far the copy is: the position of the rows copied, the table's number, the
/// last key. It is the last to go.
const RESUME: &[u8] = b"migrate.resume";
/// Bytes copied in one batch.
const BATCH: usize = 1 << 20;

/// Where a migration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A copy that was cut short goes on in this table.
    Resumed(Table),
    /// So many rows were copied now.
    Copied(u64),
    /// So many rows of the engine were read again, to compare.
    Compared(Engine, u64),
}

/// What a migration did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The engine before.
    pub from: Engine,
    /// The engine now.
    pub to: Engine,
    /// What both hold.
    pub rows: Fingerprint,
}

/// Moves the rows of the datastore at `dir` to another engine; none when they are there already. Blocks, long.
///
/// May be cut short at any moment; called again, it goes on.
///
/// # Errors
/// When there is no datastore, it is in use or damaged, or the disk is full: the rows are in the old engine then.
pub fn migrate(
    dir: &Path,
    to: Engine,
    mut progress: impl FnMut(Progress),
) -> Result<Option<Migrated>, OpenError> {
    let Some(_) = engine_of(dir)? else {
        let detail = "it holds no datastore".to_string();
        return Err(OpenError::Foreign { path: dir.display().to_string(), detail });
    };
    let _held = files::hold(dir)?;
    settle(dir)?;
    let Some(from) = engine_of(dir)?.filter(|from| *from != to) else {
        // The old engine, when the last migration was cut short right behind the change.
        remove(&dir.join(NEW))?;
        return Ok(None);
    };
    let source = files::open_engine(dir, from)?;
    let (target, after) = begin(dir, to, &*source)?;
    if let Some((table, _)) = &after {
        progress(Progress::Resumed(*table));
    }
    copy(&*source, &*target, after, &mut progress)?;
    let before = fingerprint(&*source, |rows| progress(Progress::Compared(from, rows)))?;
    let now = fingerprint(&*target, |rows| progress(Progress::Compared(to, rows)))?;
    drop((source, target));
    if before != now {
        remove(&dir.join(NEW))?;
        let detail = format!("the copy in {to} differs from the rows in {from}; try again");
        return Err(OpenError::Corrupt { detail });
    }
    change_places(dir)?;
    // It was read as a whole a moment ago; this is about its directory.
    drop(files::open_engine(dir, to)?);
    settle(dir)?;
    Ok(Some(Migrated { from, to, rows: now }))
}

/// Finishes a change of places that was cut short, and removes what is left of an old engine.
pub(crate) fn settle(dir: &Path) -> Result<(), OpenError> {
    let [rows, new, old] = [ROWS, NEW, OLD].map(|name| dir.join(name));
    if !old.exists() {
        return Ok(());
    }
    if !rows.exists() && new.exists() {
        rename(&new, &rows)?;
        sync_dir(dir)?;
    }
    if rows.exists() { remove(&old) } else { Ok(()) }
}

/// Where the rows that count lie, also when a change of places was cut short. Changes nothing.
pub(crate) fn rows(dir: &Path) -> PathBuf {
    let rows = swap::rows(dir);
    let new = dir.join(NEW);
    if !rows.exists() && dir.join(OLD).exists() && new.exists() { new } else { rows }
}

/// Opens the new engine; answers what was copied to it before, if that still counts.
fn begin(dir: &Path, to: Engine, source: &dyn KvBackend) -> Result<(Arc<dyn KvBackend>, Place), OpenError> {
    let new = dir.join(NEW);
    let open = || numax_store::open(to, &new);
    let found = open().and_then(|engine| Ok(place(&*engine, source)?.map(|place| (engine, place))));
    match found {
        Ok(Some(found)) => return Ok(found),
        // Of another try, to another engine, or from before the datastore was written to.
        Ok(None) | Err(KvError::OtherEngine { .. } | KvError::Corrupt { .. } | KvError::Foreign { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    remove(&new)?;
    Ok((open()?, None))
}

/// The last row that was copied.
type Place = Option<(Table, Bytes)>;

/// How far the copy in an engine is; none when it is not of these rows. A place of none is the beginning.
fn place(target: &dyn KvBackend, source: &dyn KvBackend) -> Result<Option<Place>, KvError> {
    let Some(resume) = target.get(Table::Meta, RESUME)? else {
        for table in Table::ALL {
            if !target.scan(table, Bound::Unbounded, b"", 1)?.is_empty() {
                return Ok(None);
            }
        }
        return Ok(Some(None));
    };
    let stamp = stamp(source)?;
    let Some(rest) = resume.strip_prefix(&stamp[..]) else { return Ok(None) };
    let Some((number, key)) = rest.split_first() else { return Ok(None) };
    let table = Table::ALL.into_iter().find(|table| *table as u8 == *number);
    Ok(table.map(|table| Some((table, Bytes::copy_from_slice(key)))))
}

/// What changes with every write to a datastore: the log position of its rows, behind its length.
fn stamp(source: &dyn KvBackend) -> Result<Vec<u8>, KvError> {
    let position = source.get(Table::Meta, crate::core::POSITION)?.unwrap_or_default();
    let mut stamp = vec![u8::try_from(position.len()).unwrap_or(u8::MAX)];
    stamp.extend_from_slice(&position);
    Ok(stamp)
}

fn copy(
    source: &dyn KvBackend,
    target: &dyn KvBackend,
    after: Place,
    progress: &mut impl FnMut(Progress),
) -> Result<(), OpenError> {
    let stamp = stamp(source)?;
    let (begin, mut after) = after.map_or((Table::ALL[0], None), |(table, key)| (table, Some(key)));
    let mut copied = 0_u64;
    for table in Table::ALL.into_iter().skip_while(|table| *table != begin) {
        let (mut batch, mut bytes) = (WriteBatch::new(), 0);
        let write = |batch: &mut WriteBatch, last: &Bytes| {
            let resume = [&stamp[..], &[table as u8], last].concat();
            batch.put(Table::Meta, RESUME, resume);
            target.commit(std::mem::take(batch))
        };
        let mut last = Bytes::new();
        for_each_row(source, table, after.take(), |key, value| {
            bytes += key.len() + value.len();
            batch.put(table, key.clone(), value);
            copied += 1;
            last = key;
            if bytes >= BATCH {
                write(&mut batch, &last)?;
                bytes = 0;
                progress(Progress::Copied(copied));
            }
            Ok::<_, KvError>(true)
        })?;
        if !batch.is_empty() {
            write(&mut batch, &last)?;
        }
    }
    progress(Progress::Copied(copied));
    let mut batch = WriteBatch::new();
    batch.delete(Table::Meta, RESUME);
    // What is complete must not be taken for something else when the rest is cut short: it is copied again then.
    target.sync()?;
    target.commit(batch)?;
    Ok(target.sync()?)
}

/// `rows.new` becomes `rows`, and `rows` becomes `rows.old`.
fn change_places(dir: &Path) -> Result<(), OpenError> {
    let [rows, new, old] = [ROWS, NEW, OLD].map(|name| dir.join(name));
    remove(&old)?;
    match renameat_with(CWD, &rows, CWD, &new, RenameFlags::EXCHANGE) {
        Ok(()) => {
            sync_dir(dir)?;
            rename(&new, &old)?;
        }
        // Not every file system can. Then a moment is without `rows`; whoever opens next puts it right.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            rename(&rows, &old)?;
            sync_dir(dir)?;
            rename(&new, &rows)?;
        }
        Err(error) => return Err(failed("renaming", &rows)(error.into())),
    }
    sync_dir(dir)
}

fn rename(from: &PathBuf, to: &PathBuf) -> Result<(), OpenError> {
    fs::rename(from, to).map_err(failed("renaming", from))
}

fn remove(path: &Path) -> Result<(), OpenError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed("removing", path)(error)),
        _ => Ok(()),
    }
}
