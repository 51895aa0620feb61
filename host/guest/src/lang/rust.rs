//! Rust guests: `cargo build` for `wasm32-wasip2` makes the component by itself.

use crate::cache::Inputs;
use crate::exec::{Tool, find_tool};
use crate::lang::Toolchain;
use crate::wit::Wit;
use crate::{BuildCtx, BuildError, Project};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The tools of Rust.
pub struct Rust;

/// The target whose linker makes components.
const TARGET: &str = "wasm32-wasip2";

const CARGO: Tool =
    Tool { names: &["cargo"], what: "Rust guests", get: "Install Rust with rustup: https://rustup.rs." };

const RUSTC: Tool =
    Tool { names: &["rustc"], what: "Rust guests", get: "Install Rust with rustup: https://rustup.rs." };

const RUSTUP: Tool = Tool {
    names: &["rustup"],
    what: "Rust guests (it installs the target wasm32-wasip2)",
    get: "Install it from https://rustup.rs, or install the target wasm32-wasip2 the way your Rust was installed.",
};

impl Toolchain for Rust {
    fn inputs(&self, project: &Project, ctx: &mut BuildCtx<'_>) -> Result<Inputs, BuildError> {
        let meta = Metadata::of(project, ctx)?;
        let mut inputs = Inputs::new();
        // Asked in the project's folder: a rust-toolchain.toml there decides.
        let mut rustc = Command::new(find_tool(&RUSTC)?);
        rustc.current_dir(&project.dir).arg("--version");
        inputs.fact("rustc", ctx.ask(&mut rustc, "Check the installation of Rust.")?);
        for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTUP_TOOLCHAIN"] {
            inputs.fact(name, std::env::var(name).unwrap_or_default());
        }
        for file in ["Cargo.lock", "Cargo.toml"] {
            let path = meta.workspace_root.join(file);
            if path.is_file() {
                inputs.tree(path);
            }
        }
        // Packages of no registry are folders on this machine: the project, and the local ones that it uses.
        for package in meta.packages.iter().filter(|p| p.source.is_none()) {
            inputs.tree(package.dir());
        }
        Ok(inputs)
    }

    fn build(&self, project: &Project, _wit: &Wit, ctx: &mut BuildCtx<'_>) -> Result<PathBuf, BuildError> {
        add_target(project, ctx)?;
        let meta = Metadata::of(project, ctx)?;
        let artifact = meta.artifact(project)?;
        ctx.step("cargo build");
        let mut cargo = cargo(project)?;
        cargo.args(["build", "--release", "--target", TARGET]);
        ctx.run(&mut cargo, "Repair what the compiler names above and build again.")?;
        Ok(meta.target_directory.join(TARGET).join("release").join(artifact))
    }
}

/// `cargo` in the project's folder, with the target folder that the project itself asks for: whoever calls numax from
/// a cargo of their own has another one in the environment.
fn cargo(project: &Project) -> Result<Command, BuildError> {
    let mut command = Command::new(find_tool(&CARGO)?);
    command.current_dir(&project.dir).env_remove("CARGO_TARGET_DIR").env_remove("CARGO_BUILD_TARGET_DIR");
    Ok(command)
}

/// Installs the wasm target if this toolchain does not have it.
fn add_target(project: &Project, ctx: &mut BuildCtx<'_>) -> Result<(), BuildError> {
    let mut rustc = Command::new(find_tool(&RUSTC)?);
    rustc.current_dir(&project.dir).args(["--print", "target-libdir", "--target", TARGET]);
    let libdir = ctx.ask(&mut rustc, "This Rust does not know wasm32-wasip2; Rust 1.82 and later do.")?;
    if Path::new(libdir.trim()).is_dir() {
        return Ok(());
    }
    ctx.step("install the Rust target wasm32-wasip2");
    let mut rustup = Command::new(find_tool(&RUSTUP)?);
    rustup.current_dir(&project.dir).args(["target", "add", TARGET]);
    ctx.run(&mut rustup, "Install it yourself: rustup target add wasm32-wasip2")?;
    Ok(())
}

/// The part of `cargo metadata` that is used here.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    target_directory: PathBuf,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    source: Option<String>,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    crate_types: Vec<String>,
}

impl Package {
    fn dir(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new("."))
    }
}

impl Metadata {
    fn of(project: &Project, ctx: &mut BuildCtx<'_>) -> Result<Self, BuildError> {
        let mut command = cargo(project)?;
        command.args(["metadata", "--format-version", "1", "--filter-platform", TARGET, "--quiet"]);
        let json = ctx.ask(&mut command, "Repair the project's Cargo.toml and build again.")?;
        serde_json::from_str(&json).map_err(|e| BuildError::Manifest {
            file: project.dir.join("Cargo.toml"),
            detail: format!("cargo metadata printed something that cannot be read: {e}"),
        })
    }

    /// The file name of the component: of the project's `cdylib`, else of its only program.
    fn artifact(&self, project: &Project) -> Result<String, BuildError> {
        let manifest = project.dir.join("Cargo.toml");
        let wrong = |detail: &str| BuildError::Manifest { file: manifest.clone(), detail: detail.into() };
        let package = self
            .packages
            .iter()
            .find(|p| p.manifest_path == manifest)
            .ok_or_else(|| wrong("it describes no package; name the folder of one: numax build DIR"))?;
        let of = |kind: &str| -> Vec<&Target> {
            package.targets.iter().filter(|t| t.crate_types.iter().any(|c| c == kind)).collect()
        };
        match (of("cdylib").as_slice(), of("bin").as_slice()) {
            ([lib], _) => Ok(format!("{}.wasm", lib.name.replace('-', "_"))),
            ([], [program]) => Ok(format!("{}.wasm", program.name)),
            ([], []) => Err(wrong(
                "it makes neither a program nor a cdylib. For a guest with handlers write:\n\
                 [lib]\ncrate-type = [\"cdylib\"]",
            )),
            _ => Err(wrong("it makes several programs; a guest is one. Keep one [[bin]]")),
        }
    }
}
