//! The batch format: frozen bytes, one encoding per batch, limits, and any input at all.

use bytes::Bytes;
use numax_crdt::limits::{MAX_BATCH_BYTES, MAX_BATCH_DOTS, MAX_BATCH_OPS, MAX_FIELD, MAX_KEY, MAX_VALUE};
use numax_crdt::{
    Batch, BatchHeader, Body, CodecError, Dot, ElementId, Hlc, Key, NodeId, Op, Origin, applier,
};
use proptest::prelude::*;

use crate::rows::Store;

fn origin(n: u8) -> Origin {
    Origin { node: NodeId([n; 32]), epoch: u64::from(n) * 100, nonce: u64::from(n) }
}

fn op(key: &'static str, body: Body) -> Op {
    Op { key: Key::new(key).unwrap(), body }
}

/// An element's id: the time 1000.18, and a number for chance.
fn id(n: u64) -> ElementId {
    ElementId::from_parts(Hlc::from_parts(1000, 0x12), n)
}

/// A batch with every kind of operation.
fn example() -> Batch {
    let text = |text: &'static str| Bytes::from_static(text.as_bytes());
    let hlc = Hlc::from_parts(1000, 2);
    let dot = |n, seq| Dot { origin: origin(n), seq };
    Batch {
        origin: origin(1),
        seq: 300,
        deps: vec![(origin(2), 4)],
        hlc,
        ops: vec![
            op("c", Body::GCounter { total: 7 }),
            op("p", Body::PnCounter { up: 1, down: 128 }),
            op("r", Body::Register { hlc, value: Some(text("v")) }),
            op("r2", Body::Register { hlc: hlc.next(), value: None }),
            op("m", Body::MapField { field: text("f"), hlc, value: Some(Bytes::new()) }),
            op("", Body::MapField { field: text("g"), hlc: Hlc::from_u64(hlc.as_u64() - 1), value: None }),
            op("s", Body::SetAdd { element: text("e"), replaces: vec![dot(3, 5), dot(1, 299)] }),
            op("s", Body::SetRemove { element: text("d"), removes: vec![dot(2, 4)] }),
            op("l", Body::ListInsert { id: id(1), after: None, value: text("v") }),
            op("l", Body::ListInsert { id: id(2), after: Some(id(1)), value: Bytes::new() }),
            op("l", Body::ListRemove { id: id(1) }),
        ],
    }
}

#[test]
fn the_format_is_frozen() {
    let node = |n: u8| hex::encode([n; 32]);
    let element = |n: u8| format!("0000000003e87001880000000000{n:04x}");
    let want = [
        "01".to_owned(),                       // version
        "03".to_owned(),                       // origins, in order of first use
        node(1) + "64" + "0000000000000001",   // own: epoch 100, nonce 1
        node(2) + "c801" + "0000000000000002", // of the dependency
        node(3) + "ac02" + "0000000000000003", // of a replaced dot
        "ac02".to_owned(),                     // seq 300
        "0000000003e80002".to_owned(),         // hlc
        "01".to_owned() + "01" + "04",         // dependencies
        "0b".to_owned(),                       // operations
        "01".to_owned() + "0163" + "07",
        "02".to_owned() + "0170" + "01" + "8001",
        "03".to_owned() + "0172" + "00" + "0176",
        "04".to_owned() + "027232" + "02",
        "05".to_owned() + "016d" + "0166" + "00" + "00",
        "06".to_owned() + "00" + "0167" + "01",
        "07".to_owned() + "0173" + "0165" + "02" + "0205" + "00ab02",
        "08".to_owned() + "0173" + "0164" + "01" + "0104",
        "09".to_owned() + "016c" + &element(1) + "0176",
        "0a".to_owned() + "016c" + &element(2) + &element(1) + "00",
        "0b".to_owned() + "016c" + &element(1),
    ];
    assert_eq!(hex::encode(example().encode()), want.concat());
    assert_eq!(Batch::decode(hex::decode(want.concat()).unwrap().into()), Ok(example()));
}

#[test]
fn operations_on_texts_are_frozen() {
    let update = hex::decode("01010100040104746578740268690101010001").unwrap();
    let batch = Batch {
        deps: Vec::new(),
        ops: vec![op("t", Body::Text { update: update.clone().into() })],
        ..example()
    };
    let bytes = hex::encode(batch.encode());
    let want = "01".to_owned() + "0c" + "0174" + "13" + &hex::encode(update);
    assert!(bytes.ends_with(&want), "{bytes}");
    assert_eq!(Batch::decode(batch.encode()), Ok(batch.clone()));
    let noise = Batch { ops: vec![op("t", Body::Text { update: vec![1, 2, 3].into() })], ..batch };
    assert_eq!(Batch::decode(noise.encode()), Err(CodecError::Malformed { what: "text update" }));
}

