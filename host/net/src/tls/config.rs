//! TLS configurations, one per handshake.

use std::{collections::BTreeSet, sync::Arc};

use numax_crdt::NodeId;
use rustls::{
    ClientConfig, Error as TlsError, ServerConfig, client::Resumption, crypto::CryptoProvider,
    server::NoServerSessionStorage, sign::SingleCertAndKey, version::TLS13,
};

use super::{ALPN, PeerCheck, RefusalSlot, verifier::Verifier};
use crate::credentials::{Credentials, provider};

/// What every handshake of a node has in common.
#[derive(Clone)]
pub(crate) struct TlsConfig {
    check: Arc<PeerCheck>,
    certificate: Arc<SingleCertAndKey>,
    provider: Arc<CryptoProvider>,
}

impl TlsConfig {
    pub(crate) fn new(credentials: &Credentials, allowed: Option<BTreeSet<NodeId>>) -> Self {
        Self {
            check: Arc::new(PeerCheck::new(credentials.node_id(), Arc::clone(credentials.roots()), allowed)),
            certificate: Arc::new(SingleCertAndKey::from(Arc::clone(credentials.certified()))),
            provider: Arc::new(provider()),
        }
    }

    pub(crate) fn check(&self) -> &PeerCheck {
        &self.check
    }

    /// For one incoming handshake.
    pub(crate) fn acceptor(&self, slot: RefusalSlot) -> Result<ServerConfig, TlsError> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(self.verifier(None, slot))
            .with_cert_resolver(Arc::clone(&self.certificate) as _);
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        Ok(config)
    }

    /// For one outgoing handshake, which expects this node if one is given.
    pub(crate) fn dialer(
        &self,
        expected: Option<NodeId>,
        slot: RefusalSlot,
    ) -> Result<ClientConfig, TlsError> {
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(self.verifier(expected, slot))
            .with_client_cert_resolver(Arc::clone(&self.certificate) as _);
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.resumption = Resumption::disabled();
        config.enable_early_data = false;
        // The id that is dialled stays inside the encrypted part.
        config.enable_sni = false;
        Ok(config)
    }

    fn verifier(&self, expected: Option<NodeId>, slot: RefusalSlot) -> Arc<Verifier> {
        let algorithms = self.provider.signature_verification_algorithms;
        Arc::new(Verifier { check: Arc::clone(&self.check), expected, algorithms, slot })
    }
}
