//! Lists: the order against a plain tree, the shape of the rows that keep it, and what an operation costs.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use numax_crdt::family::rga::{self, Part};
use numax_crdt::{Body, ElementId, Hlc, Kind, OpKind, Rows, applier};
use proptest::prelude::*;

use crate::history::{dot, key};
use crate::rows::{Counts, Store};

const ALL: usize = usize::MAX >> 1;

/// What a list must be: elements by parent, read by walking.
#[derive(Default)]
pub struct Tree {
    children: BTreeMap<Option<ElementId>, BTreeSet<ElementId>>,
    values: BTreeMap<ElementId, Bytes>,
    dead: BTreeSet<ElementId>,
}

impl Tree {
    pub fn insert(&mut self, id: ElementId, after: Option<ElementId>, value: Bytes) {
        self.children.entry(after).or_default().insert(id);
        self.values.insert(id, value);
    }

    pub fn remove(&mut self, id: ElementId) {
        self.dead.insert(id);
    }

    /// The live elements in order.
    pub fn walk(&self) -> Vec<(ElementId, Bytes)> {
        let of = |parent| self.children.get(&parent).into_iter().flatten();
        let mut out = Vec::new();
        // Ascending, so that the greatest is on top.
        let mut stack: Vec<_> = of(None).collect();
        while let Some(id) = stack.pop() {
            if !self.dead.contains(id) {
                out.push((*id, self.values[id].clone()));
            }
            stack.extend(of(Some(*id)));
        }
        out
    }
}

/// All parts, in order.
fn parts(rows: &dyn Rows) -> Vec<(u32, Part)> {
    let mut out = Vec::new();
    let mut at = rga::ends(rows).unwrap().first;
    while let Some(number) = at {
        let part = rga::part(rows, number).unwrap();
        at = part.next;
        out.push((number, part));
    }
    out
}

/// All elements in order, removed ones included.
pub fn order(rows: &dyn Rows) -> Vec<[u8; 16]> {
    let elements = parts(rows).into_iter().flat_map(|(_, part)| part.elements);
    elements.map(|(id, _)| *id.as_bytes()).collect()
}

/// Whether the rows of the order fit each other.
pub fn check_order(rows: &dyn Rows) {
    let parts = parts(rows);
    let mut live = 0;
    for (number, part) in &parts {
        assert!((1..=64).contains(&part.elements.len()), "{} elements in a part", part.elements.len());
        for (id, is_live) in &part.elements {
            assert_eq!(rga::leaf_with(rows, *id).unwrap(), Some(*number));
            assert_eq!(rga::contains(rows, *id).unwrap(), *is_live);
            live += u64::from(*is_live);
        }
        assert_eq!(part.live, part.elements.iter().any(|(_, live)| *live));
    }
    let chain: Vec<&(u32, Part)> = parts.iter().filter(|(_, part)| part.live).collect();
    let ends = rga::ends(rows).unwrap();
    assert_eq!(ends.first_live, chain.first().map(|(number, _)| *number));
    assert_eq!(ends.last_live, chain.last().map(|(number, _)| *number));
    for two in chain.windows(2) {
        assert_eq!((two[0].1.next_live, two[1].1.prev_live), (Some(two[1].0), Some(two[0].0)));
    }
    assert_eq!(rga::size(rows).unwrap(), live);
}

/// One replica that edits a list, beside a vector that is edited the same way.
#[derive(Default)]
pub struct Editor {
    pub store: Store,
    pub seen: Vec<ElementId>,
    seq: u64,
}

impl Editor {
    pub fn apply(&mut self, body: Body) -> Option<OpKind> {
        self.seq += 1;
        let mut rows = self.store.view(Kind::Rga, &key(0));
        applier(Kind::Rga).unwrap().apply(&mut rows, dot(0, self.seq), &body).unwrap()
    }

    /// Inserts at an index.
    pub fn insert(&mut self, at: usize) {
        let after = at.checked_sub(1).map(|before| self.seen[before]);
        let successor = rga::successor(&self.store.view(Kind::Rga, &key(0)), after).unwrap();
        let above = after.into_iter().chain(successor);
        let id = ElementId::fresh(Hlc::from_parts(5, 0), above, self.seq).unwrap();
        let value = Bytes::copy_from_slice(&self.seq.to_be_bytes());
        assert_eq!(self.apply(Body::ListInsert { id, after, value }), Some(OpKind::Insert));
        self.seen.insert(at, id);
    }

