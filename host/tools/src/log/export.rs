//! `numax log export`.

use std::{io::Write, ops::RangeInclusive};

use numax_crdt::{Batch, Key, Kind};
use numax_replica::at_rest::{LogAtRest, LogRecord};

use super::write;
use crate::{ToolError, names::OriginPattern};

/// Which records are wanted. Everything that is set has to fit.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Records that end behind this log position.
    pub after: Option<u64>,
    /// Records that end at this log position or before it.
    pub until: Option<u64>,
    /// Batches of these origins.
    pub origin: Option<OriginPattern>,
    /// Batches with these numbers.
    pub seq: Option<RangeInclusive<u64>>,
    /// Batches that write this key.
    pub key: Option<Key>,
    /// Batches that write a value of this family; with a key, that key of this family.
    pub kind: Option<Kind>,
}

impl Filter {
    /// Whether nothing is left out.
    #[must_use]
    pub fn is_all(&self) -> bool {
        let Self { after, until, origin, seq, key, kind } = self;
        after.is_none()
            && until.is_none()
            && origin.is_none()
            && seq.is_none()
            && key.is_none()
            && kind.is_none()
    }

    /// Whether a record is wanted by what is in it.
    fn wants(&self, batch: Option<&Batch>) -> bool {
        if self.origin.is_none() && self.seq.is_none() && self.key.is_none() && self.kind.is_none() {
            return true;
        }
        let Some(batch) = batch else { return false };
        self.origin.as_ref().is_none_or(|origin| origin.matches(&batch.origin))
            && self.seq.as_ref().is_none_or(|seq| seq.contains(&batch.seq))
            && (self.key.is_none() && self.kind.is_none()
                || batch.ops.iter().any(|op| {
                    self.key.as_ref().is_none_or(|key| *key == op.key)
                        && self.kind.is_none_or(|kind| kind == op.body.kind())
                }))
    }
}

/// What was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// Records written.
    pub records: u64,
    /// Records of the log that were left out.
    pub left_out: u64,
    /// Whether the lines lead to the whole state: nothing was left out, and the log reaches back to the beginning.
    pub complete: bool,
}

/// Writes a log's records as lines.
///
/// # Errors
/// When the log cannot be read or the lines not be written.
pub fn export(log: &LogAtRest, filter: &Filter, out: &mut dyn Write) -> Result<Exported, ToolError> {
    let (start, known) = log.start();
    let complete = filter.is_all() && log.is_complete();
    let mut done = Exported { records: 0, left_out: 0, complete };
    let mut line = |json: serde_json::Value| {
        writeln!(out, "{json}").map_err(ToolError::io("writing the lines".to_string()))
    };
    line(write::header(start, &known, complete))?;
    // Positions are those behind records: reading begins at the one that is not wanted any more.
    let from = filter.after.filter(|after| *after > start);
    log.read(from, |record: LogRecord| {
        if filter.until.is_some_and(|until| record.end > until) {
            return Ok(false);
        }
        let batch = write::batch(&record)?;
        if filter.wants(batch.as_ref()) {
            done.records += 1;
            line(write::record(&record, batch.as_ref()))?;
        } else {
            done.left_out += 1;
        }
        Ok::<_, ToolError>(true)
    })?;
    Ok(done)
}
