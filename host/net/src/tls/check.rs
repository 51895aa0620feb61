//! The one check of a peer's certificate.

use std::{collections::BTreeSet, sync::Arc};

use numax_crdt::NodeId;
use rustls::{
    RootCertStore,
    client::verify_server_cert_signed_by_trust_anchor,
    pki_types::{CertificateDer, UnixTime},
    server::{ParsedCertificate, WebPkiClientVerifier},
};

use super::Refusal;
use crate::{credentials::provider, identity::node_of_certificate};

/// Which side of a connection a peer stands on; its certificate must be meant for that use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It dialled us (a TLS client).
    Dialer,
    /// We dialled it (a TLS server).
    Acceptor,
}

/// Who may be on the other side of a connection.
#[derive(Debug)]
pub(crate) struct PeerCheck {
    own: NodeId,
    roots: Arc<RootCertStore>,
    allowed: Option<BTreeSet<NodeId>>,
}

impl PeerCheck {
    pub(crate) fn new(own: NodeId, roots: Arc<RootCertStore>, allowed: Option<BTreeSet<NodeId>>) -> Self {
        Self { own, roots, allowed }
    }

    /// Who this is, if it may be connected with: chain and expiry, then the id computed from its key, compared with
    /// the one that was dialled and the list. It does *not* prove possession of the key; the handshake's signature does.
    pub(crate) fn check(
        &self,
        role: Role,
        chain: &[CertificateDer<'_>],
        expected: Option<NodeId>,
        now: UnixTime,
    ) -> Result<NodeId, Refusal> {
        let (end_entity, intermediates) = chain.split_first().ok_or(Refusal::NoCertificate)?;
        verify_chain(role, &self.roots, end_entity, intermediates, now)?;
        let found = node_of_certificate(end_entity).map_err(Refusal::from_tls)?;
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            return Err(Refusal::WrongNode { expected, found });
        }
        match &self.allowed {
            // Our own key is let in: whether that is this process or a copy of its datastore is seen on the link.
            Some(allowed) if found != self.own && !allowed.contains(&found) => {
                Err(Refusal::NotAllowed(found))
            }
            _ => Ok(found),
        }
    }
}

/// Whether a chain leads to the authority, is in its time and meant for this use.
pub(crate) fn verify_chain(
    role: Role,
    roots: &Arc<RootCertStore>,
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    now: UnixTime,
) -> Result<(), Refusal> {
    match role {
        Role::Acceptor => {
            let algorithms = provider().signature_verification_algorithms;
            let parsed = ParsedCertificate::try_from(end_entity).map_err(Refusal::from_tls)?;
            verify_server_cert_signed_by_trust_anchor(&parsed, roots, intermediates, now, algorithms.all)
        }
        Role::Dialer => WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), Arc::new(provider()))
            .build()
            .map_err(|e| Refusal::BadCertificate(format!("our authority cannot be used: {e}")))?
            .verify_client_cert(end_entity, intermediates, now)
            .map(|_| ()),
    }
    .map_err(Refusal::from_tls)
}
