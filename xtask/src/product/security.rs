//! Who may talk to a cluster, and what happens to those who may not.

use super::Bench;
use super::convergence::rust_mesh;
use crate::cluster::{Node, State, agree};
use anyhow::{Result, ensure};
use std::net::UdpSocket;
use std::time::{Duration, Instant};

/// A node with a certificate of another authority dials a cluster: it is refused on both sides, and the cluster goes on.
pub fn other_cluster(bench: &Bench) -> Result<()> {
    let nodes = rust_mesh(bench, 2)?;
    let elsewhere = bench.home.join("elsewhere");
    let mut foreign = Node::new(&bench.numax, &elsewhere, "foreign", bench.rust()?)?;
    foreign.join(&[nodes[0].cluster]);
    foreign.start()?;
    foreign.ready()?;
    foreign.visit(40)?;
    nodes[0].visit(2)?;
    let wanted = State { visits: 2, languages: vec!["rust".into()] };
    agree(&nodes.iter().collect::<Vec<_>>(), &wanted)?;
    let start = Instant::now();
    let heard = |node: &Node| node.log().to_lowercase().contains("certificate");
    while !(heard(&foreign) && heard(&nodes[0])) {
        ensure!(
            start.elapsed() < Duration::from_secs(20),
            "both sides must say why; the foreign node's log:\n{}the cluster's:\n{}",
            foreign.tail(),
            nodes[0].tail()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    ensure!(foreign.state()?.visits == 40, "a foreign node must not receive anything");
    agree(&nodes.iter().collect::<Vec<_>>(), &wanted)?;
    Ok(())
}

/// Datagrams of noise, and of almost-QUIC, at the cluster port: the nodes go on.
pub fn garbage(bench: &Bench) -> Result<()> {
    let nodes = rust_mesh(bench, 2)?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let mut noise = 0x9E37_79B9_7F4A_7C15_u64;
    for round in 0..2000_usize {
        let mut datagram = vec![0_u8; 1 + round % 1300];
        for byte in &mut datagram {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            *byte = noise.to_le_bytes()[0];
        }
        if round % 3 == 0 {
            datagram[0] |= 0xC0; // looks like a long header
        }
        let _ = socket.send_to(&datagram, nodes[0].cluster);
    }
    nodes[0].visit(1)?;
    nodes[1].visit(1)?;
    agree(&nodes.iter().collect::<Vec<_>>(), &State { visits: 2, languages: vec!["rust".into()] })?;
    Ok(())
}
