//! Texts: the Yjs format, merging as a set, and that Yrs, which places and edits, agrees with it.

use numax_crdt::family::text::{self as family, Version};
use numax_crdt::text::{
    Clocks, Document, EditError, State, UpdateError, read_state_vector, write_state_vector,
};
use numax_crdt::{Batch, Body, Hlc, Key, Kind, Op, Rows, limits, text};
use proptest::prelude::*;

use crate::rows::Store;

fn edited(client: u64, edit: impl FnOnce(&mut Document)) -> (Document, State) {
    let mut document = Document::new(client);
    edit(&mut document);
    let written = document.take_written().unwrap();
    (document, written)
}

fn update(hex: &str) -> Result<State, UpdateError> {
    State::read_update(&hex::decode(hex.replace(' ', "")).unwrap())
}

/// What a reader sees who has been given this.
fn shown(state: State) -> String {
    let mut document = Document::new(99);
    document.load(state).unwrap();
    document.text().unwrap()
}

#[test]
fn updates_are_those_of_yjs() {
    let (mut document, written) = edited(1, |doc| {
        doc.insert(0, "hi").unwrap();
        doc.insert(2, "!").unwrap();
    });
    // One client with one struct, at clock 0: a string below the root "text"; nothing is deleted.
    assert_eq!(hex::encode(written.write_update()), "010101000401047465787403686921".to_owned() + "00");
    document.remove(0, 1).unwrap();
    document.insert(1, "o").unwrap();
    // "o" between the units 1 and 2; unit 0 is deleted.
    assert_eq!(
        hex::encode(document.take_written().unwrap().write_update()),
        "01010103c401010102016f0101010001"
    );
    let all = "010301000101047465787401840100026921c401010102016f0101010001";
    assert_eq!(hex::encode(document.state().unwrap().write_update()), all);
    assert_eq!(update(all).unwrap(), document.state().unwrap());
    assert_eq!(hex::encode(write_state_vector(document.clocks().unwrap())), "010104");
    assert_eq!(document.text().unwrap(), "io!");
}

/// Made by Yjs 13.6 from two clients, 1001 and 1002, which edit right beside and over surrogate pairs at the same time;
/// what is written here was read by it, and gave the same text.
#[test]
fn yjs_and_this_read_each_other() {
    let updates = [
        "0101e90700040104746578740661f09f98806200", // a😀b
        "0101ea0700c4e90700e9070104f09f8e8900",     // 🎉 right before the pair
        "0101e90704c4e90702e9070305c3a9e6bca200",   // é漢 right behind it
        "0001e907010001",                           // the "a" goes
        "0001e907010102",                           // the pair goes
    ];
    let yjs = "0201ea0700c4e90700e9070104f09f8e8904e90700010104746578740181e907000284e907020162c4e90702e9070305c3a9e6bca201e907010003";
    let mut doc = Document::new(7);
    for hex in updates {
        assert_eq!(doc.apply_update(update(hex).unwrap()), Ok(true), "{hex}");
    }
    assert_eq!(doc.text().unwrap(), "🎉é漢b");
    assert_eq!(update(yjs).unwrap(), doc.state().unwrap());
    assert_eq!(hex::encode(write_state_vector(doc.clocks().unwrap())), "02ea0702e90706");
    // The two deleted runs are neighbours by number, though not in the text: the normal form has one.
    let ours = yjs.replace("04e90700", "03e90700").replace("010104746578740181e9070002", "0101047465787403");
    assert_eq!(hex::encode(doc.state().unwrap().write_update()), ours);
    doc.take_written().unwrap();
    doc.insert(2, "😀").unwrap();
    assert_eq!(hex::encode(doc.take_written().unwrap().write_update()), "01010700c4e90702e9070404f09f988000");
    assert_eq!(doc.text().unwrap(), "🎉😀é漢b");
}

