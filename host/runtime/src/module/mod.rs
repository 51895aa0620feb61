//! Modules: a component, its policy, and what its exports make of it.

#[cfg(feature = "components")]
mod exports;
#[cfg(feature = "components")]
mod inspect;
#[cfg(feature = "components")]
mod load;

use crate::engine::Engine;
use crate::error::LoadError;
use crate::session::ModuleGrant;
use numax_policy::Policy;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "components")]
pub(crate) use exports::Exports;

/// Where a module's bytes come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file.
    Path(PathBuf),
    /// Bytes in memory.
    Bytes(Vec<u8>),
}

impl From<&Path> for Source {
    fn from(path: &Path) -> Source {
        Source::Path(path.to_owned())
    }
}

impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Source {
        Source::Path(path)
    }
}

impl From<Vec<u8>> for Source {
    fn from(bytes: Vec<u8>) -> Source {
        Source::Bytes(bytes)
    }
}

/// What a module is given beside its policy.
#[derive(Clone, Debug, Default)]
pub struct ModuleOptions {
    /// The module's name: in logs, and what it learns as its id. Empty takes the file's name without `.wasm`.
    pub name: String,
    /// Environment variables. The module sees those that its policy names.
    pub env: Vec<(String, String)>,
    /// Command-line arguments, the program's name first.
    pub args: Vec<String>,
}

/// What a module is, by what it exports. A module can be several of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModuleKind {
    /// `wasi:cli/run`: it is run to its end.
    pub command: bool,
    /// `wasi:http/incoming-handler`: it answers requests.
    pub http: bool,
    /// `lifecycle`: it is told of its start and end.
    pub lifecycle: bool,
    /// `tick-handler`: it is called by the clock.
    pub tick: bool,
    /// `change-handler`: it is called for changes of replicated values.
    pub change: bool,
}

impl ModuleKind {
    /// Whether one long-lived instance of it is kept.
    pub fn reactive(&self) -> bool {
        self.lifecycle || self.tick || self.change
    }
}

/// A loaded module. Cheap to clone.
#[derive(Clone)]
pub struct Module {
    inner: Arc<Inner>,
}

struct Inner {
    grant: Arc<ModuleGrant>,
    env: Vec<(String, String)>,
    args: Vec<String>,
    kind: ModuleKind,
    load_time: Duration,
    cached: bool,
    #[cfg(feature = "components")]
    engine: Engine,
    #[cfg(feature = "components")]
    exports: Exports,
}

impl Module {
    /// Loads a component: checks its bytes, its imports and its exports, and compiles it unless the cache has it.
    /// Blocking, and seconds long for a large component that is new.
    ///
    /// # Errors
    /// See [`LoadError`]. Nothing of the module has run.
    pub fn load(
        engine: &Engine,
        source: impl Into<Source>,
        policy: Policy,
        options: ModuleOptions,
    ) -> Result<Module, LoadError> {
        let (name, bytes) = match source.into() {
            Source::Bytes(bytes) => (options.name.clone(), bytes),
            Source::Path(path) => {
                let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
                let name = if options.name.is_empty() { stem } else { options.name.clone() };
                (name, std::fs::read(&path).map_err(|source| LoadError::Read { path, source })?)
            }
        };
        let name = if name.is_empty() { "module".to_owned() } else { name };
        Self::build(engine, name, &bytes, policy, options)
    }

    #[cfg(not(feature = "components"))]
    fn build(_: &Engine, module: String, _: &[u8], _: Policy, _: ModuleOptions) -> Result<Module, LoadError> {
        Err(LoadError::NoComponents { module })
    }

    /// The module's name.
    pub fn name(&self) -> &str {
        self.inner.grant.name()
    }

    /// What it is.
    pub fn kind(&self) -> ModuleKind {
        self.inner.kind
    }

    /// Its policy and what its instances share.
    pub fn grant(&self) -> &Arc<ModuleGrant> {
        &self.inner.grant
    }

    /// How long loading took, and whether compiled code came from the cache.
    pub fn load_time(&self) -> (Duration, bool) {
        (self.inner.load_time, self.inner.cached)
    }

    /// The environment that its policy lets it see.
    pub(crate) fn env(&self) -> &[(String, String)] {
        &self.inner.env
    }

    pub(crate) fn args(&self) -> &[String] {
        &self.inner.args
    }

    #[cfg(feature = "components")]
    pub(crate) fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    #[cfg(feature = "components")]
    pub(crate) fn exports(&self) -> &Exports {
        &self.inner.exports
    }
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module")
            .field("name", &self.name())
            .field("kind", &self.inner.kind)
            .finish_non_exhaustive()
    }
}
