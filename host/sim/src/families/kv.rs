//! The node-local store: not replicated, but in one batch with what is.

use super::{Call, Family, FamilyModel, Value, unknown, with_rows};
use crate::oracle::Increments;
use numax_crdt::{Key, Kind};
use numax_replica::{Draft, DraftError};

pub(super) struct Kv;

impl Family for Kv {
    fn name(&self) -> &'static str {
        "kv"
    }

    fn kind(&self) -> Option<Kind> {
        None
    }

    fn verbs(&self) -> &'static [(&'static str, u32)] {
        &[("set", 1), ("delete", 1)]
    }

    fn run(&self, draft: &mut Draft, _: u64, call: &Call, _: &mut Increments) -> Result<(), DraftError> {
        let name = call.item();
        match call.verb {
            "set" => with_rows(draft, |draft| draft.kv_set(&name, call.value())),
            "delete" => with_rows(draft, |draft| draft.kv_delete(&name)),
            _ => Err(unknown(call)),
        }
    }

    fn model(&self) -> Option<Box<dyn FamilyModel>> {
        None
    }

    fn read(&self, _: &mut Draft, _: &Key) -> Result<Value, DraftError> {
        Ok(Value::new())
    }
}
