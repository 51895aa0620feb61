//! What an engine holds, read as a whole: to compare two engines, and to see whether everything can be read.

use std::ops::Bound;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::kv::{KvBackend, KvError, Table};

/// Rows read at once.
const STEP: usize = 1024;

/// Rows and a digest of each table. Equal for engines that hold the same rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fingerprint {
    /// By table: how many rows there are, and the SHA-256 of all keys and values, each behind its length.
    pub tables: Vec<(Table, u64, [u8; 32])>,
}

impl Fingerprint {
    /// Rows of all tables.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|(_, rows, _)| rows).sum()
    }
}

/// Reads every row of a table from a key on, in order, until `visit` answers `false`. `after` is a key that was read
/// before, none for the beginning. Blocks, long.
///
/// # Errors
/// The engine's, or those of `visit`.
pub fn for_each_row<E: From<KvError>>(
    engine: &dyn KvBackend,
    table: Table,
    after: Option<Bytes>,
    mut visit: impl FnMut(Bytes, Bytes) -> Result<bool, E>,
) -> Result<(), E> {
    let mut after = after;
    loop {
        let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let rows = engine.scan(table, from, b"", STEP)?;
        let whole = rows.len() == STEP;
        after = rows.last().map(|(key, _)| key.clone());
        for (key, value) in rows {
            if !visit(key, value)? {
                return Ok(());
            }
        }
        if !whole {
            return Ok(());
        }
    }
}

/// Reads every row of every table; tells `progress` how many there were so far. Blocks, long.
///
/// # Errors
/// The engine's: also the way to find out whether all of it can be read.
pub fn fingerprint(engine: &dyn KvBackend, mut progress: impl FnMut(u64)) -> Result<Fingerprint, KvError> {
    let (mut out, mut seen) = (Fingerprint::default(), 0_u64);
    for table in Table::ALL {
        let (mut rows, mut sum) = (0_u64, Sha256::new());
        for_each_row(engine, table, None, |key, value| {
            for part in [&key, &value] {
                sum.update((part.len() as u64).to_be_bytes());
                sum.update(part);
            }
            rows += 1;
            seen += 1;
            if seen.is_multiple_of(STEP as u64) {
                progress(seen);
            }
            Ok::<_, KvError>(true)
        })?;
        out.tables.push((table, rows, sum.finalize().into()));
    }
    progress(seen);
    Ok(out)
}
