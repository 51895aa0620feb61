//! The names of rows: one flat, ordered name space over all tables.
//!
//! A row's name is `table | key within the table`. Within [`Table::Rows`] the key is
//! `kind | escaped key | 0x00 0x01 | subkey`, where escaping turns each `0x00` of the key into `0x00 0xff`. So the rows
//! of one value are neighbours, ordered by subkey, values of one kind are ordered by key, and no key's rows can be
//! taken for another's.

use std::cell::RefCell;

use bytes::Bytes;
use numax_crdt::{Key, Kind};
use numax_store::Table;

const ESCAPE: u8 = 0x00;
const ESCAPED_ZERO: u8 = 0xff;
const END_OF_KEY: u8 = 0x01;
const PAST_KEY: u8 = 0x02;

/// The part of a name that all rows of one value share; also the name of its head row.
pub(crate) fn value_prefix(kind: Kind, key: &[u8]) -> Vec<u8> {
    let mut name = key_prefix(kind, key);
    name.extend_from_slice(&[ESCAPE, END_OF_KEY]);
    name
}

/// The part of a name that all rows of values whose key starts with `prefix` share.
pub(crate) fn key_prefix(kind: Kind, prefix: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(prefix.len() + 16);
    put_key_prefix(&mut name, kind, prefix);
    name
}

fn put_key_prefix(name: &mut Vec<u8>, kind: Kind, prefix: &[u8]) {
    name.extend_from_slice(&[Table::Rows as u8, kind as u8]);
    if !prefix.contains(&ESCAPE) {
        return name.extend_from_slice(prefix);
    }
    for byte in prefix {
        name.push(*byte);
        if *byte == ESCAPE {
            name.push(ESCAPED_ZERO);
        }
    }
}

/// A name greater than those of all rows of the value with this prefix, and not greater than those of the next value.
pub(crate) fn past_value(value_prefix: &[u8]) -> Vec<u8> {
    let mut name = value_prefix.to_vec();
    if let Some(last) = name.last_mut() {
        *last = PAST_KEY;
    }
    name
}

/// The name of a node-local row.
pub(crate) fn local(key: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(key.len() + 1);
    name.push(Table::Local as u8);
    name.extend_from_slice(key);
    name
}

/// Makes the names of one value's rows in one place, because the commit path makes several per operation.
pub(crate) struct NameBuffer {
    name: RefCell<Vec<u8>>,
    prefix_len: usize,
}

impl NameBuffer {
    pub(crate) fn new(kind: Kind, key: &Key) -> Self {
        Self::within(Vec::with_capacity(key.as_bytes().len() + 24), kind, key)
    }

    /// In the memory of a name that is not needed any more.
    pub(crate) fn within(mut name: Vec<u8>, kind: Kind, key: &Key) -> Self {
        name.clear();
        put_key_prefix(&mut name, kind, key.as_bytes());
        name.extend_from_slice(&[ESCAPE, END_OF_KEY]);
        Self { prefix_len: name.len(), name: RefCell::new(name) }
    }

    /// The memory, for another name.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.name.take()
    }

    /// Calls `f` with the name of the row under a subkey. `f` must not ask for another name.
    pub(crate) fn with<T>(&self, sub: &[u8], f: impl FnOnce(&[u8]) -> T) -> T {
        let mut name = self.name.take();
        name.truncate(self.prefix_len);
        name.extend_from_slice(sub);
        let result = f(&name);
        self.name.replace(name);
        result
    }
}

/// How long the value prefix of this row's name is; none for rows of other tables and for damaged names.
pub(crate) fn value_prefix_len(name: &[u8]) -> Option<usize> {
    if *name.first()? != Table::Rows as u8 {
        return None;
    }
    let mut at = 2;
    loop {
        match (*name.get(at)?, name.get(at + 1)) {
            (ESCAPE, Some(&END_OF_KEY)) => return Some(at + 2),
            (ESCAPE, Some(&ESCAPED_ZERO)) => at += 2,
            (ESCAPE, _) => return None,
            _ => at += 1,
        }
    }
}

/// What a name in [`Table::Rows`] says: the kind, the key and the subkey.
pub(crate) fn parse(name: &[u8]) -> Option<(Kind, Key, &[u8])> {
    let end = value_prefix_len(name)?;
    let kind = Kind::from_u8(*name.get(1)?)?;
    let escaped = name.get(2..end - 2)?;
    let mut key = Vec::with_capacity(escaped.len());
    let mut skip = false;
    for byte in escaped {
        if !std::mem::take(&mut skip) {
            key.push(*byte);
            skip = *byte == ESCAPE;
        }
    }
    Some((kind, Key::new(Bytes::from(key)).ok()?, name.get(end..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(key: &[u8], sub: &[u8]) -> Vec<u8> {
        [value_prefix(Kind::OrSet, key), sub.to_vec()].concat()
    }

    #[test]
    fn a_value_ends_before_the_next_key() {
        assert!(row(b"a", b"\xff\xff") < row(b"a\0", b""));
        assert!(row(b"a\0", b"\xff") < row(b"a\x01", b""));
        assert!(row(b"a", b"\xff") < past_value(&value_prefix(Kind::OrSet, b"a")));
        assert!(past_value(&value_prefix(Kind::OrSet, b"a")) <= row(b"a\0", b""));
    }

    #[test]
    fn damaged_names_are_no_names() {
        for bad in
            [&b""[..], &[1], &[1, 5], &[1, 5, b'a'], &[1, 5, 0], &[1, 5, 0, 7], &[1, 99, 0, 1], &[2, 5, 0, 1]]
        {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn names_lead_back_and_keep_the_order(a: Vec<u8>, b: Vec<u8>, sa: Vec<u8>, sb: Vec<u8>) {
            let (x, y) = (row(&a, &sa), row(&b, &sb));
            prop_assert_eq!(x.cmp(&y), (&a, &sa).cmp(&(&b, &sb)));
            let (kind, key, sub) = parse(&x).unwrap();
            prop_assert_eq!((kind, key.as_bytes(), sub), (Kind::OrSet, &a[..], &sa[..]));
            prop_assert_eq!(x.starts_with(&key_prefix(Kind::OrSet, &b)), a.starts_with(&b));
        }

        #[test]
        fn any_bytes_parse_without_panic(name: Vec<u8>) {
            let _ = parse(&name);
        }
    }
}
