//! Records from JSON.

use std::io::BufRead;

use bytes::Bytes;
use numax_crdt::{Batch, Body, Dot, ElementId, Hlc, Key, Kind, Op};
use numax_replica::at_rest::LogRecord;
use serde_json::{Map, Value as Json};

use super::VERSION;
use crate::{ToolError, escape::unescape, names};

/// The lines of an exported log.
pub struct Lines<R> {
    input: R,
    line: u64,
    complete: bool,
}

type Object = Map<String, Json>;

impl<R: BufRead> Lines<R> {
    /// Begins to read: takes the first line.
    ///
    /// # Errors
    /// When it is not that of an exported log, or a newer program's.
    pub fn new(input: R) -> Result<Self, ToolError> {
        let mut lines = Self { input, line: 0, complete: false };
        let first =
            lines.object()?.ok_or_else(|| lines.wrong("it is empty, and no log exported by numax"))?;
        match first.get("numax_log").and_then(Json::as_u64) {
            Some(VERSION) => {}
            Some(version) => {
                let detail =
                    format!("it has version {version}, this program reads {VERSION}; use a newer program");
                return Err(lines.wrong(detail));
            }
            None => return Err(lines.wrong("this is no log exported by numax")),
        }
        lines.complete = first.get("complete").and_then(Json::as_bool).unwrap_or(false);
        Ok(lines)
    }

    /// Whether the lines say that they lead to the whole state.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The next record; none at the end.
    ///
    /// # Errors
    /// When a line is none of a log.
    pub fn next_record(&mut self) -> Result<Option<LogRecord>, ToolError> {
        let Some(object) = self.object()? else { return Ok(None) };
        record(&object).map(Some).map_err(|detail| self.wrong(detail))
    }

    fn wrong(&self, detail: impl Into<String>) -> ToolError {
        ToolError::Line { line: self.line, detail: detail.into() }
    }

    /// The next line that is not empty.
    fn object(&mut self) -> Result<Option<Object>, ToolError> {
        let mut text = String::new();
        loop {
            text.clear();
            self.line += 1;
            match self.input.read_line(&mut text) {
                Ok(0) => return Ok(None),
                Ok(_) if text.trim().is_empty() => {}
                Ok(_) => break,
                Err(error) => return Err(self.wrong(error.to_string())),
            }
        }
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| self.wrong(format!("it is no JSON object: {error}")))
    }
}

type Read<T> = Result<T, String>;

fn record(object: &Object) -> Read<LogRecord> {
    let end = number(object, "end")?;
    let batch = object.contains_key("dot").then(|| batch(object)).transpose()?;
    let mut local = Vec::new();
    for write in array(object, "local")? {
        let write = write.as_object().ok_or("`local` holds something else than writes")?;
        local.push((bytes(write, "key")?, optional_bytes(write, "value")?));
    }
    let page = match object.get("page") {
        None => None,
        Some(_) => Some(hex_bytes(object, "page")?),
    };
    if batch.is_none() && local.is_empty() && page.is_none() {
        return Err("there is no batch, no local write and no page in it".to_string());
    }
    let remote = object.get("remote").and_then(Json::as_bool).unwrap_or(false);
    Ok(LogRecord { end, batch, remote, local, page })
}

fn batch(object: &Object) -> Read<Bytes> {
    let Dot { origin, seq } = dot(text(object, "dot")?)?;
    let deps = dots(object, "deps")?.into_iter().map(|dot| (dot.origin, dot.seq)).collect();
    let mut ops = Vec::new();
    for op in array(object, "ops")? {
        ops.push(read_op(op.as_object().ok_or("`ops` holds something else than operations")?)?);
    }
    let batch = Batch { origin, seq, deps, hlc: hlc(object)?, ops };
    batch.check_limits().map_err(|error| error.to_string())?;
    let bytes = batch.encode();
    // What no peer would take is not applied here either.
    match Batch::decode(bytes.clone()) {
        Ok(again) if again == batch => Ok(bytes),
        Ok(_) => Err("it does not lead back to itself".to_string()),
        Err(error) => Err(error.to_string()),
    }
}

