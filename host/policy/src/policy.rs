//! The policy of one module.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use numax_crdt::Kind;

use crate::capability::{Access, FsGrant, Outbound};
use crate::events::Events;
use crate::pattern::{KeyPattern, KeyPatterns, TopicPattern};
use crate::toml_report::TomlError;

/// Why there is no policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// There is no file beside the module.
    #[error(
        "{module} has no policy: {path} does not exist, and a module without a policy does not start\n\
         make the least one with:  numax policy init {module}"
    )]
    Missing {
        /// The module.
        module: String,
        /// Where its policy is looked for.
        path: String,
    },
    /// The file cannot be read.
    #[error("cannot read the policy {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The file is wrong.
    #[error("{0}")]
    Invalid(TomlError),
}

/// Which WASI a module may use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WasiVersion {
    /// WASI 0.2: the normal engine.
    #[default]
    P2,
    /// WASI 0.3: asynchronous components, on their own engine.
    P3,
}

/// What a module may do. Made by [`Policy::parse`]; what is not listed is denied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    pub(crate) wasi: WasiVersion,
    pub(crate) db: Access,
    /// In the order of [`Kind::ALL`].
    pub(crate) crdt: [Access; Kind::ALL.len()],
    pub(crate) keyvalue: Vec<String>,
    pub(crate) net_peers: bool,
    pub(crate) publish: Vec<TopicPattern>,
    pub(crate) subscribe: Vec<TopicPattern>,
    pub(crate) serve: bool,
    pub(crate) outbound: Vec<Outbound>,
    pub(crate) tcp: Vec<String>,
    pub(crate) udp: Vec<String>,
    pub(crate) resolve: Vec<String>,
    pub(crate) random: bool,
    pub(crate) time: bool,
    pub(crate) env: KeyPatterns,
    pub(crate) config: KeyPatterns,
    pub(crate) fs: Vec<FsGrant>,
    pub(crate) http: Http,
    pub(crate) events: Events,
    pub(crate) quotas: Quotas,
}

/// `[http]`: which requests reach the module, and how its instances are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Paths, by the same patterns as keys. Without the section: every path.
    pub routes: Vec<KeyPattern>,
    /// Whether an instance serves more than one request.
    pub reuse: Reuse,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            routes: vec![KeyPattern::parse("/*").unwrap_or_else(|_| KeyPattern::any())],
            reuse: Reuse::default(),
        }
    }
}

/// `http.reuse`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reuse {
    /// Requests per instance. 1, the default: a fresh instance for every request.
    pub max: u64,
    /// How long an instance waits for its next request. Default 1 s.
    pub idle: Duration,
}

impl Default for Reuse {
    fn default() -> Self {
        Self { max: 1, idle: Duration::from_secs(1) }
    }
}

/// `[quotas]`: what is not set is not limited by the policy; the node has limits of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quotas {
    /// CPU milliseconds a call may burn at once; it gets as much again each second that it lives.
    pub cpu_ms_per_run: Option<u64>,
    /// Linear memory of one instance, in MiB.
    pub memory_max_mb: Option<u64>,
    /// Writes a second, over all instances of the module on this node.
    pub ops_per_sec: Option<u64>,
    /// Bytes of written keys and values a second, over all instances of the module on this node.
    pub bytes_written_per_sec: Option<u64>,
}

impl Policy {
    /// The policy that grants nothing.
    #[must_use]
    pub fn default_denied() -> Self {
        Self::default()
    }

    /// Reads a policy. `file` is the name that errors show.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] with everything that is wrong, each with its place.
    pub fn parse(text: &str, file: &str) -> Result<Self, PolicyError> {
        crate::parse::policy(text, file).map_err(PolicyError::Invalid)
    }

