//! Reads that never block, and what the size of the cache may change: nothing.

use bytes::Bytes;
use numax_crdt::Kind;
use numax_replica::{CoreConfig, Draft, DraftError, Durability, IdSeed};

use crate::common::{Node, bytes, config, key};

/// Calls until it does not miss, and counts the misses.
fn patient<T>(
    draft: &mut Draft,
    misses: &mut usize,
    mut call: impl FnMut(&mut Draft) -> Result<T, DraftError>,
) -> T {
    loop {
        match call(draft) {
            Ok(value) => return value,
            Err(DraftError::Miss(miss)) => {
                *misses += 1;
                assert!(*misses < 10_000, "it misses for ever");
                let loaded = miss.load().unwrap();
                draft.supply(loaded);
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// A turn that reads and writes a bit of everything.
fn turn(draft: &mut Draft, n: usize, misses: &mut usize) -> Vec<Bytes> {
    let name = key(&format!("key{}", n % 7));
    let text = bytes(&format!("value{n}"));
    let element = bytes(&format!("e{}", n % 11));
    patient(draft, misses, |d| d.g_counter_increment(&name, 1));
    patient(draft, misses, |d| d.pn_counter_decrement(&name, 1));
    patient(draft, misses, |d| d.register_set(&name, text.clone()));
    patient(draft, misses, |d| d.map_set(&name, &element, text.clone()));
    if n.is_multiple_of(3) {
        patient(draft, misses, |d| d.set_remove(&name, &element));
    } else {
        patient(draft, misses, |d| d.set_add(&name, element.clone()));
    }
    if n % 10 == 9 {
        patient(draft, misses, |d| d.set_clear(&name));
    }
    // Ids are the same in every run: given with the call.
    let seed = |part: u64| IdSeed { now_ms: 5, random: 8 * n as u64 + part };
    let first = patient(draft, misses, |d| d.list_push(&name, text.clone(), seed(0)));
    patient(draft, misses, |d| d.list_insert(&name, Some(first), text.clone(), seed(1)));
    patient(draft, misses, |d| d.list_insert(&name, None, text.clone(), seed(2)));
    let list = patient(draft, misses, |d| d.list_entries(&name, None, 9)).items;
    if let Some((id, _)) = list.get(n % 9) {
        patient(draft, misses, |d| d.list_remove(&name, *id));
        let more = patient(draft, misses, |d| d.list_entries(&name, Some(*id), 9)).items;
        patient(draft, misses, |d| {
            d.kv_set(b"list", more.iter().flat_map(|(_, value)| value.clone()).collect())
        });
    }
    let size = patient(draft, misses, |d| d.list_size(&name));
    patient(draft, misses, |d| d.kv_set(b"size", size.to_string().into()));
    if n % 20 == 19 {
        patient(draft, misses, |d| d.list_clear(&name));
    }
    patient(draft, misses, |d| d.kv_set(&element, text.clone()));
    #[cfg(feature = "text")]
    let edited = {
        let size = patient(draft, misses, |d| d.text_size(&name));
        patient(draft, misses, |d| d.text_insert(&name, size / 2, "edit 😀"[..n % 5].trim()));
        patient(draft, misses, |d| d.text_remove(&name, 0, size.min(2)));
        let vector = patient(draft, misses, |d| d.text_state_vector(&name));
        let diff = patient(draft, misses, |d| d.text_diff(&key("key1"), Some(&vector)));
        let read = patient(draft, misses, |d| d.text_read(&key("key0")));
        vec![vector, diff, bytes(&read)]
    };
    #[cfg(not(feature = "text"))]
    let edited = Vec::new();
    let value = patient(draft, misses, |d| d.g_counter_value(&name));
    let mut seen = patient(draft, misses, |d| d.set_elements(&name, None, 4)).items;
    seen.extend(patient(draft, misses, |d| d.keys(Kind::LwwMap, b"key", None, 3)).items);
    seen.extend(patient(draft, misses, |d| d.map_entries(&name, None, 5)).items.into_iter().map(|(_, v)| v));
    seen.extend(patient(draft, misses, |d| d.kv_scan(b"e", None, 5)).items.into_iter().map(|(_, v)| v));
    seen.push(bytes(&value.to_string()));
    seen.extend(edited);
    // What a turn read goes into what it writes.
    let sum = seen.concat();
    patient(draft, misses, |d| d.register_set(&key("seen"), sum.clone().into()));
    seen
}

fn run(cache_rows: usize, flush: bool) -> (Vec<Bytes>, Vec<Bytes>, [u8; 32], usize) {
    let config = CoreConfig { cache_rows, ..config(1, Durability::Fsync) };
    let mut node = Node::with(config);
    let (mut seen, mut misses) = (Vec::new(), 0);
    for n in 0..60 {
        let mut draft = Draft::new(node.core.reader(), 1);
        seen.extend(turn(&mut draft, n, &mut misses));
        let batch = draft.take();
        let outcome = node.group(vec![numax_replica::Request::Commit(batch)]);
        assert!(outcome.results.iter().all(Result::is_ok));
        if flush && n % 4 == 3 {
            node.core.flush(n % 8 == 7).unwrap();
        }
    }
    let hash = node.core.state_hash().unwrap();
    (node.log(), seen, hash, misses)
}

#[test]
fn a_cache_of_any_size_gives_the_same_batches() {
    let (log, seen, hash, misses) = run(0, true);
    assert!(misses > 100, "without a cache there are misses, not {misses}");
    for (cache, flush) in [(usize::MAX >> 1, true), (3, true), (usize::MAX >> 1, false)] {
        let (other_log, other_seen, other_hash, fewer) = run(cache, flush);
        assert_eq!(seen, other_seen, "cache of {cache}");
        assert_eq!(log, other_log, "cache of {cache}");
        assert_eq!(hash, other_hash);
        assert!(fewer < misses || cache == 3, "{fewer} misses with a cache of {cache}, {misses} without");
    }
}

#[test]
fn a_miss_changes_nothing_and_stale_loads_do_not_count() {
    let mut node = Node::with(CoreConfig { cache_rows: 0, ..config(1, Durability::Fsync) });
    node.commit(|draft| draft.register_set(&key("r"), bytes("old")).unwrap());
    node.core.flush(true).unwrap();

    let mut draft = Draft::new(node.core.reader(), 1);
    let miss = match draft.register_get(&key("r")) {
        Err(DraftError::Miss(miss)) => miss,
        other => panic!("{other:?}"),
    };
    assert!(draft.is_empty());
    let stale = miss.load().unwrap();
    node.commit(|draft| draft.register_set(&key("r"), bytes("new")).unwrap());
    node.core.flush(true).unwrap();
    draft.supply(stale);
    let mut misses = 0;
    assert_eq!(patient(&mut draft, &mut misses, |d| d.register_get(&key("r"))), Some(bytes("new")));
    assert_eq!(misses, 1, "what was loaded before the flush does not count after it");
}