    pub fn remove(&mut self, at: usize) {
        let id = self.seen.remove(at);
        assert_eq!(self.apply(Body::ListRemove { id }), Some(OpKind::Remove));
    }

    pub fn check(&mut self) {
        let rows = self.store.view(Kind::Rga, &key(0));
        let found = rga::entries(&rows, None, ALL).unwrap();
        assert_eq!(found.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), self.seen);
        check_order(&rows);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Editing at any places is editing a vector, also across many parts; pages are slices of it.
    #[test]
    fn one_writer_edits_a_vector(edits in prop::collection::vec((any::<u8>(), any::<prop::sample::Index>()), 0..900)) {
        let mut list = Editor::default();
        for (what, at) in edits {
            let len = list.seen.len();
            match what {
                0..=60 if len > 0 => list.remove(at.index(len)),
                61..=120 => list.insert(0),
                121..=180 => list.insert(len),
                _ => list.insert(at.index(len + 1)),
            }
        }
        list.check();
        let rows = list.store.view(Kind::Rga, &key(0));
        for (at, id) in list.seen.iter().enumerate().step_by(50) {
            let page = rga::entries(&rows, Some(*id), 70).unwrap();
            let ids: Vec<_> = page.into_iter().map(|(id, _)| id).collect();
            prop_assert_eq!(&ids[..], &list.seen[at + 1..list.seen.len().min(at + 71)]);
        }
    }
}

#[test]
fn runs_inserted_at_one_place_at_the_same_time_stay_whole() {
    let id = |ms, n| ElementId::from_parts(Hlc::from_parts(ms, 0), n);
    // Two writers type "abc" and "xyz" at the head in turns: the ids alternate.
    let run = |writer: u64| {
        (0..3).map(move |n| Body::ListInsert {
            id: id(10 + 2 * n + writer, writer),
            after: n.checked_sub(1).map(|n| id(10 + 2 * n + writer, writer)),
            value: Bytes::copy_from_slice(&[b"abcxyz"[(writer * 3 + n) as usize]]),
        })
    };
    let text = |bodies: Vec<Body>| {
        let mut list = Editor::default();
        bodies.into_iter().for_each(|body| {
            list.apply(body);
        });
        let rows = list.store.view(Kind::Rga, &key(0));
        let values = rga::entries(&rows, None, ALL).unwrap().into_iter().flat_map(|(_, value)| value);
        String::from_utf8(values.collect()).unwrap()
    };
    let (abc, xyz): (Vec<_>, Vec<_>) = (run(0).collect(), run(1).collect());
    let mixed = abc.iter().zip(&xyz).flat_map(|(a, x)| [a.clone(), x.clone()]).collect();
    assert_eq!(text([abc.clone(), xyz.clone()].concat()), "xyzabc", "the later run is in front");
    assert_eq!(text([xyz, abc].concat()), "xyzabc");
    assert_eq!(text(mixed), "xyzabc");
}

#[test]
fn known_elements_and_unknown_ones_change_nothing() {
    let mut list = Editor::default();
    list.insert(0);
    let id = list.seen[0];
    assert_eq!(list.apply(Body::ListInsert { id, after: None, value: Bytes::new() }), None);
    let stranger = ElementId::from_parts(Hlc::from_parts(99, 0), 0);
    assert_eq!(list.apply(Body::ListRemove { id: stranger }), None);
    assert_eq!(list.apply(Body::ListRemove { id }), Some(OpKind::Remove));
    assert_eq!(list.apply(Body::ListRemove { id }), None);
    assert_eq!(
        list.apply(Body::ListInsert { id, after: None, value: Bytes::new() }),
        None,
        "it stays removed"
    );
    let rows = list.store.view(Kind::Rga, &key(0));
    assert_eq!((rga::get(&rows, id).unwrap(), rga::size(&rows).unwrap()), (None, 0));
    let head = rows.get(b"").unwrap().unwrap();
    assert!(!applier(Kind::Rga).unwrap().is_live(&head).unwrap(), "a list without live elements is none");
}

#[test]
fn a_writer_finds_a_live_place_for_what_it_began_to_insert_behind_a_removed_element() {
    let mut list = Editor::default();
    (0..5).for_each(|at| list.insert(at));
    let all = list.seen.clone();
    list.remove(4);
    list.remove(3);
    list.remove(1);
    let rows = list.store.view(Kind::Rga, &key(0));
    let place = |at: usize| rga::live_ancestor(&rows, all[at]).unwrap();
    assert_eq!([place(4), place(3), place(2)], [Some(all[2]); 3]);
    assert_eq!([place(1), place(0)], [Some(all[0]); 2]);
    list.remove(0);
    let rows = list.store.view(Kind::Rga, &key(0));
    assert_eq!(rga::live_ancestor(&rows, all[1]).unwrap(), None);
}

