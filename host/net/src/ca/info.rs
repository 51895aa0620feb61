//! What a certificate says, for people.

use std::{
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use numax_crdt::NodeId;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use x509_parser::{extensions::GeneralName, prelude::FromDer, prelude::X509Certificate, time::ASN1Time};

use super::CA_CERTIFICATE;
use crate::{files, identity::IdentityError, identity::node_of_certificate};

/// What a certificate says.
#[derive(Debug, Clone)]
pub struct CertificateInfo {
    /// SHA-256 of its public key: a node's id, or for an authority the cluster's id.
    pub node: NodeId,
    /// Its subject.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Host names and addresses in it.
    pub names: Vec<String>,
    /// When it begins.
    pub not_before: SystemTime,
    /// When it ends.
    pub not_after: SystemTime,
    /// When it ends, to be read.
    pub expires: String,
    /// Whether it is an authority's.
    pub is_authority: bool,
}

impl CertificateInfo {
    /// How long it is still valid; `None` when that is over.
    pub fn valid_for(&self) -> Option<Duration> {
        self.not_after.duration_since(SystemTime::now()).ok()
    }
}

/// What the authority in a folder is (its key is not needed and not read).
///
/// # Errors
/// The certificate is missing or corrupt.
pub fn show(dir: &Path) -> Result<CertificateInfo, IdentityError> {
    inspect(&dir.join(CA_CERTIFICATE))
}

/// What the first certificate in a PEM file says.
///
/// # Errors
/// The file is missing or holds none.
pub fn inspect(path: &Path) -> Result<CertificateInfo, IdentityError> {
    let hint = "check the path of the certificate";
    let text = files::read(path)?.ok_or_else(|| IdentityError::Missing { path: path.to_owned(), hint })?;
    parse(&text, path)
}

pub(crate) fn parse(pem: &str, path: &Path) -> Result<CertificateInfo, IdentityError> {
    let bad = |detail: String| IdentityError::BadCertificate { path: path.to_owned(), detail };
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|e| bad(e.to_string()))?;
    let node = node_of_certificate(&der).map_err(|e| bad(e.to_string()))?;
    let (_, certificate) = X509Certificate::from_der(&der).map_err(|e| bad(e.to_string()))?;
    let names = match certificate.subject_alternative_name() {
        Ok(Some(names)) => names.value.general_names.iter().map(name_text).collect(),
        _ => Vec::new(),
    };
    let validity = certificate.validity();
    Ok(CertificateInfo {
        node,
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        names,
        not_before: system_time(&validity.not_before),
        not_after: system_time(&validity.not_after),
        expires: validity.not_after.to_string(),
        is_authority: certificate.is_ca(),
    })
}

/// Until when a certificate is valid; none if it cannot be read.
pub(crate) fn valid_until(certificate: &CertificateDer<'_>) -> Option<SystemTime> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    Some(system_time(&certificate.validity().not_after))
}

fn name_text(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::DNSName(host) => (*host).to_owned(),
        GeneralName::IPAddress([a, b, c, d]) => format!("{a}.{b}.{c}.{d}"),
        GeneralName::IPAddress(bytes) => <[u8; 16]>::try_from(*bytes)
            .map_or_else(|_| hex::encode(bytes), |b| std::net::Ipv6Addr::from(b).to_string()),
        other => other.to_string(),
    }
}

fn system_time(time: &ASN1Time) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(time.timestamp()).unwrap_or(0))
}
