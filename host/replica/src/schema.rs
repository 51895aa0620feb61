//! The schema of a datastore, and the chain of steps that brings an older one up to date.
//!
//! A datastore has **one** number, `format` in its `meta.json`. Every change of what lies on disk that an older program
//! would misread makes a new one: a [`Step`] at the end of the chain, which says which versions the tables have from
//! then on and what becomes of each row. A program opens the last schema only. Older ones are migrated offline
//! ([`migrate`](crate::migrate::migrate)), over as many steps as it takes; newer ones, and foreign ones, are refused,
//! with the name of the program that wrote them.
//!
//! Rows are not changed where they lie: the steps make a second engine of them, which takes the place of the first when
//! it is complete and was compared. A step is a pure function, so a migration that was cut short goes on where it was.
//! The log is never rewritten: a program reads the records of every log version that it knows, and replays them into
//! rows of the last schema.

use bytes::Bytes;
use numax_store::{Disk, Schemas, Table};

use crate::{error::OpenError, meta};

/// The schema that the first release wrote.
const FIRST: u64 = 1;

/// What writes the datastore, for errors of other programs.
pub(crate) const PROGRAM: &str = concat!("numax ", env!("CARGO_PKG_VERSION"));

/// Takes the rows that a step makes of one.
pub type Emit<'a> = dyn FnMut(Table, Bytes, Bytes) -> Result<(), String> + 'a;

/// From one schema to the next.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// What changes, in one line for the operator.
    pub what: &'static str,
    /// The tables' versions from then on.
    pub tables: Schemas,
    /// Makes of a row (table, key, value) the rows that stand for it, by handing them on: usually one. An error, in
    /// words, ends the migration. Of several rows under one name the last counts, so no two rows should lead to one.
    pub row: fn(Table, Bytes, Bytes, &mut Emit<'_>) -> Result<(), String>,
}

/// All steps since the first schema, in order.
#[derive(Debug, Clone, Copy)]
pub struct Chain(&'static [Step]);

impl Chain {
    /// The chain of this program.
    pub const CURRENT: Self = Self(&[]);

    /// Another chain, to test with.
    #[must_use]
    pub const fn new(steps: &'static [Step]) -> Self {
        Self(steps)
    }

    /// The schema that the program reads and writes.
    #[must_use]
    pub fn last(self) -> u64 {
        FIRST + self.0.len() as u64
    }

    /// The tables' versions in a schema of the chain.
    #[must_use]
    pub fn tables(self, schema: u64) -> Schemas {
        let step = schema.checked_sub(FIRST + 1).and_then(|at| self.0.get(usize::try_from(at).ok()?));
        step.map_or(FIRST_TABLES, |step| step.tables)
    }

    /// The steps that lead on from a schema.
    #[must_use]
    pub fn after(self, schema: u64) -> &'static [Step] {
        let done = usize::try_from(schema.saturating_sub(FIRST)).unwrap_or(usize::MAX);
        self.0.get(done..).unwrap_or_default()
    }

    /// Refuses a datastore of another schema; a new one has none yet.
    pub(crate) fn check(self, disk: &dyn Disk) -> Result<(), OpenError> {
        let Some(written) = meta::Written::load(disk)? else { return Ok(()) };
        self.check_known(&written)?;
        if written.schema < self.last() {
            return Err(OpenError::OldSchema { found: written.schema, want: self.last() });
        }
        Ok(())
    }

    /// Refuses a datastore of a newer schema, or of one that never was.
    pub(crate) fn check_known(self, written: &meta::Written) -> Result<(), OpenError> {
        if (FIRST..=self.last()).contains(&written.schema) {
            return Ok(());
        }
        Err(OpenError::NewSchema {
            found: written.schema,
            want: self.last(),
            this: PROGRAM,
            by: match written.program.as_str() {
                "" => "a program that did not leave its name".to_string(),
                name => name.to_string(),
            },
        })
    }
}

impl Default for Chain {
    fn default() -> Self {
        Self::CURRENT
    }
}

/// The tables' versions in the first schema.
const FIRST_TABLES: Schemas = Schemas::FIRST;

/// What rows come of a row after several steps.
pub(crate) fn lead(
    steps: &[Step],
    table: Table,
    key: Bytes,
    value: Bytes,
    emit: &mut Emit<'_>,
) -> Result<(), String> {
    match steps.split_first() {
        None => emit(table, key, value),
        Some((step, rest)) => {
            (step.row)(table, key, value, &mut |table, key, value| lead(rest, table, key, value, emit))
        }
    }
}
