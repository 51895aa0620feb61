//! Lists: an element stands right behind the one that it was inserted after, siblings by descending id.

use super::{Call, Family, FamilyModel, PAGE, Value, counted, unknown, with_rows};
use crate::oracle::Increments;
use bytes::Bytes;
use numax_crdt::{Batch, Body, ElementId, Key, Kind, Op};
use numax_replica::{Draft, DraftError, IdSeed};
use std::collections::{BTreeMap, BTreeSet};

pub(super) struct Rga;

impl Family for Rga {
    fn name(&self) -> &'static str {
        Kind::Rga.wit_name()
    }

    fn kind(&self) -> Option<Kind> {
        Some(Kind::Rga)
    }

    fn verbs(&self) -> &'static [(&'static str, u32)] {
        // `item` names a place, counted from the front and around.
        &[("insert", 6), ("push", 3), ("remove", 4), ("clear", 1)]
    }

    fn run(&self, draft: &mut Draft, number: u64, call: &Call, _: &mut Increments) -> Result<(), DraftError> {
        let key = call.key()?;
        // Ids differ in their random part where their times are alike.
        let random = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let seed = IdSeed { now_ms: START_MS + u64::from(call.amount), random };
        match call.verb {
            "push" => with_rows(draft, |draft| draft.list_push(&key, call.value(), seed)).map(drop),
            "clear" => with_rows(draft, |draft| draft.list_clear(&key)),
            "insert" => {
                let ids = ids(draft, &key)?;
                // One place more than there are elements: the head.
                let after = place(&ids, call.item, 1).copied();
                let id = with_rows(draft, |draft| draft.list_insert(&key, after, call.value(), seed))?;
                match with_rows(draft, |draft| draft.list_get(&key, id))? {
                    Some(value) if value == call.value() => Ok(()),
                    _ => Err(DraftError::Invalid("a list does not hold what was inserted".into())),
                }
            }
            "remove" => match place(&ids(draft, &key)?, call.item, 0) {
                Some(id) => with_rows(draft, |draft| draft.list_remove(&key, *id)),
                None => Ok(()),
            },
            _ => Err(unknown(call)),
        }
    }

    fn model(&self) -> Option<Box<dyn FamilyModel>> {
        Some(Box::new(Model::default()))
    }

    fn read(&self, draft: &mut Draft, key: &Key) -> Result<Value, DraftError> {
        let all = entries(draft, key)?;
        let size = with_rows(draft, |draft| draft.list_size(key))?;
        let named = all.into_iter().map(|(id, value)| (Bytes::copy_from_slice(id.as_bytes()), value));
        counted(named.collect(), size)
    }
}

/// A time for ids: before that of the nodes' clocks.
const START_MS: u64 = 1_780_000_000_000;

/// An element by its number, around; with `spare` more numbers than elements.
fn place(ids: &[ElementId], item: u32, spare: usize) -> Option<&ElementId> {
    let places = (ids.len() + spare).max(1);
    ids.get(usize::try_from(item).unwrap_or(0) % places)
}

fn ids(draft: &mut Draft, key: &Key) -> Result<Vec<ElementId>, DraftError> {
    Ok(entries(draft, key)?.into_iter().map(|(id, _)| id).collect())
}

fn entries(draft: &mut Draft, key: &Key) -> Result<Vec<(ElementId, Bytes)>, DraftError> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = with_rows(draft, |draft| draft.list_entries(key, after, PAGE))?;
        all.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
}

/// A list: by element, those that were inserted after it; and values of those that were not removed.
#[derive(Default)]
struct List {
    children: BTreeMap<Option<ElementId>, BTreeSet<ElementId>>,
    values: BTreeMap<ElementId, Bytes>,
    removed: BTreeSet<ElementId>,
}

#[derive(Default)]
struct Model(BTreeMap<Bytes, List>);

impl FamilyModel for Model {
    fn apply(&mut self, _: &Batch, op: &Op) {
        let list = self.0.entry(op.key.bytes().clone()).or_default();
        match &op.body {
            Body::ListInsert { id, after, value } => {
                list.children.entry(*after).or_default().insert(*id);
                list.values.insert(*id, value.clone());
            }
            Body::ListRemove { id } => {
                list.removed.insert(*id);
            }
            _ => {}
        }
    }

    fn visible(&self) -> BTreeMap<Bytes, Value> {
        let all = self.0.iter().map(|(key, list)| (key.clone(), list.visible()));
        all.filter(|(_, value)| !value.is_empty()).collect()
    }
}

impl List {
    fn visible(&self) -> Value {
        let mut all = Value::new();
        let children = |of: Option<ElementId>| self.children.get(&of).into_iter().flatten().copied();
        // The greatest first, so it goes to the top last.
        let mut open: Vec<ElementId> = children(None).collect();
        while let Some(id) = open.pop() {
            open.extend(children(Some(id)));
            if let (Some(value), false) = (self.values.get(&id), self.removed.contains(&id)) {
                all.push((Bytes::copy_from_slice(id.as_bytes()), value.clone()));
            }
        }
        all
    }
}
