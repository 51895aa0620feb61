//! The cluster's authority: a key that signs the certificates of the cluster's nodes.
//!
//! An authority is a folder with `ca.pem` (the certificate, which every node needs) and `ca-key.pem` (the secret, which
//! only the one who issues needs). The cluster's id is the SHA-256 of the authority's public key, so a renewed
//! certificate of the same key is the same cluster.
//!
//! Issuing never sees a node's key: the datastore signs a *request* with it ([`request`]), the authority puts the
//! request's public key into a certificate ([`issue`]).

mod dev;
mod info;

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use numax_crdt::NodeId;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData,
};

use crate::{
    credentials::{AUTHORITY_FILE, CERTIFICATE_FILE},
    files,
    identity::{FOLDER, IdentityError, NodeKey, id_of_spki},
};

pub use dev::{dev_authority, user_data_dir};
pub use info::{CertificateInfo, inspect, show};
pub(crate) use info::{parse as inspect_text, valid_until};

/// The authority's certificate in its folder.
pub const CA_CERTIFICATE: &str = "ca.pem";
/// The authority's secret key in its folder.
pub const CA_KEY: &str = "ca-key.pem";

/// How long a node's certificate is valid unless said otherwise: a year and a month, so that a yearly renewal is never late.
pub const NODE_VALIDITY: Duration = Duration::from_secs(397 * 86_400);
/// How long an authority's certificate is valid unless said otherwise: ten years; renewing it means to visit every node.
pub const CA_VALIDITY: Duration = Duration::from_secs(3_650 * 86_400);
/// Certificates begin a day in the past, because clocks differ between the machine that issues and the one that checks. A node whose
/// clock is an hour ahead, or set to another time zone, issues itself one on loopback that the others must still take.
const CLOCK_SKEW: Duration = Duration::from_secs(86_400);

/// What an authority should be like.
#[derive(Debug, Clone)]
pub struct CaOptions {
    /// A name for people; the subject gets the beginning of the cluster id added.
    pub name: String,
    /// How long its certificate is valid.
    pub validity: Duration,
}

impl Default for CaOptions {
    fn default() -> Self {
        Self { name: "numax".into(), validity: CA_VALIDITY }
    }
}

/// What a node's certificate should be like.
#[derive(Debug, Clone)]
pub struct IssueOptions {
    /// Host names and addresses of the node, for people and other tools; numax itself trusts the key and not the name.
    pub names: Vec<String>,
    /// How long it is valid.
    pub validity: Duration,
}

impl Default for IssueOptions {
    fn default() -> Self {
        Self { names: Vec::new(), validity: NODE_VALIDITY }
    }
}

/// A certificate that was made.
#[derive(Debug, Clone)]
pub struct Issued {
    /// For which node.
    pub node: NodeId,
    /// For which cluster.
    pub cluster: [u8; 32],
    /// The certificate, PEM.
    pub certificate: String,
    /// The authority's certificate, PEM.
    pub authority: String,
}

/// An authority with its key, ready to sign.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
    cluster: [u8; 32],
    ends: SystemTime,
}

impl Authority {
    /// Opens the authority in a folder.
    ///
    /// # Errors
    /// A file is missing, corrupt, or the key is readable by others.
    pub fn open(dir: &Path) -> Result<Self, IdentityError> {
        let hint = "`numax ca init` makes an authority";
        let missing = |path: &Path| IdentityError::Missing { path: path.to_owned(), hint };
        let (certificate_path, key_path) = (dir.join(CA_CERTIFICATE), dir.join(CA_KEY));
        let certificate = files::read(&certificate_path)?.ok_or_else(|| missing(&certificate_path))?;
        let key = files::read_private(&key_path)?.ok_or_else(|| missing(&key_path))?;
        let pair = KeyPair::from_pkcs8_pem_and_sign_algo(&key, &PKCS_ECDSA_P256_SHA256)
            .map_err(|e| IdentityError::BadKey { path: key_path, detail: e.to_string() })?;
        let info = inspect_text(&certificate, &certificate_path)?;
        let key_id = id_of_spki(&pair.subject_public_key_info());
        if info.node != key_id {
            let detail = format!("it belongs to another key than {CA_KEY} beside it");
            return Err(IdentityError::BadCertificate { path: certificate_path, detail });
        }
        let issuer = Issuer::from_ca_cert_pem(&certificate, pair)
            .map_err(|e| IdentityError::BadCertificate { path: certificate_path, detail: e.to_string() })?;
        Ok(Self { issuer, certificate, cluster: key_id.0, ends: info.not_after })
    }

    /// The cluster's id: SHA-256 of the authority's public key.
    pub fn cluster_id(&self) -> [u8; 32] {
        self.cluster
    }

