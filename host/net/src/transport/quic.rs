//! QUIC (quinn): one UDP socket for all peers, TLS 1.3 inside, streams that do not wait for each other.

mod connection;
mod settings;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;
use numax_crdt::NodeId;
use quinn::{
    AsyncUdpSocket, ClientConfig, ConnectionId, ConnectionIdGenerator, Endpoint, EndpointConfig, Incoming,
    Runtime, ServerConfig, TokioRuntime, TransportConfig,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use rustls::pki_types::UnixTime;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::time::{sleep, timeout};

pub use settings::QuicSettings;

use self::connection::{QuicConnection, chain_of, closed_by, refusal_from};
use super::{Arrival, Connection, DialError, HalfOpen, Transport};
use crate::{
    close::CloseCode,
    credentials::Credentials,
    net::NetError,
    tls::{Refusal, RefusalSlot, Role, TlsConfig},
};

/// Asked of the kernel for each socket, best effort: bursts of many peers should wait in the kernel, not be lost.
const SOCKET_BUFFER: usize = 4 * 1024 * 1024;

/// How long a closing endpoint waits for its last packets to leave, and for its socket. What was queued has been delivered
/// by then; this is about telling peers of the end.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// The name that TLS wants; it is neither sent nor compared.
const NO_NAME: &str = "node.numax.invalid";

/// An endpoint, and its socket to see when that is really closed.
struct Bound {
    endpoint: Endpoint,
    socket: Weak<dyn AsyncUdpSocket>,
}

/// One node's QUIC endpoint.
pub struct QuicTransport {
    tls: TlsConfig,
    settings: Arc<TransportConfig>,
    local_addr: Option<SocketAddr>,
    /// Taken out by `close`.
    server: Mutex<Option<Bound>>,
    /// For addresses that the listening socket cannot reach; made when first needed.
    client: Mutex<Option<Bound>>,
    loopback_only: bool,
    half_open: HalfOpen,
    base: Option<ServerConfig>,
}

impl QuicTransport {
    /// Binds the listening socket, if one is wanted. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The address cannot be bound, is not loopback with development credentials, or there is no runtime.
    pub fn new(
        credentials: &Credentials,
        listen: Option<SocketAddr>,
        allowed: Option<&[NodeId]>,
        settings: &QuicSettings,
    ) -> Result<Self, NetError> {
        tokio::runtime::Handle::try_current().map_err(|_| NetError::NoRuntime)?;
        let loopback_only = credentials.loopback_only();
        let tls = TlsConfig::new(credentials, allowed.map(|nodes| nodes.iter().copied().collect()));
        let transport = settings.transport();
        let (server, base) = match listen {
            Some(addr) if loopback_only && !addr.ip().to_canonical().is_loopback() => {
                return Err(NetError::NotLoopback { addr });
            }
            Some(addr) => {
                let mut base = server_config(&tls, RefusalSlot::default()).map_err(NetError::Tls)?;
                base.transport = Arc::clone(&transport);
                settings.limit_strangers(&mut base);
                let endpoint = bind(addr, Some((base.clone(), credentials.reset_key())))
                    .map_err(|source| NetError::Bind { addr, source })?;
                (Some(endpoint), Some(base))
            }
            None => (None, None),
        };
        let half_open = HalfOpen::new(settings.half_open);
        let local_addr = server.as_ref().and_then(|bound| bound.endpoint.local_addr().ok());
        let (server, client) = (Mutex::new(server), Mutex::default());
        Ok(Self { tls, settings: transport, local_addr, server, client, loopback_only, half_open, base })
    }

    fn server(&self) -> Option<Endpoint> {
        self.server
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .map(|bound| bound.endpoint.clone())
    }

    /// The endpoint to reach an address from: the listening one if it can, so that one port is enough behind a firewall.
    fn endpoint_for(&self, target: SocketAddr) -> std::io::Result<Endpoint> {
        if let Some(server) = self.server() {
            let local = server.local_addr()?;
            let both = local.is_ipv6() && local.ip().is_unspecified();
            let same = local.is_ipv4() == target.is_ipv4() || both;
            let scope = local.ip().is_unspecified() || local.ip().is_loopback() == target.ip().is_loopback();
            if same && scope {
                return Ok(server);
            }
        }
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bound) = &*client {
            return Ok(bound.endpoint.clone());
        }
        let any = |ip: IpAddr| bind(SocketAddr::new(ip, 0), None);
        let bound = any(Ipv6Addr::UNSPECIFIED.into()).or_else(|_| any(Ipv4Addr::UNSPECIFIED.into()))?;
        let endpoint = bound.endpoint.clone();
        *client = Some(bound);
        Ok(endpoint)
    }

    /// What one incoming handshake needs, on its own so that it owns everything.
    fn handshake(&self, incoming: Incoming) -> Result<super::Handshake, Refusal> {
        let addr = canonical(incoming.remote_address());
        if self.loopback_only && !addr.ip().is_loopback() {
            incoming.refuse();
            return Err(Refusal::NotLoopback);
        }
        let slot = RefusalSlot::default();
        let mut config = server_config(&self.tls, Arc::clone(&slot)).map_err(Refusal::Handshake)?;
        if let Some(base) = &self.base {
            let crypto = Arc::clone(&config.crypto);
            config = base.clone();
            config.crypto = crypto;
        }
        let connecting = incoming.accept_with(Arc::new(config)).map_err(|e| refusal_from(&e, &slot))?;
        let tls = self.tls.clone();
        Ok(Box::pin(async move {
            let connection = connecting.await.map_err(|e| refusal_from(&e, &slot))?;
            authenticated(&tls, connection, Role::Dialer, None)
        }))
    }
}