#[test]
fn state_vectors_lead_back_and_noise_is_refused() {
    let clocks = Clocks::from([(0, 1), (5, 300), ((1 << 53) - 1, limits::MAX_TEXT_CLOCK)]);
    assert_eq!(read_state_vector(&write_state_vector(&clocks)), Ok(clocks));
    for bad in [&[][..], &[1], &[1, 1], &[0, 0], &[255; 20], &[1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f]] {
        assert!(read_state_vector(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn what_is_not_plain_text_is_refused_by_name() {
    let refused = |hex: &str, why: &str| {
        let error = update(hex).unwrap_err().to_string();
        assert!(error.contains(why), "{hex}: {error}");
    };
    refused("", "cut or continued at byte 0");
    refused("0000 00", "cut or continued at byte 2");
    refused("01 01 01 00 04 01 04 74657874 02 68", "cut or continued");
    refused("01 01 01 00 04 01 03 666f6f 01 68 00", "another name");
    refused("01 01 01 00 04 00 01 00 01 68 00", "nested types");
    refused("01 01 01 00 00 05 00", "collected");
    refused("01 01 01 00 24 01 04 74657874 01 61 01 68 00", "map");
    refused("01 01 01 00 06 01 04 74657874 01 61 01 31 00", "formatting");
    refused("01 01 01 00 08 01 04 74657874 01 7d 01 00", "array or map");
    refused("01 01 01 00 0f 00", "kind of struct");
    refused("01 01 01 00 04 01 04 74657874 00 00", "string");
    refused("01 01 01 00 04 01 04 74657874 02 c328 00", "string");
    refused("01 01 01 00 01 01 04 74657874 02 00", "not deleted");
    refused("01 01 01 00 01 01 04 74657874 ffffffff0f 01 01 01 00 ffffffff0f", "clock");
    refused("01 01 ffffffffffffff7f 00 04 01 04 74657874 01 68 00", "client");
    assert_eq!(update("01 01 01 00 0a 05 00").unwrap(), State::default(), "a gap says nothing");
    let long = State::read_update(&vec![0; limits::MAX_TEXT_UPDATE + 1]).unwrap_err();
    assert!(matches!(long, UpdateError::TooLarge { .. }), "{long}");
}

#[test]
fn edits_are_checked() {
    let mut doc = Document::new(1);
    doc.insert(0, "a😀b").unwrap();
    assert_eq!(doc.size(), 4);
    assert_eq!(doc.insert(5, "x"), Err(EditError::OutOfRange { index: 5, size: 4 }));
    assert_eq!(doc.remove(2, 3), Err(EditError::OutOfRange { index: 5, size: 4 }));
    assert_eq!(doc.insert(2, "x"), Err(EditError::InCharacter { index: 2 }));
    assert_eq!(doc.remove(0, 2), Err(EditError::InCharacter { index: 2 }));
    assert_eq!(doc.remove(2, 2), Err(EditError::InCharacter { index: 2 }));
    doc.insert(3, "😀").unwrap();
    doc.remove(1, 2).unwrap();
    doc.insert(1, "é").unwrap();
    assert_eq!(doc.text().unwrap(), "aé😀b");
    doc.remove(u32::MAX, u32::MAX).unwrap_err();
    doc.remove(0, 0).unwrap();
    doc.insert(0, "").unwrap();
    assert_eq!(doc.size(), 5);
}

#[test]
fn what_is_typed_and_taken_back_comes_to_nothing() {
    let (mut doc, written) = edited(1, |doc| {
        doc.insert(0, "ab😀").unwrap();
        doc.remove(2, 2).unwrap();
        doc.remove(0, 2).unwrap();
    });
    assert!(written.is_empty());
    doc.insert(0, "x").unwrap();
    assert_eq!(doc.clocks().unwrap(), &Clocks::from([(1, 1)]));
    assert!(doc.has_written());
}

#[test]
fn pairs_that_others_cut_become_replacement_characters() {
    let (_, pair) = edited(1, |doc| doc.insert(0, "😀").unwrap());
    // Another client puts an "x" between the halves: origin 1:0, right origin 1:1.
    let cut = update("01 01 02 00 c4 0100 0101 01 78 00").unwrap();
    let mut both = pair.clone();
    both.merge(cut);
    assert_eq!(shown(both.clone()), "\u{fffd}x\u{fffd}");
    // What a Yjs replica then has in the place of the pair wins over it, in any order.
    let replaced = {
        let mut doc = Document::new(3);
        doc.load(both.clone()).unwrap();
        doc.state().unwrap()
    };
    let merged = |mut a: State, b: &State| {
        a.merge(b.clone());
        a
    };
    assert_eq!(merged(both.clone(), &replaced), merged(replaced.clone(), &both));
    // One half is deleted: the other is kept as it is, and written as Yjs has it.
    let mut half = pair;
    half.merge(update("00 01 01 01 00 01").unwrap());
    assert_eq!(State::load(&half.store()), Ok(half.clone()));
    assert_ne!(State::read_update(&half.write_update()), Ok(half.clone()));
    assert_eq!(shown(half), "\u{fffd}");
}

#[test]
fn what_builds_on_missing_edits_waits_for_them() {
    let (mut one, first) = edited(1, |doc| doc.insert(0, "first ").unwrap());
    let (mut two, second) = edited(2, |doc| {
        doc.load(first.clone()).unwrap();
        doc.insert(6, "second").unwrap();
        doc.remove(0, 1).unwrap();
    });
    assert_eq!(one.apply_update(second.clone()), Ok(true));
    assert_eq!(one.apply_update(second.clone()), Ok(false), "nothing new");
    assert_eq!(one.text().unwrap(), two.text().unwrap());

    let mut late = Document::new(3);
    assert_eq!(late.apply_update(second.clone()), Err(EditError::Missing));
    late.load(second).unwrap();
    assert_eq!(late.text().unwrap(), "");
    late.load(first).unwrap();
    assert_eq!(late.text().unwrap(), "irst second");
    assert_eq!(late.state().unwrap(), one.state().unwrap());
    // Nobody else writes in a client's name.
    let (_, forged) = edited(3, |doc| doc.insert(0, "x").unwrap());
    assert_eq!(late.apply_update(forged), Err(EditError::Forged));
    assert_eq!(late.text().unwrap(), "irst second");
}

#[test]
fn items_that_wait_for_each_other_wait_for_ever() {
    // 1:0 stands right of 2:0, and that right of 1:0; and one names its own next unit.
    let ring = update("02 01 02 00 84 0100 01 62 01 01 00 84 0200 01 61 00").unwrap();
    let own = update("01 01 01 00 84 0101 02 6161 00").unwrap();
    for state in [ring, own] {
        let mut doc = Document::new(9);
        doc.load(state).unwrap();
        assert_eq!(doc.text().unwrap(), "");
    }
}

#[test]
fn clients_are_53_bits_of_the_origin() {
    let clients: Vec<u64> = (0..4).map(|n| text::client_id(&crate::history::origin(n))).collect();
    assert!(clients.iter().all(|client| *client < 1 << 53 && *client > 1 << 32), "{clients:?}");
    assert_eq!(clients[0], 8_719_201_960_075_528, "a client id never changes: it stands in every text");
    assert!(clients.windows(2).all(|two| two[0] != two[1]));
}

#[test]
fn updates_are_folded_now_and_then_and_readers_read_on() {
    let (origin, key) = (crate::history::origin(0), Key::new("t").unwrap());
    let (mut store, mut doc, mut reader) = (Store::default(), Document::new(1), Document::new(2));
    let (mut seen, mut folds, mut rows_before) = (Version::default(), 0, 0);
    for seq in 1..=700 {
        let chunk = if seq % 200 == 0 { "x".repeat(40_000) } else { format!("{seq} ") };
        doc.insert(doc.size() / 2, &chunk).unwrap();
        doc.remove(0, 1).unwrap();
        let update = doc.take_written().unwrap().write_update().into();
        let ops = vec![Op { key: key.clone(), body: Body::Text { update } }];
        store.apply(&Batch { origin, seq, deps: Vec::new(), hlc: Hlc::ZERO, ops });
        let rows = store.view(Kind::Text, &key);
        let count = rows.scan(None, 1000).unwrap().len();
        folds += usize::from(count < rows_before);
        rows_before = count;
        assert!(count <= 700, "{count} rows");
        if seq % 7 == 0 || seq == 700 {
            let (news, version) = family::read_since(&rows, seen).unwrap();
            reader.load(news).unwrap();
            seen = version;
            assert_eq!(family::read_since(&rows, seen).unwrap(), (State::default(), seen));
            assert_eq!(reader.size(), doc.size());
        }
    }
    assert!(folds >= 2, "{folds} folds");
    assert_eq!(reader.text().unwrap(), doc.text().unwrap());
    let rows = store.view(Kind::Text, &key);
    assert_eq!(family::read(&rows).unwrap(), (doc.state().unwrap(), seen));
    assert_eq!(seen, Version(700));
    let bytes: usize = rows.scan(None, 1000).unwrap().iter().map(|(_, row)| row.len()).sum();
    let told = family::stored_bytes(&rows).unwrap() as usize;
    assert!(told <= bytes && bytes < told + 10_000, "{told} of {bytes} bytes");
}

/// What somebody does to a text.
#[derive(Debug, Clone)]
enum Step {
    Insert(usize, prop::sample::Index, &'static str),
    Remove(usize, prop::sample::Index, u32),
    /// One takes another's whole state.
    Pull(usize, usize),
    /// Lets Yrs see the edits.
    Look(usize),
}

const WRITERS: usize = 3;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = 0..WRITERS;
    let chunk = prop::sample::select(vec!["a", "bc", "😀", "déf", "x😀y"]);
    let step = prop_oneof![
        4 => (who.clone(), any::<prop::sample::Index>(), chunk).prop_map(|(who, at, text)| Step::Insert(who, at, text)),
        2 => (who.clone(), any::<prop::sample::Index>(), 1u32..4).prop_map(|(who, at, len)| Step::Remove(who, at, len)),
        1 => (who.clone(), who.clone()).prop_map(|(who, from)| Step::Pull(who, from)),
        1 => who.prop_map(Step::Look),
    ];
    prop::collection::vec(step, 1..40)
}

/// Plays the steps, each writer also against a plain string, and answers every update.
fn play(steps: &[Step]) -> (Vec<Document>, Vec<State>) {
    let mut docs: Vec<Document> = (1..=WRITERS as u64).map(Document::new).collect();
    let mut updates = Vec::new();
    for step in steps {
        match step {
            Step::Insert(who, at, text) => {
                let before: Vec<u16> = docs[*who].text().unwrap().encode_utf16().collect();
                let at = at.index(before.len() + 1);
                if docs[*who].insert(at as u32, text).is_ok() {
                    let mut want = before;
                    want.splice(at..at, text.encode_utf16());
                    assert_eq!(docs[*who].size() as usize, want.len());
                    assert_eq!(docs[*who].text().unwrap(), String::from_utf16(&want).unwrap());
                }
            }
            Step::Remove(who, at, len) => {
                let size = docs[*who].size();
                let at = at.index(size as usize + 1) as u32;
                let _ = docs[*who].remove(at, (*len).min(size - at));
            }
            Step::Pull(who, from) if who != from => {
                let state = docs[*from].state().unwrap();
                updates.push(docs[*who].take_written().unwrap());
                docs[*who].load(state).unwrap();
            }
            Step::Pull(..) => {}
            Step::Look(who) => {
                docs[*who].text().unwrap();
            }
        }
    }
    for doc in &mut docs {
        updates.push(doc.take_written().unwrap());
    }
    (docs, updates)
}

/// Some updates, whole or damaged.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0u8..12), 0..6);
    (steps(), any::<prop::sample::Index>(), edits).prop_map(|(steps, which, edits)| {
        let (_, updates) = play(&steps);
        let mut bytes = updates[which.index(updates.len())].write_update();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// The union of all updates, in any order and grouping, is one state; every writer who is given all of it shows
    /// the same text, and so does a fresh reader.
    #[test]
    fn every_order_ends_in_the_same_text(steps in steps(), order in prop::collection::vec(any::<prop::sample::Index>(), 1..20)) {
        let (mut docs, updates) = play(&steps);
        let all = State::union(updates.clone());
        let mut shuffled = updates.clone();
        for (to, from) in order.iter().enumerate() {
            let from = from.index(shuffled.len());
            let len = shuffled.len();
            shuffled.swap(to % len, from);
        }
        let mut piecewise = Document::new(50);
        let mut merged = State::default();
        for update in shuffled {
            piecewise.load(update.clone()).unwrap();
            merged.merge(update);
        }
        prop_assert_eq!(&merged, &all);
        prop_assert_eq!(State::load(&all.store()).unwrap(), all.clone());
        let want = shown(all.clone());
        prop_assert_eq!(piecewise.text().unwrap(), want.clone());
        prop_assert_eq!(piecewise.state().unwrap(), all.clone());
        for doc in &mut docs {
            doc.load(all.clone()).unwrap();
            prop_assert_eq!(doc.text().unwrap(), want.clone());
            prop_assert_eq!(doc.state().unwrap(), all.clone());
        }
    }

    /// A diff holds what its reader lacks, and every honest update can be read.
    #[test]
    fn diffs_complete_a_replica(steps in steps()) {
        let (mut docs, updates) = play(&steps);
        for update in updates {
            prop_assert_eq!(State::read_update(&update.write_update()), Ok(update));
        }
        let known = docs[1].clocks().unwrap().clone();
        let known = read_state_vector(&write_state_vector(&known)).unwrap();
        let diff = docs[0].state().unwrap().since(&known).write_update();
        docs[1].load(State::read_update(&diff).unwrap()).unwrap();
        let (one, other) = (docs[0].clocks().unwrap().clone(), docs[1].clocks().unwrap().clone());
        prop_assert!(one.iter().all(|(client, clock)| other.get(client) >= Some(clock)));
    }

    /// Damaged updates are refused, or are facts like any others: merging stays a union, and no document falls over.
    #[test]
    fn damaged_updates_do_no_harm(a in damaged(), b in damaged(), c in damaged()) {
        let read: Vec<State> = [a, b, c].iter().filter_map(|bytes| State::read_update(bytes).ok()).collect();
        let merge = |order: &[usize]| {
            let mut all = State::default();
            order.iter().filter_map(|at| read.get(*at)).for_each(|state| all.merge(state.clone()));
            all
        };
        let all = merge(&[0, 1, 2]);
        prop_assert_eq!(&merge(&[2, 1, 0]), &all);
        prop_assert_eq!(&merge(&[1, 2, 2, 0, 1]), &all);
        let mut grouped = merge(&[0]);
        grouped.merge(merge(&[1, 2]));
        prop_assert_eq!(&grouped, &all);
        prop_assert_eq!(State::load(&all.store()).unwrap(), all.clone());
        let want = shown(all);
        let mut editor = Document::new(77);
        for state in &read {
            editor.load(state.clone()).unwrap();
            let size = editor.size();
            let _ = editor.insert(size, "end");
            let _ = editor.remove(0, size.min(2));
            editor.text().unwrap();
        }
        drop(want);
    }

    #[test]
    fn noise_is_refused_or_harmless(bytes: Vec<u8>) {
        drop(State::load(&bytes));
        drop(read_state_vector(&bytes));
        if let Ok(state) = State::read_update(&bytes) {
            shown(state);
        }
    }
}