#[test]
fn the_head_is_read_alone() {
    let batch = example();
    let Batch { origin, seq, deps, hlc, .. } = batch.clone();
    assert_eq!(BatchHeader::peek(&batch.encode()), Ok(BatchHeader { origin, seq, deps, hlc }));
    assert_eq!(BatchHeader::peek(&batch.encode()).unwrap().dot(), batch.dot());
}

#[test]
fn values_share_the_memory_of_the_input() {
    let bytes = example().encode();
    let range = bytes.as_ptr_range();
    let batch = Batch::decode(bytes.clone()).unwrap();
    let Body::Register { value: Some(value), .. } = &batch.ops[2].body else { panic!("{batch:?}") };
    assert!(range.contains(&value.as_ptr()));
}

#[test]
fn every_cut_and_every_addition_is_refused() {
    let bytes = example().encode();
    for len in 0..bytes.len() {
        assert!(Batch::decode(bytes.slice(..len)).is_err(), "the first {len} bytes were taken");
    }
    let longer: Bytes = [&bytes[..], &[0]].concat().into();
    assert_eq!(Batch::decode(longer), Err(CodecError::Trailing { count: 1 }));
}

#[test]
fn an_unknown_version_says_which() {
    let mut bytes = example().encode().to_vec();
    bytes[0] = 2;
    assert_eq!(Batch::decode(bytes.clone().into()), Err(CodecError::Version { found: 2, known: 1 }));
    assert_eq!(BatchHeader::peek(&bytes.into()), Err(CodecError::Version { found: 2, known: 1 }));
}

#[test]
fn heads_without_meaning_are_refused() {
    let refused = |batch: Batch| assert!(Batch::decode(batch.encode()).is_err(), "{batch:?}");
    let batch = || Batch { ops: Vec::new(), deps: Vec::new(), ..example() };
    assert!(Batch::decode(batch().encode()).is_ok());
    refused(Batch { seq: 0, ..batch() });
    refused(Batch { deps: vec![(origin(1), 3)], ..batch() });
    refused(Batch { deps: vec![(origin(2), 0)], ..batch() });
    let removes = vec![Dot { origin: origin(2), seq: 0 }];
    refused(Batch { ops: vec![op("", Body::SetRemove { element: Bytes::new(), removes })], ..batch() });
}

#[test]
fn list_elements_stand_behind_older_ones_only() {
    let insert =
        |id, after| with(vec![op("", Body::ListInsert { id, after: Some(after), value: Bytes::new() })]);
    assert!(Batch::decode(insert(id(2), id(1)).encode()).is_ok());
    for (child, parent) in [(1, 1), (1, 2)] {
        let refused = Batch::decode(insert(id(child), id(parent)).encode());
        assert_eq!(refused, Err(CodecError::Malformed { what: "element id" }));
    }
    // An id of another version of UUID.
    let mut bytes = with(vec![op("", Body::ListRemove { id: id(1) })]).encode().to_vec();
    let version = bytes.len() - 10;
    bytes[version] ^= 0x30;
    assert_eq!(Batch::decode(bytes.into()), Err(CodecError::Malformed { what: "element id" }));
}

fn with(ops: Vec<Op>) -> Batch {
    Batch { ops, ..example() }
}

#[test]
fn limits_hold_at_the_limit_and_not_beyond() {
    let long = |len| Bytes::from(vec![b'x'; len]);
    let register = |len| op("k", Body::Register { hlc: Hlc::ZERO, value: Some(long(len)) });
    let field = |len| op("k", Body::MapField { field: long(len), hlc: Hlc::ZERO, value: None });
    let element = |len| op("k", Body::SetAdd { element: long(len), replaces: vec![] });
    let count = |len| with(vec![op("k", Body::GCounter { total: 1 }); len]);
    let dots = |len| {
        let removes = vec![Dot { origin: origin(2), seq: 1 }; len];
        with(vec![op("k", Body::SetRemove { element: Bytes::new(), removes })])
    };
    let list = |len| with(vec![op("k", Body::ListInsert { id: id(1), after: None, value: long(len) })]);
    let cases: [(&str, Batch, Batch); 7] = [
        ("list element", list(MAX_VALUE), list(MAX_VALUE + 1)),
        ("value", with(vec![register(MAX_VALUE)]), with(vec![register(MAX_VALUE + 1)])),
        ("field", with(vec![field(MAX_FIELD)]), with(vec![field(MAX_FIELD + 1)])),
        ("element", with(vec![element(MAX_VALUE)]), with(vec![element(MAX_VALUE + 1)])),
        ("operations", count(MAX_BATCH_OPS), count(MAX_BATCH_OPS + 1)),
        ("dots", dots(MAX_BATCH_DOTS), dots(MAX_BATCH_DOTS + 1)),
        ("bytes", with(vec![register(MAX_BATCH_BYTES / 4 - 32); 4]), with(vec![register(MAX_VALUE); 4])),
    ];
    for (what, fits, breaks) in cases {
        assert!(Batch::decode(fits.encode()).is_ok(), "{what} at the limit");
        assert_eq!(fits.check_limits(), Ok(()), "{what} at the limit");
        let refused = Batch::decode(breaks.encode());
        assert!(matches!(refused, Err(CodecError::Limit(_))), "{what} beyond the limit: {:?}", refused.err());
        assert!(breaks.check_limits().is_err(), "{what} beyond the limit");
    }
    assert!(Key::new(vec![0; MAX_KEY + 1]).is_err());
}

