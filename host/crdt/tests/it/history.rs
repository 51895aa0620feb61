//! Histories: what several replicas wrote while they heard of each other now and then. Writers go through the same
//! reads as a real node: they capture dots, totals and times as they see them.

use bytes::Bytes;
use numax_crdt::family::{self, g_counter, lww_map, lww_register, or_set, pn_counter, rga};
use numax_crdt::{
    Batch, Body, Dot, ElementId, Hlc, HlcClock, Key, Kind, NodeId, Op, Origin, VersionVector, text,
};
use proptest::prelude::*;

use crate::rows::Store;

pub const REPLICAS: usize = 3;
pub const KEYS: [&str; 2] = ["", "k"];
pub const NAMES: [&[u8]; 3] = [b"", b"\x01", b"x"];
const MAX_SKEW_MS: u64 = 1000;

/// One thing a guest does.
#[derive(Debug, Clone)]
pub struct Action {
    pub kind: Kind,
    pub key: usize,
    /// Field or element.
    pub name: usize,
    /// Amount or value; for a set and for removals see `write`.
    pub value: u8,
    pub remove: bool,
}

#[derive(Debug, Clone)]
pub enum Step {
    /// A replica commits a turn at some wall-clock time.
    Turn { replica: usize, now_ms: u64, actions: Vec<Action> },
    /// A replica takes the next `count` batches that it lacks from another.
    Hear { replica: usize, from: usize, count: usize },
}

fn actions() -> impl Strategy<Value = Action> {
    let kind = prop_oneof![
        1 => Just(Kind::GCounter),
        1 => Just(Kind::PnCounter),
        1 => Just(Kind::LwwRegister),
        1 => Just(Kind::LwwMap),
        2 => Just(Kind::OrSet),
        3 => Just(Kind::Rga),
        1 => Just(Kind::Text),
    ];
    (kind, 0..KEYS.len(), 0..NAMES.len(), any::<u8>(), any::<bool>())
        .prop_map(|(kind, key, name, value, remove)| Action { kind, key, name, value, remove })
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Few distinct times, so that equal stamps from several origins are common, and one clock far ahead.
    let now = prop_oneof![4 => 5u64..8, 1 => Just(1_000_000)];
    let turn = (0..REPLICAS, now, prop::collection::vec(actions(), 1..4))
        .prop_map(|(replica, now_ms, actions)| Step::Turn { replica, now_ms, actions });
    let hear = (0..REPLICAS, 0..REPLICAS, 1..6usize).prop_map(|(replica, from, count)| Step::Hear {
        replica,
        from,
        count,
    });
    prop::collection::vec(prop_oneof![2 => turn, 1 => hear], 1..40)
}

pub fn origin(replica: usize) -> Origin {
    // Nodes repeat with other epochs: a node is several origins in its life.
    Origin { node: NodeId([replica as u8 / 2; 32]), epoch: replica as u64 % 2, nonce: 7 }
}

pub fn key(index: usize) -> Key {
    Key::new(KEYS[index]).unwrap()
}

struct Replica {
    origin: Origin,
    store: Store,
    vector: VersionVector,
    /// The vector at the last own batch.
    told: VersionVector,
    clock: HlcClock,
    log: Vec<Batch>,
}

/// Plays the steps and returns every batch that was written, in some causal order.
pub fn play(steps: &[Step]) -> Vec<Batch> {
    let new = |replica| Replica {
        origin: origin(replica),
        store: Store::default(),
        vector: VersionVector::new(),
        told: VersionVector::new(),
        clock: HlcClock::default(),
        log: Vec::new(),
    };
    let mut replicas: Vec<_> = (0..REPLICAS).map(new).collect();
    let mut all = Vec::new();
    for step in steps {
        match step {
            Step::Turn { replica, now_ms, actions } => {
                all.extend(replicas[*replica].turn(*now_ms, actions));
            }
            Step::Hear { replica, from, count } => {
                let log = replicas[*from].log.clone();
                let replica = &mut replicas[*replica];
                let unknown = log.into_iter().filter(|batch| !replica.vector.covers(batch.dot()));
                let heard: Vec<_> = unknown.take(*count).collect();
                heard.into_iter().for_each(|batch| replica.take(batch, 6));
            }
        }
    }
    all
}

impl Replica {
    fn turn(&mut self, now_ms: u64, actions: &[Action]) -> Option<Batch> {
        let hlc = self.clock.tick(now_ms);
        let mut ops: Vec<Op> = Vec::new();
        for action in actions {
            let op = Op { key: key(action.key), body: self.body(action, hlc, &ops)? };
            // One operation per row and batch: what a draft's coalescing comes to.
            let removal = matches!(op.body, Body::ListRemove { .. });
            if removal || !ops.iter().any(|known| row(known) == row(&op)) {
                ops.push(op);
            }
        }
        let deps = self
            .vector
            .iter()
            .filter(|(origin, seq)| **origin != self.origin && *seq > self.told.get(origin));
        let deps = deps.map(|(origin, seq)| (*origin, seq)).collect();
        let batch = Batch { origin: self.origin, seq: self.vector.get(&self.origin) + 1, deps, hlc, ops };
        self.told = self.vector.clone();
        self.take(batch.clone(), now_ms);
        Some(batch)
    }

