//! A wire between two nodes: it carries their datagrams, until it is cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

pub struct Wire {
    address: SocketAddr,
    cut: Arc<AtomicBool>,
    carrier: JoinHandle<()>,
}

impl Wire {
    /// A wire to a node: who dials the wire's address reaches that one.
    pub async fn to(target: SocketAddr) -> Self {
        let near = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let far = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        far.connect(target).await.unwrap();
        let cut = Arc::new(AtomicBool::new(false));
        Self {
            address: near.local_addr().unwrap(),
            cut: cut.clone(),
            carrier: tokio::spawn(carry(near, far, cut)),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn cut(&self, cut: bool) {
        self.cut.store(cut, SeqCst);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

async fn carry(near: UdpSocket, far: UdpSocket, cut: Arc<AtomicBool>) {
    let (mut there, mut back) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut dialer = None;
    loop {
        // A send that fails is a datagram that is lost.
        tokio::select! {
            Ok((length, from)) = near.recv_from(&mut there) => {
                dialer = Some(from);
                if !cut.load(SeqCst) {
                    let _ = far.send(&there[..length]).await;
                }
            }
            Ok(length) = far.recv(&mut back) => {
                if let Some(dialer) = dialer
                    && !cut.load(SeqCst)
                {
                    let _ = near.send_to(&back[..length], dialer).await;
                }
            }
            else => return,
        }
    }
}