fn read_op(object: &Object) -> Read<Op> {
    let kind = text(object, "kind")?;
    let kind = Kind::from_config_name(kind).ok_or_else(|| format!("`{kind}` is no family"))?;
    let key = Key::new(bytes(object, "key")?).map_err(|error| error.to_string())?;
    let body = match kind {
        Kind::GCounter => Body::GCounter { total: number(object, "total")? },
        Kind::PnCounter => Body::PnCounter { up: number(object, "up")?, down: number(object, "down")? },
        Kind::LwwRegister => Body::Register { hlc: hlc(object)?, value: optional_bytes(object, "value")? },
        Kind::LwwMap => Body::MapField {
            field: bytes(object, "field")?,
            hlc: hlc(object)?,
            value: optional_bytes(object, "value")?,
        },
        Kind::OrSet if object.contains_key("add") => {
            Body::SetAdd { element: bytes(object, "add")?, replaces: dots(object, "replaces")? }
        }
        Kind::OrSet => {
            Body::SetRemove { element: bytes(object, "remove")?, removes: dots(object, "removes")? }
        }
        Kind::Rga if object.contains_key("insert") => Body::ListInsert {
            id: element(text(object, "insert")?)?,
            after: match object.get("after") {
                None | Some(Json::Null) => None,
                Some(_) => Some(element(text(object, "after")?)?),
            },
            value: bytes(object, "value")?,
        },
        Kind::Rga => Body::ListRemove { id: element(text(object, "remove")?)? },
        Kind::Text => Body::Text { update: hex_bytes(object, "update")? },
    };
    Ok(Op { key, body })
}

fn text<'a>(object: &'a Object, name: &str) -> Read<&'a str> {
    object.get(name).and_then(Json::as_str).ok_or_else(|| format!("`{name}` is no text"))
}

fn number(object: &Object, name: &str) -> Read<u64> {
    object.get(name).and_then(Json::as_u64).ok_or_else(|| format!("`{name}` is no number"))
}

fn array<'a>(object: &'a Object, name: &str) -> Read<&'a [Json]> {
    match object.get(name) {
        None => Ok(&[]),
        Some(Json::Array(items)) => Ok(items),
        Some(_) => Err(format!("`{name}` is no list")),
    }
}

fn bytes(object: &Object, name: &str) -> Read<Bytes> {
    unescape(text(object, name)?).map(Bytes::from).map_err(|error| error.to_string())
}

fn optional_bytes(object: &Object, name: &str) -> Read<Option<Bytes>> {
    match object.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(_) => bytes(object, name).map(Some),
    }
}

fn hex_bytes(object: &Object, name: &str) -> Read<Bytes> {
    let digits = text(object, name)?;
    hex::decode(digits)
        .map(Bytes::from)
        .map_err(|error| format!("`{name}` are no hexadecimal bytes: {error}"))
}

fn hlc(object: &Object) -> Read<Hlc> {
    let time = text(object, "hlc")?;
    names::parse_hlc(time).ok_or_else(|| format!("`{time}` is no time"))
}

fn dot(name: &str) -> Read<Dot> {
    names::parse_dot(name).ok_or_else(|| format!("`{name}` is no batch's name"))
}

fn dots(object: &Object, name: &str) -> Read<Vec<Dot>> {
    let mut out = Vec::new();
    for item in array(object, name)? {
        let item = item.as_str().ok_or_else(|| format!("`{name}` holds something else than names"))?;
        out.push(dot(item)?);
    }
    Ok(out)
}

fn element(id: &str) -> Read<ElementId> {
    id.parse().map_err(|error: numax_crdt::ParseElementIdError| error.to_string())
}
