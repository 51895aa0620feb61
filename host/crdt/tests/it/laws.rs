//! The laws of merging, over random histories: order and repetition do not matter, and what comes out is what the
//! model below says.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use numax_crdt::family::{g_counter, lww_map, lww_register, or_set, pn_counter, rga, text};
use numax_crdt::text::State;
use numax_crdt::{Batch, Body, Dot, Hlc, Key, Kind, Origin, VersionVector};
use proptest::prelude::*;

use crate::history::{KEYS, key, play, reorder, steps};
use crate::lists::{Tree, check_order};
use crate::rows::Store;

fn applied(batches: &[Batch]) -> Store {
    let mut store = Store::default();
    batches.iter().for_each(|batch| drop(store.apply(batch)));
    store
}

/// A register or field: when, by whom, what.
type Cell = (Hlc, Origin, Option<Bytes>);

/// What every value must be once all batches are known, from the operations alone.
#[derive(Default)]
struct Model {
    ups: BTreeMap<(Kind, Key, Origin), (u64, u64)>,
    cells: BTreeMap<(Kind, Key, Bytes), Cell>,
    added: BTreeSet<(Key, Bytes, Dot)>,
    gone: BTreeSet<(Key, Bytes, Dot)>,
    lists: BTreeMap<Key, Tree>,
    texts: BTreeMap<Key, State>,
}

impl Model {
    fn of(batches: &[Batch]) -> Self {
        let mut model = Self::default();
        for batch in batches {
            for op in &batch.ops {
                model.take(batch, op.key.clone(), &op.body);
            }
        }
        model
    }

    fn take(&mut self, batch: &Batch, key: Key, body: &Body) {
        let origin = batch.origin;
        let mut count = |up: u64, down: u64| {
            let totals = self.ups.entry((body.kind(), key.clone(), origin)).or_default();
            *totals = (totals.0.max(up), totals.1.max(down));
        };
        match body {
            Body::GCounter { total } => count(*total, 0),
            Body::PnCounter { up, down } => count(*up, *down),
            Body::Register { hlc, value } => {
                self.write(key, Kind::LwwRegister, Bytes::new(), *hlc, origin, value)
            }
            Body::MapField { field, hlc, value } => {
                self.write(key, Kind::LwwMap, field.clone(), *hlc, origin, value);
            }
            Body::SetAdd { element, replaces } => {
                self.added.insert((key.clone(), element.clone(), batch.dot()));
                self.gone.extend(replaces.iter().map(|dot| (key.clone(), element.clone(), *dot)));
            }
            Body::SetRemove { element, removes } => {
                self.gone.extend(removes.iter().map(|dot| (key.clone(), element.clone(), *dot)));
            }
            Body::ListInsert { id, after, value } => {
                self.lists.entry(key).or_default().insert(*id, *after, value.clone());
            }
            Body::ListRemove { id } => self.lists.entry(key).or_default().remove(*id),
            Body::Text { update } => {
                self.texts.entry(key).or_default().merge(State::read_update(update).unwrap());
            }
        }
    }

    fn write(&mut self, key: Key, kind: Kind, name: Bytes, hlc: Hlc, origin: Origin, value: &Option<Bytes>) {
        let cell = self.cells.entry((kind, key, name)).or_insert((Hlc::ZERO, Origin::default(), None));
        if (hlc, origin) > (cell.0, cell.1) {
            *cell = (hlc, origin, value.clone());
        }
    }

    fn count(&self, kind: Kind, key: &Key) -> i128 {
        let own = self.ups.iter().filter(|((k, name, _), _)| *k == kind && name == key);
        own.map(|(_, (up, down))| i128::from(*up) - i128::from(*down)).sum()
    }

    fn fields(&self, key: &Key) -> Vec<(Bytes, Bytes)> {
        let own = self.cells.iter().filter(|((kind, name, _), _)| *kind == Kind::LwwMap && name == key);
        own.filter_map(|((_, _, field), cell)| Some((field.clone(), cell.2.clone()?))).collect()
    }

