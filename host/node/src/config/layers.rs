//! Putting the layers together.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use numax_policy::text::suggest;
use numax_policy::toml_reader;
use numax_policy::toml_report::{Issue, TomlError};
use numax_snapshots::AwsVariables;

use super::file::{self, Entry, FileLayer};
use super::keys::{self, Key, Shape};
use super::values::{ByteSize, Durability, Engine, FromText, LogFormat, LogLevel};
use super::{ConfigError, NodeConfig, Setting, Source};

/// What a configuration is made from.
#[derive(Debug, Default)]
pub struct Inputs {
    /// `--config`; without it `NX_CONFIG`, then `numax.toml` in the working folder if it is there.
    pub file: Option<PathBuf>,
    /// Flags by their name (`--listen`), each with its values.
    pub flags: BTreeMap<&'static str, Vec<String>>,
    /// Environment variables.
    pub variables: BTreeMap<String, String>,
    /// Those that say how object stores are reached: apart, because they hold secrets.
    pub aws: AwsVariables,
}

/// Loads and checks everything.
///
/// # Errors
/// An unreadable or wrong file, wrong flags, wrong variables; for the file all that is wrong.
pub fn load(inputs: &Inputs) -> Result<NodeConfig, ConfigError> {
    let (path, text) = read_file(inputs)?;
    let name = path.display().to_string();
    let sections = file::sections();
    let folder = file::folder_of(&path);
    let layer = toml_reader::read(&name, &text, &sections, |root| file::read(root, &folder))
        .map_err(ConfigError::File)?;
    let mut resolver = Resolver { inputs, layer: &layer, path: &path, text: &text, issues: Vec::new() };
    let config = resolver.all()?;
    if resolver.issues.is_empty() {
        Ok(config)
    } else {
        Err(ConfigError::File(TomlError::new(&name, &text, resolver.issues)))
    }
}

/// Variables that begin like ours and set nothing, each with the one that may have been meant.
#[must_use]
pub fn unknown_variables(inputs: &Inputs) -> Vec<(String, Option<&'static str>)> {
    let known: Vec<_> = keys::KEYS.iter().map(|key| key.variable).chain([keys::CONFIG_VARIABLE]).collect();
    let unknown = inputs.variables.keys().filter(|name| !known.contains(&name.as_str()));
    unknown.map(|name| (name.clone(), suggest(name, &known))).collect()
}

/// The file and its text; an absent default file is an empty one.
fn read_file(inputs: &Inputs) -> Result<(PathBuf, String), ConfigError> {
    let variable = inputs.variables.get(keys::CONFIG_VARIABLE).map(PathBuf::from);
    let named = inputs.file.clone().or(variable);
    let path = named.clone().unwrap_or_else(|| PathBuf::from("numax.toml"));
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok((path, text)),
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            Ok((path, String::new()))
        }
        Err(source) => Err(ConfigError::Read { path: path.display().to_string(), source }),
    }
}

struct Resolver<'a> {
    inputs: &'a Inputs,
    layer: &'a FileLayer,
    path: &'a Path,
    text: &'a str,
    issues: Vec<Issue>,
}