#[test]
fn a_batch_that_is_counted_as_full_is_taken() {
    // Counters have no slack between bound and bytes, so these are full to the last byte.
    let full = |fill| {
        let key = |len| Key::new(vec![b'k'; len]).unwrap();
        let op = |len| Op { key: key(len), body: Body::GCounter { total: 1 } };
        let mut ops = vec![op(8188); 511];
        ops.push(op(fill));
        with(ops)
    };
    let bound = |batch: &Batch| batch.ops.iter().map(Op::encoded_bound).sum::<usize>();
    let (fits, breaks) = (full(8188), full(8189));
    assert_eq!((bound(&fits), bound(&breaks)), (MAX_BATCH_BYTES, MAX_BATCH_BYTES + 1));
    assert!(Batch::decode(fits.encode()).is_ok());
    assert!(Batch::decode(breaks.encode()).is_err());
}

fn batches() -> impl Strategy<Value = Batch> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..4).prop_map(Bytes::from);
    let hlc = || any::<u64>().prop_map(Hlc::from_u64);
    let dots = || {
        let dot = (0u8..4, 1u64..).prop_map(|(n, seq)| Dot { origin: origin(n), seq });
        prop::collection::vec(dot, 0..4)
    };
    let body = prop_oneof![
        any::<u64>().prop_map(|total| Body::GCounter { total }),
        (any::<u64>(), any::<u64>()).prop_map(|(up, down)| Body::PnCounter { up, down }),
        (hlc(), prop::option::of(bytes())).prop_map(|(hlc, value)| Body::Register { hlc, value }),
        (bytes(), hlc(), prop::option::of(bytes())).prop_map(|(field, hlc, value)| Body::MapField {
            field,
            hlc,
            value
        }),
        (bytes(), dots()).prop_map(|(element, replaces)| Body::SetAdd { element, replaces }),
        (bytes(), dots()).prop_map(|(element, removes)| Body::SetRemove { element, removes }),
        (0u64..9, prop::option::of(0u64..9), bytes()).prop_map(|(n, after, value)| Body::ListInsert {
            id: id(n),
            after: after.filter(|after| *after < n).map(id),
            value
        }),
        (0u64..9).prop_map(|n| Body::ListRemove { id: id(n) }),
    ];
    let op = (bytes(), body).prop_map(|(key, body)| Op { key: Key::new(key).unwrap(), body });
    let deps = prop::collection::vec((1u8..4, 1u64..), 0..4);
    (1u64.., deps, hlc(), prop::collection::vec(op, 0..6)).prop_map(|(seq, deps, hlc, ops)| Batch {
        origin: origin(0),
        seq,
        deps: deps.into_iter().map(|(n, seq)| (origin(n), seq)).collect(),
        hlc,
        ops,
    })
}

proptest! {
    #[test]
    fn batches_round_trip(batch in batches()) {
        prop_assert_eq!(batch.check_limits(), Ok(()));
        prop_assert_eq!(Batch::decode(batch.encode()), Ok(batch));
    }

    /// Whatever comes in is refused, or is a batch whose only encoding it is and which every family can apply.
    #[test]
    fn any_bytes_are_refused_or_are_a_batch(
        batch in batches(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = batch.encode().to_vec();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let bytes = Bytes::from(bytes);
        if let Ok(batch) = Batch::decode(bytes.clone()) {
            prop_assert_eq!(batch.encode(), bytes);
            let mut store = Store::default();
            for op in &batch.ops {
                let kind = op.body.kind();
                let mut rows = store.view(kind, &op.key);
                applier(kind).unwrap().apply(&mut rows, batch.dot(), &op.body).unwrap();
            }
        }
    }

    #[test]
    fn noise_never_panics(mut bytes: Vec<u8>) {
        bytes.insert(0, 1);
        let bytes = Bytes::from(bytes);
        prop_assert!(Batch::decode(bytes.clone()).is_err() || bytes.len() > 50);
        drop(BatchHeader::peek(&bytes));
    }
}
