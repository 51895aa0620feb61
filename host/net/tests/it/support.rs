//! A cluster in a temporary folder, and waiting for events.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use numax_crdt::NodeId;
use numax_net::{
    Credentials, Net, NetConfig, NetEvent, NetEvents, NetHandle, NodeKey, PeerAddr, Report, Timing, TlsFiles,
    ca::{self, CaOptions, IssueOptions},
};
use rcgen::{CertificateParams, Issuer, KeyPair};
use tempfile::TempDir;

/// Longer than anything takes; only a failing test waits so long.
pub const LONG: Duration = Duration::from_secs(60);

pub struct Cluster {
    pub dir: TempDir,
}

impl Cluster {
    pub fn new() -> Self {
        let dir = TempDir::new().unwrap();
        ca::init(&dir.path().join("ca"), &CaOptions::default()).unwrap();
        Self { dir }
    }

    pub fn ca(&self) -> PathBuf {
        self.dir.path().join("ca")
    }

    pub fn datastore(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn credentials(&self, name: &str) -> Credentials {
        let datastore = self.datastore(name);
        ca::issue(&self.ca(), &datastore, &IssueOptions::default(), None).unwrap();
        Credentials::from_files(&datastore, &TlsFiles::default()).unwrap()
    }

    pub fn config(&self, name: &str) -> NetConfig {
        let mut config = NetConfig::new(self.credentials(name));
        config.listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        config.timing = Timing {
            backoff_first: Duration::from_millis(20),
            backoff_limit: Duration::from_millis(200),
            ..Timing::default()
        };
        config
    }

    pub fn start(&self, name: &str) -> Node {
        Node::start(self.config(name))
    }

    /// A node that dials these.
    pub fn dialer(&self, name: &str, peers: &[PeerAddr]) -> Node {
        Node::start(NetConfig { peers: peers.to_vec(), listen: None, ..self.config(name) })
    }
}

/// A running network and its events.
pub struct Node {
    pub net: NetHandle,
    pub events: NetEvents,
}

impl Node {
    pub fn start(config: NetConfig) -> Self {
        let (net, events) = Net::start(config).unwrap();
        Self { net, events }
    }

    pub fn id(&self) -> NodeId {
        self.net.node_id()
    }

    pub fn addr(&self) -> SocketAddr {
        self.net.local_addr().unwrap()
    }

    /// Its address without and with its id.
    pub fn at(&self) -> PeerAddr {
        self.addr().to_string().parse().unwrap()
    }

    pub fn at_id(&self) -> PeerAddr {
        PeerAddr { node: Some(self.id()), ..self.at() }
    }

    pub async fn next(&mut self) -> NetEvent {
        tokio::time::timeout(LONG, self.events.recv())
            .await
            .expect("an event in time")
            .expect("a running network")
    }

    /// The first event that `pick` takes; others are dropped.
    pub async fn wait<T>(&mut self, mut pick: impl FnMut(NetEvent) -> Option<T>) -> T {
        loop {
            if let Some(found) = pick(self.next().await) {
                return found;
            }
        }
    }

    pub async fn up(&mut self) -> (u64, NodeId, bool) {
        self.wait(|event| match event {
            NetEvent::LinkUp { link, peer, dialed, .. } => Some((link, peer, dialed)),
            _ => None,
        })
        .await
    }

    pub async fn down(&mut self) -> (u64, numax_net::Closed) {
        self.wait(|event| match event {
            NetEvent::LinkDown { link, reason } => Some((link, reason)),
            _ => None,
        })
        .await
    }

    pub async fn report(&mut self) -> Report {
        self.wait(|event| match event {
            NetEvent::Report(report) => Some(report),
            _ => None,
        })
        .await
    }

    pub async fn frame(&mut self) -> (u8, bytes::Bytes) {
        self.wait(|event| match event {
            NetEvent::Frame { class, bytes, .. } => Some((class, bytes)),
            _ => None,
        })
        .await
    }
}

/// Puts a certificate that ended yesterday beside a datastore's key.
pub fn issue_expired(ca_dir: &Path, datastore: &Path) {
    let key = NodeKey::load_or_create(datastore).unwrap();
    let pair = KeyPair::from_pem(&std::fs::read_to_string(key.path()).unwrap()).unwrap();
    let authority = KeyPair::from_pem(&std::fs::read_to_string(ca_dir.join(ca::CA_KEY)).unwrap()).unwrap();
    let certificate = std::fs::read_to_string(ca_dir.join(ca::CA_CERTIFICATE)).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&certificate, authority).unwrap();
    let day = Duration::from_secs(86_400);
    let mut params = CertificateParams::default();
    params.not_before = (SystemTime::now() - day * 2).into();
    params.not_after = (SystemTime::now() - day).into();
    let identity = datastore.join(numax_net::identity::FOLDER);
    std::fs::write(
        identity.join(numax_net::CERTIFICATE_FILE),
        params.signed_by(&pair, &issuer).unwrap().pem(),
    )
    .unwrap();
    std::fs::write(identity.join(numax_net::AUTHORITY_FILE), certificate).unwrap();
}
