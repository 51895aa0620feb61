//! Links: one per pair, kept and found again, none a reason to wait for another.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use bytes::Bytes;
use numax_net::{CloseCode, Closed, MAX_FRAME, NetConfig, NetEvent, Problem, Refusal, SendError};

use crate::support::{Cluster, LONG, Node};

#[tokio::test]
async fn frames_of_every_class_and_size_arrive_whole_and_in_order() {
    let cluster = Cluster::new();
    let mut server = cluster.start("server");
    let mut client = cluster.dialer("client", &[server.at_id()]);
    let (to_server, peer, dialed) = client.up().await;
    let (to_client, ..) = server.up().await;
    assert_eq!((peer, dialed), (server.id(), true));

    let sizes = [1, 3, 1_000, 8 * 1024, 8 * 1024 + 1, 100_000, MAX_FRAME, 5];
    for class in 0..numax_net::CLASSES {
        for (number, size) in sizes.into_iter().enumerate() {
            let frame = Bytes::from(vec![class * 16 + u8::try_from(number).unwrap(); size]);
            client.net.send_when_room(to_server, class, frame).await.unwrap();
        }
    }
    server.net.send(to_client, 0, Bytes::from_static(b"back")).unwrap();
    let mut got = BTreeMap::<u8, Vec<Bytes>>::new();
    while got.values().map(Vec::len).sum::<usize>() < 3 * sizes.len() {
        let (class, bytes) = server.frame().await;
        got.entry(class).or_default().push(bytes);
    }
    for (class, frames) in got {
        for ((number, frame), size) in (0..).zip(&frames).zip(sizes) {
            assert_eq!(frame.len(), size);
            assert!(frame.iter().all(|byte| *byte == class * 16 + number));
        }
    }
    assert_eq!(client.frame().await.1, "back");
    assert_eq!(client.net.send(to_server, 3, Bytes::from_static(b"x")), Err(SendError::NotAFrame));
    assert_eq!(client.net.send(99, 0, Bytes::from_static(b"x")), Err(SendError::NoLink));
}

#[tokio::test]
async fn what_was_queued_before_an_end_in_order_is_delivered() {
    let cluster = Cluster::new();
    let mut server = cluster.start("server");
    let mut client = cluster.dialer("client", &[server.at_id()]);
    let (link, ..) = client.up().await;
    for _ in 0..1_000 {
        client.net.send(link, 1, Bytes::from_static(&[5; 1_000])).unwrap();
    }
    client.net.close(link, CloseCode::PROTOCOL, "another cluster");
    assert_eq!(client.net.send(link, 1, Bytes::from_static(b"late")), Err(SendError::NoLink));
    let mut frames = 0;
    let reason = server
        .wait(|event| match event {
            NetEvent::Frame { .. } => {
                frames += 1;
                None
            }
            NetEvent::LinkDown { reason, .. } => Some(reason),
            _ => None,
        })
        .await;
    assert_eq!(frames, 1_000);
    assert_eq!(reason, Closed::Peer { code: CloseCode::PROTOCOL, reason: "another cluster".into() });

    // A configured peer comes back; a shutdown then ends everything, on both sides, with its reason.
    let (link, ..) = client.up().await;
    client.net.send(link, 2, Bytes::from_static(b"last words")).unwrap();
    client.net.shutdown().await;
    assert_eq!(server.frame().await.1, "last words");
    assert_eq!(server.down().await.1.code(), Some(CloseCode::SHUTDOWN));
    let mut last = None;
    while let Some(event) = client.events.recv().await {
        last = Some(event);
    }
    assert!(matches!(
        last,
        Some(NetEvent::LinkDown { reason: Closed::Here { code: CloseCode::SHUTDOWN, .. }, .. })
    ));
    assert!(client.net.links().is_empty());
}

