//! The limits of keys, values, fields and elements, over all families: what is at the limit is taken, what is beyond
//! it is refused by name, size and limit, and leaves the draft as it was.

use bytes::Bytes;
use numax_crdt::{
    Key,
    limits::{MAX_FIELD, MAX_KEY, MAX_VALUE},
};
use numax_replica::{Draft, DraftError, IdSeed};

use crate::common::{Node, key};

type Write = fn(&mut Draft, &Key, Bytes) -> Result<(), DraftError>;

const SEED: IdSeed = IdSeed { now_ms: 1, random: 1 };

/// What bytes are called, and how many there may be.
type Limit = (&'static str, usize);

/// A write of each family, and the limit of its bytes where it has any.
const WRITES: [(&str, Write, Option<Limit>); 10] = [
    ("g-counter", |d, key, _| d.g_counter_increment(key, 1), None),
    ("pn-counter", |d, key, _| d.pn_counter_decrement(key, 1), None),
    ("register", |d, key, bytes| d.register_set(key, bytes), Some(("value", MAX_VALUE))),
    ("map field", |d, key, bytes| d.map_set(key, &bytes, Bytes::new()), Some(("field", MAX_FIELD))),
    ("map value", |d, key, bytes| d.map_set(key, b"f", bytes), Some(("value", MAX_VALUE))),
    ("map removal", |d, key, bytes| d.map_remove(key, &bytes), Some(("field", MAX_FIELD))),
    ("set addition", |d, key, bytes| d.set_add(key, bytes), Some(("element", MAX_VALUE))),
    ("set removal", |d, key, bytes| d.set_remove(key, &bytes), Some(("element", MAX_VALUE))),
    ("list insertion", |d, key, b| d.list_insert(key, None, b, SEED).map(|_| ()), Some(("value", MAX_VALUE))),
    (
        "list push",
        |d, key, b| d.list_push(key, b, IdSeed { random: 2, ..SEED }).map(|_| ()),
        Some(("value", MAX_VALUE)),
    ),
];

fn refusal(result: Result<(), DraftError>, what: &str) -> String {
    match result {
        Err(DraftError::Invalid(text)) => text,
        other => panic!("{what}: {other:?}"),
    }
}

#[test]
fn every_limit_holds_at_the_limit_and_names_itself_beyond() {
    let node = Node::new(1);
    for (what, write, limit) in WRITES {
        let mut draft = node.draft();
        let reserved = refusal(write(&mut draft, &key("__nx/x"), Bytes::new()), what);
        assert!(reserved.contains("belong to the system"), "{what}: {reserved}");
        let Some((name, limit)) = limit else {
            write(&mut draft, &key("k"), Bytes::new()).unwrap();
            continue;
        };
        let bytes = Bytes::from(vec![b'x'; limit + 1]);
        let text = refusal(write(&mut draft, &key("k"), bytes.clone()), what);
        assert_eq!(text, format!("{name} too large: {}, the limit is {limit}", limit + 1), "{what}");
        assert!(draft.is_empty(), "{what}");
        write(&mut draft, &key("k"), bytes.slice(..limit)).unwrap();
    }
}

#[test]
fn a_key_is_taken_up_to_its_limit_by_every_family() {
    let mut node = Node::new(1);
    let longest = Key::new(vec![b'k'; MAX_KEY]).unwrap();
    let error = Key::new(vec![b'k'; MAX_KEY + 1]).unwrap_err().to_string();
    assert_eq!(error, "key too large: 8193, the limit is 8192");
    node.commit(|draft| {
        for (what, write, _) in WRITES {
            write(draft, &longest, Bytes::from_static(b"v"))
                .unwrap_or_else(|error| panic!("{what}: {error}"));
        }
    });
    assert_eq!(node.draft().list_size(&longest).unwrap(), 2);
}
