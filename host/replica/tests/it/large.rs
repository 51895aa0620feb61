//! What is large in one piece: batches at their limit, and texts that several wrote apart from each other.

use bytes::Bytes;
use numax_crdt::limits::{MAX_BATCH_BYTES, MAX_TEXT_UPDATE};
use numax_replica::{CoreConfig, Durability, PageRequest, Request};
use numax_store::Survives;

use crate::{
    common::{NOW, Node, bytes, config, key},
    transfer::{merge, merging, request, run, take},
};

const PIECE: usize = 256 << 10;
/// What a piece has besides rows.
const AROUND: usize = 1 << 10;

/// A text of 10 MiB, more than one node may write: six wrote at once, cut off from each other.
fn large() -> Node {
    let short = CoreConfig { segment_bytes: 1 << 20, op_log_budget: 1 << 20, ..config(1, Durability::Fsync) };
    let mut hub = Node::with(short);
    for writer in 0..6_u8 {
        let mut node = Node::new(10 + writer);
        for part in 0..2_u8 {
            let text = char::from(b'a' + 2 * writer + part).to_string().repeat(900_000);
            let batch = node.commit(|draft| draft.text_insert(&key("doc"), 0, &text).unwrap());
            assert_eq!(hub.ingest(vec![batch.bytes.clone()]).applied, 1);
        }
    }
    hub.commit(|draft| draft.register_set(&key("after"), bytes("the text")).unwrap());
    for _ in 0..3 {
        hub.core.flush(true).unwrap();
        hub.core.trim_log().unwrap();
    }
    assert!(hub.core.batches_after(&Default::default(), None, PIECE).is_err(), "only a transfer helps");
    hub
}

fn piece(from: &mut Node, to: &Node, picture: u64) -> (u64, Bytes) {
    let sent =
        from.core.transfer_page(&PageRequest { max_bytes: PIECE, ..request(to, picture) }, NOW).unwrap();
    assert!(sent.page.len() <= PIECE + AROUND || sent.page.first() == Some(&1), "{}", sent.page.len());
    (sent.picture, sent.page)
}

/// Some pieces of the text.
fn pieces(from: &mut Node, to: &mut Node, count: usize) -> u64 {
    let mut picture = 0;
    for _ in 0..count {
        let (of, page) = piece(from, to, picture);
        picture = of;
        assert!(take(to, page).unwrap().next.is_some_and(|state| !state.merging));
    }
    picture
}

#[test]
fn a_text_of_10_mib_is_transferred_in_pieces_through_crashes() {
    let mut hub = large();
    let mut new = Node::new(2);
    let (mut picture, mut count, mut crashes) = (0, 0, 0);
    while !merging(&new) {
        let (of, page) = piece(&mut hub, &new, picture);
        assert!(page.len() <= PIECE + AROUND, "a piece of {} bytes", page.len());
        take(&mut new, page).unwrap();
        (picture, count) = (of, count + 1);
        if count % 15 == 7 {
            if crashes == 1 {
                new.core.flush(true).unwrap();
            }
            let before = new.core.transfer_state();
            new = new.crash([Survives::SyncedOnly, Survives::Everything][crashes % 2]).unwrap();
            assert_eq!(new.core.transfer_state(), before, "after {count} pieces");
            (picture, crashes) = (0, crashes + 1);
        }
    }
    assert!(count > 40 && crashes >= 3, "{count} pieces, {crashes} crashes");
    new.core.flush(true).unwrap();
    let mut new = new.crash(Survives::SyncedOnly).unwrap();
    merge(&mut new);
    let mut new = new.crash(Survives::SyncedOnly).unwrap();
    assert_eq!(new.core.vector(), hub.core.vector());
    assert_eq!(new.core.state_hash().unwrap(), hub.core.state_hash().unwrap());
    assert_eq!(new.draft().text_size(&key("doc")).unwrap(), 10_800_000);
    assert_eq!(new.register("after"), Some(bytes("the text")));
    // It is handed on, and editing goes on, if only to make it smaller.
    let cut = new.commit(|draft| draft.text_remove(&key("doc"), 5, 10_799_990).unwrap());
    assert_eq!(hub.ingest(vec![cut.bytes.clone()]).applied, 1);
    assert_eq!(hub.draft().text_read(&key("doc")).unwrap(), new.draft().text_read(&key("doc")).unwrap());
}

#[test]
fn parts_that_make_no_page_leave_nothing_behind() {
    let mut hub = large();
    // A part from the middle of another page, a part twice, and one that claims to be the last.
    for case in 0..4 {
        let mut new = Node::new(2);
        let empty = new.core.state_hash().unwrap();
        let picture = pieces(&mut hub, &mut new, 3);
        let state = new.core.transfer_state();
        let (_, next) = piece(&mut hub, &new, picture);
        let mut bad = next.to_vec();
        let refused = match case {
            0 => take(&mut new, next.slice(..next.len() / 2)),
            1 => {
                take(&mut new, next.clone()).unwrap();
                take(&mut new, next)
            }
            // Another sender.
            2 => {
                bad[1] ^= 1;
                take(&mut new, bad.into())
            }
            // The flag stands in front of the bytes and their length, which has three bytes here.
            _ => {
                let at = bad.len() - PIECE - 4;
                assert_eq!(std::mem::replace(&mut bad[at], 1), 0);
                take(&mut new, bad.into())
            }
        };
        assert!(refused.is_err(), "case {case}");
        match case {
            1 => assert!(new.core.transfer_state().is_some()),
            3 => assert_eq!(new.core.transfer_state(), None, "what is damaged is thrown away"),
            _ => assert_eq!(new.core.transfer_state(), state),
        }
        assert!(run(&mut new, Request::Merge).is_ok());
        assert_eq!((new.core.state_hash().unwrap(), new.core.vector().len()), (empty, 0));
    }
}

#[test]
fn batches_at_their_limit_are_committed_sent_and_survive() {
    let mut node = Node::new(1);
    let texts: Vec<String> = (0..4).map(|n| format!("t{n}")).collect();
    // An update has some bytes around what was typed.
    let most = (MAX_BATCH_BYTES / 4).min(MAX_TEXT_UPDATE) - 512;
    let write = |node: &mut Node, size: usize| {
        node.try_commit(|draft| {
            texts.iter().for_each(|name| draft.text_insert(&key(name), 0, &"x".repeat(size)).unwrap());
        })
    };
    write(&mut node, most).unwrap();
    let (all, hash) = (node.log(), node.core.state_hash().unwrap());
    assert!(all[0].len() > MAX_BATCH_BYTES - 4_096);
    let mut node = node.crash(Survives::SyncedOnly).unwrap();
    let mut peer = Node::new(2);
    let page = node.core.batches_after(peer.core.vector(), None, 1_000).unwrap();
    assert_eq!((page.batches.len(), peer.ingest(page.batches).applied), (1, 1));
    assert_eq!((node.core.state_hash().unwrap(), peer.core.state_hash().unwrap()), (hash, hash));
    // One more byte than fits is refused at the call, and the rest of the turn goes on.
    let mut draft = node.draft();
    let error = draft.text_insert(&key("t0"), 0, &"x".repeat(MAX_TEXT_UPDATE + 1)).unwrap_err();
    assert!(error.to_string().contains("in one turn take 10486"), "{error}");
    draft.text_insert(&key("t0"), 0, "y").unwrap();
    let batch = draft.take();
    assert!(node.group(vec![Request::Commit(batch)]).results.remove(0).is_ok());
    assert_eq!(node.draft().text_size(&key("t0")).unwrap() as usize, most + 1);
}
