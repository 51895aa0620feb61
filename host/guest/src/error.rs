//! What can go wrong while a guest is built.

use std::io;
use std::path::{Path, PathBuf};

/// Why a guest could not be built. Every text says what failed, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The folder holds none of the files that name a language.
    #[error(
        "{} is not a guest project: it has no Cargo.toml, go.mod, package.json, pyproject.toml or app.py. \
         Name the folder that holds one of them: numax build DIR", dir.display()
    )]
    NotAProject {
        /// The folder that was looked at.
        dir: PathBuf,
    },
    /// The project's own description cannot be used.
    #[error("{}: {detail}", file.display())]
    Manifest {
        /// The file that is wrong.
        file: PathBuf,
        /// What is wrong with it and what to write instead.
        detail: String,
    },
    /// A program that the language needs is not on this machine.
    #[error("{tool} is needed to build {what} and is not in PATH. {get}")]
    ToolMissing {
        /// The program.
        tool: String,
        /// What it is needed for.
        what: String,
        /// How to get it.
        get: String,
    },
    /// A program ran and failed.
    #[error("{command} failed ({status}) in {}\n{tail}\n{hint}", dir.display())]
    ToolFailed {
        /// The command line.
        command: String,
        /// Where it ran.
        dir: PathBuf,
        /// Its exit status, in words.
        status: String,
        /// The end of what it printed.
        tail: String,
        /// What to do about it.
        hint: String,
    },
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried: "read", "write", "create", …
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The module that the language's tools made does not fit a numax world.
    #[error("{}: not a numax guest: {detail}", file.display())]
    Component {
        /// The module.
        file: PathBuf,
        /// What does not fit.
        detail: String,
    },
    /// The WIT package or a generator inside this program is at odds with itself: a defect of numax.
    #[error("internal error in the WIT package or its generators (please report it): {0}")]
    Wit(String),
}

impl BuildError {
    /// An [`BuildError::Io`], for `map_err`.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }
}
