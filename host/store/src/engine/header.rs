//! Rows about the rows: whose they are, and of which schema. They stand under a first byte that no table has.

use std::{ops::Bound, path::Path};

use bytes::Bytes;

use super::{files, raw::Raw};
use crate::kv::{KvError, Schemas, Table};

const HEADER: u8 = 0xff;
/// The row that says that the rows are ours.
const MAGIC_KEY: &[u8] = &[HEADER];

/// Checks magic and schema versions, which must be these; writes them into a fresh database that is empty.
pub(super) fn check<R: Raw>(raw: &R, dir: &Path, fresh: bool, want: Schemas) -> Result<(), KvError> {
    let magic = raw.get(MAGIC_KEY)?;
    let found = versions(raw)?;
    let mut empty = true;
    if magic.is_none() {
        raw.scan(Bound::Unbounded, &mut |_, _| {
            empty = false;
            false
        })?;
        if empty {
            if !fresh {
                let detail = format!("{}: all rows are lost", dir.display());
                return Err(KvError::Corrupt { detail });
            }
            let versions = Table::ALL.iter().map(|table| {
                let version = want.of(*table).to_be_bytes();
                (vec![HEADER, *table as u8], Some(Bytes::copy_from_slice(&version)))
            });
            let magic = (MAGIC_KEY.to_vec(), Some(Bytes::from_static(files::MAGIC.as_bytes())));
            return raw.apply(versions.chain([magic]).collect());
        }
        if !fresh {
            // The mark says that it was there.
            let detail = format!("{}: the header is lost", dir.display());
            return Err(KvError::Corrupt { detail });
        }
    }
    if magic.is_none_or(|magic| magic != files::MAGIC) {
        return Err(KvError::Foreign { path: dir.display().to_string() });
    }
    let want: Vec<(u8, u16)> = Table::ALL.iter().map(|table| (*table as u8, want.of(*table))).collect();
    let version = |all: &[(u8, u16)], table| all.iter().find(|(t, _)| *t == table).map_or(0, |(_, v)| *v);
    for (table, _) in found.iter().chain(&want) {
        let (found, want) = (version(&found, *table), version(&want, *table));
        if found != want {
            return Err(KvError::Schema { table: *table, found, want });
        }
    }
    Ok(())
}

/// The versions of the tables in a database that was checked to be ours or will be.
fn versions<R: Raw>(raw: &R) -> Result<Vec<(u8, u16)>, KvError> {
    let mut found = Vec::new();
    raw.scan(Bound::Included(vec![HEADER]), &mut |key, value| {
        if let ([HEADER, table], Ok(version)) = (key, <[u8; 2]>::try_from(&value[..])) {
            found.push((*table, u16::from_be_bytes(version)));
        }
        true
    })?;
    Ok(found)
}
