//! Single values: the last writer wins.

use super::{Call, Family, FamilyModel, Stamp, Value, unknown, with_rows, write_later};
use crate::oracle::Increments;
use bytes::Bytes;
use numax_crdt::{Batch, Body, Key, Kind, Op};
use numax_replica::{Draft, DraftError};
use std::collections::BTreeMap;

pub(super) struct LwwRegister;

impl Family for LwwRegister {
    fn name(&self) -> &'static str {
        Kind::LwwRegister.wit_name()
    }

    fn kind(&self) -> Option<Kind> {
        Some(Kind::LwwRegister)
    }

    fn verbs(&self) -> &'static [(&'static str, u32)] {
        &[("set", 5), ("clear", 1)]
    }

    fn run(&self, draft: &mut Draft, _: u64, call: &Call, _: &mut Increments) -> Result<(), DraftError> {
        let (key, value) = (call.key()?, call.value());
        match call.verb {
            "set" => {
                with_rows(draft, |draft| draft.register_set(&key, value.clone()))?;
                if with_rows(draft, |draft| draft.register_get(&key))? != Some(value) {
                    return Err(DraftError::Invalid("a register does not hold what was written".into()));
                }
                Ok(())
            }
            "clear" => with_rows(draft, |draft| draft.register_clear(&key)),
            _ => Err(unknown(call)),
        }
    }

    fn model(&self) -> Option<Box<dyn FamilyModel>> {
        Some(Box::new(Model::default()))
    }

    fn read(&self, draft: &mut Draft, key: &Key) -> Result<Value, DraftError> {
        let value = with_rows(draft, |draft| draft.register_get(key))?;
        Ok(value.map(|value| vec![(Bytes::new(), value)]).unwrap_or_default())
    }
}

#[derive(Default)]
struct Model(BTreeMap<Bytes, (Stamp, Option<Bytes>)>);

impl FamilyModel for Model {
    fn apply(&mut self, batch: &Batch, op: &Op) {
        if let Body::Register { hlc, value } = &op.body {
            write_later(&mut self.0, op.key.bytes().clone(), (*hlc, batch.origin), value);
        }
    }

    fn visible(&self) -> BTreeMap<Bytes, Value> {
        let live = |(key, (_, value)): (&Bytes, &(Stamp, Option<Bytes>))| {
            Some((key.clone(), vec![(Bytes::new(), value.clone()?)]))
        };
        self.0.iter().filter_map(live).collect()
    }
}
