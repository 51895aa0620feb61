//! The check as the TLS library wants it: one verifier per handshake.
//!
//! A verifier belongs to a single handshake, so that it knows whom that one expects and can leave the exact reason of a
//! refusal where the caller finds it; the TLS library itself would keep a text only.

use std::sync::{Arc, OnceLock};

use numax_crdt::NodeId;
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error as TlsError, PeerIncompatible, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};

use super::{PeerCheck, Refusal, Role};

/// Where a handshake leaves the reason of its refusal.
pub(crate) type RefusalSlot = Arc<OnceLock<Refusal>>;

#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) check: Arc<PeerCheck>,
    pub(super) expected: Option<NodeId>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    pub(super) slot: RefusalSlot,
}

impl Verifier {
    fn certificate(
        &self,
        role: Role,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), TlsError> {
        let chain: Vec<_> = std::iter::once(end_entity).chain(intermediates).cloned().collect();
        match self.check.check(role, &chain, self.expected, now) {
            Ok(_) => Ok(()),
            Err(refusal) => Err(self.refuse(refusal)),
        }
    }

    /// Verifies that the peer signed this very handshake with the key of its certificate. Everything rests on it: a
    /// certificate is public, and who may copy it must not become its node.
    fn signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, dss, &self.algorithms).map_err(|e| {
            self.refuse(match e {
                TlsError::InvalidCertificate(_) => Refusal::BadSignature,
                other => Refusal::Handshake(other.to_string()),
            })
        })
    }

    fn refuse(&self, refusal: Refusal) -> TlsError {
        let error = refusal.to_tls();
        // The first reason stands; a handshake ends with it.
        let _ = self.slot.set(refusal);
        error
    }
}

fn no_tls12() -> TlsError {
    TlsError::PeerIncompatible(PeerIncompatible::Tls12NotOffered)
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        self.certificate(Role::Acceptor, end_entity, intermediates, now)
            .map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Verifier {
    /// No hints: who asks does not learn the authority's name before it has shown who it is.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        true
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, TlsError> {
        self.certificate(Role::Dialer, end_entity, intermediates, now)
            .map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