    /// Reads a policy file.
    ///
    /// # Errors
    /// If it cannot be read, or as [`Policy::parse`].
    pub fn load(path: &Path) -> Result<Self, PolicyError> {
        let file = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, &file),
            Err(source) => Err(PolicyError::Read { path: file, source }),
        }
    }

    /// Reads the policy beside a module (see [`path_for`]).
    ///
    /// # Errors
    /// [`PolicyError::Missing`] if there is none, or as [`Policy::load`].
    pub fn load_beside(module: &Path) -> Result<Self, PolicyError> {
        let path = path_for(module);
        match Self::load(&path) {
            Err(PolicyError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Err(PolicyError::Missing {
                    module: module.display().to_string(),
                    path: path.display().to_string(),
                })
            }
            other => other,
        }
    }

    /// Which WASI the module may use.
    #[must_use]
    pub fn wasi(&self) -> WasiVersion {
        self.wasi
    }

    /// The node-local key-value store.
    #[must_use]
    pub fn db(&self) -> &Access {
        &self.db
    }

    /// Replicated values of one family.
    #[must_use]
    pub fn crdt(&self, kind: Kind) -> &Access {
        let index = Kind::ALL.iter().position(|known| *known == kind);
        index.and_then(|index| self.crdt.get(index)).unwrap_or(Access::NONE)
    }

    /// True if a store of wasi:keyvalue may be opened.
    #[must_use]
    pub fn keyvalue(&self, store: &str) -> bool {
        self.keyvalue.iter().any(|granted| granted == store)
    }

    /// True if some key of some store may be read or written: the module cannot do without a datastore.
    #[must_use]
    pub fn reaches_data(&self) -> bool {
        let any = |access: &Access| !(access.read.is_empty() && access.write.is_empty());
        any(self.db()) || Kind::ALL.iter().any(|kind| any(self.crdt(*kind))) || !self.keyvalue.is_empty()
    }

    /// True if the members of the cluster may be seen.
    #[must_use]
    pub fn net_peers(&self) -> bool {
        self.net_peers
    }

    /// True if a message may be published on the topic.
    #[must_use]
    pub fn can_publish(&self, topic: &str) -> bool {
        self.publish.iter().any(|pattern| pattern.matches(topic))
    }

    /// True if every topic of the pattern may be received.
    #[must_use]
    pub fn can_subscribe(&self, wanted: &TopicPattern) -> bool {
        self.subscribe.iter().any(|granted| granted.contains(wanted))
    }

    /// True if the module may answer HTTP.
    #[must_use]
    pub fn network_serve(&self) -> bool {
        self.serve
    }

    /// Where the module may call out to over HTTP.
    #[must_use]
    pub fn outbound(&self) -> &[Outbound] {
        &self.outbound
    }

    /// `host:port` entries for TCP, as written.
    #[must_use]
    pub fn tcp(&self) -> &[String] {
        &self.tcp
    }

    /// `host:port` entries for UDP, as written.
    #[must_use]
    pub fn udp(&self) -> &[String] {
        &self.udp
    }

    /// Names that may be looked up, as written.
    #[must_use]
    pub fn resolve(&self) -> &[String] {
        &self.resolve
    }

    /// True if random numbers may be had.
    #[must_use]
    pub fn random(&self) -> bool {
        self.random
    }

    /// True if clocks may be read and ticks asked for.
    #[must_use]
    pub fn time(&self) -> bool {
        self.time
    }

    /// True if an environment variable of this name may be seen.
    #[must_use]
    pub fn env_allowed(&self, name: &str) -> bool {
        self.env.matches(name.as_bytes())
    }

    /// True if this key of wasi:config may be read.
    #[must_use]
    pub fn config_allowed(&self, key: &str) -> bool {
        self.config.matches(key.as_bytes())
    }

    /// Folders of the host that are shown to the guest.
    #[must_use]
    pub fn fs(&self) -> &[FsGrant] {
        &self.fs
    }

    /// `[http]`.
    #[must_use]
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// `[events]`.
    #[must_use]
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// `[quotas]`.
    #[must_use]
    pub fn quotas(&self) -> &Quotas {
        &self.quotas
    }
}

/// Where the policy of a module is: `<stem>.policy.toml` beside it.
#[must_use]
pub fn path_for(module: &Path) -> PathBuf {
    let stem = module.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    module.with_file_name(format!("{stem}.policy.toml"))
}
