//! Records as JSON.

use numax_crdt::{Batch, Body, CodecError, Dot, Op, VersionVector};
use numax_replica::at_rest::LogRecord;
use serde_json::{Map, Value as Json, json};

use super::VERSION;
use crate::{
    escape::escape,
    names::{self, time},
};

/// The first line.
pub(super) fn header(start: u64, known: &VersionVector, complete: bool) -> Json {
    let known: Map<String, Json> =
        known.iter().map(|(origin, seq)| (names::origin(origin), json!(seq))).collect();
    json!({ "numax_log": VERSION, "start": start, "known_before": known, "complete": complete })
}

/// The line of a record, whose batch is decoded already.
pub(super) fn record(record: &LogRecord, batch: Option<&Batch>) -> Json {
    let mut out = Map::new();
    let mut put = |name: &str, value: Json| out.insert(name.to_string(), value);
    put("end", json!(record.end));
    if let Some(batch) = batch {
        put("remote", json!(record.remote));
        put("dot", json!(names::dot(&batch.dot())));
        put("hlc", json!(batch.hlc.to_string()));
        put("time", json!(time(batch.hlc.ms())));
        let deps = batch.deps.iter().map(|(origin, seq)| Dot { origin: *origin, seq: *seq });
        put("deps", json!(deps.map(|dot| names::dot(&dot)).collect::<Vec<_>>()));
        put("ops", batch.ops.iter().map(op).collect());
    }
    if !record.local.is_empty() {
        let local = record.local.iter().map(
            |(key, value)| json!({ "key": escape(key), "value": value.as_ref().map(|value| escape(value)) }),
        );
        put("local", local.collect());
    }
    if let Some(page) = &record.page {
        put("page", json!(hex::encode(page)));
    }
    Json::Object(out)
}

/// An operation.
pub(crate) fn op(op: &Op) -> Json {
    let mut out = Map::new();
    let mut put = |name: &str, value: Json| out.insert(name.to_string(), value);
    put("kind", json!(op.body.kind().config_name()));
    put("key", json!(escape(op.key.as_bytes())));
    let dots = |dots: &[Dot]| json!(dots.iter().map(names::dot).collect::<Vec<_>>());
    match &op.body {
        Body::GCounter { total } => drop(put("total", json!(total))),
        Body::PnCounter { up, down } => {
            put("up", json!(up));
            put("down", json!(down));
        }
        Body::Register { hlc, value } => {
            put("hlc", json!(hlc.to_string()));
            put("value", json!(value.as_ref().map(|value| escape(value))));
        }
        Body::MapField { field, hlc, value } => {
            put("field", json!(escape(field)));
            put("hlc", json!(hlc.to_string()));
            put("value", json!(value.as_ref().map(|value| escape(value))));
        }
        Body::SetAdd { element, replaces } => {
            put("add", json!(escape(element)));
            put("replaces", dots(replaces));
        }
        Body::SetRemove { element, removes } => {
            put("remove", json!(escape(element)));
            put("removes", dots(removes));
        }
        Body::ListInsert { id, after, value } => {
            put("insert", json!(id.to_string()));
            put("after", json!(after.map(|after| after.to_string())));
            put("value", json!(escape(value)));
        }
        Body::ListRemove { id } => drop(put("remove", json!(id.to_string()))),
        Body::Text { update } => drop(put("update", json!(hex::encode(update)))),
    }
    Json::Object(out)
}

/// The batch of a record.
pub(super) fn batch(record: &LogRecord) -> Result<Option<Batch>, CodecError> {
    record.batch.clone().map(Batch::decode).transpose()
}
