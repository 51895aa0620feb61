//! What a value reads as: `numax get`.

use bytes::Bytes;
use numax_crdt::{
    ElementId, Key, Kind, Rows, applier,
    family::{HEAD, g_counter, lww_map, lww_register, or_set, pn_counter, rga},
};
use numax_replica::Draft;
use serde_json::{Value as Json, json};

use crate::{ToolError, escape::escape, store::Store};

/// A value as its readers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A counter's value; exact, also where a guest reads the limit of its type.
    Count(i128),
    /// A register's value.
    Register(Option<Bytes>),
    /// A map's live fields, in order.
    Map(Vec<(Bytes, Bytes)>),
    /// A set's elements, in order.
    Set(Vec<Bytes>),
    /// A list's live elements, in order.
    List(Vec<(ElementId, Bytes)>),
    /// A text.
    Text(String),
}

impl Value {
    /// Reads a value whole.
    ///
    /// # Errors
    /// When rows cannot be read or are damaged, and for texts in a program that cannot edit them.
    pub fn read(store: &Store, kind: Kind, key: &Key) -> Result<Self, ToolError> {
        if kind == Kind::Text {
            let mut draft = Draft::new(store.reader(), 0);
            draft.load_inline(true);
            return Ok(Self::Text(draft.text_read(key).map_err(ToolError::draft(
                store.path(),
                kind,
                key,
            ))?));
        }
        let read = |rows: &dyn Rows| {
            Ok(match kind {
                Kind::GCounter => Self::Count(i128::try_from(g_counter::sum(rows)?).unwrap_or(i128::MAX)),
                Kind::PnCounter => Self::Count(pn_counter::sum(rows)?),
                Kind::LwwRegister | Kind::Text => Self::Register(lww_register::get(rows)?),
                Kind::LwwMap => Self::Map(lww_map::entries(rows, None, usize::MAX)?),
                Kind::OrSet => Self::Set(or_set::elements(rows, None, usize::MAX)?),
                Kind::Rga => Self::List(rga::entries(rows, None, usize::MAX)?),
            })
        };
        store.value(kind, key, read).map_err(ToolError::value(store.path(), kind, key))
    }

    /// The value as `--print-…` writes it.
    #[must_use]
    pub fn shown(&self) -> String {
        let list = |parts: Vec<String>| parts.join(", ");
        match self {
            Self::Count(count) => count.to_string(),
            Self::Register(None) => "<unset>".to_string(),
            Self::Register(Some(value)) => escape(value),
            Self::Map(fields) => {
                let field = |(name, value): &(Bytes, Bytes)| format!("{}={}", escape(name), escape(value));
                format!("{{{}}}", list(fields.iter().map(field).collect()))
            }
            Self::Set(elements) => {
                format!("[{}]", list(elements.iter().map(|bytes| escape(bytes)).collect()))
            }
            Self::List(elements) => {
                format!("[{}]", list(elements.iter().map(|(_, bytes)| escape(bytes)).collect()))
            }
            Self::Text(text) => escape(text.as_bytes()),
        }
    }

    /// The value as data.
    #[must_use]
    pub fn json(&self) -> Json {
        match self {
            // Beyond 64 bits JSON's readers lose digits.
            Self::Count(count) => match i64::try_from(*count) {
                Ok(count) => json!(count),
                Err(_) => {
                    u64::try_from(*count).map_or_else(|_| json!(count.to_string()), |count| json!(count))
                }
            },
            Self::Register(value) => json!(value.as_ref().map(|value| escape(value))),
            Self::Map(fields) => {
                let fields = fields.iter().map(|(name, value)| (escape(name), json!(escape(value))));
                Json::Object(fields.collect())
            }
            Self::Set(elements) => json!(elements.iter().map(|bytes| escape(bytes)).collect::<Vec<_>>()),
            Self::List(elements) => {
                let element = |(id, value): &(ElementId, Bytes)| json!({ "id": id.to_string(), "value": escape(value) });
                json!(elements.iter().map(element).collect::<Vec<_>>())
            }
            Self::Text(text) => json!(text),
        }
    }
}

/// Whether a reader sees a value there.
///
/// # Errors
/// When its head cannot be read or is damaged.
pub fn is_live(store: &Store, kind: Kind, key: &Key) -> Result<bool, ToolError> {
    let Some(family) = applier(kind) else { return Ok(false) };
    let live = |rows: &dyn Rows| rows.get(HEAD)?.map_or(Ok(false), |head| family.is_live(&head));
    store.value(kind, key, live).map_err(ToolError::value(store.path(), kind, key))
}

/// Every family among `kinds` under which a key has a value, with the value.
///
/// # Errors
/// When rows cannot be read or are damaged.
pub fn get(store: &Store, key: &Key, kinds: &[Kind]) -> Result<Vec<(Kind, Value)>, ToolError> {
    let mut found = Vec::new();
    for kind in kinds {
        if is_live(store, *kind, key)? {
            found.push((*kind, Value::read(store, *kind, key)?));
        }
    }
    Ok(found)
}