impl Resolver<'_> {
    fn all(&mut self) -> Result<NodeConfig, ConfigError> {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        Ok(NodeConfig {
            listen: self.optional(&keys::LISTEN)?,
            peers: self.many(&keys::PEERS)?,
            allowed_peers: {
                let list = self.many(&keys::ALLOWED_PEERS)?;
                let set = list.explicit();
                Setting { value: set.then_some(list.value), source: list.source }
            },
            node_name: self.optional(&keys::NODE_NAME)?,
            tls_cert: self.optional(&keys::TLS_CERT)?,
            tls_key: self.optional(&keys::TLS_KEY)?,
            tls_ca: self.optional(&keys::TLS_CA)?,
            datastore: self.one(&keys::DATASTORE, PathBuf::from(".numax/data"))?,
            engine: self.one(&keys::ENGINE, Engine::Sled)?,
            durability: self.one(&keys::DURABILITY, Durability::Interval)?,
            interval: self.one(&keys::INTERVAL, Duration::from_millis(100))?,
            cache_rows: self.one(&keys::CACHE_ROWS, 65_536)?,
            op_log_budget: self.one(&keys::OP_LOG_BUDGET, ByteSize(1 << 30))?,
            snapshot_dir: self.optional(&keys::SNAPSHOT_DIR)?,
            snapshot_interval: self.optional(&keys::SNAPSHOT_INTERVAL)?,
            snapshot_keep: self.one(&keys::SNAPSHOT_KEEP, 5)?,
            http: self.one(&keys::HTTP, SocketAddr::new(loopback, 8080))?,
            wait_before_run: self.one(&keys::WAIT_BEFORE_RUN, Duration::ZERO)?,
            settle_for: self.one(&keys::SETTLE_FOR, Duration::ZERO)?,
            shutdown_timeout: self.one(&keys::SHUTDOWN_TIMEOUT, Duration::from_secs(10))?,
            log_level: self.one(&keys::LOG_LEVEL, LogLevel::Info)?,
            log_format: self.one(&keys::LOG_FORMAT, LogFormat::Text)?,
            aws: self.inputs.aws.clone(),
            modules: self.layer.modules.clone(),
        })
    }

    /// The words of the strongest layer that has any.
    fn words(&self, key: &Key) -> Option<(Vec<String>, Source, Option<&Entry>)> {
        let split = |text: &String| -> Vec<String> {
            match key.shape {
                Shape::One => vec![text.clone()],
                Shape::Many => {
                    text.split(',').map(|w| w.trim().to_owned()).filter(|w| !w.is_empty()).collect()
                }
            }
        };
        if let Some(words) = self.inputs.flags.get(key.flag).filter(|words| !words.is_empty()) {
            return Some((words.iter().flat_map(split).collect(), Source::Flag(key.flag), None));
        }
        if let Some(text) = self.inputs.variables.get(key.variable) {
            return Some((split(text), Source::Variable(key.variable), None));
        }
        let entry = self.layer.entries.get(key.variable)?;
        let line = self.text.get(..entry.span.start).unwrap_or_default().matches('\n').count() + 1;
        let source = Source::File { path: self.path.to_path_buf(), line };
        Some((entry.words.clone(), source, Some(entry)))
    }

    fn many<T: FromText>(&mut self, key: &Key) -> Result<Setting<Vec<T>>, ConfigError> {
        let Some((words, source, entry)) = self.words(key) else {
            return Ok(Setting { value: Vec::new(), source: Source::Default });
        };
        let mut value = Vec::new();
        let mut issues = Vec::new();
        for word in words {
            match (T::from_text(&word), entry) {
                (Ok(one), _) => value.push(one),
                (Err(wrong), Some(entry)) => {
                    let name = format!("{}.{}", key.section, key.name);
                    issues.push(Issue::new(entry.span.clone(), format!("`{name}`: {wrong}")));
                }
                (Err(wrong), None) => {
                    return Err(ConfigError::Value { origin: source.to_string(), wrong });
                }
            }
        }
        self.issues.extend(issues);
        Ok(Setting { value, source })
    }

    fn optional<T: FromText>(&mut self, key: &Key) -> Result<Setting<Option<T>>, ConfigError> {
        let many = self.many(key)?;
        Ok(Setting { value: many.value.into_iter().next_back(), source: many.source })
    }

    fn one<T: FromText>(&mut self, key: &Key, default: T) -> Result<Setting<T>, ConfigError> {
        let found = self.optional(key)?;
        Ok(match found.value {
            Some(value) => Setting { value, source: found.source },
            None => Setting { value: default, source: Source::Default },
        })
    }
}
