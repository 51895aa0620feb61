//! What a node shows to others and what it asks of them: key, certificate chain, authority.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use numax_crdt::NodeId;
use rustls::{
    RootCertStore,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, UnixTime, pem::PemObject},
    sign::CertifiedKey,
};

use crate::{
    ca::{self, IssueOptions},
    files,
    identity::{FOLDER, IdentityError, NodeKey, node_of_certificate},
    tls::{Role, verify_chain},
};

/// The certificate's file beside a datastore's key.
pub const CERTIFICATE_FILE: &str = "cert.pem";
/// The authority's certificate beside a datastore's key.
pub const AUTHORITY_FILE: &str = "ca.pem";

/// Where the operator's files lie; what is not said lies in the datastore's identity folder.
#[derive(Debug, Clone, Default)]
pub struct TlsFiles {
    /// The node's certificate, followed by intermediates if any (PEM).
    pub certificate: Option<PathBuf>,
    /// The node's key (PKCS#8 PEM, ECDSA P-256). A datastore that has no key yet adopts it.
    pub key: Option<PathBuf>,
    /// The authority's certificate (PEM), exactly one.
    pub authority: Option<PathBuf>,
}

/// Key, certificate chain and authority of one node. Cheap to clone.
#[derive(Clone)]
pub struct Credentials {
    node: NodeId,
    cluster: [u8; 32],
    certified: Arc<CertifiedKey>,
    roots: Arc<RootCertStore>,
    expires: SystemTime,
    loopback_only: bool,
    reset_key: Arc<ring::hmac::Key>,
}

impl Credentials {
    /// Credentials for a cluster whose every address is loopback: the datastore's key, a certificate signed on the spot
    /// by the user's development authority, and that authority. [`crate::Net`] refuses any other address with them.
    ///
    /// # Errors
    /// See [`ca::dev_authority`] and [`NodeKey::load_or_create`].
    pub fn for_loopback(datastore: &Path) -> Result<Self, IdentityError> {
        Self::for_loopback_in(&ca::user_data_dir()?, datastore)
    }

    /// [`Credentials::for_loopback`] with the user's data folder given.
    ///
    /// # Errors
    /// As there.
    pub fn for_loopback_in(data: &Path, datastore: &Path) -> Result<Self, IdentityError> {
        let authority = ca::dev_authority(data)?;
        let key = NodeKey::load_or_create(datastore)?;
        let options = IssueOptions { names: vec!["localhost".into()], ..IssueOptions::default() };
        let issued = authority.sign(&ca::request(&key)?, &options)?;
        let (certificate_path, authority_path) =
            (Path::new("(development certificate)"), data.join("numax/dev-ca/ca.pem"));
        let mut it = Self::assemble(
            &key,
            (&issued.certificate, certificate_path),
            (&issued.authority, &authority_path),
        )?;
        it.loopback_only = true;
        Ok(it)
    }

    /// Credentials from the operator's files.
    ///
    /// # Errors
    /// A file is missing, corrupt or exposed; certificate and key do not belong together; the certificate is not valid
    /// under the authority, or has expired; the datastore has another key.
    pub fn from_files(datastore: &Path, tls: &TlsFiles) -> Result<Self, IdentityError> {
        let key = match &tls.key {
            Some(path) => NodeKey::adopt(datastore, path)?,
            None => NodeKey::load_or_create(datastore)?,
        };
        let or_own =
            |path: &Option<PathBuf>, name| path.clone().unwrap_or_else(|| datastore.join(FOLDER).join(name));
        let certificate_path = or_own(&tls.certificate, CERTIFICATE_FILE);
        let authority_path = or_own(&tls.authority, AUTHORITY_FILE);
        let read = |path: &Path| {
            let hint = "make an authority with `numax ca init` and a certificate for this datastore with `numax ca issue`";
            files::read(path)?.ok_or_else(|| IdentityError::Missing { path: path.to_owned(), hint })
        };
        let (certificate, authority) = (read(&certificate_path)?, read(&authority_path)?);
        Self::assemble(&key, (&certificate, &certificate_path), (&authority, &authority_path))
    }

