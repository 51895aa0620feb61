//! Sets: an addition wins over a concurrent removal.

use super::{Call, Family, FamilyModel, PAGE, Value, all_pages, counted, unknown, with_rows};
use crate::oracle::Increments;
use bytes::Bytes;
use numax_crdt::{Batch, Body, Dot, Key, Kind, Op};
use numax_replica::{Draft, DraftError};
use std::collections::{BTreeMap, BTreeSet};

pub(super) struct OrSet;

impl Family for OrSet {
    fn name(&self) -> &'static str {
        Kind::OrSet.wit_name()
    }

    fn kind(&self) -> Option<Kind> {
        Some(Kind::OrSet)
    }

    fn verbs(&self) -> &'static [(&'static str, u32)] {
        // `unique` adds an element that no other call adds.
        &[("add", 7), ("remove", 4), ("clear", 1), ("unique", 3)]
    }

    fn run(&self, draft: &mut Draft, number: u64, call: &Call, _: &mut Increments) -> Result<(), DraftError> {
        let (key, element) = (call.key()?, call.item());
        match call.verb {
            "add" => with_rows(draft, |draft| draft.set_add(&key, element.clone())),
            "remove" => with_rows(draft, |draft| draft.set_remove(&key, &element)),
            "clear" => {
                with_rows(draft, |draft| draft.set_clear(&key))?;
                match with_rows(draft, |draft| draft.set_size(&key))? {
                    0 => Ok(()),
                    size => Err(DraftError::Invalid(format!("a set has {size} elements after a clear"))),
                }
            }
            "unique" => {
                let element = Bytes::from(number.to_string());
                with_rows(draft, |draft| draft.set_add(&key, element.clone()))
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
            |element: &Bytes| element.clone(),
            |draft, after| draft.set_elements(key, after, PAGE),
        )?;
        let size = with_rows(draft, |draft| draft.set_size(key))?;
        counted(all.into_iter().map(|element| (element, Bytes::new())).collect(), size)
    }
}

#[derive(Default)]
struct Model(BTreeMap<Bytes, BTreeMap<Bytes, BTreeSet<Dot>>>);

impl FamilyModel for Model {
    fn apply(&mut self, batch: &Batch, op: &Op) {
        let elements = self.0.entry(op.key.bytes().clone()).or_default();
        match &op.body {
            Body::SetAdd { element, replaces } => {
                let dots = elements.entry(element.clone()).or_default();
                // An origin's later addition stands for its earlier ones, also where two of its turns ran side by
                // side and the later one to commit had not seen the other: they arrive in this order everywhere.
                dots.retain(|dot| dot.origin != batch.origin && !replaces.contains(dot));
                dots.insert(batch.dot());
            }
            Body::SetRemove { element, removes } => {
                elements.entry(element.clone()).or_default().retain(|dot| !removes.contains(dot));
            }
            _ => {}
        }
    }

    fn visible(&self) -> BTreeMap<Bytes, Value> {
        let live = |elements: &BTreeMap<Bytes, BTreeSet<Dot>>| -> Value {
            let live = elements.iter().filter(|(_, dots)| !dots.is_empty());
            live.map(|(element, _)| (element.clone(), Bytes::new())).collect()
        };
        let all = self.0.iter().map(|(key, elements)| (key.clone(), live(elements)));
        all.filter(|(_, value)| !value.is_empty()).collect()
    }
}
