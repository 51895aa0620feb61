//! What a row says, in words and as data.

use numax_crdt::{RowContent, RowFacts, RowName};
use serde_json::{Value as Json, json};

use crate::{
    escape::escape,
    names::{self, time},
};

/// The name of a row for people.
pub(crate) fn row_name(name: &RowName) -> String {
    match name {
        RowName::Head => "head".to_string(),
        RowName::Origin(origin) => format!("origin {origin}"),
        RowName::Field(field) => format!("field {}", escape(field)),
        RowName::Element(element) => format!("element {}", escape(element)),
        RowName::ListElement(id) => format!("element {id}"),
        RowName::Order => "order".to_string(),
        RowName::Part(number) => format!("part {number} of the state"),
        RowName::Update(number) => format!("update {number}"),
    }
}

/// The name of a row as data.
pub(crate) fn row_name_json(name: &RowName) -> Json {
    match name {
        RowName::Head => json!({ "head": true }),
        RowName::Origin(origin) => json!({ "origin": names::origin(origin) }),
        RowName::Field(field) => json!({ "field": escape(field) }),
        RowName::Element(element) => json!({ "element": escape(element) }),
        RowName::ListElement(id) => json!({ "element_id": id.to_string() }),
        RowName::Order => json!({ "order": true }),
        RowName::Part(number) => json!({ "part": number }),
        RowName::Update(number) => json!({ "update": number }),
    }
}

/// What is in a row, for people.
pub(crate) fn content(content: &RowContent) -> String {
    match content {
        RowContent::Totals { up, down: None } => format!("total {up}"),
        RowContent::Totals { up, down: Some(down) } => format!("up {up}, down {down}"),
        RowContent::Sums { up, down: None } => format!("sum {up}"),
        RowContent::Sums { up, down: Some(down) } => format!("sum up {up}, down {down}"),
        RowContent::Count(count) => format!("{count} live"),
        RowContent::Value(value) => format!("= {}", escape(value)),
        RowContent::Removed => "removed (tombstone)".to_string(),
        RowContent::Present => "present".to_string(),
        RowContent::ListElement { after, value } => {
            let place = after.map_or_else(|| "at the head".to_string(), |after| format!("after {after}"));
            match value {
                Some(value) => format!("= {} ({place})", escape(value)),
                None => format!("removed (tombstone, {place})"),
            }
        }
        RowContent::Bytes(bytes) => format!("{bytes} bytes"),
    }
}

/// What is in a row, as data.
pub(crate) fn content_json(content: &RowContent) -> Json {
    match content {
        RowContent::Totals { up, down } => json!({ "up": up, "down": down }),
        // Sums go beyond 64 bits.
        RowContent::Sums { up, down } => {
            json!({ "sum_up": up.to_string(), "sum_down": down.map(|down| down.to_string()) })
        }
        RowContent::Count(count) => json!({ "live": count }),
        RowContent::Value(value) => json!({ "value": escape(value) }),
        RowContent::Removed => json!({ "tombstone": true }),
        RowContent::Present => json!({ "present": true }),
        RowContent::ListElement { after, value } => json!({
            "after": after.map(|after| after.to_string()),
            "value": value.as_ref().map(|value| escape(value)),
            "tombstone": value.is_none(),
        }),
        RowContent::Bytes(bytes) => json!({ "bytes": bytes }),
    }
}

/// A row for people, without its name: content and who wrote it.
pub(crate) fn row(facts: &RowFacts) -> String {
    let mut out = content(&facts.content);
    if let Some(hlc) = facts.hlc {
        out.push_str(&format!(", time {hlc} ({})", time(hlc.ms())));
    }
    for (at, dot) in facts.written_by.iter().enumerate() {
        out.push_str(if at == 0 { ", by " } else { " and " });
        out.push_str(&dot.to_string());
    }
    out
}

/// A row as data.
pub(crate) fn row_json(facts: &RowFacts) -> Json {
    json!({
        "row": row_name_json(&facts.name),
        "content": content_json(&facts.content),
        "hlc": facts.hlc.map(|hlc| hlc.to_string()),
        "written_by": facts.written_by.iter().map(names::dot).collect::<Vec<_>>(),
    })
}
