//! Who a node is: the key pair of its datastore.
//!
//! The key is made when a datastore is first opened and never changes; the node id is the SHA-256 of the public key
//! (SubjectPublicKeyInfo, DER). Certificates come and go around the same key without changing the id.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use numax_crdt::NodeId;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::hmac::HMAC_SHA256;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::ParsedCertificate;
use sha2::{Digest, Sha256};

use crate::files;

/// The folder below a datastore that holds its key and certificates.
pub const FOLDER: &str = "identity";
/// The key's file in that folder.
pub const KEY_FILE: &str = "key.pem";

/// What can be wrong with keys, certificates and authorities on disk. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file operation failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A secret that others could have read or changed.
    #[error(
        "{} is accessible by other users (mode {mode:03o}): `chmod 600 {}` if nobody else could have read it, otherwise \
         treat the key as stolen and replace it",
        path.display(), path.display()
    )]
    Exposed {
        /// The key's file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A key file that holds no usable key.
    #[error(
        "{} holds no ECDSA P-256 key in PKCS#8 PEM ({detail}): restore the file from a backup; a key in another form is \
         converted with `openssl pkcs8 -topk8 -nocrypt`. If the key is lost, the node needs a \
         new datastore: restore a snapshot into it, or let its peers fill it",
        path.display()
    )]
    BadKey {
        /// The key's file.
        path: PathBuf,
        /// What the parser said.
        detail: String,
    },
    /// A certificate file that holds no usable certificate.
    #[error("{} holds no usable certificate ({detail}): restore it from a backup; a node's is issued again with `numax ca issue`", path.display())]
    BadCertificate {
        /// The certificate's file.
        path: PathBuf,
        /// What the parser said.
        detail: String,
    },
    /// A file that was named does not exist.
    #[error("{} does not exist: {hint}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What to do.
        hint: &'static str,
    },
    /// Something would have been overwritten.
    #[error("{} exists already and is not overwritten: choose another folder, or remove it if nothing depends on it", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The certificate belongs to another key.
    #[error(
        "the certificate {} is for node {certificate}, but the key is that of node {key}: issue a certificate for this \
         datastore with `numax ca issue`",
        path.display()
    )]
    OtherKey {
        /// The certificate's file.
        path: PathBuf,
        /// The node the certificate is for.
        certificate: NodeId,
        /// The node the key belongs to.
        key: NodeId,
    },
    /// The datastore has a key already, and it is another one than the one given.
    #[error(
        "the datastore belongs to node {datastore}, but {} is the key of node {given}: a datastore keeps its key for ever; \
         leave the key option out and issue a certificate for the datastore's own key",
        path.display()
    )]
    KeyChange {
        /// The key that was given.
        path: PathBuf,
        /// The node of the datastore.
        datastore: NodeId,
        /// The node of the given key.
        given: NodeId,
    },
    /// The node's own certificate would not be accepted by anybody.
    #[error("the certificate {} is not valid under the authority {}: {detail}. Issue it again with `numax ca issue`", path.display(), authority.display())]
    NotTrusted {
        /// The certificate's file.
        path: PathBuf,
        /// The authority's file.
        authority: PathBuf,
        /// Why.
        detail: String,
    },
    /// A signing request that cannot be fulfilled.
    #[error("the certificate request cannot be signed: {detail}")]
    BadRequest {
        /// Why.
        detail: String,
    },
    /// There is no place for the user's own data.
    #[error(
        "no folder for the development authority: set HOME or XDG_DATA_HOME, or give --tls-cert and --tls-ca"
    )]
    NoHome,
    /// A failure inside the cryptographic library.
    #[error("cryptography failed: {0}")]
    Crypto(String),
}

impl IdentityError {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }

    pub(crate) fn crypto(e: impl fmt::Display) -> Self {
        Self::Crypto(e.to_string())
    }
}

/// A datastore's key pair (ECDSA P-256).
pub struct NodeKey {
    pair: KeyPair,
    id: NodeId,
    path: PathBuf,
}