    fn elements(&self, key: &Key) -> Vec<Bytes> {
        let live = self.added.difference(&self.gone).filter(|(name, _, _)| name == key);
        live.map(|(_, element, _)| element.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn check(&self, store: &mut Store) {
        for key in (0..KEYS.len()).map(key) {
            let count = g_counter::value(&store.view(Kind::GCounter, &key)).unwrap();
            assert_eq!(i128::from(count), self.count(Kind::GCounter, &key));
            let count = pn_counter::value(&store.view(Kind::PnCounter, &key)).unwrap();
            assert_eq!(i128::from(count), self.count(Kind::PnCounter, &key));

            let cell = self.cells.get(&(Kind::LwwRegister, key.clone(), Bytes::new()));
            let value = lww_register::get(&store.view(Kind::LwwRegister, &key)).unwrap();
            assert_eq!(value, cell.and_then(|cell| cell.2.clone()));

            let map = store.view(Kind::LwwMap, &key);
            assert_eq!(lww_map::entries(&map, None, usize::MAX >> 1).unwrap(), self.fields(&key));
            assert_eq!(lww_map::size(&map).unwrap(), self.fields(&key).len() as u64);

            let set = store.view(Kind::OrSet, &key);
            assert_eq!(or_set::elements(&set, None, usize::MAX >> 1).unwrap(), self.elements(&key));
            assert_eq!(or_set::size(&set).unwrap(), self.elements(&key).len() as u64);

            let want = self.lists.get(&key).map_or(Vec::new(), Tree::walk);
            let list = store.view(Kind::Rga, &key);
            assert_eq!(rga::entries(&list, None, usize::MAX >> 1).unwrap(), want);
            check_order(&list);
            let (state, _) = text::read(&store.view(Kind::Text, &key)).unwrap();
            assert_eq!(state, self.texts.get(&key).cloned().unwrap_or_default());
        }
    }
}

proptest! {
    /// Commutative and associative: every causal order ends in the same state, which is the one of the model.
    #[test]
    fn every_causal_order_ends_in_the_same_state(steps in steps(), choices in prop::collection::vec(any::<u16>(), 1..40)) {
        let batches = play(&steps);
        let mut one = applied(&batches);
        let mut other = applied(&reorder(&batches, &choices));
        prop_assert_eq!(one.export(), other.export());
        Model::of(&batches).check(&mut one);
        Model::of(&batches).check(&mut other);
    }

    /// Idempotent: batches that arrive again and again are told apart by their dots, and a batch that is applied
    /// twice in a row leaves what one leaves.
    #[test]
    fn repetition_changes_nothing(
        steps in steps(),
        choices in prop::collection::vec(any::<u16>(), 1..40),
        again in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..20),
    ) {
        let batches = play(&steps);
        let mut want = applied(&batches);

        let mut deliveries = reorder(&batches, &choices);
        for (from, to) in again.iter().filter(|_| !batches.is_empty()) {
            let batch = deliveries[from.index(deliveries.len())].clone();
            deliveries.insert(to.index(deliveries.len()), batch);
        }
        // A node keeps early arrivals; here they come again in the next round.
        let (mut store, mut vector) = (Store::default(), VersionVector::new());
        for batch in deliveries.iter().cycle().take(deliveries.len() * deliveries.len()) {
            if !vector.covers(batch.dot()) && crate::history::ready(&vector, batch) {
                vector.advance(batch.dot());
                store.apply(batch);
                store.apply(batch);
            }
        }
        prop_assert_eq!(store.export(), want.export());
    }

    /// A log is replayed from some position over rows that already include some of it.
    #[test]
    fn replaying_the_end_of_a_log_changes_nothing(steps in steps(), from in any::<prop::sample::Index>()) {
        let batches = play(&steps);
        let mut store = applied(&batches);
        let before = store.export();
        batches[from.index(batches.len() + 1)..].iter().for_each(|batch| drop(store.apply(batch)));
        prop_assert_eq!(store.export(), before);
        Model::of(&batches).check(&mut store);
    }

    /// What real histories hold fits the format, and the size that writers count with is never too small.
    #[test]
    fn what_a_batch_means_survives_the_wire(steps in steps()) {
        let batches = play(&steps);
        for batch in &batches {
            prop_assert_eq!(batch.check_limits(), Ok(()));
            let bytes = batch.encode();
            prop_assert_eq!(Batch::decode(bytes.clone()), Ok(batch.clone()));
            let bound: usize = batch.ops.iter().map(numax_crdt::Op::encoded_bound).sum();
            let empty = Batch { ops: Vec::new(), ..batch.clone() }.encode().len();
            let dots = batch.ops.iter().flat_map(|op| op.body.dots()).count();
            prop_assert!(bytes.len() <= empty + bound + dots * 50);
        }
    }
}
