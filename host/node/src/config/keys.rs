//! The table of all settings.

/// How many values a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One.
    One,
    /// Any number; variables and flags separate them by commas.
    Many,
}

/// One setting: its three names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Section of `numax.toml`.
    pub section: &'static str,
    /// Name within the section.
    pub name: &'static str,
    /// Environment variable.
    pub variable: &'static str,
    /// Flag of `numax run`.
    pub flag: &'static str,
    /// How many values.
    pub shape: Shape,
    /// True for paths, which count from the file's folder when they stand in a file and are no URL.
    pub path: bool,
}

const fn key(section: &'static str, name: &'static str, variable: &'static str, flag: &'static str) -> Key {
    Key { section, name, variable, flag, shape: Shape::One, path: false }
}

const fn many(section: &'static str, name: &'static str, variable: &'static str, flag: &'static str) -> Key {
    Key { section, name, variable, flag, shape: Shape::Many, path: false }
}

const fn path(section: &'static str, name: &'static str, variable: &'static str, flag: &'static str) -> Key {
    Key { section, name, variable, flag, shape: Shape::One, path: true }
}

/// Address for other nodes.
pub const LISTEN: Key = key("network", "listen", "NX_LISTEN", "--listen");
/// Nodes to connect to.
pub const PEERS: Key = many("network", "peers", "NX_PEERS", "--peer");
/// Nodes that are let in.
pub const ALLOWED_PEERS: Key = many("network", "allowed_peers", "NX_ALLOWED_PEERS", "--allowed-peers");
/// Name shown to others.
pub const NODE_NAME: Key = key("network", "node_name", "NX_NODE_NAME", "--node-name");
/// Certificate chain.
pub const TLS_CERT: Key = path("tls", "cert", "NX_TLS_CERT", "--tls-cert");
/// Private key.
pub const TLS_KEY: Key = path("tls", "key", "NX_TLS_KEY", "--tls-key");
/// Authority.
pub const TLS_CA: Key = path("tls", "ca", "NX_TLS_CA", "--tls-ca");
/// Datastore folder.
pub const DATASTORE: Key = path("storage", "path", "NX_DATASTORE_PATH", "--datastore-path");
/// Storage engine.
pub const ENGINE: Key = key("storage", "engine", "NX_STORAGE", "--storage");
/// Durability.
pub const DURABILITY: Key = key("storage", "durability", "NX_DURABILITY", "--durability");
/// Interval of `interval` durability.
pub const INTERVAL: Key = key("storage", "interval", "NX_STORAGE_INTERVAL", "--storage-interval");
/// Rows in memory.
pub const CACHE_ROWS: Key = key("storage", "cache_rows", "NX_CACHE_ROWS", "--cache-rows");
/// Bytes of the log.
pub const OP_LOG_BUDGET: Key = key("storage", "op_log_budget", "NX_OP_LOG_BUDGET", "--op-log-budget");
/// Folder or bucket of snapshots.
pub const SNAPSHOT_DIR: Key = path("storage", "snapshot_dir", "NX_SNAPSHOT_DIR", "--snapshot-dir");
/// Time between snapshots that the node makes by itself.
pub const SNAPSHOT_INTERVAL: Key =
    key("storage", "snapshot_interval", "NX_SNAPSHOT_INTERVAL", "--snapshot-interval");
/// Snapshots that are kept then.
pub const SNAPSHOT_KEEP: Key = key("storage", "snapshot_keep", "NX_SNAPSHOT_KEEP", "--snapshot-keep");
/// Address for HTTP.
pub const HTTP: Key = key("http", "listen", "NX_HTTP", "--http");
/// Pause before modules start.
pub const WAIT_BEFORE_RUN: Key = key("run", "wait_before_run", "NX_WAIT_BEFORE_RUN", "--wait-before-run");
/// Replication after commands ended.
pub const SETTLE_FOR: Key = key("run", "settle_for", "NX_SETTLE_FOR", "--settle-for");
/// Time for shutdown.
pub const SHUTDOWN_TIMEOUT: Key = key("run", "shutdown_timeout", "NX_SHUTDOWN_TIMEOUT", "--shutdown-timeout");
/// Log level.
pub const LOG_LEVEL: Key = key("log", "level", "NX_LOG_LEVEL", "--log-level");
/// Log format.
pub const LOG_FORMAT: Key = key("log", "format", "NX_LOG_FORMAT", "--log-format");

/// All of them, in the order in which they are shown.
pub const KEYS: &[Key] = &[
    LISTEN,
    PEERS,
    ALLOWED_PEERS,
    NODE_NAME,
    TLS_CERT,
    TLS_KEY,
    TLS_CA,
    DATASTORE,
    ENGINE,
    DURABILITY,
    INTERVAL,
    CACHE_ROWS,
    OP_LOG_BUDGET,
    SNAPSHOT_DIR,
    SNAPSHOT_INTERVAL,
    SNAPSHOT_KEEP,
    HTTP,
    WAIT_BEFORE_RUN,
    SETTLE_FOR,
    SHUTDOWN_TIMEOUT,
    LOG_LEVEL,
    LOG_FORMAT,
];

/// The variable that names the file.
pub const CONFIG_VARIABLE: &str = "NX_CONFIG";
