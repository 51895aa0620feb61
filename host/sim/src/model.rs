//! What the value of everything must be, computed from the batches alone.
//!
//! A second, naive implementation of the families: whole values in maps, nothing incremental, no rows. It takes batches
//! in any order that respects causality; a replica that applied the same batches must read the same.

use bytes::Bytes;
use numax_crdt::{Batch, Body, Dot, Hlc, Kind, Origin};
use std::collections::{BTreeMap, BTreeSet};

/// The visible state of a replica: by kind and key, what a reader sees, written out.
pub type Visible = BTreeMap<(u8, Bytes), Vec<(Bytes, Bytes)>>;

type Stamp = (Hlc, Origin);

/// All values.
#[derive(Default)]
pub struct Model {
    g_counters: BTreeMap<Bytes, BTreeMap<Origin, u64>>,
    pn_counters: BTreeMap<Bytes, BTreeMap<Origin, (u64, u64)>>,
    registers: BTreeMap<Bytes, (Stamp, Option<Bytes>)>,
    maps: BTreeMap<Bytes, BTreeMap<Bytes, (Stamp, Option<Bytes>)>>,
    sets: BTreeMap<Bytes, BTreeMap<Bytes, BTreeSet<Dot>>>,
}

impl Model {
    /// Merges a batch.
    pub fn apply(&mut self, batch: &Batch) {
        let origin = batch.origin;
        for op in &batch.ops {
            let key = op.key.bytes().clone();
            match &op.body {
                Body::GCounter { total } => {
                    let own = self.g_counters.entry(key).or_default().entry(origin).or_default();
                    *own = (*own).max(*total);
                }
                Body::PnCounter { up, down } => {
                    let own = self.pn_counters.entry(key).or_default().entry(origin).or_default();
                    *own = (own.0.max(*up), own.1.max(*down));
                }
                Body::Register { hlc, value } => {
                    write(self.registers.entry(key), (*hlc, origin), value);
                }
                Body::MapField { field, hlc, value } => {
                    write(self.maps.entry(key).or_default().entry(field.clone()), (*hlc, origin), value);
                }
                Body::SetAdd { element, replaces } => {
                    let dots = self.sets.entry(key).or_default().entry(element.clone()).or_default();
                    // An origin's later addition stands for its earlier ones, also where two of its turns ran side by
                    // side and the later one to commit had not seen the other: they arrive in this order everywhere.
                    dots.retain(|dot| dot.origin != origin && !replaces.contains(dot));
                    dots.insert(batch.dot());
                }
                Body::SetRemove { element, removes } => {
                    let dots = self.sets.entry(key).or_default().entry(element.clone()).or_default();
                    dots.retain(|dot| !removes.contains(dot));
                }
                // The workload writes no lists yet.
                Body::ListInsert { .. } | Body::ListRemove { .. } => {}
            }
        }
    }

    /// What a reader must see.
    pub fn visible(&self) -> Visible {
        let mut all = Visible::new();
        let number = |text: String| vec![(Bytes::new(), Bytes::from(text))];
        for (key, totals) in &self.g_counters {
            all.insert((Kind::GCounter as u8, key.clone()), number(totals.values().sum::<u64>().to_string()));
        }
        for (key, totals) in &self.pn_counters {
            let sum: i128 = totals.values().map(|(up, down)| i128::from(*up) - i128::from(*down)).sum();
            all.insert((Kind::PnCounter as u8, key.clone()), number(sum.to_string()));
        }
        for (key, (_, value)) in &self.registers {
            if let Some(value) = value {
                all.insert((Kind::LwwRegister as u8, key.clone()), vec![(Bytes::new(), value.clone())]);
            }
        }
        for (key, fields) in &self.maps {
            let live: Vec<_> = fields
                .iter()
                .filter_map(|(field, (_, value))| value.as_ref().map(|value| (field.clone(), value.clone())))
                .collect();
            if !live.is_empty() {
                all.insert((Kind::LwwMap as u8, key.clone()), live);
            }
        }
        for (key, elements) in &self.sets {
            let live: Vec<_> = elements
                .iter()
                .filter(|(_, dots)| !dots.is_empty())
                .map(|(element, _)| (element.clone(), Bytes::new()))
                .collect();
            if !live.is_empty() {
                all.insert((Kind::OrSet as u8, key.clone()), live);
            }
        }
        all
    }
}

fn write<K: Ord>(
    entry: std::collections::btree_map::Entry<'_, K, (Stamp, Option<Bytes>)>,
    stamp: Stamp,
    value: &Option<Bytes>,
) {
    use std::collections::btree_map::Entry;
    match entry {
        Entry::Vacant(place) => {
            place.insert((stamp, value.clone()));
        }
        Entry::Occupied(mut place) if place.get().0 < stamp => {
            place.insert((stamp, value.clone()));
        }
        Entry::Occupied(_) => {}
    }
}