    fn take(&mut self, batch: Batch, now_ms: u64) {
        assert!(ready(&self.vector, &batch), "a log is in causal order");
        assert!(self.vector.advance(batch.dot()));
        self.clock.observe(batch.hlc, now_ms, MAX_SKEW_MS);
        self.store.apply(&batch);
        self.log.push(batch);
    }

    fn body(&mut self, action: &Action, now: Hlc, ops: &[Op]) -> Option<Body> {
        let origin = self.origin;
        if action.kind == Kind::Rga {
            return self.list(action, now, ops);
        }
        let rows = self.store.view(action.kind, &key(action.key));
        let name = Bytes::from_static(NAMES[action.name]);
        let value = (!action.remove).then(|| Bytes::from(vec![action.value; action.value as usize % 3]));
        let by = u64::from(action.value);
        Some(match action.kind {
            Kind::GCounter => Body::GCounter { total: g_counter::total(&rows, &origin).unwrap() + by },
            Kind::PnCounter => {
                let (up, down) = pn_counter::totals(&rows, &origin).unwrap();
                let (up, down) = if action.remove { (up, down + by) } else { (up + by, down) };
                Body::PnCounter { up, down }
            }
            Kind::LwwRegister => {
                Body::Register { hlc: now.after(lww_register::written_at(&rows).unwrap()), value }
            }
            Kind::LwwMap => {
                let hlc = now.after(lww_map::written_at(&rows, &name).unwrap());
                Body::MapField { field: name, hlc, value }
            }
            Kind::OrSet => {
                let seen = or_set::dots(&rows, &name).unwrap();
                if action.remove {
                    Body::SetRemove { element: name, removes: seen }
                } else {
                    Body::SetAdd { element: name, replaces: seen }
                }
            }
            Kind::Text => {
                let mut document = text::Document::new(text::client_id(&origin));
                document.load(family::text::read(&rows).unwrap().0).unwrap();
                let at = u32::from(action.value) % (document.size() + 1);
                if action.remove {
                    document.remove(at, 3.min(document.size() - at)).unwrap();
                } else {
                    document.insert(at, &"text"[action.name..]).unwrap();
                }
                Body::Text { update: document.take_written().unwrap().write_update().into() }
            }
            Kind::Rga => return None,
        })
    }

    /// An insertion after some element that the turn sees, or a removal of one.
    fn list(&mut self, action: &Action, now: Hlc, ops: &[Op]) -> Option<Body> {
        let key = key(action.key);
        let seq = self.vector.get(&self.origin) + 1;
        let rows = self.store.view(Kind::Rga, &key);
        let mut seen: Vec<ElementId> =
            rga::entries(&rows, None, usize::MAX >> 1).unwrap().into_iter().map(|(id, _)| id).collect();
        for op in ops.iter().filter(|op| op.key == key) {
            match op.body {
                Body::ListInsert { id, .. } => seen.push(id),
                Body::ListRemove { id } => seen.retain(|other| *other != id),
                _ => {}
            }
        }
        let chosen = usize::from(action.value) % (seen.len() + 1);
        if action.remove && action.name > 0 {
            return Some(Body::ListRemove { id: *seen.get(chosen)? });
        }
        let after = seen.get(chosen).copied();
        let above = after.into_iter().chain(rga::successor(&rows, after).unwrap());
        // Unlike that of chance, but as unique.
        let random =
            seq << 16 | (ops.len() as u64) << 8 | self.origin.epoch << 4 | u64::from(self.origin.node.0[0]);
        let id = ElementId::fresh(now, above, random)?;
        Some(Body::ListInsert {
            id,
            after,
            value: Bytes::from(vec![action.value; action.value as usize % 3]),
        })
    }
}

/// The row that an operation writes.
pub fn row(op: &Op) -> (Kind, Key, Bytes) {
    let name = match &op.body {
        Body::MapField { field: name, .. }
        | Body::SetAdd { element: name, .. }
        | Body::SetRemove { element: name, .. } => name.clone(),
        Body::ListInsert { id, .. } | Body::ListRemove { id } => Bytes::copy_from_slice(id.as_bytes()),
        _ => Bytes::new(),
    };
    (op.body.kind(), op.key.clone(), name)
}

/// Whether a replica that knows `vector` may apply a batch.
pub fn ready(vector: &VersionVector, batch: &Batch) -> bool {
    let deps: VersionVector = batch.deps.iter().copied().collect();
    vector.get(&batch.origin) + 1 == batch.seq && vector.covers_vector(&deps)
}

/// The batches in another causal order, which `choices` picks.
pub fn reorder(batches: &[Batch], choices: &[u16]) -> Vec<Batch> {
    let mut left: Vec<Batch> = batches.to_vec();
    let mut vector = VersionVector::new();
    let mut out = Vec::new();
    let mut choices = choices.iter().cycle();
    while !left.is_empty() {
        let able: Vec<usize> = (0..left.len()).filter(|i| ready(&vector, &left[*i])).collect();
        let choice = choices.next().map_or(0, |choice| usize::from(*choice));
        let batch = left.remove(able[choice % able.len()]);
        vector.advance(batch.dot());
        out.push(batch);
    }
    out
}

/// A dot of a test replica.
pub fn dot(replica: usize, seq: u64) -> Dot {
    Dot { origin: origin(replica), seq }
}
