//! Whether rows say what they can say. An engine that reads without an error may still give bytes that nobody wrote there.

use bytes::Bytes;
use numax_crdt::{ApplyError, Key, Kind, Origin, RowError, Rows, applier, family::Sum};
use numax_store::{KvBackend, KvError, Table, for_each_row};

use crate::{
    core::load_origins,
    error::OpenError,
    rows::{
        name,
        origins::Origins,
        shared::{engine_get, row_error},
    },
};

/// Reads every row of every value as its family does, and compares sums and counts with the rows that they are of. Blocks,
/// long.
///
/// # Errors
/// The engine's; [`KvError::Corrupt`] names the first value whose rows are damaged.
pub(super) fn check(engine: &dyn KvBackend) -> Result<(), OpenError> {
    let origins = load_origins(engine)?;
    let mut value: Option<(Kind, Key, Sum)> = None;
    for_each_row(engine, Table::Rows, None, |key, row| {
        let name = [&[Table::Rows as u8], &key[..]].concat();
        let damaged = |what: String| Err(OpenError::Store(KvError::Corrupt { detail: what }));
        let Some((kind, key, sub)) = name::parse(&name) else {
            return damaged(format!("a row has the name {}, which no value has", key.escape_ascii()));
        };
        if value.as_ref().is_none_or(|(of, at, _)| (*of, at) != (kind, &key)) {
            if let Some(wrong) = value.as_ref().and_then(unlike_its_sum) {
                return damaged(wrong);
            }
            value = Some((kind, key.clone(), Sum::default()));
        }
        let rows = EngineRows { engine, kind, key: &key, origins: &origins };
        let facts = applier(kind).map(|family| family.describe(&rows, sub, &row)).transpose();
        match (facts, &mut value) {
            (
                Err(error @ ApplyError::Damaged { .. } | error @ ApplyError::Row(RowError::UnknownOrigin(_))),
                _,
            ) => {
                let named = (kind.config_name(), &key, sub.escape_ascii());
                damaged(format!("{} {}, row {}: {error}", named.0, named.1, named.2))
            }
            (Err(error), _) => damaged(error.to_string()),
            (Ok(Some(facts)), Some((_, _, sum))) => {
                sum.add(&facts);
                Ok(true)
            }
            (Ok(_), _) => Ok(true),
        }
    })?;
    match value.as_ref().and_then(unlike_its_sum) {
        Some(detail) => Err(OpenError::Store(KvError::Corrupt { detail })),
        None => Ok(()),
    }
}

fn unlike_its_sum((kind, key, sum): &(Kind, Key, Sum)) -> Option<String> {
    let wrong = || format!("{} {key}: its sum or count is not that of its rows", kind.config_name());
    (!sum.fits()).then(wrong)
}

/// The rows of a value as the engine has them, to read.
struct EngineRows<'a> {
    engine: &'a dyn KvBackend,
    kind: Kind,
    key: &'a Key,
    origins: &'a Origins,
}

fn only_read<T>() -> Result<T, RowError> {
    Err(RowError::Unavailable("these rows can only be read".to_string()))
}

impl Rows for EngineRows<'_> {
    fn get(&self, sub: &[u8]) -> Result<Option<Bytes>, RowError> {
        let mut row = name::value_prefix(self.kind, self.key.as_bytes());
        row.extend_from_slice(sub);
        engine_get(self.engine, &row).map_err(|error| row_error(&error))
    }

    fn put(&mut self, _: &[u8], _: Bytes) -> Result<(), RowError> {
        only_read()
    }

    fn delete(&mut self, _: &[u8]) -> Result<(), RowError> {
        only_read()
    }

    fn scan(&self, _: Option<&[u8]>, _: usize) -> Result<Vec<(Bytes, Bytes)>, RowError> {
        only_read()
    }

    fn intern(&mut self, _: &Origin) -> Result<u32, RowError> {
        only_read()
    }

    fn lookup(&self, origin: &Origin) -> Result<Option<u32>, RowError> {
        Ok(self.origins.lookup(origin))
    }

    fn origin(&self, number: u32) -> Result<Origin, RowError> {
        self.origins.origin(number).ok_or(RowError::UnknownOrigin(number))
    }
}
