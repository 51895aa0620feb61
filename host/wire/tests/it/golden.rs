//! The bytes of protocol version 1. A change that breaks one of these breaks every node in the field: make a new
//! version instead.

use bytes::Bytes;
use numax_crdt::{NodeId, Origin, VersionVector};
use numax_wire::{Class, DecodeError, Hello, MAX_FRAME, Message, ProtocolRange, WireError, decode, encode};

fn origin(byte: u8, epoch: u64) -> Origin {
    Origin { node: NodeId([byte; 32]), epoch, nonce: 0x0102_0304_0506_0708 }
}

fn vector() -> VersionVector {
    let mut vector = VersionVector::default();
    vector.set_max(origin(0x11, 1), 300);
    vector.set_max(origin(0x22, 2), 1);
    vector
}

fn hello() -> Hello {
    Hello {
        protocol: ProtocolRange { min: 1, max: 2 },
        cluster_id: [0xcc; 32],
        node: NodeId([0x11; 32]),
        origin: origin(0x11, 1),
        instance: 7,
        name: "n1".into(),
        listen: Some("h:1".into()),
        features: 5,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn check(message: Message, want: &str) {
    let want = want.replace(' ', "");
    assert_eq!(hex(&encode(&message)), want, "{}", message.name());
    let bytes: Vec<u8> =
        (0..want.len()).step_by(2).map(|at| u8::from_str_radix(&want[at..at + 2], 16).unwrap()).collect();
    assert_eq!(decode(Bytes::from(bytes)).unwrap(), message);
}

#[test]
fn version_1_keeps_its_bytes() {
    let n11 = "11".repeat(32);
    let n22 = "22".repeat(32);
    let cluster = "cc".repeat(32);
    let nonce = "0102030405060708";
    let vv = format!("02 {n11} 01 {nonce} ac02 {n22} 02 {nonce} 01");
    check(
        Message::Hello(hello()),
        &format!("00 0001 01 02 {cluster} {n11} {n11} 01 {nonce} 0000000000000007 026e31 01 03683a31 05"),
    );
    check(Message::Digest([9; 16]), &format!("00 0002 {}", "09".repeat(16)));
    check(Message::Vector(vector()), &format!("00 0003 {vv}"));
    check(Message::Pull { id: 200, after: vector() }, &format!("00 0004 c801 {vv}"));
    check(Message::Push(vec![Bytes::from_static(b"ab"), Bytes::from_static(b"c")]), "01 0005 02 026162 0163");
    check(
        Message::Batches { id: 1, batches: vec![Bytes::from_static(b"ab")], done: true },
        "02 0006 01 01 01 026162",
    );
    check(
        Message::Error(WireError::ProtocolMismatch {
            ours: ProtocolRange { min: 1, max: 2 },
            theirs: ProtocolRange { min: 3, max: 4 },
        }),
        "00 0007 01 01 00 01 02 03 04 00",
    );
    check(
        Message::Error(WireError::RateLimited { retry_after_ms: 1000 }),
        "00 0007 05 00 e807 00 00 00 00 00",
    );
    check(
        Message::Error(WireError::Malformed { detail: "no".into() }),
        "00 0007 07 00 00 00 00 00 00 026e6f",
    );
    check(Message::Skipped { kind: 0x8001 }, "00 8001");
}

#[test]
fn messages_of_forgetting_keep_their_bytes() {
    let n11 = "11".repeat(32);
    let n22 = "22".repeat(32);
    let nonce = "0102030405060708";
    let vv = format!("02 {n11} 01 {nonce} ac02 {n22} 02 {nonce} 01");
    assert_eq!(numax_wire::FORGETTING, 1);
    check(
        Message::Acks(vec![(origin(0x22, 2), vector()), (origin(0x11, 1), VersionVector::default())]),
        &format!("00 8010 02 {n22} 02 {nonce} {vv} {n11} 01 {nonce} 00"),
    );
    check(Message::Behind { id: 200 }, "00 8011 c801");
    check(
        Message::PullState { id: 1, picture: 300, from: Bytes::from_static(b"ab"), floor: vector() },
        &format!("00 8012 01 ac02 026162 {vv}"),
    );
    check(
        Message::State { id: 1, picture: 300, page: Bytes::from_static(b"page") },
        "02 8013 01 ac02 0470616765",
    );
    // Who does not know them would have skipped them; who does takes them on their stream only.
    assert!(matches!(
        decode(Bytes::from_static(&[0, 0x80, 0x13, 1, 1, 0])),
        Err(DecodeError::WrongClass { .. })
    ));
    assert!(decode(Bytes::from_static(&[0, 0x80, 0x10, 0xff, 0xff, 0xff, 0x7f])).is_err());
}

#[test]
fn a_newer_hello_and_error_can_be_read_and_others_cannot() {
    for message in [Message::Hello(hello()), Message::Error(WireError::Shutdown)] {
        let mut bytes = encode(&message).to_vec();
        bytes.extend(b"a field of a later version");
        assert_eq!(decode(Bytes::from(bytes)).unwrap(), message);
    }
    let mut bytes = encode(&Message::Digest([0; 16])).to_vec();
    bytes.push(0);
    assert_eq!(decode(Bytes::from(bytes)), Err(DecodeError::Trailing(1)));
    let future = [0, 0, 7, 200, 1, 0, 0, 0, 0, 0, 0];
    let Message::Error(error) = decode(Bytes::copy_from_slice(&future)).unwrap() else {
        panic!("not an error")
    };
    assert!(error.is_fatal() && error.to_string().contains("200"), "{error}");
}

#[test]
fn unknown_types_are_errors_unless_they_are_optional() {
    assert_eq!(decode(Bytes::from_static(&[0, 0, 99])), Err(DecodeError::UnknownType(99)));
    assert_eq!(decode(Bytes::from_static(&[1, 0x80, 99, 1, 2])), Ok(Message::Skipped { kind: 0x8063 }));
    assert!(matches!(decode(Bytes::from_static(&[3, 0x80, 99])), Err(DecodeError::WrongClass { .. })));
}

#[test]
fn messages_keep_to_their_stream() {
    let mut bytes = encode(&Message::Digest([0; 16])).to_vec();
    bytes[0] = Class::Bulk as u8;
    assert_eq!(decode(Bytes::from(bytes)), Err(DecodeError::WrongClass { kind: 2, class: 2 }));
}

#[test]
fn a_vector_has_one_order_and_no_empty_entries() {
    let node = "11".repeat(32);
    let entry = |seq: &str| format!("{node}01{}{seq}", "00".repeat(8));
    for body in [format!("02{}{}", entry("05"), entry("06")), format!("01{}", entry("00"))] {
        let text = format!("000003{body}");
        let bytes: Vec<u8> =
            (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect();
        assert!(matches!(decode(Bytes::from(bytes)), Err(DecodeError::Invalid(_))));
    }
}

#[test]
fn counts_are_bounded_before_memory_is_taken() {
    // "four thousand million batches", and more one-byte batches than a frame may hold.
    assert!(decode(Bytes::from_static(&[1, 0, 5, 0xff, 0xff, 0xff, 0xff, 0x0f])).is_err());
    let many = Message::Push(vec![Bytes::from_static(b"x"); numax_wire::MAX_BATCHES_PER_FRAME + 1]);
    assert!(matches!(decode(encode(&many)), Err(DecodeError::Invalid(_))));
    assert!(matches!(decode(Bytes::from(vec![0; MAX_FRAME + 1])), Err(DecodeError::TooLong { .. })));
}

#[test]
fn long_texts_are_cut_between_characters() {
    let detail = "ä".repeat(numax_wire::MAX_LABEL);
    let sent = Message::Error(WireError::Internal { detail });
    let Message::Error(WireError::Internal { detail }) = decode(encode(&sent)).unwrap() else {
        panic!("another")
    };
    assert_eq!(detail.len(), numax_wire::MAX_LABEL);
}
