//! Who is not let in: each with one report that names the address and the reason, while others are served.

use std::{
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use numax_net::{
    CloseCode, Closed, Credentials, Direction, Net, NetConfig, NetError, PeerAddr, Problem, Refusal, Report,
    Timing, TlsFiles,
    ca::{self, IssueOptions},
    transport::quic::QuicSettings,
};

use crate::{
    rogue::Rogue,
    support::{Cluster, LONG, Node, issue_expired},
};

/// Expects the one report about an incoming connection from there.
async fn refused(server: &mut Node, from: SocketAddr, reason: Refusal) {
    let report = server.report().await;
    assert_eq!(report.direction, Direction::Incoming, "{report}");
    assert_eq!(report.addr, Some(from), "{report}");
    assert_eq!(report.problem, Problem::Refused(reason), "{report}");
    assert!(report.to_string().contains(&from.to_string()), "{report}");
}

/// A node that keeps the rules gets in, whatever happened before.
async fn serves_others(cluster: &Cluster, server: &mut Node) {
    let good = cluster.dialer("good", &[server.at_id()]);
    assert_eq!(server.up().await.1, good.id());
    good.net.shutdown().await;
    assert!(matches!(server.down().await.1, Closed::Peer { code: CloseCode::SHUTDOWN, .. }));
}

/// Dials as a rogue who is found out in the handshake; returns from where.
async fn rogue_dials(rogue: Rogue, server: &Node) -> SocketAddr {
    let (endpoint, connection) = rogue.dial(server.addr()).await;
    if let Ok(connection) = connection {
        // The dialler's handshake ends first; then it learns that it was refused.
        let closed = tokio::time::timeout(LONG, connection.closed()).await.unwrap();
        assert!(matches!(closed, quinn::ConnectionError::ConnectionClosed(_)), "{closed}");
    }
    endpoint.local_addr().unwrap()
}

#[tokio::test]
async fn a_certificate_of_a_foreign_authority() {
    let (cluster, foreign) = (Cluster::new(), Cluster::new());
    let mut server = cluster.start("server");
    foreign.credentials("stranger");
    let stranger = foreign.datastore("stranger");
    let from = rogue_dials(Rogue::with(&stranger, &stranger), &server).await;
    refused(&mut server, from, Refusal::UntrustedAuthority).await;
    serves_others(&cluster, &mut server).await;
}

#[tokio::test]
async fn an_expired_certificate() {
    let cluster = Cluster::new();
    let mut server = cluster.start("server");
    let late = cluster.datastore("late");
    issue_expired(&cluster.ca(), &late);
    let from = rogue_dials(Rogue::with(&late, &late), &server).await;
    refused(&mut server, from, Refusal::Expired).await;
    serves_others(&cluster, &mut server).await;
}

#[tokio::test]
async fn a_copied_certificate_without_its_key() {
    let cluster = Cluster::new();
    let mut server = cluster.start("server");
    cluster.credentials("victim");
    let thief = Rogue::with(&cluster.datastore("victim"), &cluster.datastore("thief"));
    let from = rogue_dials(thief, &server).await;
    refused(&mut server, from, Refusal::BadSignature).await;
    serves_others(&cluster, &mut server).await;
}

#[tokio::test]
async fn no_certificate_and_another_protocol() {
    let cluster = Cluster::new();
    let mut server = cluster.start("server");
    let from = rogue_dials(Rogue::nameless(), &server).await;
    refused(&mut server, from, Refusal::NoCertificate).await;

    cluster.credentials("web");
    let web = cluster.datastore("web");
    let from = rogue_dials(Rogue::with(&web, &web).speaking(b"h3"), &server).await;
    let report = server.report().await;
    assert_eq!(report.addr, Some(from));
    assert!(report.to_string().contains("no protocol of ours"), "{report}");
    serves_others(&cluster, &mut server).await;
}

/// What a dialler reports about a rogue that listens.
async fn dialling(cluster: &Cluster, rogue: Rogue) -> (SocketAddr, Report) {
    let endpoint = rogue.listen();
    let addr = endpoint.local_addr().unwrap();
    let mut node = cluster.dialer("dialer", &[addr.to_string().parse().unwrap()]);
    let report = node.report().await;
    assert!(node.net.links().is_empty());
    node.net.shutdown().await;
    (addr, report)
}

#[tokio::test]
async fn rogues_that_listen_are_found_out_by_the_dialler() {
    let (cluster, foreign) = (Cluster::new(), Cluster::new());
    foreign.credentials("stranger");
    cluster.credentials("victim");
    let (stranger, late) = (foreign.datastore("stranger"), cluster.datastore("late"));
    issue_expired(&cluster.ca(), &late);
    for (rogue, reason) in [
        (Rogue::with(&stranger, &stranger), Refusal::UntrustedAuthority),
        (Rogue::with(&late, &late), Refusal::Expired),
        (Rogue::with(&cluster.datastore("victim"), &cluster.datastore("thief")), Refusal::BadSignature),
    ] {
        let (addr, report) = dialling(&cluster, rogue).await;
        assert_eq!(report.problem, Problem::Refused(reason));
        assert_eq!((report.direction, report.addr), (Direction::Outgoing, Some(addr)));
        assert!(report.to_string().contains(&addr.to_string()), "{report}");
    }
}

#[tokio::test]
async fn another_node_than_the_expected_one() {
    let cluster = Cluster::new();
    let (mut server, other) = (cluster.start("server"), cluster.start("other"));
    let wrong = PeerAddr { node: Some(other.id()), ..server.at() };
    let mut dialer = cluster.dialer("dialer", &[wrong]);
    let report = dialer.report().await;
    let reason = Refusal::WrongNode { expected: other.id(), found: server.id() };
    assert_eq!(report.problem, Problem::Refused(reason));
    let report = server.report().await;
    assert!(matches!(report.problem, Problem::Refused(Refusal::ByPeer(_))), "{report}");
    assert!(report.to_string().contains("not who it expected"), "{report}");
    serves_others(&cluster, &mut server).await;
}

#[tokio::test]
async fn nodes_that_are_not_on_the_list() {
    let cluster = Cluster::new();
    let good = cluster.credentials("good").node_id();
    let mut server = Node::start(NetConfig { allowed: Some(vec![good]), ..cluster.config("server") });

    // The uninvited learns it, too.
    let mut uninvited = cluster.dialer("uninvited", &[server.at_id()]);
    let report = server.report().await;
    assert_eq!(report.problem, Problem::Refused(Refusal::NotAllowed(uninvited.id())));
    let report = uninvited.report().await;
    assert!(report.to_string().contains("list of allowed peers"), "{report}");
    uninvited.net.shutdown().await;

    // The list holds in the other direction, too.
    let listed = NetConfig { allowed: Some(vec![good]), peers: vec![server.at()], ..cluster.config("picky") };
    let mut picky = Node::start(listed);
    assert_eq!(picky.report().await.problem, Problem::Refused(Refusal::NotAllowed(server.id())));
    picky.net.shutdown().await;
    serves_others(&cluster, &mut server).await;
}

#[tokio::test]
async fn garbage_datagrams_disturb_nobody() {
    let cluster = Cluster::new();
    let mut server = cluster.start("server");
    let noise = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut byte = 1u8;
    for length in [0, 1, 7, 20, 100, 1_200, 1_472, 9_000] {
        for first in [0x00, 0x40, 0xc0, 0xc3, 0xe0, 0xff] {
            let mut datagram: Vec<u8> = std::iter::repeat_with(|| {
                byte = byte.wrapping_mul(181).wrapping_add(59);
                byte
            })
            .take(length)
            .collect();
            if let Some(head) = datagram.get_mut(..5) {
                // Long and short headers, of the version that is spoken here.
                head.copy_from_slice(&[first, 0, 0, 0, 1]);
            }
            noise.send_to(&datagram, server.addr()).unwrap();
        }
    }
    serves_others(&cluster, &mut server).await;
}

/// What a certified node may send after a correct handshake, and what the report must say.
#[tokio::test]
async fn certified_nodes_that_send_garbage() {
    let cluster = Cluster::new();
    let mut server = cluster.start("server");
    cluster.credentials("mad");
    let mad = cluster.datastore("mad");
    let ready = [&[255, 0, 0, 0, 9, 1][..], &[7; 8]].concat();
    let streams: [(&[&[u8]], &str); 9] = [
        (&[&[9, 9, 9]], "began with a stream of class 9"),
        (&[&[255, 0, 0, 0, 0]], "an empty frame"),
        (&[&[255, 0, 0, 0, 2, 1, 1]], "READY is not understood"),
        (&[&[255, 0, 0]], "ended early"),
        (&[&ready, &[1, 0xff, 0xff, 0xff, 0xff]], "4294967295 bytes"),
        (&[&ready, &[1, 0, 0, 0, 0]], "an empty frame"),
        (&[&ready, &[1, 0, 0, 0, 9, 1]], "ended inside a frame"),
        (&[&ready, &[77, 0, 0, 0, 1, 1]], "stream of class 77"),
        (&[&ready, &[1, 0, 0, 0, 1, 1], &[1, 0, 0, 0, 1, 1]], "second stream of class 1"),
    ];
    for (streams, what) in streams {
        // A report about the same problem of the same address is held back, so each has a server of its own.
        let mut other = cluster.start("other");
        let (_endpoint, connection) = Rogue::with(&mad, &mad).dial(other.addr()).await;
        let connection = connection.unwrap();
        for stream in streams {
            let mut sending = connection.open_uni().await.unwrap();
            // The peer may close while we still send.
            let _ = sending.write_all(stream).await;
            let _ = sending.finish();
        }
        let closed = tokio::time::timeout(LONG, connection.closed()).await.unwrap();
        let quinn::ConnectionError::ApplicationClosed(close) = &closed else { panic!("{what}: {closed}") };
        assert_eq!(close.error_code.into_inner(), u64::from(CloseCode::MALFORMED.0), "{what}: {closed}");
        let report = other.report().await;
        assert!(report.to_string().contains(what), "{report}");
        assert!(report.addr.is_some() && report.peer.is_some());
        other.net.shutdown().await;
    }
    serves_others(&cluster, &mut server).await;
}

#[tokio::test]
async fn garbage_ends_a_link_and_says_so() {
    let cluster = Cluster::new();
    let mut server = cluster.start("server");
    cluster.credentials("mad");
    let mad = cluster.datastore("mad");
    let (_endpoint, connection) = Rogue::with(&mad, &mad).dial(server.addr()).await;
    let connection = connection.unwrap();
    let mut ready = connection.open_uni().await.unwrap();
    ready.write_all(&[&[255, 0, 0, 0, 9, 1][..], &[7; 8]].concat()).await.unwrap();
    let mut ops = connection.open_uni().await.unwrap();
    ops.write_all(&[1, 0, 0, 0, 2, 42, 43]).await.unwrap();
    let (link, ..) = server.up().await;
    assert_eq!(server.frame().await, (1, vec![42, 43].into()));
    ops.write_all(&[0x7f, 0xff, 0xff, 0xff]).await.unwrap();
    let (down, reason) = server.down().await;
    assert_eq!((down, reason.code()), (link, Some(CloseCode::MALFORMED)));
    assert!(reason.to_string().contains("2147483647 bytes"), "{reason}");
    serves_others(&cluster, &mut server).await;
}

#[tokio::test]
async fn too_many_unfinished_handshakes() {
    let cluster = Cluster::new();
    let quic = QuicSettings { half_open: 4, ..QuicSettings::default() };
    let timing = Timing { handshake: LONG, ..Timing::default() };
    let mut server = Node::start(NetConfig { quic, timing, ..cluster.config("server") });
    cluster.credentials("idle");
    let idle = cluster.datastore("idle");
    // Certified, but never READY: each keeps its place. Half of the places are for one address.
    let first = Rogue::with(&idle, &idle).dial(server.addr()).await;
    let second = Rogue::with(&idle, &idle).dial(server.addr()).await;
    assert!(first.1.is_ok() && second.1.is_ok());
    let (third, refused) = Rogue::with(&idle, &idle).dial(server.addr()).await;
    assert!(refused.is_err());
    let report = server.report().await;
    assert_eq!((&report.problem, report.addr), (&Problem::Overloaded, Some(third.local_addr().unwrap())));
    // When they leave, others get in.
    drop((first, second));
    serves_others(&cluster, &mut server).await;
}

#[tokio::test]
async fn a_handshake_that_never_ends() {
    let cluster = Cluster::new();
    let timing = Timing { handshake: Duration::from_millis(200), ..Timing::default() };
    let mut server = Node::start(NetConfig { timing, ..cluster.config("server") });
    cluster.credentials("idle");
    let idle = cluster.datastore("idle");
    let (endpoint, connection) = Rogue::with(&idle, &idle).dial(server.addr()).await;
    refused(&mut server, endpoint.local_addr().unwrap(), Refusal::Timeout).await;
    assert!(matches!(connection.unwrap().closed().await, quinn::ConnectionError::ApplicationClosed(_)));
}

#[tokio::test]
async fn development_credentials_stay_on_loopback() {
    let cluster = Cluster::new();
    let dev = |name: &str| {
        Credentials::for_loopback_in(&cluster.datastore("home"), &cluster.datastore(name)).unwrap()
    };
    let config = |name: &str| NetConfig { credentials: dev(name), ..cluster.config("unused") };
    let anywhere = NetConfig { listen: Some(SocketAddr::from(([0, 0, 0, 0], 0))), ..config("a") };
    assert!(matches!(Net::start(anywhere), Err(NetError::NotLoopback { .. })));

    let mut server = Node::start(config("a"));
    // TEST-NET-1, which nobody answers at: it is not even tried.
    let peers = vec!["192.0.2.1:9000".parse().unwrap(), server.at()];
    let mut dialer = Node::start(NetConfig { peers, ..config("b") });
    assert_eq!(dialer.report().await.problem, Problem::Refused(Refusal::NotLoopback));
    assert_eq!(server.up().await.1, dialer.id());

    // Another user's development authority is another cluster.
    let foreign =
        Credentials::for_loopback_in(&cluster.datastore("other-home"), &cluster.datastore("c")).unwrap();
    let mut stranger =
        Node::start(NetConfig { credentials: foreign, peers: vec![server.at()], ..cluster.config("unused") });
    assert_eq!(stranger.report().await.problem, Problem::Refused(Refusal::UntrustedAuthority));
}

#[tokio::test]
async fn a_renewed_certificate_is_the_same_node() {
    let cluster = Cluster::new();
    let mut server = cluster.start("server");
    let first = cluster.dialer("node", &[server.at_id()]);
    let (_, before, _) = server.up().await;
    first.net.shutdown().await;
    ca::issue(&cluster.ca(), &cluster.datastore("node"), &IssueOptions::default(), None).unwrap();
    let _second = cluster.dialer("node", &[server.at_id()]);
    assert_eq!(server.up().await.1, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_ends_with_the_peers_certificate() {
    let cluster = Cluster::new();
    let mut server = cluster.start("server");
    let datastore = cluster.datastore("brief");
    let options = IssueOptions { validity: Duration::from_secs(3), ..IssueOptions::default() };
    ca::issue(&cluster.ca(), &datastore, &options, None).unwrap();
    let credentials = Credentials::from_files(&datastore, &TlsFiles::default()).unwrap();
    let mut brief = Node::start(NetConfig { peers: vec![server.at_id()], ..NetConfig::new(credentials) });
    brief.up().await;
    server.up().await;
    let (_, reason) = server.down().await;
    assert!(reason.to_string().contains("certificate has ended"), "{reason}");
    // It is told so, too, and does not come back.
    let (_, reason) = brief.down().await;
    assert!(reason.to_string().contains("certificate has ended"), "{reason}");
    serves_others(&cluster, &mut server).await;
}