/// Follows both nodes until they agree on one link, whatever came and went before.
async fn agree(a: &mut Node, b: &mut Node) {
    let mut current: [Option<(u64, bool)>; 2] = [None, None];
    let follow = |event, slot: &mut Option<(u64, bool)>| match event {
        NetEvent::LinkUp { link, dialed, .. } => {
            assert!(slot.is_none(), "two links at a time");
            *slot = Some((link, dialed));
        }
        NetEvent::LinkDown { link, .. } => {
            assert_eq!(slot.map(|(up, _)| up), Some(link));
            *slot = None;
        }
        _ => {}
    };
    loop {
        if let [Some((a_link, a_dialed)), Some((b_link, b_dialed))] = current
            && a_dialed != b_dialed
        {
            // It is one connection if what goes in here comes out there.
            a.net.send(a_link, 0, Bytes::from_static(b"ping")).unwrap_or_default();
            let came = b.wait(|event| match event {
                NetEvent::Frame { link, .. } => Some(link == b_link),
                other => {
                    follow(other, &mut current[1]);
                    current[1].is_none().then_some(false)
                }
            });
            if came.await {
                return;
            }
        }
        tokio::select! {
            event = a.next() => follow(event, &mut current[0]),
            event = b.next() => follow(event, &mut current[1]),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn simultaneous_dials_leave_one_link() {
    let cluster = Cluster::new();
    for round in 0..10 {
        let (mut a, mut b) = (cluster.start("a"), cluster.start("b"));
        a.net.add_peer(if round % 2 == 0 { b.at_id() } else { b.at() });
        b.net.add_peer(if round % 2 == 0 { a.at() } else { a.at_id() });
        agree(&mut a, &mut b).await;
        assert_eq!((a.net.links().len(), b.net.links().len()), (1, 1));
        tokio::join!(a.net.shutdown(), b.net.shutdown());
    }
}

#[tokio::test]
async fn two_addresses_of_one_node_make_one_link() {
    let cluster = Cluster::new();
    let mut server = cluster.start("server");
    let port = server.addr().port();
    let other = format!("localhost:{port}").parse().unwrap();
    let mut client = cluster.dialer("client", &[server.at(), other, server.at_id()]);
    let (link, ..) = client.up().await;
    // If one of the other addresses replaced the link, the frame or the link would be lost.
    client.net.send(link, 0, Bytes::from_static(b"still here")).unwrap();
    assert_eq!(server.frame().await.1, "still here");
    assert_eq!(client.net.links().len(), 1);
}

#[tokio::test]
async fn a_peer_is_found_again_after_its_restart() {
    let cluster = Cluster::new();
    let mut server = cluster.start("server");
    let addr = server.addr();
    let mut client = cluster.dialer("client", &[server.at_id()]);
    for _ in 0..2 {
        assert_eq!(client.up().await.1, server.id());
        server.net.shutdown().await;
        assert_eq!(client.down().await.1.code(), Some(CloseCode::SHUTDOWN));
        server = Node::start(NetConfig { listen: Some(addr), ..cluster.config("server") });
    }
    assert_eq!(client.up().await.1, server.id());
    assert_eq!(server.up().await.1, client.id());
}

#[tokio::test]
async fn a_restarted_peer_takes_the_place_of_its_dead_link_at_once() {
    let cluster = Cluster::new();
    let mut server = cluster.start("server");
    // The same key in two processes: to the server, one that died without a word and came back.
    let first = cluster.dialer("client", &[server.at_id()]);
    let (old, peer, _) = server.up().await;
    let second = cluster.dialer("client", &[server.at_id()]);
    assert_eq!(first.id(), second.id());
    let (down, reason) = server.down().await;
    assert_eq!((down, reason.code()), (old, Some(CloseCode::DUPLICATE)));
    let (new, again, _) = server.up().await;
    assert!(new != old && again == peer);
}

#[tokio::test]
async fn a_killed_peer_that_is_started_again_says_that_it_knows_no_link() {
    let cluster = Cluster::new();
    let config = |listen| NetConfig { listen: Some(listen), ..cluster.config("server") };
    let start = config(SocketAddr::from(([127, 0, 0, 1], 0)));
    let (killed, at) = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let server = runtime.block_on(async { Node::start(start) });
        let at = server.at_id();
        ((runtime, server), at)
    })
    .await
    .unwrap();
    let addr = killed.1.addr();
    let mut dialer = NetConfig { peers: vec![at], listen: None, ..cluster.config("client") };
    dialer.quic.keep_alive = Duration::from_millis(100);
    let mut client = Node::start(dialer);
    client.up().await;
    // All that it would still have said goes with its threads.
    tokio::task::spawn_blocking(move || {
        let (runtime, server) = killed;
        runtime.shutdown_timeout(Duration::from_secs(5));
        drop(server);
    })
    .await
    .unwrap();
    let mut server = Node::start(config(addr));
    let reason = client.down().await.1;
    assert!(matches!(&reason, Closed::Broken(text) if text.contains("has restarted")), "{reason:?}");
    client.up().await;
    assert_eq!(server.up().await.1, client.id());
}

#[tokio::test]
async fn a_silent_peer_is_given_up_after_the_idle_time() {
    let cluster = Cluster::new();
    let mut config = cluster.config("server");
    config.quic.keep_alive = Duration::from_millis(100);
    config.quic.idle = Duration::from_millis(500);
    let mut server = Node::start(config);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let at = server.at_id();
    // A runtime that nobody drives any more is a process that was stopped: no packet, no goodbye.
    let stopped = tokio::task::spawn_blocking(move || {
        let client = runtime.block_on(async {
            let mut client = cluster.dialer("client", &[at]);
            client.up().await;
            client
        });
        (runtime, client)
    });
    server.up().await;
    let stopped = stopped.await.unwrap();
    assert_eq!(server.down().await.1, Closed::TimedOut);
    assert!(server.net.links().is_empty());
    tokio::task::spawn_blocking(|| drop(stopped)).await.unwrap();
}

#[tokio::test]
async fn a_slow_peer_holds_up_nobody() {
    let cluster = Cluster::new();
    let small = |name: &str, peers: Vec<_>| {
        let mut config = NetConfig { listen: None, peers, ..cluster.config(name) };
        config.receive_queue_bytes = 100_000;
        Node::start(config)
    };
    let mut config = cluster.config("server");
    config.send_queue_bytes = 1024 * 1024;
    let mut server = Node::start(config);
    let slow = small("slow", vec![server.at_id()]);
    let (to_slow, ..) = server.up().await;
    let mut quick = small("quick", vec![server.at_id()]);
    let (to_quick, ..) = server.up().await;

    // The slow one takes nothing: its own queue, the stream's window and the server's queue fill up, then it is said so.
    let frame = Bytes::from(vec![1; 50_000]);
    let filled = async {
        loop {
            match server.net.send(to_slow, 1, frame.clone()) {
                Ok(()) => tokio::task::yield_now().await,
                Err(e) => break e,
            }
        }
    };
    assert_eq!(tokio::time::timeout(LONG, filled).await.unwrap(), SendError::Full);
    for number in 0..200u8 {
        server.net.send_when_room(to_quick, 1, Bytes::from(vec![number; 20_000])).await.unwrap();
        assert_eq!(quick.frame().await.1[0], number);
    }
    // Another class of the slow one is not full.
    server.net.send(to_slow, 0, Bytes::from_static(b"hello")).unwrap();
    assert!(server.net.links().iter().any(|link| link.link == to_slow && link.queued_bytes > 900_000));

    // When it takes again, all of it comes, and there is room again.
    let mut slow = slow;
    let room = server.net.send_when_room(to_slow, 1, Bytes::from_static(b"end"));
    let (room, ()) = tokio::join!(room, async { while slow.frame().await.1 != "end" {} });
    room.unwrap();
}

#[tokio::test]
async fn a_node_does_not_talk_to_itself() {
    let cluster = Cluster::new();
    let mut node = cluster.start("node");
    node.net.add_peer(node.at());
    let report = node.report().await;
    assert_eq!(report.problem, Problem::Refused(Refusal::SelfConnection), "{report}");
    assert!(node.net.links().is_empty());
}

#[tokio::test]
async fn two_processes_with_one_key_get_a_link_on_which_they_can_tell() {
    let cluster = Cluster::new();
    // A copy of a datastore: also where only known nodes are let in, of which the own is none.
    let config = || NetConfig { allowed: Some(Vec::new()), ..cluster.config("node") };
    let mut node = Node::start(config());
    let mut copy = Node::start(NetConfig { peers: vec![node.at()], ..config() });
    let ((_, peer, _), (_, other, _)) = tokio::join!(node.up(), copy.up());
    assert_eq!((peer, other), (node.id(), node.id()));
}

#[tokio::test]
async fn a_name_without_address_and_an_address_without_node_are_reported() {
    let cluster = Cluster::new();
    let mut config = cluster.config("node");
    config.timing.handshake = Duration::from_millis(300);
    config.peers = vec!["no-such-host.invalid:9000".parse().unwrap()];
    let mut node = Node::start(config);
    let report = node.report().await;
    assert!(matches!(report.problem, Problem::Unresolved(_)), "{report}");
    // Bound, so that nobody else answers there, and silent.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    node.net.add_peer(silent.local_addr().unwrap().to_string().parse().unwrap());
    let report = node.report().await;
    assert!(matches!(report.problem, Problem::Unreachable(_)), "{report}");
    assert!(report.to_string().contains(&silent.local_addr().unwrap().to_string()), "{report}");
}

#[tokio::test]
async fn address_families_do_not_get_in_each_others_way() {
    let cluster = Cluster::new();
    let v6 = NetConfig { listen: Some("[::1]:0".parse::<SocketAddr>().unwrap()), ..cluster.config("v6") };
    if std::net::UdpSocket::bind("[::1]:0").is_err() {
        return; // a machine without IPv6
    }
    let mut v6 = Node::start(v6);
    let mut v4 = cluster.start("v4");
    v4.net.add_peer(v6.at());
    assert_eq!(v4.up().await.1, v6.id());
    assert_eq!(v6.up().await.1, v4.id());
    // A socket for both families shows IPv4 peers as such.
    let both = NetConfig { listen: Some("[::]:0".parse::<SocketAddr>().unwrap()), ..cluster.config("both") };
    let mut both = Node::start(both);
    v4.net.add_peer(format!("127.0.0.1:{}", both.addr().port()).parse().unwrap());
    let addr = both
        .wait(|event| match event {
            NetEvent::LinkUp { addr, .. } => Some(addr),
            _ => None,
        })
        .await;
    assert!(addr.is_ipv4(), "{addr}");
}
