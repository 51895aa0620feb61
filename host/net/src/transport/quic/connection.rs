//! One QUIC connection and its streams.

use std::{io, net::SocketAddr, sync::OnceLock, time::SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use numax_crdt::NodeId;
use quinn::{ConnectionError, VarInt};
use rustls::pki_types::CertificateDer;

use super::canonical;
use crate::{
    ca,
    close::{CloseCode, Closed},
    tls::{Refusal, alert_text},
    transport::{Connection, RecvStream, SendStream},
};

/// How much is taken from a stream at a time.
const PIECE: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct QuicConnection {
    quinn: quinn::Connection,
    peer: NodeId,
    here: OnceLock<Closed>,
}

impl QuicConnection {
    pub(super) fn new(quinn: quinn::Connection, peer: NodeId) -> Self {
        Self { quinn, peer, here: OnceLock::new() }
    }

    fn why(&self, error: &ConnectionError) -> Closed {
        match (error, self.here.get()) {
            (ConnectionError::LocallyClosed, Some(closed)) => closed.clone(),
            _ => closed_by(error),
        }
    }
}

#[async_trait]
impl Connection for QuicConnection {
    fn peer(&self) -> NodeId {
        self.peer
    }

    fn valid_until(&self) -> Option<SystemTime> {
        chain_of(&self.quinn).iter().filter_map(ca::valid_until).min()
    }

    fn remote_addr(&self) -> SocketAddr {
        canonical(self.quinn.remote_address())
    }

    async fn open(&self, class: u8) -> Result<Box<dyn SendStream>, Closed> {
        let mut stream = self.quinn.open_uni().await.map_err(|e| self.why(&e))?;
        // A failure here is that of the connection, which the write below reports.
        let _ = stream.set_priority(-i32::from(class));
        match stream.write_all(&[class]).await {
            Ok(()) => Ok(Box::new(QuicSend(stream))),
            Err(_) => Err(self.closed().await),
        }
    }

    async fn accept(&self) -> Result<(u8, Box<dyn RecvStream>), Closed> {
        loop {
            let mut stream = self.quinn.accept_uni().await.map_err(|e| self.why(&e))?;
            let mut class = [0];
            match stream.read_exact(&mut class).await {
                Ok(()) => return Ok((class[0], Box::new(QuicRecv(stream)))),
                // A stream that was given up before its first byte is none.
                Err(quinn::ReadExactError::FinishedEarly(_)) => {}
                Err(quinn::ReadExactError::ReadError(quinn::ReadError::ConnectionLost(e))) => {
                    return Err(self.why(&e));
                }
                Err(quinn::ReadExactError::ReadError(_)) => {}
            }
        }
    }

    fn close(&self, closed: Closed) {
        let (code, reason) = match &closed {
            Closed::Here { code, reason } => (*code, reason.clone()),
            other => (CloseCode::INTERNAL, other.to_string()),
        };
        let _ = self.here.set(closed);
        // A reason that fits into one packet with the frame around it.
        let short: String = reason.chars().take(200).collect();
        self.quinn.close(VarInt::from_u32(code.0), short.as_bytes());
    }

    async fn closed(&self) -> Closed {
        let error = self.quinn.closed().await;
        self.why(&error)
    }
}

struct QuicSend(quinn::SendStream);

#[async_trait]
impl SendStream for QuicSend {
    async fn write(&mut self, pieces: &mut [Bytes]) -> io::Result<()> {
        Ok(self.0.write_all_chunks(pieces).await?)
    }

    async fn finish(&mut self) -> io::Result<()> {
        self.0.finish().map_err(io::Error::other)?;
        self.0.stopped().await.map(|_| ()).map_err(io::Error::other)
    }
}

struct QuicRecv(quinn::RecvStream);

#[async_trait]
impl RecvStream for QuicRecv {
    async fn read(&mut self) -> io::Result<Option<Bytes>> {
        Ok(self.0.read_chunk(PIECE, true).await?.map(|chunk| chunk.bytes))
    }
}

/// The certificates that the peer of a connection showed, its own first; none if the connection does not say.
pub(super) fn chain_of(connection: &quinn::Connection) -> Vec<CertificateDer<'static>> {
    let identity =
        connection.peer_identity().and_then(|any| any.downcast::<Vec<CertificateDer<'static>>>().ok());
    identity.map(|chain| *chain).unwrap_or_default()
}

pub(super) fn closed_by(error: &ConnectionError) -> Closed {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            Closed::peer(u32::try_from(close.error_code.into_inner()).unwrap_or(u32::MAX), &close.reason)
        }
        ConnectionError::ConnectionClosed(close) => match alert(close.error_code) {
            Some(alert) => Closed::Peer { code: CloseCode::REFUSED, reason: alert_text(alert) },
            None => Closed::Broken(format!("the peer's QUIC gave up: {}", close.error_code)),
        },
        ConnectionError::TimedOut => Closed::TimedOut,
        ConnectionError::Reset => Closed::Broken("the peer has restarted".into()),
        other => Closed::Broken(other.to_string()),
    }
}

/// Why a handshake failed: the reason our own check left, or what TLS or the peer says.
pub(super) fn refusal_from(error: &ConnectionError, slot: &OnceLock<Refusal>) -> Refusal {
    if let Some(refusal) = slot.get() {
        return refusal.clone();
    }
    match error {
        ConnectionError::ConnectionClosed(close) => match alert(close.error_code) {
            Some(alert) => Refusal::from_alert(alert),
            None if close.error_code == quinn::TransportErrorCode::CONNECTION_REFUSED => Refusal::ByPeer(
                "it is ending, or has too many unfinished handshakes; it is tried again".into(),
            ),
            None => Refusal::Handshake(format!("the peer's QUIC gave up: {}", close.error_code)),
        },
        ConnectionError::TransportError(e) if alert(e.code) == Some(116) => Refusal::NoCertificate,
        ConnectionError::TransportError(e) if alert(e.code) == Some(120) => Refusal::Handshake(
            "it speaks no protocol of ours: it is no numax node, or of an incompatible version".into(),
        ),
        ConnectionError::TimedOut => Refusal::Timeout,
        other => Refusal::Handshake(closed_by(other).to_string()),
    }
}

/// The TLS alert in a QUIC error code (RFC 9001, 4.8: 0x0100 to 0x01ff).
fn alert(code: quinn::TransportErrorCode) -> Option<u8> {
    u64::from(code).checked_sub(0x100).and_then(|alert| u8::try_from(alert).ok())
}