    /// Whether a datastore has a certificate of its own (`identity/cert.pem`), as `numax ca issue` puts it there.
    pub fn present(datastore: &Path) -> bool {
        datastore.join(FOLDER).join(CERTIFICATE_FILE).exists()
    }

    /// The node these credentials are for.
    pub fn node_id(&self) -> NodeId {
        self.node
    }

    /// The cluster: SHA-256 of the authority's public key.
    pub fn cluster_id(&self) -> [u8; 32] {
        self.cluster
    }

    /// When the node's certificate ends.
    pub fn expires(&self) -> SystemTime {
        self.expires
    }

    /// Whether only loopback addresses may be used with them.
    pub fn loopback_only(&self) -> bool {
        self.loopback_only
    }

    pub(crate) fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }

    pub(crate) fn roots(&self) -> &Arc<RootCertStore> {
        &self.roots
    }

    /// What this node signs stateless resets with (RFC 9000, 10.3): the same after a restart, so that peers learn at once
    /// that a killed node has forgotten their connections.
    pub(crate) fn reset_key(&self) -> &Arc<ring::hmac::Key> {
        &self.reset_key
    }

    fn assemble(
        key: &NodeKey,
        (certificate, certificate_path): (&str, &Path),
        (authority, authority_path): (&str, &Path),
    ) -> Result<Self, IdentityError> {
        let chain = certificates(certificate, certificate_path)?;
        let info = ca::inspect_text(certificate, certificate_path)?;
        if info.node != key.id() {
            let path = certificate_path.to_owned();
            return Err(IdentityError::OtherKey { path, certificate: info.node, key: key.id() });
        }
        let bad_authority =
            |detail: String| IdentityError::BadCertificate { path: authority_path.to_owned(), detail };
        let authorities = certificates(authority, authority_path)?;
        let [root] = authorities.as_slice() else {
            return Err(bad_authority(format!(
                "it holds {} certificates; a cluster has exactly one authority",
                authorities.len()
            )));
        };
        let authority_info = ca::inspect_text(authority, authority_path)?;
        if !authority_info.is_authority {
            return Err(bad_authority("it is not an authority's".into()));
        }
        if authority_info.valid_for().is_none() {
            return Err(bad_authority(format!("the authority has expired on {}", authority_info.expires)));
        }
        let cluster = node_of_certificate(root).map_err(|e| bad_authority(e.to_string()))?.0;
        let mut roots = RootCertStore::empty();
        roots.add(root.clone()).map_err(|e| bad_authority(e.to_string()))?;
        let roots = Arc::new(roots);

        let (end_entity, intermediates) = split(&chain, certificate_path)?;
        for role in [Role::Acceptor, Role::Dialer] {
            verify_chain(role, &roots, end_entity, intermediates, UnixTime::now()).map_err(|refusal| {
                let (path, authority) = (certificate_path.to_owned(), authority_path.to_owned());
                IdentityError::NotTrusted { path, authority, detail: refusal.to_string() }
            })?;
        }
        let signing =
            provider().key_provider.load_private_key(key.private_der()).map_err(IdentityError::crypto)?;
        let certified = Arc::new(CertifiedKey::new(chain, signing));
        let reset_key = Arc::new(key.derived(b"QUIC stateless reset")?);
        let (node, expires) = (key.id(), info.not_after);
        Ok(Self { node, cluster, certified, roots, expires, loopback_only: false, reset_key })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("node", &self.node)
            .field("cluster", &NodeId(self.cluster))
            .field("loopback_only", &self.loopback_only)
            .finish_non_exhaustive()
    }
}

/// The cryptography that is used everywhere here, whatever the process' default is.
pub(crate) fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

fn certificates(pem: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| IdentityError::BadCertificate { path: path.to_owned(), detail: e.to_string() })
}

fn split<'a>(
    chain: &'a [CertificateDer<'static>],
    path: &Path,
) -> Result<(&'a CertificateDer<'static>, &'a [CertificateDer<'static>]), IdentityError> {
    chain.split_first().ok_or_else(|| IdentityError::BadCertificate {
        path: path.to_owned(),
        detail: "it holds no certificate".into(),
    })
}
