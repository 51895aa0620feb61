//! A second schema, which exists in tests only: every row of a value carries the version in front, and node-local keys
//! begin with a letter. What a program of that schema would do when it reads and writes stands in [`NextSchema`].

use std::{ops::Bound, sync::Arc};

use bytes::Bytes;
use numax_replica::schema::{Chain, Emit, Step};
use numax_store::{KvBackend, KvError, KvStats, Schemas, Table, WriteBatch};

const VERSION: u8 = 2;
const LETTER: &[u8] = b"k";

const STEP: Step = Step {
    what: "values carry their version, and node-local keys a letter",
    tables: Schemas::FIRST.with(Table::Rows, 2).with(Table::Local, 2),
    row: lead,
};

/// The chain with the schema of the test.
pub fn chain() -> Chain {
    const STEPS: &[Step] = &[STEP];
    Chain::new(STEPS)
}

/// A chain that some row does not fit.
pub fn refusing() -> Chain {
    const STEPS: &[Step] = &[Step { row: refuse, ..STEP }];
    Chain::new(STEPS)
}

fn lead(table: Table, key: Bytes, value: Bytes, emit: &mut Emit<'_>) -> Result<(), String> {
    emit(table, key_of(table, &key), value_of(table, &value))
}

fn refuse(table: Table, key: Bytes, value: Bytes, emit: &mut Emit<'_>) -> Result<(), String> {
    if table == Table::Local && value == "1" {
        Err("no such value".to_string())
    } else {
        emit(table, key, value)
    }
}

fn key_of(table: Table, key: &[u8]) -> Bytes {
    if table == Table::Local { [LETTER, key].concat().into() } else { Bytes::copy_from_slice(key) }
}

fn value_of(table: Table, value: &[u8]) -> Bytes {
    if table == Table::Rows { [&[VERSION][..], value].concat().into() } else { Bytes::copy_from_slice(value) }
}

/// Reads rows of the second schema as if they were of the first.
pub struct NextSchema(pub Arc<dyn KvBackend>);

fn back(table: Table, key: &Bytes, value: &Bytes) -> Result<(Bytes, Bytes), KvError> {
    let wrong = || KvError::Corrupt { detail: format!("{table:?} has a row of the first schema") };
    match table {
        Table::Rows if value.first() == Some(&VERSION) => Ok((key.clone(), value.slice(1..))),
        Table::Local if key.starts_with(LETTER) => Ok((key.slice(1..), value.clone())),
        Table::Rows | Table::Local => Err(wrong()),
        Table::Meta | Table::Origins => Ok((key.clone(), value.clone())),
    }
}

impl KvBackend for NextSchema {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, KvError> {
        let name = key_of(table, key);
        let found = self.0.get(table, &name)?;
        Ok(found.map(|value| back(table, &name, &value)).transpose()?.map(|(_, value)| value))
    }

    fn scan(
        &self,
        table: Table,
        from: Bound<&[u8]>,
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, KvError> {
        let from = from.map(|key| key_of(table, key));
        let rows = self.0.scan(table, from.as_ref().map(|key| &key[..]), &key_of(table, prefix), limit)?;
        rows.iter().map(|(key, value)| back(table, key, value)).collect()
    }

    fn commit(&self, batch: WriteBatch) -> Result<(), KvError> {
        let mut out = WriteBatch::new();
        for (table, key, value) in batch.into_writes() {
            match value {
                Some(value) => out.put(table, key_of(table, &key), value_of(table, &value)),
                None => out.delete(table, key_of(table, &key)),
            }
        }
        self.0.commit(out)
    }

    fn sync(&self) -> Result<(), KvError> {
        self.0.sync()
    }

    fn stats(&self) -> KvStats {
        self.0.stats()
    }
}
