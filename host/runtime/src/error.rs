//! What can go wrong around a module: starting the engine, loading it, running it.

use std::path::PathBuf;
use std::time::Duration;

/// The engine or a server could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The engine does not work on this machine.
    #[error("the WebAssembly engine cannot start: {0}")]
    Engine(String),
    /// The HTTP listener could not be opened.
    #[error("cannot listen for HTTP on {addr}: {source}")]
    Listen {
        /// The address that was asked for.
        addr: std::net::SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Two modules want the same path.
    #[error(
        "{first} and {second} both have the route {route:?}; give one of them another under [http] in its policy"
    )]
    Route {
        /// The route, as the policies write it.
        route: String,
        /// One module.
        first: String,
        /// The other.
        second: String,
    },
    /// This program was built without support for components.
    #[error(
        "this numax was built without the `components` feature, so it cannot run modules; use a build with it"
    )]
    NoComponents,
}

/// A module could not be loaded. Nothing of it has run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bytes are no valid component.
    #[error("{module} is not a valid WebAssembly component: {detail}")]
    Corrupt {
        /// The module's name.
        module: String,
        /// Where and what is wrong.
        detail: String,
    },
    /// The bytes are a core module of the first generation.
    #[error(
        "{module} is a core WebAssembly module, which this version does not run yet; build it as a component, e.g. for the target wasm32-wasip2"
    )]
    CoreModule {
        /// The module's name.
        module: String,
    },
    /// The bytes are machine code that somebody compiled before; only the node's own cache may hold such.
    #[error(
        "{module} is precompiled code, which is never taken from outside; load the .wasm it was made from"
    )]
    Precompiled {
        /// The module's name.
        module: String,
    },
    /// It imports what this node does not have. Every import is in the list, with what becomes of it.
    #[error("{module} needs what this node does not offer:\n{}", list(.imports))]
    Imports {
        /// The module's name.
        module: String,
        /// Every import of the component.
        imports: Vec<ImportReport>,
    },
    /// It is a valid component, with more in it than an instance of this node has room for.
    #[error(
        "{module} is a valid component and too large for this node's instances: {detail}; build it with fewer or smaller \
         memories and tables, or make several modules of it"
    )]
    TooLarge {
        /// The module's name.
        module: String,
        /// wasmtime's description of it.
        detail: String,
    },
    /// Imports and exports have the right names, but one of them another type than it should.
    #[error(
        "{module} does not fit: {detail}; it was made against other interfaces of the same name: build it again with the \
         WIT files, or with an SDK, of numax {}",
        env!("CARGO_PKG_VERSION")
    )]
    Mismatch {
        /// The module's name.
        module: String,
        /// wasmtime's description of it.
        detail: String,
    },
    /// The component exports nothing that numax calls.
    #[error(
        "{module} exports nothing that numax can run: it wants wasi:cli/run, wasi:http/incoming-handler or a handler of numax:runtime. It has: {}",
        if .exports.is_empty() { "no exports".to_owned() } else { .exports.join(", ") }
    )]
    Nothing {
        /// The module's name.
        module: String,
        /// What it exports.
        exports: Vec<String>,
    },
    /// The policy wants what this version does not have.
    #[error("the policy of {module} says {line}, which this version does not have yet; take it out")]
    NotYet {
        /// The module's name.
        module: String,
        /// The line.
        line: String,
    },
    /// This program was built without support for components.
    #[error(
        "{module}: this numax was built without the `components` feature, so it cannot run modules; use a build with it"
    )]
    NoComponents {
        /// The module's name.
        module: String,
    },
}

/// An import of a component and what becomes of it on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportReport {
    /// The import's name in the component.
    pub name: String,
    /// What there is for it.
    pub status: ImportStatus,
}

/// What there is for an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportStatus {
    /// It is linked.
    Provided,
    /// It is linked, and the policy grants nothing of it: every call will be denied.
    Denied {
        /// A policy line that would grant it.
        line: String,
    },
    /// The interface is known here in another version.
    Version {
        /// The nearest one on offer.
        offered: String,
    },
    /// Nobody here has heard of it.
    Unknown,
}

impl ImportReport {
    /// Whether the component can be linked in spite of it.
    pub fn links(&self) -> bool {
        matches!(self.status, ImportStatus::Provided | ImportStatus::Denied { .. })
    }
}

impl std::fmt::Display for ImportReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = &self.name;
        match &self.status {
            ImportStatus::Provided => write!(f, "{name}: provided"),
            ImportStatus::Denied { line } => write!(f, "{name}: denied; to allow it, add {line}"),
            ImportStatus::Version { offered } => {
                write!(f, "{name}: wrong version; this node offers {offered}")
            }
            ImportStatus::Unknown => write!(f, "{name}: unknown to this node"),
        }
    }
}

/// What is wrong, one import a line. What is provided is left out: it is most of a list that is read for its errors.
fn list(imports: &[ImportReport]) -> String {
    let wrong = imports.iter().filter(|i| i.status != ImportStatus::Provided);
    wrong.map(|i| format!("  {i}")).collect::<Vec<_>>().join("\n")
}

/// A run of a guest ended badly. Its open turn has left nothing behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The guest trapped.
    #[error("the guest trapped: {0}")]
    Trap(String),
    /// The guest used up its CPU quota.
    #[error(
        "the guest used up its CPU quota of {quota:?}; raise cpu_ms_per_run under [quotas] in its policy"
    )]
    CpuQuota {
        /// The burst that a call may burn.
        quota: Duration,
    },
    /// The guest used up its CPU quota in a deterministic run, where instructions stand for time.
    #[error(
        "the guest used up the instructions that its CPU quota stands for, a million for each millisecond; raise \
         cpu_ms_per_run under [quotas] in its policy"
    )]
    Fuel,
    /// The guest asked for more memory than it may have.
    #[error("the guest's memory would pass {limit} MiB; raise memory_max_mb under [quotas] in its policy")]
    Memory {
        /// The limit, in MiB.
        limit: u64,
    },
    /// A capability without an error of its own was used without its grant.
    #[error("denied; the policy line is {0}")]
    Denied(String),
    /// What the guest wrote could not be committed. The guest did not run on.
    #[error("the commit failed: {0}")]
    Commit(String),
    /// The guest ended itself in a call that it has to return from.
    #[error(
        "the guest called exit({code}) while it handled something, {}; a handler has to return: exit is for commands",
        if *.code == 0 { "which commits what it had written" } else { "which takes back what its turn had written" }
    )]
    Exit {
        /// What it ended itself with.
        code: i32,
    },
    /// All instance slots are in use.
    #[error("all {0} instances of this node are in use; try again")]
    Busy(u32),
    /// The module does not export what was to be called.
    #[error("{module} does not export {export}")]
    NoExport {
        /// The module's name.
        module: String,
        /// The export.
        export: &'static str,
    },
    /// The node cannot run it at present.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// The guest's own `init` said no.
    #[error("the guest's init failed: {0}")]
    Init(String),
}
