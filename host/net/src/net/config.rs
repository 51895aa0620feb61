//! What a node's network is told, and what can be wrong with it.

use std::{io, net::SocketAddr, time::Duration};

use numax_crdt::NodeId;

use crate::{PeerAddr, credentials::Credentials, transport::quic::QuicSettings};

/// What a node's network is told at its start.
#[derive(Debug, Clone)]
pub struct NetConfig {
    /// Key, certificate and authority.
    pub credentials: Credentials,
    /// Where to listen; a node that only dials needs nothing here. Port 0 takes a free one.
    pub listen: Option<SocketAddr>,
    /// Whom to keep a connection with. Others may connect to us, too.
    pub peers: Vec<PeerAddr>,
    /// The only nodes to connect with, in either direction; `None` lets in everybody whom the authority certified.
    pub allowed: Option<Vec<NodeId>>,
    /// Waits and time limits.
    pub timing: Timing,
    /// QUIC's own settings.
    pub quic: QuicSettings,
    /// How many bytes may wait for one peer in one class. What does not fit is given back to the sender at once: a slow
    /// peer costs this much memory and nobody's time. 16 MiB: two frames of the largest size.
    pub send_queue_bytes: u32,
    /// How many bytes of received frames may wait to be taken, all peers together. Beyond it peers wait. 64 MiB.
    pub receive_queue_bytes: u32,
}

impl NetConfig {
    /// The usual settings.
    pub fn new(credentials: Credentials) -> Self {
        Self {
            credentials,
            listen: None,
            peers: Vec::new(),
            allowed: None,
            timing: Timing::default(),
            quic: QuicSettings::default(),
            send_queue_bytes: 16 * 1024 * 1024,
            receive_queue_bytes: 64 * 1024 * 1024,
        }
    }
}

/// Waits and time limits.
#[derive(Debug, Clone)]
pub struct Timing {
    /// From the first packet to a link that both sides agree on. 5 s: a dead address is tried again soon enough, and a handshake over a bad line
    /// still fits.
    pub handshake: Duration,
    /// The first wait before dialling again. 0.2 s.
    pub backoff_first: Duration,
    /// The longest wait before dialling again. 10 s.
    pub backoff_limit: Duration,
    /// How long an ending link may take to deliver what is queued. 2 s.
    pub drain: Duration,
    /// A failure that goes on is reported once, and again after this long. 60 s.
    pub report_again: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            backoff_first: Duration::from_millis(200),
            backoff_limit: Duration::from_secs(10),
            drain: Duration::from_secs(2),
            report_again: Duration::from_secs(60),
        }
    }
}

/// Why the network cannot start.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The listening address cannot be had.
    #[error(
        "cannot listen on {addr} (UDP): {source}. Choose another address with --listen, or stop what uses it"
    )]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Development credentials and another address than loopback.
    #[error(
        "cannot listen on {addr} with development certificates, which are for loopback only: make an authority with \
         `numax ca init` and a certificate with `numax ca issue`"
    )]
    NotLoopback {
        /// The address.
        addr: SocketAddr,
    },
    /// The TLS library refuses the credentials.
    #[error("the credentials cannot be used: {0}")]
    Tls(String),
    /// There is no tokio runtime.
    #[error("the network needs a tokio runtime to start in")]
    NoRuntime,
}
