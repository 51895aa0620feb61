//! Documents that find the places of edits by themselves write what Yrs would have written.

use numax_crdt::text::{Document, EditError, State};
use proptest::prelude::*;
use yrs::{
    Doc, GetString, OffsetKind, Options, ReadTxn, StateVector, Text, TextRef, Transact, Update,
    block::ClientID, updates::decoder::Decode,
};

const WRITERS: usize = 3;

/// What one writer does between two exchanges: so many edits at places that these numbers choose.
#[derive(Debug, Clone)]
struct Burst {
    who: usize,
    edits: usize,
    seed: u64,
    /// Whose edits come then.
    from: usize,
    /// In how many edits somebody looks once.
    look: usize,
}

fn bursts() -> impl Strategy<Value = Vec<Burst>> {
    // Some last long enough for a document that was given others' edits to make the order anew.
    let edits = prop_oneof![3 => 1usize..40, 1 => 250usize..600];
    let burst = (0..WRITERS, edits, any::<u64>(), 0..WRITERS, 1usize..80)
        .prop_map(|(who, edits, seed, from, look)| Burst { who, edits, seed, from, look });
    prop::collection::vec(burst, 1..14)
}

/// Yrs alone.
struct Plain {
    doc: Doc,
    root: TextRef,
}

impl Plain {
    fn new(client: u64) -> Self {
        let options =
            Options { offset_kind: OffsetKind::Utf16, ..Options::with_client_id(ClientID::new(client)) };
        let doc = Doc::with_options(options);
        let root = doc.get_or_insert_text("text");
        Self { doc, root }
    }

    fn update(&self) -> Vec<u8> {
        self.doc.transact().encode_state_as_update_v1(&StateVector::default())
    }

    fn state(&self) -> State {
        State::read_update(&self.update()).unwrap()
    }

    fn load(&self, update: &[u8]) {
        self.doc.transact_mut().apply_update(Update::decode_v1(update).unwrap()).unwrap();
    }

    fn text(&self) -> String {
        self.root.get_string(&self.doc.transact())
    }
}

fn next(seed: &mut u64, below: u32) -> u32 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    ((*seed >> 33) % u64::from(below)) as u32
}

/// One edit on both sides, near the last one or anywhere.
fn edit(document: &mut Document, plain: &Plain, seed: &mut u64, cursor: &mut u32) {
    let size = document.size();
    if next(seed, 4) == 0 {
        *cursor = next(seed, size + 1);
    }
    let at = (*cursor).min(size);
    if next(seed, 3) == 0 {
        let len = (1 + next(seed, 5)).min(size - at);
        match document.remove(at, len) {
            Ok(()) => plain.root.remove_range(&mut plain.doc.transact_mut(), at, len),
            Err(error) => assert!(matches!(error, EditError::InCharacter { .. }), "{error}"),
        }
    } else {
        let chunk = ["a", "bc", "é", "😀", "x😀y"][next(seed, 5) as usize];
        match document.insert(at, chunk) {
            Ok(()) => {
                plain.root.insert(&mut plain.doc.transact_mut(), at, chunk);
                *cursor = at + chunk.encode_utf16().count() as u32;
            }
            Err(error) => assert!(matches!(error, EditError::InCharacter { .. }), "{error}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Writers edit, alone for a while or in turns, each also in a document of Yrs alone: all of a document is the same
    /// in both, item by item, and what was written in pieces comes to all of it.
    #[test]
    fn a_document_is_what_yrs_makes_of_the_same_edits(bursts in bursts()) {
        let clients = 1..=WRITERS as u64;
        let mut documents: Vec<Document> = clients.clone().map(Document::new).collect();
        let plain: Vec<Plain> = clients.map(Plain::new).collect();
        let mut written = Vec::new();
        for Burst { who, edits, mut seed, from, look } in bursts {
            let mut cursor = 0;
            for n in 1..=edits {
                edit(&mut documents[who], &plain[who], &mut seed, &mut cursor);
                // Placed one by one, as turns that are committed do it.
                written.push(documents[who].take_written().unwrap());
                if n % look == 0 {
                    prop_assert_eq!(documents[who].text().unwrap(), plain[who].text());
                }
            }
            prop_assert_eq!(documents[who].size() as usize, plain[who].text().encode_utf16().count());
            prop_assert_eq!(documents[who].state().unwrap(), plain[who].state());
            if from != who {
                let update = plain[from].update();
                documents[who].load(State::read_update(&update).unwrap()).unwrap();
                plain[who].load(&update);
                prop_assert_eq!(documents[who].text().unwrap(), plain[who].text());
            }
        }
        let mut all = State::union(written);
        for plain in &plain {
            let whole = plain.state();
            let mut both = all.clone();
            both.merge(whole.clone());
            prop_assert_eq!(&both, &all, "a writer has what nobody wrote");
            plain.load(&all.write_update());
        }
        all.merge(plain[0].state());
        for (document, plain) in documents.iter_mut().zip(&plain) {
            document.load(all.clone()).unwrap();
            prop_assert_eq!(document.state().unwrap(), plain.state());
            prop_assert_eq!(document.text().unwrap(), plain.text());
        }
    }
}
