//! What each family does in the cases that have names.

use bytes::Bytes;
use numax_crdt::family::{g_counter, lww_map, lww_register, or_set, pn_counter};
use numax_crdt::{ApplyError, Body, Hlc, Key, Kind, OpKind, RowError, Rows, applier};

use crate::history::{dot, key};
use crate::rows::Store;

fn apply(store: &mut Store, replica: usize, seq: u64, body: Body) -> Option<OpKind> {
    let mut rows = store.view(body.kind(), &key(0));
    applier(body.kind()).unwrap().apply(&mut rows, dot(replica, seq), &body).unwrap()
}

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn at(ms: u64) -> Hlc {
    Hlc::from_parts(ms, 0)
}

#[test]
fn counters_saturate_and_keep_the_exact_sum() {
    let mut store = Store::default();
    for replica in 0..2 {
        apply(&mut store, replica, 1, Body::GCounter { total: u64::MAX });
        apply(&mut store, replica, 2, Body::PnCounter { up: 0, down: u64::MAX });
    }
    let counter = store.view(Kind::GCounter, &key(0));
    assert_eq!(g_counter::value(&counter).unwrap(), u64::MAX);
    assert_eq!(g_counter::sum(&counter).unwrap(), 2 * u128::from(u64::MAX));
    let counter = store.view(Kind::PnCounter, &key(0));
    assert_eq!(pn_counter::value(&counter).unwrap(), i64::MIN);
    assert_eq!(pn_counter::sum(&counter).unwrap(), -2 * i128::from(u64::MAX));
}

#[test]
fn a_counter_operation_counts_once_and_tells_its_direction() {
    let mut store = Store::default();
    assert_eq!(apply(&mut store, 0, 1, Body::GCounter { total: 3 }), Some(OpKind::Increment));
    assert_eq!(apply(&mut store, 0, 1, Body::GCounter { total: 3 }), None);
    assert_eq!(apply(&mut store, 0, 1, Body::GCounter { total: 2 }), None);
    assert_eq!(g_counter::value(&store.view(Kind::GCounter, &key(0))).unwrap(), 3);
    assert_eq!(g_counter::total(&store.view(Kind::GCounter, &key(0)), &dot(1, 1).origin).unwrap(), 0);

    assert_eq!(apply(&mut store, 0, 1, Body::PnCounter { up: 5, down: 0 }), Some(OpKind::Increment));
    assert_eq!(apply(&mut store, 0, 2, Body::PnCounter { up: 5, down: 7 }), Some(OpKind::Decrement));
    let counter = store.view(Kind::PnCounter, &key(0));
    assert_eq!(pn_counter::value(&counter).unwrap(), -2);
    assert_eq!(pn_counter::totals(&counter, &dot(0, 1).origin).unwrap(), (5, 7));
}

#[test]
fn the_later_write_wins_and_equal_times_go_by_origin() {
    let mut store = Store::default();
    let write = |ms, text| Body::Register { hlc: at(ms), value: Some(bytes(text)) };
    assert_eq!(apply(&mut store, 1, 1, write(5, "b")), Some(OpKind::Set));
    assert_eq!(apply(&mut store, 0, 1, write(5, "a")), None);
    assert_eq!(apply(&mut store, 2, 1, write(5, "c")), Some(OpKind::Set));
    assert_eq!(apply(&mut store, 0, 2, write(4, "late")), None);
    let register = store.view(Kind::LwwRegister, &key(0));
    assert_eq!(lww_register::get(&register).unwrap(), Some(bytes("c")));
    assert_eq!(lww_register::written_at(&register).unwrap(), Some(at(5)));
}

#[test]
fn a_cleared_register_stays_cleared_against_older_writes() {
    let mut store = Store::default();
    assert_eq!(apply(&mut store, 0, 1, Body::Register { hlc: at(5), value: None }), None, "nothing to see");
    assert_eq!(apply(&mut store, 1, 1, Body::Register { hlc: at(4), value: Some(bytes("old")) }), None);
    let register = store.view(Kind::LwwRegister, &key(0));
    assert_eq!(lww_register::get(&register).unwrap(), None);
    let head = register.get(b"").unwrap().unwrap();
    assert!(!applier(Kind::LwwRegister).unwrap().is_live(&head).unwrap());
    let written = Body::Register { hlc: at(6), value: Some(Bytes::new()) };
    assert_eq!(apply(&mut store, 1, 2, written), Some(OpKind::Set));
    assert_eq!(apply(&mut store, 1, 3, Body::Register { hlc: at(7), value: None }), Some(OpKind::Clear));
}

#[test]
fn an_addition_wins_over_a_concurrent_removal() {
    let mut store = Store::default();
    let add = |replaces| Body::SetAdd { element: bytes("e"), replaces };
    let remove = |removes| Body::SetRemove { element: bytes("e"), removes };
    assert_eq!(apply(&mut store, 0, 1, add(vec![])), Some(OpKind::Add));
    assert_eq!(apply(&mut store, 1, 1, add(vec![dot(0, 1)])), None, "it was there");
    assert_eq!(apply(&mut store, 2, 1, remove(vec![dot(0, 1)])), None, "the concurrent addition stays");
    let set = store.view(Kind::OrSet, &key(0));
    assert!(or_set::contains(&set, b"e").unwrap());
    assert_eq!(or_set::dots(&set, b"e").unwrap(), [dot(1, 1)]);
    assert_eq!(apply(&mut store, 2, 2, remove(vec![dot(1, 1)])), Some(OpKind::Remove));
    assert!(!or_set::contains(&store.view(Kind::OrSet, &key(0)), b"e").unwrap());
    assert!(store.export().is_empty(), "an empty set leaves nothing behind");
}

