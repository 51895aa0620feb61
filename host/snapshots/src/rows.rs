//! Reading a snapshot row by row.
//!
//! Engines change their files when they are opened, so a copy is read, which goes away at the end. Making it checks
//! every file.

use std::{
    fs,
    ops::Bound,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use numax_replica::snapshot::{Row, StateFacts};
use numax_store::{KvBackend, Table};

use crate::{
    Progress, Snapshot, SnapshotError,
    error::{damaged, failed},
    files,
    restore::remove_dir,
};

/// The tables of a snapshot, in the order in which they come.
const TABLES: [Table; 3] = [Table::Rows, Table::Local, Table::Origins];
/// Rows read at once.
const PAGE: usize = 128;

/// The rows of a snapshot, in order of table and key.
pub struct Rows {
    /// None at the end, so that the copy can be removed.
    engine: Option<Arc<dyn KvBackend>>,
    page: std::vec::IntoIter<(Bytes, Bytes)>,
    table: usize,
    after: Option<Bytes>,
    facts: StateFacts,
    /// Rows that must come yet.
    left: u64,
    copy: PathBuf,
}

impl Snapshot {
    /// The rows of the snapshot, and what they belong to, for whoever builds something of them: another engine, or the
    /// engine of a datastore whose log is whole. `scratch` is a directory with room for the snapshot's files, where a
    /// copy lies until the rows are read. Blocks.
    ///
    /// # Errors
    /// When a file is damaged, or the copy cannot be made or opened.
    pub fn rows(&self, scratch: &Path, progress: Progress<'_>) -> Result<Rows, SnapshotError> {
        self.manifest.check_schema()?;
        fs::create_dir_all(scratch).map_err(failed("creating", scratch))?;
        files::check_room(scratch, self.manifest.bytes())?;
        self.rows_in(&scratch.join(format!(".rows-{}-{}", self.manifest.id, std::process::id())), progress)
    }

    /// The same with a copy at this path.
    pub(crate) fn rows_in(&self, copy: &Path, progress: Progress<'_>) -> Result<Rows, SnapshotError> {
        let engine = self.manifest.engine()?;
        remove_dir(copy)?;
        let mut rows = Rows {
            engine: None,
            page: Vec::new().into_iter(),
            table: 0,
            after: None,
            facts: self.manifest.facts()?,
            left: self.manifest.rows,
            copy: copy.to_path_buf(),
        };
        fs::create_dir_all(copy).map_err(failed("creating", copy))?;
        files::copy(&self.manifest, &*self.source, copy, progress)?;
        rows.engine = Some(numax_store::open(engine, &copy.join("rows"))?);
        Ok(rows)
    }
}

impl Rows {
    /// What the rows belong to.
    #[must_use]
    pub fn facts(&self) -> &StateFacts {
        &self.facts
    }

    fn read(&mut self) -> Result<Option<Row>, SnapshotError> {
        loop {
            let Some(table) = TABLES.get(self.table).copied() else {
                return match self.left {
                    0 => Ok(None),
                    left => Err(damaged(self.copy.display(), format!("{left} rows of it are missing"))),
                };
            };
            if let Some((key, value)) = self.page.next() {
                self.after = Some(key.clone());
                self.left = self.left.saturating_sub(1);
                return Ok(Some((table, key, value)));
            }
            let Some(engine) = &self.engine else { return Ok(None) };
            let from = self.after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let rows = engine.scan(table, from, b"", PAGE)?;
            if rows.is_empty() {
                self.table += 1;
                self.after = None;
            }
            self.page = rows.into_iter();
        }
    }
}

impl Iterator for Rows {
    type Item = Result<Row, SnapshotError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.engine.as_ref()?;
        let row = self.read().transpose();
        if !matches!(row, Some(Ok(_))) {
            self.engine = None;
        }
        row
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        self.engine = None;
        let _ = fs::remove_dir_all(&self.copy);
    }
}
