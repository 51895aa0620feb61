//! What a node is told: flags, `NX_` variables, `numax.toml` and defaults, in this order of
//! precedence, each value with where it came from.
//!
//! Every setting is one row of [`keys::KEYS`]: its name in the file, its variable and its flag.
//! All three give text, and one parser per setting turns it into its type, so that a value means
//! the same wherever it stands and a wrong one is reported where it stands.

mod file;
pub mod keys;
mod layers;
mod values;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use numax_policy::toml_report::TomlError;
use numax_snapshots::{AwsVariables, Location};

pub use layers::{Inputs, load, unknown_variables};
pub use values::{Address, ByteSize, Durability, Engine, LogFormat, LogLevel};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody said anything.
    Default,
    /// `numax.toml`, with the line.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// An environment variable.
    Variable(&'static str),
    /// A flag.
    Flag(&'static str),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

/// A value that knows its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Who set it.
    pub source: Source,
}

impl<T> Setting<T> {
    /// True if somebody set it, so that it must not be changed silently.
    #[must_use]
    pub fn explicit(&self) -> bool {
        self.source != Source::Default
    }
}

/// One `[[module]]` of `numax.toml`, or one file of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleConfig {
    /// The component.
    pub path: PathBuf,
    /// Its policy; without it, the file beside the component.
    pub policy: Option<PathBuf>,
    /// What it is called in logs; without it, the file's stem.
    pub name: Option<String>,
    /// The guest project that makes the component. It is built when the component is not there.
    pub build: Option<PathBuf>,
    /// Variables of this module alone.
    pub env: Vec<(String, String)>,
}

impl ModuleConfig {
    /// A module that is only a file.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), policy: None, name: None, build: None, env: Vec::new() }
    }
}

/// All settings of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeConfig {
    /// Where other nodes reach this one. None: this node takes part in no cluster, unless it has
    /// peers.
    pub listen: Setting<Option<Address>>,
    /// Nodes to connect to, `[NODEID@]HOST:PORT`.
    pub peers: Setting<Vec<String>>,
    /// Node ids that are let in; none: everybody whom the authority vouches for.
    pub allowed_peers: Setting<Option<Vec<String>>>,
    /// What the node calls itself to others.
    pub node_name: Setting<Option<String>>,
    /// Certificate chain, PEM.
    pub tls_cert: Setting<Option<PathBuf>>,
    /// Private key, PEM; none: the datastore's own.
    pub tls_key: Setting<Option<PathBuf>>,
    /// The cluster's authority, PEM.
    pub tls_ca: Setting<Option<PathBuf>>,
    /// Folder of the datastore.
    pub datastore: Setting<PathBuf>,
    /// Storage engine.
    pub engine: Setting<Engine>,
    /// When a commit counts as done.
    pub durability: Setting<Durability>,
    /// How often the log is forced to the disk under `interval`.
    pub interval: Setting<Duration>,
    /// Rows kept in memory.
    pub cache_rows: Setting<usize>,
    /// Bytes of log that may be kept for nodes that lack them.
    pub op_log_budget: Setting<ByteSize>,
    /// Where snapshots go; none: `snapshots` in the datastore's folder.
    pub snapshot_dir: Setting<Option<Location>>,
    /// How often the node makes one by itself; none: never.
    pub snapshot_interval: Setting<Option<Duration>>,
    /// How many of its own are left after the node made one by itself.
    pub snapshot_keep: Setting<usize>,
    /// Where HTTP modules are served.
    pub http: Setting<SocketAddr>,
    /// How long to wait for the cluster before modules start.
    pub wait_before_run: Setting<Duration>,
    /// How long to go on replicating after all commands ended.
    pub settle_for: Setting<Duration>,
    /// How long an orderly shutdown may take.
    pub shutdown_timeout: Setting<Duration>,
    /// How much is logged.
    pub log_level: Setting<LogLevel>,
    /// How it is logged.
    pub log_format: Setting<LogFormat>,
    /// How object stores are reached, and with what credentials.
    pub aws: AwsVariables,
    /// Modules of the file.
    pub modules: Vec<ModuleConfig>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file that was named cannot be read.
    #[error("cannot read the configuration {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file is wrong.
    #[error("{0}")]
    File(TomlError),
    /// A flag or a variable is wrong.
    #[error("{origin}: {wrong}")]
    Value {
        /// The flag or the variable.
        origin: String,
        /// What is wrong and what to write.
        wrong: String,
    },
}