    /// The authority's certificate, PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Signs a request (PEM). Only its public key is taken, after the proof that the requester holds the private one;
    /// names and validity are what `options` say, never what the request asks for.
    ///
    /// # Errors
    /// The request is malformed, badly signed, for another kind of key than ECDSA P-256, a name is none, or the authority
    /// itself has expired.
    pub fn sign(&self, request: &str, options: &IssueOptions) -> Result<Issued, IdentityError> {
        let bad = |detail: String| IdentityError::BadRequest { detail };
        if self.ends <= SystemTime::now() {
            return Err(bad("the authority has expired; make a new one with `numax ca init`".into()));
        }
        let request = CertificateSigningRequestParams::from_pem(request).map_err(|e| bad(e.to_string()))?;
        if request.public_key.algorithm() != &PKCS_ECDSA_P256_SHA256 {
            return Err(bad("its key is not ECDSA P-256".into()));
        }
        let node = id_of_spki(&request.public_key.subject_public_key_info());
        let mut params = CertificateParams::new(options.names.clone())
            .map_err(|e| bad(format!("{:?} are not host names or addresses: {e}", options.names)))?;
        params.distinguished_name.push(DnType::CommonName, node.to_string());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        // Who checks a chain does not look at the authority's own end, so no certificate may outlive it.
        set_validity(&mut params, options.validity, self.ends);
        let certificate =
            params.signed_by(&request.public_key, &self.issuer).map_err(IdentityError::crypto)?;
        Ok(Issued {
            node,
            cluster: self.cluster,
            certificate: certificate.pem(),
            authority: self.certificate.clone(),
        })
    }
}

/// Makes an authority in a folder, which is created if need be: `ca.pem` and, mode 0600, `ca-key.pem`.
///
/// # Errors
/// [`IdentityError::Exists`] if the folder holds one already; failures to write.
pub fn init(dir: &Path, options: &CaOptions) -> Result<Authority, IdentityError> {
    if !dir.exists() {
        files::private_dir(dir)?;
    }
    let _lock = files::lock(dir)?;
    for name in [CA_KEY, CA_CERTIFICATE] {
        if dir.join(name).exists() {
            return Err(IdentityError::Exists { path: dir.join(name) });
        }
    }
    init_locked(dir, options)
}

fn init_locked(dir: &Path, options: &CaOptions) -> Result<Authority, IdentityError> {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(IdentityError::crypto)?;
    let cluster = id_of_spki(&pair.subject_public_key_info());
    let mut params = CertificateParams::default();
    // The id in the name keeps two authorities apart whose people chose the same name.
    params
        .distinguished_name
        .push(DnType::CommonName, format!("{} authority {}", options.name, cluster.short()));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, options.validity, SystemTime::now() + CA_VALIDITY * 10);
    let certificate = params.self_signed(&pair).map_err(IdentityError::crypto)?;
    // The certificate first: a crash in between leaves a certificate without a key, which is noticed and harmless.
    files::write(&dir.join(CA_CERTIFICATE), certificate.pem().as_bytes(), false)?;
    files::write(&dir.join(CA_KEY), pair.serialize_pem().as_bytes(), true)?;
    Authority::open(dir)
}

/// A signing request (PEM) for a datastore's key. It holds the public key only and can be sent anywhere.
///
/// # Errors
/// The cryptographic library failed.
pub fn request(key: &NodeKey) -> Result<String, IdentityError> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, key.id().to_string());
    let request = params.serialize_request(key.pair()).map_err(IdentityError::crypto)?;
    request.pem().map_err(IdentityError::crypto)
}

/// Issues a certificate for a datastore's own key and puts certificate and authority beside the key
/// (`<datastore>/identity/cert.pem`, `ca.pem`) or into `out`. An older certificate there is replaced.
///
/// # Errors
/// See [`Authority::open`], [`NodeKey::load_or_create`] and [`Authority::sign`].
pub fn issue(
    authority: &Path,
    datastore: &Path,
    options: &IssueOptions,
    out: Option<&Path>,
) -> Result<(Issued, [PathBuf; 2]), IdentityError> {
    let request = {
        // Before anything is made in the datastore.
        Authority::open(authority)?;
        request(&NodeKey::load_or_create(datastore)?)?
    };
    issue_for(authority, &request, options, &out.map_or_else(|| datastore.join(FOLDER), Path::to_owned))
}

/// Issues a certificate for a signing request (PEM) and puts certificate and authority into a folder, for the node that
/// the request came from.
///
/// # Errors
/// See [`Authority::open`] and [`Authority::sign`].
pub fn issue_for(
    authority: &Path,
    request: &str,
    options: &IssueOptions,
    dir: &Path,
) -> Result<(Issued, [PathBuf; 2]), IdentityError> {
    let issued = Authority::open(authority)?.sign(request, options)?;
    if !dir.exists() {
        files::private_dir(dir)?;
    }
    let _lock = files::lock(dir)?;
    let paths = [dir.join(CERTIFICATE_FILE), dir.join(AUTHORITY_FILE)];
    files::write(&paths[0], issued.certificate.as_bytes(), false)?;
    files::write(&paths[1], issued.authority.as_bytes(), false)?;
    Ok((issued, paths))
}

fn set_validity(params: &mut CertificateParams, validity: Duration, latest: SystemTime) {
    let now = SystemTime::now();
    params.not_before = (now - CLOCK_SKEW).into();
    params.not_after = now.checked_add(validity).unwrap_or(latest).min(latest).into();
}
