//! Why a peer is not let in.

use numax_crdt::NodeId;
use rustls::{CertificateError, Error as TlsError};

/// Why a connection was refused, by us or by the peer. Each text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The chain does not end at our authority.
    #[error(
        "its certificate is not signed by our authority: it belongs to another cluster, or needs a certificate from ours"
    )]
    UntrustedAuthority,
    /// The certificate's time is over.
    #[error("its certificate has expired: renew it with `numax ca issue` (or its clock or ours is wrong)")]
    Expired,
    /// The certificate's time has not begun.
    #[error("its certificate is not valid yet: compare the clocks of both machines")]
    NotYetValid,
    /// The peer showed no certificate.
    #[error("it shows no certificate: it is not a numax node, or runs without credentials")]
    NoCertificate,
    /// The certificate is unusable for another reason.
    #[error("its certificate is not acceptable: {0}")]
    BadCertificate(String),
    /// The peer could not prove that it holds the key of its certificate.
    #[error("it does not hold the private key of the certificate it shows: somebody copied a certificate")]
    BadSignature,
    /// Somebody else answers where this node was expected.
    #[error("node {found} answers there, expected was {expected}: correct the peer's id or address")]
    WrongNode {
        /// Who was dialled.
        expected: NodeId,
        /// Who answered.
        found: NodeId,
    },
    /// A trusted certificate, but not one of the allowed nodes.
    #[error("node {0} is not on the list of allowed peers: add it to let it in")]
    NotAllowed(NodeId),
    /// We would talk to ourselves.
    #[error("this is the node itself: take its own address out of its list of peers")]
    SelfConnection,
    /// Another address than loopback with development credentials.
    #[error(
        "development certificates are for loopback addresses only: make an authority with `numax ca init` and \
         certificates with `numax ca issue`"
    )]
    NotLoopback,
    /// The handshake failed before anybody showed who he is.
    #[error("the handshake failed: {0}")]
    Handshake(String),
    /// The handshake did not end in time.
    #[error("the handshake did not end within the time limit")]
    Timeout,
    /// The peer refused us and said why.
    #[error("the peer refused this node: {0}")]
    ByPeer(String),
}

impl Refusal {
    /// A short stable word for metrics and for telling repeated reports from new ones.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::UntrustedAuthority => "untrusted-authority",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::NoCertificate => "no-certificate",
            Self::BadCertificate(_) => "bad-certificate",
            Self::BadSignature => "bad-signature",
            Self::WrongNode { .. } => "wrong-node",
            Self::NotAllowed(_) => "not-allowed",
            Self::SelfConnection => "self",
            Self::NotLoopback => "not-loopback",
            Self::Handshake(_) => "handshake",
            Self::Timeout => "timeout",
            Self::ByPeer(_) => "refused-by-peer",
        }
    }

    pub(crate) fn from_tls(error: TlsError) -> Self {
        use CertificateError as E;
        match error {
            TlsError::InvalidCertificate(e) => match e {
                E::UnknownIssuer => Self::UntrustedAuthority,
                E::Expired | E::ExpiredContext { .. } => Self::Expired,
                E::NotValidYet | E::NotValidYetContext { .. } => Self::NotYetValid,
                // In a chain: an authority of the same name but with another key.
                E::BadSignature => Self::UntrustedAuthority,
                other => Self::BadCertificate(other.to_string()),
            },
            TlsError::NoCertificatesPresented => Self::NoCertificate,
            other => Self::Handshake(other.to_string()),
        }
    }

    /// What the TLS library shall tell the peer: the alert belonging to the reason, nothing more.
    pub(crate) fn to_tls(&self) -> TlsError {
        TlsError::InvalidCertificate(match self {
            Self::UntrustedAuthority => CertificateError::UnknownIssuer,
            Self::Expired => CertificateError::Expired,
            Self::NotYetValid => CertificateError::NotValidYet,
            Self::BadSignature => CertificateError::BadSignature,
            Self::NoCertificate => return TlsError::NoCertificatesPresented,
            Self::WrongNode { .. } | Self::NotAllowed(_) | Self::SelfConnection | Self::NotLoopback => {
                CertificateError::ApplicationVerificationFailure
            }
            _ => CertificateError::BadEncoding,
        })
    }

    /// The meaning of an alert that the peer closed the handshake with.
    pub(crate) fn from_alert(alert: u8) -> Self {
        Self::ByPeer(alert_text(alert))
    }
}

/// What a peer's TLS alert means to the one who gets it.
pub(crate) fn alert_text(alert: u8) -> String {
    match alert {
        45 => "our certificate has expired or is not valid yet, by its clock: renew it with `numax ca issue`".into(),
        48 => "our certificate is not signed by its authority: the two nodes belong to different clusters".into(),
        49 => "our node id is not who it expected or allows: correct the peer's id, or its list of allowed peers".into(),
        51 => "we could not prove that we hold the key of our certificate".into(),
        116 => "it wants a certificate and we showed none".into(),
        120 => "it speaks no protocol of ours: it is no numax node, or of an incompatible version".into(),
        other => format!("TLS alert {other}"),
    }
}
