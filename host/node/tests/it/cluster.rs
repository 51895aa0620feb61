//! Nodes over real sockets with real certificates: what one commits, all have.

use std::time::Duration;

use bytes::Bytes;
use numax_net::ca::{self, IssueOptions};
use numax_net::{Credentials, Net, NetConfig, NetEvent, TlsFiles};
use numax_node::NodeError;
use numax_runtime::Backend;

use super::world::{Running, World};

#[tokio::test(flavor = "multi_thread")]
async fn what_one_commits_all_have() {
    let world = World::new();
    let a = world.node("a", &[]).await;
    let b = world.node("b", &[&a]).await;
    let c = world.node("c", &[&a]).await;
    for _ in 0..50 {
        a.increment("k", 1).await;
        b.increment("k", 10).await;
        c.increment("k", 100).await;
    }
    for node in [&a, &b, &c] {
        node.reaches("k", 5550).await;
    }
    // a peer appears in the guests' list once both sides said hello, which they have
    assert_eq!(a.node.peers().len(), 2);
    assert_eq!(b.node.peers().iter().map(|peer| peer.address.clone()).collect::<Vec<_>>(), [a.address()]);
    for node in [a, b, c] {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_away_or_comes_late_gets_everything() {
    let world = World::new();
    let a = world.node("a", &[]).await;
    let b = world.node("b", &[&a]).await;
    a.increment("k", 1).await;
    b.reaches("k", 1).await;
    b.stop().await;
    for _ in 0..200 {
        a.increment("k", 1).await;
    }
    let b = world.node("b", &[&a]).await;
    b.reaches("k", 201).await;
    b.increment("k", 1000).await;
    a.reaches("k", 1201).await;
    // the late one knows only b
    let late = world.node("late", &[&b]).await;
    late.reaches("k", 1201).await;
    late.increment("k", 1).await;
    a.reaches("k", 1202).await;
    for node in [late, b, a] {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_batches_and_many_of_them_get_through() {
    let world = World::new();
    let a = world.node("a", &[]).await;
    let replica = a.replica.clone();
    let batches = tokio::task::spawn_blocking(move || {
        let mut batches = Vec::new();
        for n in 0..12_u8 {
            let mut draft = numax_replica::Draft::new(replica.reader(), 1);
            draft.load_inline(true);
            for part in 0..3_u8 {
                let key = numax_crdt::Key::new(vec![n, part]).unwrap();
                draft.register_set(&key, Bytes::from(vec![n; 1 << 20])).unwrap();
            }
            let counter = numax_crdt::Key::new(b"k".to_vec()).unwrap();
            draft.g_counter_increment(&counter, 1).unwrap();
            batches.push(draft.take());
        }
        batches
    });
    for batch in batches.await.unwrap() {
        a.replica.commit(batch).await.unwrap();
    }
    let total = a.value("k").await;
    let b = world.node("b", &[&a]).await;
    b.reaches("k", total).await;
    assert_eq!(hash(&a).await, hash(&b).await);
    a.stop().await;
    b.stop().await;
}

async fn hash(node: &Running) -> [u8; 32] {
    let replica = node.replica.clone();
    tokio::task::spawn_blocking(move || replica.state_hash().unwrap()).await.unwrap()
}

/// Somebody with a certificate of the cluster who speaks nonsense is told so, and nobody else is
/// disturbed.
#[tokio::test(flavor = "multi_thread")]
async fn a_garbage_frame_ends_only_its_link() {
    let world = World::new();
    let a = world.node("a", &[]).await;
    let b = world.node("b", &[&a]).await;
    let intruder = world.path("intruder");
    ca::issue(&world.path("ca"), &intruder, &IssueOptions::default(), None).unwrap();
    let credentials = Credentials::from_files(&intruder, &TlsFiles::default()).unwrap();
    let peers = vec![a.address().parse().unwrap()];
    let (net, mut events) = Net::start(NetConfig { peers, ..NetConfig::new(credentials) }).unwrap();
    let link = loop {
        if let NetEvent::LinkUp { link, .. } = events.recv().await.unwrap() {
            break link;
        }
    };
    net.send(link, 0, Bytes::from_static(b"\x00\xff\xffgarbage")).unwrap();
    let reason = loop {
        if let NetEvent::LinkDown { reason, .. } = events.recv().await.unwrap() {
            break reason.to_string();
        }
    };
    assert!(reason.contains("malformed"), "{reason}");
    a.increment("k", 1).await;
    b.reaches("k", 1).await;
    net.shutdown().await;
    a.stop().await;
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_cluster_gets_nothing() {
    let (world, elsewhere) = (World::new(), World::new());
    let a = world.node("a", &[]).await;
    let b = world.node("b", &[&a]).await;
    let foreign = elsewhere.node("foreign", &[&a]).await;
    a.increment("k", 1).await;
    foreign.increment("k", 1000).await;
    b.reaches("k", 1).await;
    // Several dials and rounds of anti-entropy later it is still so.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!((a.value("k").await, b.value("k").await, foreign.value("k").await), (1, 1, 1000));
    assert!(a.node.peers().iter().all(|peer| peer.address == b.address()));
    for node in [foreign, b, a] {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allow_list_keeps_others_out() {
    let world = World::new();
    let issue = |name: &str| {
        ca::issue(&world.path("ca"), &world.path(name), &IssueOptions::default(), None)
            .unwrap()
            .0
            .node
            .to_string()
    };
    let (_, friend, _) = (issue("a"), issue("friend"), issue("other"));
    let a = Running::start(&world.path("a"), &[], &[("--allowed-peers", &friend)]).await.unwrap();
    let friend = Running::start(&world.path("friend"), &[&a], &[]).await.unwrap();
    let other = Running::start(&world.path("other"), &[&a], &[]).await.unwrap();
    a.increment("k", 1).await;
    friend.reaches("k", 1).await;
    assert_eq!(other.value("k").await, 0);
    assert_eq!(a.node.peers().len(), 1);
    for node in [a, friend, other] {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_cannot_work_say_what_to_do() {
    let world = World::new();
    let outside = Running::start(&world.path("x"), &[], &[("--listen", "0.0.0.0:0")]).await.err().unwrap();
    assert!(matches!(&outside, NodeError::NeedsCertificate { .. }), "{outside}");
    assert!(outside.to_string().contains("numax ca issue --ca ./ca --datastore"), "{outside}");
    let peer = Running::start(&world.path("x"), &[], &[("--peer", "nowhere")]).await.err().unwrap();
    assert!(peer.to_string().contains("--peer") && peer.to_string().contains("port"), "{peer}");
    let id = Running::start(&world.path("x"), &[], &[("--allowed-peers", "abc")]).await.err().unwrap();
    assert!(id.to_string().contains("--allowed-peers"), "{id}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_datastore_has_one_owner_and_is_free_after_shutdown() {
    let world = World::new();
    let a = world.node("a", &[]).await;
    let second = Running::start(&world.path("a"), &[], &[]).await.err().unwrap();
    assert!(second.to_string().contains("in use by another process"), "{second}");
    a.increment("k", 7).await;
    a.stop().await;
    let again = world.node("a", &[]).await;
    assert_eq!(again.value("k").await, 7);
    again.stop().await;
}

/// A copy of a datastore lacks what the original wrote after the copying. It must not give the same
/// names to other batches: it goes on in an epoch of its own, and everything counts once.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_datastore_writes_under_another_name() {
    let world = World::new();
    let third = world.node("third", &[]).await;
    let a = world.node("a", &[&third]).await;
    a.increment("k", 1).await;
    third.reaches("k", 1).await;
    a.stop().await;
    copy(&world.path("a"), &world.path("copy"));
    let a = world.node("a", &[&third]).await;
    let origin = a.replica.origin();
    a.increment("k", 1).await;
    third.reaches("k", 2).await;
    a.stop().await;
    let copy = Running::start(&world.path("copy"), &[&third], &[]).await.unwrap();
    assert_eq!(copy.replica.origin().node, origin.node);
    assert_ne!(copy.replica.origin(), origin);
    copy.increment("k", 10).await;
    third.reaches("k", 12).await;
    copy.reaches("k", 12).await;
    for node in [copy, third] {
        node.stop().await;
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
