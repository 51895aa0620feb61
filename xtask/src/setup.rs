//! What a fresh machine lacks: the toolchain's targets, the program itself, the guests.

use crate::shell;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;

const TARGETS: [&str; 2] = ["wasm32-wasip1", "wasm32-wasip2"];

/// One of the four example guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// `examples/visits-rust`
    Rust,
    /// `examples/visits-go`
    Go,
    /// `examples/visits-js`
    JavaScript,
    /// `examples/visits-python`
    Python,
}

impl Language {
    /// All four, in the order in which nodes are started.
    pub const ALL: [Self; 4] = [Self::Rust, Self::Go, Self::JavaScript, Self::Python];

    /// What the guest itself calls its language.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Go => "go",
            Self::JavaScript => "javascript",
            Self::Python => "python",
        }
    }

    /// The guest that does what it is told, for tests.
    pub fn families(self) -> &'static str {
        match self {
            Self::Rust => "host/runtime/tests/families/rust",
            Self::Go => "host/runtime/tests/families/go",
            Self::JavaScript => "host/runtime/tests/families/js",
            Self::Python => "host/runtime/tests/families/python",
        }
    }

    fn example(self) -> &'static str {
        match self {
            Self::Rust => "examples/visits-rust",
            Self::Go => "examples/visits-go",
            Self::JavaScript => "examples/visits-js",
            Self::Python => "examples/visits-python",
        }
    }

    /// Whether this machine has what the language needs.
    pub fn present(self) -> bool {
        match self {
            Self::Rust => true,
            Self::Go => shell::exists("go", "version"),
            Self::JavaScript => shell::exists("node", "--version") && shell::exists("npm", "--version"),
            Self::Python => shell::exists("python3", "--version"),
        }
    }

    /// The languages that this machine can build; the others are named on standard error.
    pub fn available() -> Vec<Self> {
        let (present, absent): (Vec<_>, Vec<_>) =
            Self::ALL.into_iter().partition(|language| language.present());
        for language in absent {
            eprintln!("   skipped: {} (its toolchain is not on this machine)", language.name());
        }
        present
    }
}

/// Adds the WebAssembly targets that are missing. Automatic installation by rustup may be off, so this asks for them.
pub fn toolchain() -> Result<()> {
    let mut ask = shell::program("rustc");
    let sysroot = shell::output(ask.args(["--print", "sysroot"]))?;
    let library = PathBuf::from(sysroot.trim()).join("lib/rustlib");
    let missing: Vec<_> =
        TARGETS.into_iter().filter(|target| !library.join(target).join("lib").is_dir()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    shell::run(shell::program("rustup").args(["target", "add"]).args(&missing)).context(
        "the WebAssembly targets are missing and rustup could not add them; \
         add wasm32-wasip1 and wasm32-wasip2 to this toolchain",
    )
}

/// Builds the program and gives its path.
pub fn numax() -> Result<PathBuf> {
    shell::run(shell::cargo().args(["build", "--package", "numax-cli"]))?;
    let path = shell::target_dir().join("debug").join(if cfg!(windows) { "numax.exe" } else { "numax" });
    if !path.is_file() {
        bail!("cargo built numax-cli, but {} is not there", path.display());
    }
    Ok(path)
}

/// Builds an example guest and gives the component's path.
pub fn guest(numax: &std::path::Path, language: Language) -> Result<PathBuf> {
    component(numax, language.example())
}

/// Builds a guest's folder with `numax build` and gives the component's path.
pub fn component(numax: &std::path::Path, folder: &str) -> Result<PathBuf> {
    let printed = shell::output(shell::program(numax).args(["build", folder]))?;
    let path = shell::root().join(printed.lines().last().unwrap_or_default().trim());
    if !path.is_file() {
        bail!("`numax build {folder}` did not name a component on standard output: {printed:?}");
    }
    Ok(path)
}

/// Generates every binding from `wit/` again.
pub fn bindings() -> Result<()> {
    shell::run(shell::cargo().args(["run", "--quiet", "--package", "numax-guest", "--example", "generate"]))
}