/// What the next edits of a list cost, in rows read and written.
fn cost(list: &mut Editor, edit: impl Fn(&mut Editor)) -> Counts {
    list.store.counts.take();
    edit(list);
    list.store.counts.take()
}

#[test]
fn the_cost_of_an_operation_does_not_grow_with_the_list() {
    let costs = |len: usize| {
        let mut list = Editor::default();
        (0..len).for_each(|at| list.insert(at));
        let half = len / 2;
        [
            cost(&mut list, |list| list.insert(list.seen.len())),
            cost(&mut list, |list| list.insert(0)),
            cost(&mut list, |list| list.insert(half)),
            cost(&mut list, |list| list.remove(half)),
            cost(&mut list, |list| list.remove(0)),
            cost(&mut list, |list| {
                drop(rga::entries(&list.store.view(Kind::Rga, &key(0)), None, 4).unwrap())
            }),
            cost(&mut list, |list| {
                let after = Some(list.seen[half]);
                drop(rga::entries(&list.store.view(Kind::Rga, &key(0)), after, 4).unwrap());
            }),
        ]
    };
    let (short, long) = (costs(10), costs(10_000));
    println!("rows of a list of 10: {short:?}\nrows of a list of 10,000: {long:?}");
    for (short, long) in short.iter().zip(&long) {
        // A full part is cut in two, once in 32 insertions at worst: that many places change.
        assert!(long.reads <= short.reads + 4, "{short:?} and {long:?}");
        assert!(long.writes <= short.writes + 36, "{short:?} and {long:?}");
    }
}

#[test]
fn a_long_run_of_tombstones_costs_nothing_to_read_past() {
    let mut list = Editor::default();
    (0..3000).for_each(|at| list.insert(at));
    (0..2990).for_each(|_| list.remove(0));
    (0..8).for_each(|_| list.remove(list.seen.len() - 1));
    list.check();
    let page =
        cost(&mut list, |list| drop(rga::entries(&list.store.view(Kind::Rga, &key(0)), None, 10).unwrap()));
    assert!(page.reads <= 6, "{page:?}");
    // A stack: what is pushed and taken away again and again.
    for _ in 0..500 {
        list.insert(2);
        list.remove(2);
    }
    list.check();
    let push = cost(&mut list, |list| list.insert(2));
    assert!(push.reads <= 10 && push.writes <= 40, "{push:?}");
}

#[test]
fn depth_needs_no_stack() {
    let edit = || {
        let mut list = Editor::default();
        (0..50_000).for_each(|at| list.insert(at));
        (0..50_000).for_each(|_| list.remove(list.seen.len() - 1));
        let rows = list.store.view(Kind::Rga, &key(0));
        rga::size(&rows).unwrap()
    };
    // Less than a frame per element.
    let thread = std::thread::Builder::new().stack_size(128 << 10).spawn(edit).unwrap();
    assert_eq!(thread.join().unwrap(), 0);
}

#[test]
fn the_rows_are_frozen() {
    let mut list = Editor::default();
    list.insert(0);
    list.insert(1);
    list.remove(0);
    let row = |list: &mut Editor, sub: &[u8]| {
        let rows = list.store.view(Kind::Rga, &key(0));
        hex::encode(rows.get(sub).unwrap().unwrap_or_default())
    };
    let id =
        |n: u64, counter: u64| format!("0000000000057000{:016x}", 0x8000_0000_0000_0000 | counter << 58 | n);
    let sub = |tag: u8, id: &str| [&[tag][..], &hex::decode(id).unwrap()].concat();
    let (a, b) = (id(0, 0), id(1, 1));
    assert_eq!(row(&mut list, b""), "01".to_owned() + "01" + "01" + "01" + "01", "live, leaves, ends");
    assert_eq!(
        row(&mut list, &sub(1, &a)),
        "00".to_owned() + "00" + "03",
        "a tombstone has its remover's dot"
    );
    assert_eq!(row(&mut list, &sub(1, &b)), "03".to_owned() + "00" + "02" + &a + "0000000000000001");
    assert_eq!(row(&mut list, &sub(2, &b)), "01");
    let leaf = "01".to_owned() + "00" + "00" + "00" + "00" + "02" + &a + "05" + &b + "00";
    assert_eq!(row(&mut list, &[3, 0, 0, 0, 0]), leaf);
}