/// Who a finished connection is with, decided once more by our own code on what the connection itself says.
fn authenticated(
    tls: &TlsConfig,
    connection: quinn::Connection,
    role: Role,
    expected: Option<NodeId>,
) -> Result<Arc<dyn Connection>, Refusal> {
    match tls.check().check(role, &chain_of(&connection), expected, UnixTime::now()) {
        Ok(peer) => Ok(Arc::new(QuicConnection::new(connection, peer))),
        Err(refusal) => {
            connection.close(CloseCode::REFUSED.0.into(), refusal.kind().as_bytes());
            Err(refusal)
        }
    }
}

#[async_trait]
impl Transport for QuicTransport {
    fn local_addr(&self) -> Option<SocketAddr> {
        self.local_addr
    }

    async fn accept(&self) -> Option<Arrival> {
        let server = self.server()?;
        loop {
            let incoming = server.accept().await?;
            let addr = canonical(incoming.remote_address());
            if !incoming.remote_address_validated() && incoming.may_retry() && self.half_open.is_busy() {
                // Costs us nothing, and a forged sender address ends here.
                let _ = incoming.retry();
                continue;
            }
            let Some(permit) = self.half_open.enter(addr.ip()) else {
                incoming.refuse();
                return Some(Arrival::Overloaded { addr });
            };
            let handshake =
                self.handshake(incoming).unwrap_or_else(|refusal| Box::pin(async move { Err(refusal) }));
            return Some(Arrival::Handshake { addr, handshake, permit });
        }
    }

    async fn dial(
        &self,
        addr: SocketAddr,
        expected: Option<NodeId>,
    ) -> Result<Arc<dyn Connection>, DialError> {
        if self.loopback_only && !addr.ip().to_canonical().is_loopback() {
            return Err(Refusal::NotLoopback.into());
        }
        let unreachable = |e: &dyn std::fmt::Display| DialError::Unreachable(e.to_string());
        let slot = RefusalSlot::default();
        let crypto =
            self.tls.dialer(expected, Arc::clone(&slot)).map_err(|e| Refusal::Handshake(e.to_string()))?;
        let crypto = QuicClientConfig::try_from(crypto).map_err(|e| Refusal::Handshake(e.to_string()))?;
        let mut config = ClientConfig::new(Arc::new(crypto));
        config.transport_config(Arc::clone(&self.settings));
        let connecting = self
            .endpoint_for(addr)
            .map_err(|e| unreachable(&e))?
            .connect_with(config, addr, NO_NAME)
            .map_err(|e| unreachable(&e))?;
        match connecting.await {
            Ok(connection) => Ok(authenticated(&self.tls, connection, Role::Acceptor, expected)?),
            Err(e @ (quinn::ConnectionError::TimedOut | quinn::ConnectionError::Reset)) => {
                Err(DialError::Unreachable(closed_by(&e).to_string()))
            }
            Err(e) => Err(refusal_from(&e, &slot).into()),
        }
    }

    async fn close(&self) {
        let take = |slot: &Mutex<Option<Bound>>| slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        let all: Vec<Bound> = [take(&self.server), take(&self.client)].into_iter().flatten().collect();
        for bound in &all {
            bound.endpoint.close(CloseCode::SHUTDOWN.0.into(), b"shutting down");
        }
        let closed = async {
            for bound in &all {
                bound.endpoint.wait_idle().await;
            }
            // quinn's own task lets go of the socket a moment after the last handle; the port is free only then.
            let sockets: Vec<_> = all.into_iter().map(|bound| bound.socket).collect();
            while sockets.iter().any(|socket| socket.strong_count() > 0) {
                sleep(Duration::from_millis(1)).await;
            }
        };
        let _ = timeout(CLOSE_WAIT, closed).await;
    }
}

fn server_config(tls: &TlsConfig, slot: Arc<OnceLock<Refusal>>) -> Result<ServerConfig, String> {
    let crypto = tls.acceptor(slot).map_err(|e| e.to_string())?;
    let crypto = QuicServerConfig::try_from(crypto).map_err(|e| e.to_string())?;
    Ok(ServerConfig::with_crypto(Arc::new(crypto)))
}

/// A UDP endpoint; an unspecified IPv6 address serves IPv4, too.
fn bind(addr: SocketAddr, server: Option<(ServerConfig, &Arc<ring::hmac::Key>)>) -> std::io::Result<Bound> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(!addr.ip().is_unspecified())?;
    }
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    socket.bind(&addr.into())?;
    let socket: UdpSocket = socket.into();
    let socket = TokioRuntime.wrap_udp_socket(socket)?;
    let weak = Arc::downgrade(&socket);
    let (config, server) = match server {
        Some((server, key)) => {
            let mut config = EndpointConfig::new(key.clone());
            config.cid_generator(|| Box::new(RandomIds));
            (config, Some(server))
        }
        None => (EndpointConfig::default(), None),
    };
    let endpoint = Endpoint::new_with_abstract_socket(config, server, socket, Arc::new(TokioRuntime))?;
    Ok(Bound { endpoint, socket: weak })
}

/// Names connections at random. Quinn's own names bear a mark of the process, and a packet without it is dropped before
/// it could be answered with a stateless reset: those of a process that was killed have another mark.
struct RandomIds;

impl RandomIds {
    const LEN: usize = 8;
}

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        ConnectionId::new(&rand::random::<[u8; Self::LEN]>())
    }

    fn cid_len(&self) -> usize {
        Self::LEN
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// An IPv4 peer on a socket for both families appears as IPv6; people and rules know it as IPv4.
fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}
