//! Copying the rows of an engine to another one, and comparing.

use std::{ops::Bound, path::Path, sync::Arc};

use bytes::Bytes;
use numax_store::{KvBackend, KvError, Table, WriteBatch, for_each_row};
use sha2::{Digest as _, Sha256};

use super::{Progress, remove};
use crate::{
    error::OpenError,
    schema::{Step, lead},
};

/// The row of the new engine that says how far the copy is: the position of the rows copied, the number of steps, the
/// table's number, the last key. It is the last to go.
const RESUME: &[u8] = b"migrate.resume";
/// Bytes copied in one batch.
const BATCH: usize = 1 << 20;
/// Rows between two reports of a comparison.
const REPORT: u64 = 1024;

/// The last row that was copied.
pub(super) type Place = Option<(Table, Bytes)>;

/// Opens the new engine; answers what was copied to it before, if that still counts.
pub(super) fn found(
    new: &Path,
    source: &dyn KvBackend,
    open: impl Fn() -> Result<Arc<dyn KvBackend>, KvError>,
) -> Result<(Arc<dyn KvBackend>, Place), OpenError> {
    let found = open().and_then(|engine| Ok(place(&*engine, source)?.map(|place| (engine, place))));
    if let Ok(Some(found)) = found {
        return Ok(found);
    }
    // Of another try, to another engine or schema, from before the datastore was written to, or half made or half removed:
    // whatever it is, nothing is in it that is not in the old one.
    remove(new)?;
    Ok((open()?, None))
}

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

/// Copies the rows behind `after`; each becomes what the steps make of it.
pub(super) fn copy(
    source: &dyn KvBackend,
    target: &dyn KvBackend,
    steps: &[Step],
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
        let stored = Progress::Stored("rows of the new engine");
        let mut last = Bytes::new();
        for_each_row(source, table, after.take(), |key, value| {
            change(steps, table, &key, value, &mut |table, key, value| {
                bytes += key.len() + value.len();
                batch.put(table, key, value);
                Ok(())
            })?;
            copied += 1;
            last = key;
            if bytes >= BATCH {
                write(&mut batch, &last)?;
                progress(stored);
                bytes = 0;
                progress(Progress::Copied(copied));
            }
            Ok::<_, OpenError>(true)
        })?;
        if !batch.is_empty() {
            write(&mut batch, &last)?;
            progress(stored);
        }
    }
    progress(Progress::Copied(copied));
    let mut batch = WriteBatch::new();
    batch.delete(Table::Meta, RESUME);
    // What is complete must not be taken for something else when the rest is cut short: it is copied again then.
    target.sync()?;
    progress(Progress::Stored("all rows, synced"));
    target.commit(batch)?;
    progress(Progress::Stored("the end of the copy"));
    target.sync()?;
    progress(Progress::Stored("the end of the copy, synced"));
    Ok(())
}

/// What becomes of a row.
fn change(
    steps: &[Step],
    table: Table,
    key: &Bytes,
    value: Bytes,
    emit: &mut crate::schema::Emit<'_>,
) -> Result<(), OpenError> {
    lead(steps, table, key.clone(), value, emit).map_err(|what| OpenError::Migration {
        detail: format!("{what} (table {table:?}, key {})", key.escape_ascii()),
    })
}

/// What an engine holds, or leads to, in any order: of each table how many rows, and all their hashes, each over table,
/// key and value, laid over each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Digest([(u64, [u8; 32]); Table::ALL.len()]);

impl Digest {
    pub(super) fn rows(&self) -> u64 {
        self.0.iter().map(|(rows, _)| rows).sum()
    }

    fn add(&mut self, table: Table, key: &[u8], value: &[u8]) {
        let mut hash = Sha256::new();
        for part in [key, value] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let hash: [u8; 32] = hash.finalize().into();
        if let Some((rows, sum)) = self.0.get_mut(table as usize) {
            *rows += 1;
            sum.iter_mut().zip(hash).for_each(|(sum, hash)| *sum ^= hash);
        }
    }
}

/// Reads everything in an engine, and what the steps make of it.
pub(super) fn digest(
    engine: &dyn KvBackend,
    steps: &[Step],
    mut progress: impl FnMut(u64),
) -> Result<Digest, OpenError> {
    let (mut out, mut read) = (Digest::default(), 0_u64);
    for table in Table::ALL {
        for_each_row(engine, table, None, |key, value| {
            change(steps, table, &key, value, &mut |table, key, value| {
                out.add(table, &key, &value);
                Ok(())
            })?;
            read += 1;
            if read.is_multiple_of(REPORT) {
                progress(read);
            }
            Ok::<_, OpenError>(true)
        })?;
    }
    progress(read);
    Ok(out)
}