#[test]
fn an_element_keeps_one_dot_per_origin() {
    let mut store = Store::default();
    for seq in 1..100 {
        apply(&mut store, 0, seq, Body::SetAdd { element: bytes("e"), replaces: vec![] });
    }
    assert_eq!(or_set::dots(&store.view(Kind::OrSet, &key(0)), b"e").unwrap(), [dot(0, 99)]);
}

#[test]
fn pages_skip_tombstones_and_continue_after_a_name() {
    let mut store = Store::default();
    let name = |n: u64| Bytes::from(format!("{n:04}"));
    for n in 0..200u64 {
        let set = |value| Body::MapField { field: name(n), hlc: at(n + 1), value };
        apply(&mut store, 0, n + 1, set(Some(name(n))));
        if n % 50 != 0 {
            let gone = Body::MapField { field: name(n), hlc: at(n + 500), value: None };
            assert_eq!(apply(&mut store, 0, n + 500, gone), Some(OpKind::Remove));
        }
    }
    let map = store.view(Kind::LwwMap, &key(0));
    let page = |after: Option<&[u8]>, limit| {
        let fields = lww_map::entries(&map, after, limit).unwrap();
        fields.into_iter().map(|(field, _)| field).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 3), [name(0), name(50), name(100)]);
    assert_eq!(page(Some(b"0100"), 3), [name(150)]);
    assert_eq!(page(Some(b"0010"), 1), [name(50)]);
    assert_eq!(page(None, 0), [] as [Bytes; 0]);
    assert_eq!(lww_map::size(&map).unwrap(), 4);
    assert!(lww_map::contains(&map, b"0050").unwrap() && !lww_map::contains(&map, b"0051").unwrap());
}

#[test]
fn every_damaged_row_is_reported_and_none_panics() {
    for kind in [Kind::GCounter, Kind::PnCounter, Kind::LwwRegister, Kind::LwwMap, Kind::OrSet] {
        let mut store = Store::default();
        let mut rows = store.view(kind, &key(0));
        let number = rows.intern(&dot(0, 1).origin).unwrap();
        rows.put(b"", Bytes::from_static(&[0x80])).unwrap();
        rows.put(&numax_crdt::family::entry(&number.to_be_bytes()), Bytes::from_static(&[0x80])).unwrap();
        rows.put(&numax_crdt::family::entry(b"e"), Bytes::from_static(&[0x80])).unwrap();
        let body = match kind {
            Kind::GCounter => Body::GCounter { total: 1 },
            Kind::PnCounter => Body::PnCounter { up: 1, down: 1 },
            Kind::LwwRegister => Body::Register { hlc: at(1), value: None },
            Kind::LwwMap => Body::MapField { field: bytes("e"), hlc: at(1), value: None },
            _ => Body::SetAdd { element: bytes("e"), replaces: vec![] },
        };
        let failed = applier(kind).unwrap().apply(&mut rows, dot(0, 1), &body);
        assert!(matches!(failed, Err(ApplyError::Damaged { .. })), "{kind}: {failed:?}");
    }
}

#[test]
fn a_row_of_an_unknown_origin_and_an_operation_for_another_family_are_refused() {
    let mut store = Store::default();
    let mut rows = store.view(Kind::OrSet, &key(0));
    rows.put(&numax_crdt::family::entry(b"e"), Bytes::from_static(&[1, 9, 1])).unwrap();
    assert_eq!(or_set::dots(&rows, b"e"), Err(ApplyError::Row(RowError::UnknownOrigin(9))));
    let other = applier(Kind::OrSet).unwrap().apply(&mut rows, dot(0, 1), &Body::GCounter { total: 1 });
    assert_eq!(other, Err(ApplyError::WrongKind { wanted: Kind::OrSet, found: Kind::GCounter }));
}

#[test]
fn the_rows_are_frozen() {
    let mut store = Store::default();
    apply(&mut store, 0, 300, Body::GCounter { total: 5 });
    apply(&mut store, 1, 2, Body::Register { hlc: at(1), value: Some(bytes("v")) });
    apply(&mut store, 0, 3, Body::MapField { field: bytes("f"), hlc: at(2), value: None });
    apply(&mut store, 1, 4, Body::SetAdd { element: bytes("e"), replaces: vec![] });
    let mut row =
        |kind, sub: &[u8]| hex::encode(store.view(kind, &key(0)).get(sub).unwrap().unwrap_or_default());
    assert_eq!(row(Kind::GCounter, b""), "00000000000000000000000000000005");
    assert_eq!(row(Kind::GCounter, &[1, 0, 0, 0, 0]), "ac0205");
    assert_eq!(row(Kind::LwwRegister, b""), "00000000000100000102".to_owned() + "0176");
    assert_eq!(row(Kind::LwwMap, b"\x01f"), "00000000000200000003".to_owned() + "00");
    assert_eq!(row(Kind::LwwMap, b""), "", "no live field, no head");
    assert_eq!(row(Kind::OrSet, b"\x01e"), "010104");
    assert_eq!(row(Kind::OrSet, b""), "01");
}

#[test]
fn every_kind_has_its_family() {
    for kind in Kind::ALL {
        assert_eq!(applier(kind).map(|family| family.kind()), Some(kind));
    }
    assert!(Key::new("").is_ok());
}
