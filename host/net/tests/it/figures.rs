//! Figures for the design document; nothing is asserted about time. Run with
//! `cargo test --release -p numax-net --test it figures -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use bytes::Bytes;
use numax_net::NetConfig;

use crate::support::{Cluster, Node};

async fn pair() -> (Cluster, Node, u64, Node, u64) {
    let cluster = Cluster::new();
    let mut server = cluster.start("server");
    let mut client = cluster.dialer("client", &[server.at_id()]);
    let (to_server, ..) = client.up().await;
    let (to_client, ..) = server.up().await;
    (cluster, server, to_client, client, to_server)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a test"]
async fn figures() {
    let (cluster, mut server, to_client, mut client, to_server) = pair().await;
    let mut trips: Vec<Duration> = Vec::new();
    for _ in 0..5_000 {
        let start = Instant::now();
        client.net.send(to_server, 0, Bytes::from_static(&[0; 100])).unwrap();
        server.frame().await;
        server.net.send(to_client, 0, Bytes::from_static(&[0; 100])).unwrap();
        client.frame().await;
        trips.push(start.elapsed());
    }
    trips.sort();
    println!(
        "round trip of 100 B: p50 {:?}, p99 {:?}",
        trips[trips.len() / 2],
        trips[trips.len() * 99 / 100]
    );

    for (size, count) in [(100, 300_000), (1_000, 200_000), (64 * 1024, 8_000), (1024 * 1024, 500)] {
        let (net, frame) = (client.net.clone(), Bytes::from(vec![1; size]));
        let start = Instant::now();
        let sender = tokio::spawn(async move {
            for _ in 0..count {
                net.send_when_room(to_server, 1, frame.clone()).await.unwrap();
            }
        });
        for _ in 0..count {
            server.frame().await;
        }
        let seconds = start.elapsed().as_secs_f64();
        sender.await.unwrap();
        let (frames, bytes) = (f64::from(count) / seconds, f64::from(count) * size as f64 / seconds / 1e6);
        println!("{size} B: {frames:.0} frames/s, {bytes:.0} MB/s");
    }

    let (mut linked, mut ended) = (Duration::ZERO, Duration::ZERO);
    let config = cluster.config("second");
    for _ in 0..50 {
        let start = Instant::now();
        let mut client =
            Node::start(NetConfig { listen: None, peers: vec![server.at_id()], ..config.clone() });
        client.up().await;
        linked += start.elapsed();
        let start = Instant::now();
        client.net.shutdown().await;
        ended += start.elapsed();
        server.down().await;
    }
    println!("from start to link {:?}, shutdown {:?}", linked / 50, ended / 50);
}
