//! Starting a node's network, and what can be asked of it.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use numax_crdt::NodeId;
use rand::{TryRng, rngs::SysRng};
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Direction, NetConfig, NetError, NetEvents, Problem, SendError, accept, dial, events, shared::Shared,
};
use crate::{
    PeerAddr,
    close::{CloseCode, Closed},
    transport::{Transport, quic::QuicTransport},
};

/// How often the node's own certificate is looked at, and how early its end is reported.
const CERTIFICATE_CHECK: Duration = Duration::from_secs(3_600);
const CERTIFICATE_WARNING: Duration = Duration::from_secs(14 * 86_400);

/// The network of a node.
#[derive(Debug)]
pub struct Net;

impl Net {
    /// Starts listening and dialling over QUIC; must be called inside a tokio runtime, whose tasks it becomes.
    ///
    /// The network runs until [`NetHandle::shutdown`]; dropping handles does not end it.
    ///
    /// # Errors
    /// The address cannot be listened on, or the credentials do not allow it.
    pub fn start(config: NetConfig) -> Result<(NetHandle, NetEvents), NetError> {
        let transport =
            QuicTransport::new(&config.credentials, config.listen, config.allowed.as_deref(), &config.quic)?;
        Self::start_with(config, Arc::new(transport))
    }

    /// Starts over a given transport.
    ///
    /// # Errors
    /// There is no tokio runtime.
    pub fn start_with(
        config: NetConfig,
        transport: Arc<dyn Transport>,
    ) -> Result<(NetHandle, NetEvents), NetError> {
        tokio::runtime::Handle::try_current().map_err(|_| NetError::NoRuntime)?;
        let (stopping, over) = (CancellationToken::new(), CancellationToken::new());
        let (sender, receiver) = events::channel(config.receive_queue_bytes, stopping.clone(), over.clone());
        // Without randomness the time still differs from that of the process before.
        let instance = SysRng.try_next_u64().unwrap_or_else(|_| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            u64::try_from(now.as_nanos()).unwrap_or_default()
        });
        let peers = config.peers.clone();
        let shared = Arc::new(Shared::new(config, transport, sender, (stopping, over), instance));
        shared.tasks.spawn(accept::run(Arc::clone(&shared)));
        shared.tasks.spawn(watch_certificate(Arc::clone(&shared)));
        let handle = NetHandle { shared };
        peers.into_iter().for_each(|peer| handle.add_peer(peer));
        Ok((handle, receiver))
    }
}

/// What can be asked of a running network. Clones are the same network.
#[derive(Clone)]
pub struct NetHandle {
    shared: Arc<Shared>,
}

/// A link, for those who look.
#[derive(Debug, Clone)]
pub struct LinkInfo {
    /// Its number.
    pub link: u64,
    /// Who is at the other end.
    pub peer: NodeId,
    /// Where.
    pub addr: SocketAddr,
    /// Whether we dialled.
    pub dialed: bool,
    /// How many bytes wait to be sent on it.
    pub queued_bytes: usize,
}

impl NetHandle {
    /// This node.
    pub fn node_id(&self) -> NodeId {
        self.shared.own
    }

    /// This cluster: SHA-256 of the authority's public key.
    pub fn cluster_id(&self) -> [u8; 32] {
        self.shared.config.credentials.cluster_id()
    }

    /// Where it listens, with the port that was taken.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.shared.transport.local_addr()
    }

    /// Queues a frame (1 byte to 8 MiB, without its length) for a link, never waiting.
    ///
    /// # Errors
    /// [`SendError::Full`]: the peer is slower than its queue is long; the frame was not taken, others are not held up.
    /// [`SendError::NoLink`]: the link is gone.
    pub fn send(&self, link: u64, class: u8, frame: Bytes) -> Result<(), SendError> {
        self.shared.link(link).ok_or(SendError::NoLink)?.outbox.push(class, frame)
    }

    /// Queues a frame as soon as there is room for it. For one who serves this peer alone.
    ///
    /// # Errors
    /// The link is gone, or went while waiting.
    pub async fn send_when_room(&self, link: u64, class: u8, frame: Bytes) -> Result<(), SendError> {
        self.shared.link(link).ok_or(SendError::NoLink)?.outbox.push_when_room(class, frame).await
    }

    /// Ends a link: what is queued is delivered first, within the time for that. A configured peer is dialled again later.
    pub fn close(&self, link: u64, code: CloseCode, reason: &str) {
        if let Some(link) = self.shared.link(link) {
            link.end(Closed::here(code, reason));
        }
    }

    /// Keeps a link with one more peer from now on; an address that is known already changes nothing.
    pub fn add_peer(&self, peer: PeerAddr) {
        if self.shared.stopping.is_cancelled() || !self.shared.remember_address(&peer) {
            return;
        }
        let shared = Arc::clone(&self.shared);
        self.shared.tasks.spawn(async move {
            let stopping = shared.stopping.clone();
            stopping.run_until_cancelled(dial::run(shared, peer)).await;
        });
    }

    /// The links there are.
    pub fn links(&self) -> Vec<LinkInfo> {
        let info = |link: &Arc<super::link::Link>| LinkInfo {
            link: link.id,
            peer: link.peer,
            addr: link.addr,
            dialed: link.dialed,
            queued_bytes: link.outbox.queued(),
        };
        self.shared.links().iter().map(info).collect()
    }

    /// Ends everything in order: nobody is let in or dialled any more, what is queued is delivered, peers are told, sockets
    /// are closed. Takes at most a little longer than the time to drain. A second call waits for the first.
    pub async fn shutdown(&self) {
        let shared = &self.shared;
        shared.stopping.cancel();
        for link in shared.links() {
            link.end(Closed::here(CloseCode::SHUTDOWN, "shutting down"));
        }
        shared.tasks.close();
        let _ = timeout(shared.config.timing.drain * 2, shared.tasks.wait()).await;
        shared.transport.close().await;
        shared.over.cancel();
    }
}

impl std::fmt::Debug for NetHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NetHandle")
            .field("node", &self.node_id())
            .field("links", &self.links().len())
            .finish()
    }
}

/// Says in time that the certificate ends.
async fn watch_certificate(shared: Arc<Shared>) {
    let mut ticks = interval(CERTIFICATE_CHECK);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shared.stopping.cancelled() => return,
        }
        let left = shared.config.credentials.expires().duration_since(SystemTime::now()).unwrap_or_default();
        if left < CERTIFICATE_WARNING {
            let problem = Problem::CertificateEnds { days: left.as_secs() / 86_400 };
            let own = shared.own;
            shared.report(
                Direction::Outgoing,
                format!("{} (this node)", own.short()),
                None,
                Some(own),
                problem,
            );
        }
    }
}
