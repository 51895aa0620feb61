//! One key, row by row: `numax inspect`.

use std::collections::{BTreeMap, BTreeSet};

use numax_crdt::{BatchHeader, Dot, Hlc, Key, Kind, RowFacts, Rows, applier};
use serde_json::{Value as Json, json};

use crate::{
    ToolError,
    escape::escape,
    facts,
    names::{self, time},
    store::Store,
    value::{Value, is_live},
};

/// Characters of a value that people are shown above its rows.
const MAX_SHOWN: usize = 1000;

/// What one family holds under a key.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// The family.
    pub kind: Kind,
    /// The key.
    pub key: Key,
    /// What readers see; none when only tombstones are left.
    pub value: Option<Value>,
    /// Every row, in the order of storage.
    pub rows: Vec<Row>,
    /// The batches that wrote the rows, as far as the log still has them.
    pub batches: BTreeMap<Dot, Written>,
}

/// A row and its size.
#[derive(Debug, Clone)]
pub struct Row {
    /// What it says.
    pub facts: RowFacts,
    /// Bytes of its name within the value and of its content.
    pub bytes: u64,
}

/// What the log says of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// When it was committed by its writer.
    pub hlc: Hlc,
    /// The position behind it in this datastore's log.
    pub position: u64,
    /// Whether it came from a peer.
    pub remote: bool,
}

/// Looks at a key: every family among `kinds` that has a row of it.
///
/// # Errors
/// When rows or the log cannot be read or are damaged.
pub fn inspect(store: &Store, key: &Key, kinds: &[Kind]) -> Result<Vec<Inspection>, ToolError> {
    let mut found = Vec::new();
    for kind in kinds {
        let rows = rows(store, *kind, key)?;
        if !rows.is_empty() {
            let live = is_live(store, *kind, key)?;
            let value = live.then(|| Value::read(store, *kind, key)).transpose()?;
            found.push(Inspection { kind: *kind, key: key.clone(), value, rows, batches: BTreeMap::new() });
        }
    }
    let wanted: BTreeSet<Dot> =
        found.iter().flat_map(|one| &one.rows).flat_map(|row| row.facts.written_by.iter().copied()).collect();
    let batches = written(store, &wanted)?;
    for one in &mut found {
        let dots = one.rows.iter().flat_map(|row| &row.facts.written_by);
        one.batches = dots.filter_map(|dot| Some((*dot, *batches.get(dot)?))).collect();
    }
    Ok(found)
}

fn rows(store: &Store, kind: Kind, key: &Key) -> Result<Vec<Row>, ToolError> {
    let Some(family) = applier(kind) else { return Ok(Vec::new()) };
    let all = store.rows(kind, key).map_err(ToolError::row(store.path()))?;
    let read = |rows: &dyn Rows| {
        let row = |(sub, row): &(bytes::Bytes, bytes::Bytes)| {
            let facts = family.describe(rows, sub, row)?;
            Ok(Row { facts, bytes: (sub.len() + row.len()) as u64 })
        };
        all.iter().map(row).collect::<Result<Vec<Row>, _>>()
    };
    store.value(kind, key, read).map_err(ToolError::value(store.path(), kind, key))
}

/// What the log says of some batches.
fn written(store: &Store, wanted: &BTreeSet<Dot>) -> Result<BTreeMap<Dot, Written>, ToolError> {
    let mut out = BTreeMap::new();
    if wanted.is_empty() {
        return Ok(out);
    }
    store.log().read::<ToolError>(None, |record| {
        if let Some(batch) = record.batch {
            let header = BatchHeader::peek(&batch)?;
            if wanted.contains(&header.dot()) {
                let found = Written { hlc: header.hlc, position: record.end, remote: record.remote };
                out.insert(header.dot(), found);
            }
        }
        Ok(out.len() < wanted.len())
    })?;
    Ok(out)
}

impl Inspection {
    /// Keeps the rows of one name, as [`lines`](Self::lines) and [`diff`](crate::diff) show it, and the batches that wrote
    /// them.
    pub fn keep_row(&mut self, name: &str) {
        self.rows.retain(|row| facts::row_name(&row.facts.name) == name);
        let wrote: BTreeSet<Dot> =
            self.rows.iter().flat_map(|row| row.facts.written_by.iter().copied()).collect();
        self.batches.retain(|dot, _| wrote.contains(dot));
    }

    /// Rows that only remember a removal.
    #[must_use]
    pub fn tombstones(&self) -> usize {
        self.rows.iter().filter(|row| row.facts.content.is_tombstone()).count()
    }

    /// Bytes of all rows.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.rows.iter().map(|row| row.bytes).sum()
    }

    /// Lines for people, with at most `limit` rows.
    #[must_use]
    pub fn lines(&self, limit: usize) -> Vec<String> {
        let mut value = self.value.as_ref().map_or_else(|| "<unset>".to_string(), Value::shown);
        if let Some((end, _)) = value.char_indices().nth(MAX_SHOWN) {
            value.truncate(end);
            value.push_str("… (`numax get` shows all of it)");
        }
        let mut lines = vec![
            format!("{} {} = {value}", self.kind.config_name(), escape(self.key.as_bytes())),
            format!("  {} rows, {} tombstones, {} bytes", self.rows.len(), self.tombstones(), self.bytes()),
        ];
        for row in self.rows.iter().take(limit) {
            lines.push(format!("  {}: {}", facts::row_name(&row.facts.name), facts::row(&row.facts)));
        }
        if self.rows.len() > limit {
            lines.push(format!("  … {} more rows; --limit shows more", self.rows.len() - limit));
        }
        for (dot, batch) in self.batches.iter().take(limit) {
            let came = if batch.remote { "from a peer" } else { "written here" };
            let when = time(batch.hlc.ms());
            lines.push(format!(
                "  batch {dot}: {when} (HLC {}), {came}, log position {}",
                batch.hlc, batch.position
            ));
        }
        let gone = self.missing_batches();
        if gone > 0 {
            lines.push(format!("  {gone} batches that wrote these rows are no longer in the log"));
        }
        lines
    }

    fn missing_batches(&self) -> usize {
        let dots: BTreeSet<&Dot> = self.rows.iter().flat_map(|row| &row.facts.written_by).collect();
        dots.len() - self.batches.len()
    }

    /// All of it as data, with at most `limit` rows.
    #[must_use]
    pub fn json(&self, limit: usize) -> Json {
        let row = |row: &Row| {
            let mut json = facts::row_json(&row.facts);
            json["bytes"] = json!(row.bytes);
            json["tombstone"] = json!(row.facts.content.is_tombstone());
            json
        };
        let rows: Vec<Json> = self.rows.iter().take(limit).map(row).collect();
        let batches: serde_json::Map<String, Json> = self
            .batches
            .iter()
            .map(|(dot, batch)| {
                let json = json!({
                    "hlc": batch.hlc.to_string(),
                    "time": time(batch.hlc.ms()),
                    "position": batch.position,
                    "remote": batch.remote,
                });
                (names::dot(dot), json)
            })
            .collect();
        json!({
            "kind": self.kind.config_name(),
            "key": escape(self.key.as_bytes()),
            "live": self.value.is_some(),
            "value": self.value.as_ref().map(Value::json),
            "row_count": self.rows.len(),
            "tombstones": self.tombstones(),
            "bytes": self.bytes(),
            "rows": rows,
            "batches": batches,
        })
    }
}
