//! Maps of fields: the last writer wins per field.

use super::{
    Call, Family, FamilyModel, PAGE, Stamp, Value, all_pages, counted, unknown, with_rows, write_later,
};
use crate::oracle::Increments;
use bytes::Bytes;
use numax_crdt::{Batch, Body, Key, Kind, Op};
use numax_replica::{Draft, DraftError};
use std::collections::BTreeMap;

pub(super) struct LwwMap;

impl Family for LwwMap {
    fn name(&self) -> &'static str {
        Kind::LwwMap.wit_name()
    }

    fn kind(&self) -> Option<Kind> {
        Some(Kind::LwwMap)
    }

    fn verbs(&self) -> &'static [(&'static str, u32)] {
        &[("set", 8), ("remove", 3), ("clear", 1)]
    }

    fn run(&self, draft: &mut Draft, _: u64, call: &Call, _: &mut Increments) -> Result<(), DraftError> {
        let (key, field) = (call.key()?, call.item());
        match call.verb {
            "set" => with_rows(draft, |draft| draft.map_set(&key, &field, call.value())),
            "remove" => with_rows(draft, |draft| draft.map_remove(&key, &field)),
            "clear" => {
                with_rows(draft, |draft| draft.map_clear(&key))?;
                match with_rows(draft, |draft| draft.map_size(&key))? {
                    0 => Ok(()),
                    size => Err(DraftError::Invalid(format!("a map has {size} fields after a clear"))),
                }
            }
            _ => Err(unknown(call)),
        }
    }

    fn model(&self) -> Option<Box<dyn FamilyModel>> {
        Some(Box::new(Model::default()))
    }

    fn read(&self, draft: &mut Draft, key: &Key) -> Result<Value, DraftError> {
        let all = all_pages(
            draft,
            |(field, _): &(Bytes, Bytes)| field.clone(),
            |draft, after| draft.map_entries(key, after, PAGE),
        )?;
        let size = with_rows(draft, |draft| draft.map_size(key))?;
        counted(all, size)
    }
}

#[derive(Default)]
struct Model(BTreeMap<Bytes, BTreeMap<Bytes, (Stamp, Option<Bytes>)>>);

impl FamilyModel for Model {
    fn apply(&mut self, batch: &Batch, op: &Op) {
        if let Body::MapField { field, hlc, value } = &op.body {
            let fields = self.0.entry(op.key.bytes().clone()).or_default();
            write_later(fields, field.clone(), (*hlc, batch.origin), value);
        }
    }

    fn visible(&self) -> BTreeMap<Bytes, Value> {
        let live =
            |(field, (_, value)): (&Bytes, &(Stamp, Option<Bytes>))| Some((field.clone(), value.clone()?));
        let all = self.0.iter().map(|(key, fields)| (key.clone(), fields.iter().filter_map(live).collect()));
        all.filter(|(_, value): &(Bytes, Value)| !value.is_empty()).collect()
    }
}
