//! Counters that go both ways.

use super::{Call, Family, FamilyModel, Value, text, unknown, with_rows};
use crate::oracle::Increments;
use bytes::Bytes;
use numax_crdt::{Batch, Body, Key, Kind, Op, Origin};
use numax_replica::{Draft, DraftError};
use std::collections::BTreeMap;

pub(super) struct PnCounter;

impl Family for PnCounter {
    fn name(&self) -> &'static str {
        Kind::PnCounter.wit_name()
    }

    fn kind(&self) -> Option<Kind> {
        Some(Kind::PnCounter)
    }

    fn verbs(&self) -> &'static [(&'static str, u32)] {
        &[("increment", 1), ("decrement", 1)]
    }

    fn run(&self, draft: &mut Draft, _: u64, call: &Call, sums: &mut Increments) -> Result<(), DraftError> {
        let (key, by) = (call.key()?, u64::from(call.amount));
        let sum = sums.entry((Kind::PnCounter as u8, key.bytes().clone())).or_default();
        match call.verb {
            "increment" => {
                with_rows(draft, |draft| draft.pn_counter_increment(&key, by))?;
                sum.0 += by;
            }
            "decrement" => {
                with_rows(draft, |draft| draft.pn_counter_decrement(&key, by))?;
                sum.1 += by;
            }
            _ => return Err(unknown(call)),
        }
        Ok(())
    }

    fn model(&self) -> Option<Box<dyn FamilyModel>> {
        Some(Box::new(Model::default()))
    }

    fn read(&self, draft: &mut Draft, key: &Key) -> Result<Value, DraftError> {
        with_rows(draft, |draft| draft.pn_counter_value(key)).map(text)
    }
}

#[derive(Default)]
struct Model(BTreeMap<Bytes, BTreeMap<Origin, (u64, u64)>>);

impl FamilyModel for Model {
    fn apply(&mut self, batch: &Batch, op: &Op) {
        if let Body::PnCounter { up, down } = &op.body {
            let own = self.0.entry(op.key.bytes().clone()).or_default().entry(batch.origin).or_default();
            *own = (own.0.max(*up), own.1.max(*down));
        }
    }

    fn visible(&self) -> BTreeMap<Bytes, Value> {
        let sum = |totals: &BTreeMap<Origin, (u64, u64)>| -> i128 {
            totals.values().map(|(up, down)| i128::from(*up) - i128::from(*down)).sum()
        };
        self.0.iter().map(|(key, totals)| (key.clone(), text(sum(totals)))).collect()
    }
}
