//! Counters that only grow.

use super::{Call, Family, FamilyModel, Value, text, unknown, with_rows};
use crate::oracle::Increments;
use bytes::Bytes;
use numax_crdt::{Batch, Body, Key, Kind, Op, Origin};
use numax_replica::{Draft, DraftError};
use std::collections::BTreeMap;

pub(super) struct GCounter;

impl Family for GCounter {
    fn name(&self) -> &'static str {
        Kind::GCounter.wit_name()
    }

    fn kind(&self) -> Option<Kind> {
        Some(Kind::GCounter)
    }

    fn verbs(&self) -> &'static [(&'static str, u32)] {
        &[("increment", 1)]
    }

    fn run(&self, draft: &mut Draft, _: u64, call: &Call, sums: &mut Increments) -> Result<(), DraftError> {
        let (key, by) = (call.key()?, u64::from(call.amount));
        if call.verb != "increment" {
            return Err(unknown(call));
        }
        let before = with_rows(draft, |draft| draft.g_counter_value(&key))?;
        with_rows(draft, |draft| draft.g_counter_increment(&key, by))?;
        let after = with_rows(draft, |draft| draft.g_counter_value(&key))?;
        if after != before + by {
            return Err(DraftError::Invalid(format!("read {before}, added {by}, read {after}")));
        }
        sums.entry((Kind::GCounter as u8, key.bytes().clone())).or_default().0 += by;
        Ok(())
    }

    fn model(&self) -> Option<Box<dyn FamilyModel>> {
        Some(Box::new(Model::default()))
    }

    fn read(&self, draft: &mut Draft, key: &Key) -> Result<Value, DraftError> {
        with_rows(draft, |draft| draft.g_counter_value(key)).map(text)
    }
}

#[derive(Default)]
struct Model(BTreeMap<Bytes, BTreeMap<Origin, u64>>);

impl FamilyModel for Model {
    fn apply(&mut self, batch: &Batch, op: &Op) {
        if let Body::GCounter { total } = &op.body {
            let own = self.0.entry(op.key.bytes().clone()).or_default().entry(batch.origin).or_default();
            *own = (*own).max(*total);
        }
    }

    fn visible(&self) -> BTreeMap<Bytes, Value> {
        self.0.iter().map(|(key, totals)| (key.clone(), text(totals.values().sum::<u64>()))).collect()
    }
}
