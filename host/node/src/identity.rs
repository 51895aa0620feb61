//! Which certificates a node shows to others.

use std::net::IpAddr;
use std::path::Path;

use numax_crdt::NodeId;
use numax_net::{Credentials, PeerAddr, TlsFiles};

use crate::NodeError;
use crate::config::NodeConfig;

/// Peers and allow-list in their types.
#[derive(Debug)]
pub(crate) struct Others {
    pub peers: Vec<PeerAddr>,
    pub allowed: Option<Vec<NodeId>>,
}

impl Others {
    pub(crate) fn parse(config: &NodeConfig) -> Result<Self, NodeError> {
        let mut peers = Vec::new();
        for text in &config.peers.value {
            match text.parse::<PeerAddr>() {
                Ok(peer) => peers.push(peer),
                Err(error) => return Err(NodeError::Setting(format!("{}: {error}", config.peers.source))),
            }
        }
        let allowed = match &config.allowed_peers.value {
            None => None,
            Some(ids) => Some(allowed(ids, config)?),
        };
        Ok(Self { peers, allowed })
    }
}

fn allowed(ids: &[String], config: &NodeConfig) -> Result<Vec<NodeId>, NodeError> {
    let wrong = |id: &String| {
        NodeError::Setting(format!(
            "{}: {id:?} is not a node id; `numax ca show DATASTORE` prints a node's: 64 hexadecimal digits",
            config.allowed_peers.source
        ))
    };
    ids.iter().map(|id| id.parse::<NodeId>().map_err(|_| wrong(id))).collect()
}

/// Chooses the credentials: the operator's if there are any, those of the development authority
/// if every address is loopback. Reads files, so it belongs on a thread that may block.
pub(crate) fn credentials(
    config: &NodeConfig,
    datastore: &Path,
    others: &Others,
) -> Result<Credentials, NodeError> {
    let files = TlsFiles {
        certificate: config.tls_cert.value.clone(),
        key: config.tls_key.value.clone(),
        authority: config.tls_ca.value.clone(),
    };
    let given = files.certificate.is_some() || files.key.is_some() || files.authority.is_some();
    if given || Credentials::present(datastore) {
        return Ok(Credentials::from_files(datastore, &files)?);
    }
    match outside(config, others) {
        None => Ok(Credentials::for_loopback(datastore)?),
        Some(reason) => Err(NodeError::NeedsCertificate { reason, datastore: datastore.to_path_buf() }),
    }
}

/// The first address that other machines are behind, in words.
fn outside(config: &NodeConfig, others: &Others) -> Option<String> {
    if let Some(listen) = config.listen.value
        && !listen.ip.is_loopback()
    {
        return Some(format!("other machines can reach {}", listen.ip));
    }
    let loopback = |host: &str| {
        host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    };
    let peer = others.peers.iter().find(|peer| !loopback(&peer.host))?;
    Some(format!("{peer} is on another machine"))
}
