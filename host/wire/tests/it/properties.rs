//! Properties over generated messages and arbitrary bytes.

use bytes::Bytes;
use numax_crdt::{NodeId, Origin, VersionVector};
use numax_wire::{Hello, Message, ProtocolRange, WireError, decode, encode, frame};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

fn origin() -> impl Strategy<Value = Origin> {
    (any::<[u8; 32]>(), any::<u64>(), any::<u64>()).prop_map(|(node, epoch, nonce)| Origin {
        node: NodeId(node),
        epoch,
        nonce,
    })
}

fn vector() -> impl Strategy<Value = VersionVector> {
    btree_map(origin(), 1..u64::MAX, 0..6).prop_map(|entries| {
        let mut vector = VersionVector::default();
        for (origin, seq) in entries {
            vector.set_max(origin, seq);
        }
        vector
    })
}

fn batches() -> impl Strategy<Value = Vec<Bytes>> {
    vec(vec(any::<u8>(), 1..40).prop_map(Bytes::from), 0..8)
}

fn range() -> impl Strategy<Value = ProtocolRange> {
    (any::<u32>(), any::<u32>()).prop_map(|(min, max)| ProtocolRange { min, max })
}

fn error() -> impl Strategy<Value = WireError> {
    prop_oneof![
        (range(), range()).prop_map(|(ours, theirs)| WireError::ProtocolMismatch { ours, theirs }),
        Just(WireError::ClusterMismatch),
        Just(WireError::DuplicateOrigin),
        "[ -~]{0,30}".prop_map(|detail| WireError::OpRejected { detail }),
        any::<u64>().prop_map(|retry_after_ms| WireError::RateLimited { retry_after_ms }),
        "\\PC{0,30}".prop_map(|detail| WireError::NotAuthorized { detail }),
        "\\PC{0,30}".prop_map(|detail| WireError::Malformed { detail }),
        "\\PC{0,30}".prop_map(|detail| WireError::Internal { detail }),
        Just(WireError::Shutdown),
    ]
}

fn hello() -> impl Strategy<Value = Hello> {
    (
        range(),
        any::<[u8; 32]>(),
        any::<[u8; 32]>(),
        origin(),
        any::<u64>(),
        "\\PC{0,20}",
        proptest::option::of("[a-z.]{1,20}:[0-9]{1,5}"),
        any::<u64>(),
    )
        .prop_map(|(protocol, cluster_id, node, origin, instance, name, listen, features)| Hello {
            protocol,
            cluster_id,
            node: NodeId(node),
            origin,
            instance,
            name,
            listen,
            features,
        })
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        hello().prop_map(Message::Hello),
        any::<[u8; 16]>().prop_map(Message::Digest),
        vector().prop_map(Message::Vector),
        (any::<u64>(), vector()).prop_map(|(id, after)| Message::Pull { id, after }),
        batches().prop_map(Message::Push),
        (any::<u64>(), batches(), any::<bool>()).prop_map(|(id, batches, done)| Message::Batches {
            id,
            batches,
            done
        }),
        error().prop_map(Message::Error),
        vec((origin(), vector()), 0..4).prop_map(Message::Acks),
        any::<u64>().prop_map(|id| Message::Behind { id }),
        (any::<u64>(), any::<u64>(), vec(any::<u8>(), 0..40), vector()).prop_map(
            |(id, picture, from, floor)| Message::PullState { id, picture, from: from.into(), floor }
        ),
        (any::<u64>(), any::<u64>(), vec(any::<u8>(), 0..40))
            .prop_map(|(id, picture, page)| Message::State { id, picture, page: page.into() }),
        prop_oneof![0x8000..=0x800f_u16, 0x8014..=u16::MAX].prop_map(|kind| Message::Skipped { kind }),
    ]
}

proptest! {
    #[test]
    fn a_round_trip_loses_nothing(message in message()) {
        let bytes = encode(&message);
        prop_assert_eq!(decode(bytes.clone()).unwrap(), message);
        let prefix = frame::length_prefix(&bytes).unwrap();
        prop_assert_eq!(frame::length(prefix).unwrap(), bytes.len());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..400)) {
        let _ = decode(Bytes::from(bytes));
    }

    /// Reaches the bodies, which arbitrary bytes seldom do.
    #[test]
    fn arbitrary_bodies_never_panic(
        class in 0..4_u8, optional: bool, kind in 0..21_u8, body in vec(any::<u8>(), 0..400),
    ) {
        let mut bytes = vec![class, if optional { 0x80 } else { 0 }, kind];
        bytes.extend(body);
        let _ = decode(Bytes::from(bytes));
    }

    #[test]
    fn damaged_frames_never_panic(
        message in message(), at in any::<prop::sample::Index>(), value in any::<u8>(), cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = encode(&message).to_vec();
        let position = at.index(bytes.len());
        bytes[position] = value;
        let _ = decode(Bytes::from(bytes.clone()));
        bytes.truncate(cut.index(bytes.len()));
        let _ = decode(Bytes::from(bytes));
    }

    /// What one frame decodes to, no other frame does: nothing can be said in two ways.
    #[test]
    fn what_decodes_encodes_to_the_same_bytes(kind in 2..7_u8, body in vec(0..4_u8, 0..120)) {
        let class = match kind { 5 => 1, 6 => 2, _ => 0 };
        let mut bytes = vec![class, 0, kind];
        bytes.extend(body);
        let bytes = Bytes::from(bytes);
        if let Ok(message) = decode(bytes.clone()) {
            prop_assert_eq!(encode(&message), bytes);
        }
    }
}
