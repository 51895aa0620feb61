//! What connects two nodes, without saying how.
//!
//! A transport authenticates both sides completely before it hands out a [`Connection`]; QUIC ([`quic`]) is the one
//! there is, TCP with TLS for networks that block UDP can come beside it. Above this line nothing knows which it is.

mod half_open;
pub mod quic;

use std::{fmt, io, net::SocketAddr, pin::Pin, sync::Arc, time::SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use numax_crdt::NodeId;

pub(crate) use half_open::HalfOpen;
pub use half_open::HalfOpenPermit;

use crate::{close::Closed, tls::Refusal};

/// A handshake under way.
pub type Handshake = Pin<Box<dyn Future<Output = Result<Arc<dyn Connection>, Refusal>> + Send>>;

/// Somebody at the door.
pub enum Arrival {
    /// A handshake that can be driven; it ends with an authenticated connection or the reason why not.
    Handshake {
        /// From where.
        addr: SocketAddr,
        /// Drive it under a time limit.
        handshake: Handshake,
        /// Its place among the unfinished handshakes; drop it when the connection is established or refused.
        permit: HalfOpenPermit,
    },
    /// Turned away, because too many handshakes are unfinished.
    Overloaded {
        /// From where.
        addr: SocketAddr,
    },
}

impl fmt::Debug for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handshake { addr, .. } => write!(f, "Handshake({addr})"),
            Self::Overloaded { addr } => write!(f, "Overloaded({addr})"),
        }
    }
}

/// Makes authenticated connections. Both ends of every connection know who the other is before anything is exchanged.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Where it listens, if it does.
    fn local_addr(&self) -> Option<SocketAddr>;

    /// The next one who wants in; `None` when the transport was closed or does not listen.
    async fn accept(&self) -> Option<Arrival>;

    /// Connects to an address and authenticates who answers: `expected`, if given, or else anybody who may.
    ///
    /// # Errors
    /// Nobody answers, or whoever does is not let in, or does not let us in.
    async fn dial(
        &self,
        addr: SocketAddr,
        expected: Option<NodeId>,
    ) -> Result<Arc<dyn Connection>, DialError>;

    /// Closes what is left and waits until the peers were told, or a moment has passed.
    async fn close(&self);
}

/// A connection with an authenticated peer.
#[async_trait]
pub trait Connection: Send + Sync + fmt::Debug + 'static {
    /// Who the peer is, computed from the key it proved to hold.
    fn peer(&self) -> NodeId;

    /// Until when the peer's certificate is valid; none if the connection does not say.
    fn valid_until(&self) -> Option<SystemTime>;

    /// Where the peer is.
    fn remote_addr(&self) -> SocketAddr;

    /// Opens a stream of a class towards the peer. A class is sent before others of a higher number when the line is short.
    ///
    /// # Errors
    /// The connection is closed.
    async fn open(&self, class: u8) -> Result<Box<dyn SendStream>, Closed>;

    /// The next stream that the peer opened, with its class.
    ///
    /// # Errors
    /// The connection is closed.
    async fn accept(&self) -> Result<(u8, Box<dyn RecvStream>), Closed>;

    /// Closes at once; what was not delivered is lost. The first call counts.
    fn close(&self, closed: Closed);

    /// Waits until the connection is closed by either side, and says why.
    async fn closed(&self) -> Closed;
}

/// The writing end of a stream.
#[async_trait]
pub trait SendStream: Send {
    /// Writes all pieces, in order; waits while the peer takes no more.
    ///
    /// # Errors
    /// The stream or the connection is gone.
    async fn write(&mut self, pieces: &mut [Bytes]) -> io::Result<()>;

    /// Ends the stream and waits until the peer has all of it.
    ///
    /// # Errors
    /// The stream or the connection is gone.
    async fn finish(&mut self) -> io::Result<()>;
}

/// The reading end of a stream.
#[async_trait]
pub trait RecvStream: Send {
    /// The next piece, of any size; `None` at the end.
    ///
    /// # Errors
    /// The stream or the connection is gone.
    async fn read(&mut self) -> io::Result<Option<Bytes>>;
}

/// Why dialling failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// Nobody answers at the address.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// Whoever answers is refused, or refuses us.
    #[error(transparent)]
    Refused(#[from] Refusal),
}