impl NodeKey {
    /// The key of a datastore (`<datastore>/identity/key.pem`), made on first use: mode 0600 in a folder of mode 0700, written
    /// as a whole and synced before it is used. Two processes that begin at once get the same key.
    ///
    /// # Errors
    /// A key file that is corrupt or readable by others is refused; a failure to write is passed on.
    pub fn load_or_create(datastore: &Path) -> Result<Self, IdentityError> {
        let dir = datastore.join(FOLDER);
        files::new_private_dir(datastore)?;
        files::private_dir(&dir)?;
        let _lock = files::lock(&dir)?;
        let path = dir.join(KEY_FILE);
        if let Some(text) = files::read_private(&path)? {
            return Self::parse(&text, path);
        }
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(IdentityError::crypto)?;
        files::write(&path, pair.serialize_pem().as_bytes(), true)?;
        Ok(Self::new(pair, path))
    }

    /// The key in a file of the operator's.
    ///
    /// # Errors
    /// The file is missing, readable by others, or no ECDSA P-256 key.
    pub fn from_file(path: &Path) -> Result<Self, IdentityError> {
        let text = files::read_private(path)?.ok_or_else(|| IdentityError::Missing {
            path: path.to_owned(),
            hint: "check the path of the key",
        })?;
        Self::parse(&text, path.to_owned())
    }

    /// Makes the key in a file that of a datastore: a datastore without a key takes a copy, one with this key goes on.
    ///
    /// # Errors
    /// As [`NodeKey::from_file`]; also [`IdentityError::KeyChange`] if the datastore has another key.
    pub fn adopt(datastore: &Path, path: &Path) -> Result<Self, IdentityError> {
        let given = Self::from_file(path)?;
        let dir = datastore.join(FOLDER);
        files::private_dir(&dir)?;
        let _lock = files::lock(&dir)?;
        let own = dir.join(KEY_FILE);
        match files::read_private(&own)? {
            Some(text) => {
                let held = Self::parse(&text, own)?;
                if held.id != given.id {
                    let (datastore, given) = (held.id, given.id);
                    return Err(IdentityError::KeyChange { path: path.to_owned(), datastore, given });
                }
                Ok(held)
            }
            None => {
                files::write(&own, given.pair.serialize_pem().as_bytes(), true)?;
                Ok(Self::new(given.pair, own))
            }
        }
    }

    /// The node this key makes.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Bytes for a purpose other than signing, which tell nothing of the key: HKDF-SHA-256 (RFC 5869) over it.
    pub(crate) fn derived(&self, purpose: &[u8]) -> Result<ring::hmac::Key, IdentityError> {
        let secret = Salt::new(HKDF_SHA256, b"numax node key").extract(self.pair.serialized_der());
        let info = [purpose];
        let okm = secret.expand(&info, HMAC_SHA256).map_err(IdentityError::crypto)?;
        Ok(ring::hmac::Key::from(okm))
    }

    /// Where the key lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn pair(&self) -> &KeyPair {
        &self.pair
    }

    pub(crate) fn private_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.pair.serialize_der()))
    }

    fn new(pair: KeyPair, path: PathBuf) -> Self {
        let id = id_of_spki(&pair.subject_public_key_info());
        Self { pair, id, path }
    }

    fn parse(text: &str, path: PathBuf) -> Result<Self, IdentityError> {
        match KeyPair::from_pkcs8_pem_and_sign_algo(text, &PKCS_ECDSA_P256_SHA256) {
            Ok(pair) => Ok(Self::new(pair, path)),
            Err(e) => Err(IdentityError::BadKey { path, detail: e.to_string() }),
        }
    }
}

impl fmt::Debug for NodeKey {
    /// Names the node, never the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeKey").field("id", &self.id).field("path", &self.path).finish_non_exhaustive()
    }
}

/// SHA-256 of a public key (SubjectPublicKeyInfo, DER): a node's id, and for an authority's key the cluster's id.
pub(crate) fn id_of_spki(spki: &[u8]) -> NodeId {
    NodeId(Sha256::digest(spki).into())
}

/// The node a certificate is for, computed from the public key in it. It proves nothing by itself: whoever presents the
/// certificate must also prove that he holds the key.
///
/// # Errors
/// The bytes are no X.509 certificate.
pub fn node_of_certificate(certificate: &CertificateDer<'_>) -> Result<NodeId, rustls::Error> {
    // The parser that verifies the chain, so that two parsers can never disagree on whose key it is.
    Ok(id_of_spki(&ParsedCertificate::try_from(certificate)?.subject_public_key_info()))
}
