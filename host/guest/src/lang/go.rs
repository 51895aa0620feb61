//! Go guests, with the standard toolchain: `go build` makes a core module for WASI 0.1, with the exports of those handler
//! packages that the guest imports; the WIT worlds of these exports and an adapter to WASI 0.2 make it a component.

use crate::cache::Inputs;
use crate::exec::{Tool, find_tool};
use crate::lang::Toolchain;
use crate::wit::Wit;
use crate::{BuildCtx, BuildError, Project, component};
use serde::Deserialize;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The tools of Go.
pub struct Go;

const GO: Tool =
    Tool { names: &["go"], what: "Go guests", get: "Install Go 1.25 or later: https://go.dev/dl." };

/// The collector stops the program while it works. A guest has one thread, which the concurrent collector shares with the
/// program; it gets its turn only when the program waits, so that short calls let the heap grow without bound.
const GODEBUG: &str = "gcstoptheworld=1";

/// Linker flags: the SDK takes memory by a function of Go's runtime that the linker otherwise guards. Function names stay
/// (a trap's backtrace shows them), data for debuggers goes.
const LDFLAGS: &str = "-checklinkname=0 -w";

impl Toolchain for Go {
    fn inputs(&self, project: &Project, ctx: &mut BuildCtx<'_>) -> Result<Inputs, BuildError> {
        let mut inputs = Inputs::new();
        // Asked in the project's folder: its go.mod may name a toolchain.
        let mut version = go(project)?;
        version.arg("version");
        inputs.fact("go", ctx.ask(&mut version, "Check the installation of Go.")?);
        inputs.fact("flags", format!("{GODEBUG} {LDFLAGS}"));
        for name in ["GOFLAGS", "GOEXPERIMENT", "GODEBUG", "GOWORK"] {
            inputs.fact(name, std::env::var(name).unwrap_or_default());
        }
        inputs.tree(&project.dir);
        for module in GoMod::of(project, ctx)?.local_modules(project) {
            inputs.tree(module);
        }
        Ok(inputs)
    }

    fn build(&self, project: &Project, wit: &Wit, ctx: &mut BuildCtx<'_>) -> Result<PathBuf, BuildError> {
        let core = ctx.work_dir()?.join("core.wasm");
        let godebug = match default_godebug(project, ctx)?.as_str() {
            "" => GODEBUG.to_string(),
            // The flag below replaces the module's own settings: they are repeated.
            defaults => format!("{GODEBUG},{defaults}"),
        };
        ctx.step("go build");
        let mut go = go(project)?;
        go.args(["build", "-buildmode=c-shared", "-trimpath"])
            .arg(format!("-ldflags={LDFLAGS} -X=runtime.godebugDefault={godebug}"))
            .arg("-o")
            .arg(&core)
            .arg(".");
        ctx.run(&mut go, "Repair what the compiler names above and build again.")?;
        ctx.step("make the component");
        let bytes = fs::read(&core).map_err(BuildError::io("read", &core))?;
        let bytes = component::encode_reactor(*wit, &bytes, &core)?;
        let out = core.with_file_name("component.wasm");
        fs::write(&out, bytes).map_err(BuildError::io("write", &out))?;
        Ok(out)
    }
}

fn go(project: &Project) -> Result<Command, BuildError> {
    let mut command = Command::new(find_tool(&GO)?);
    command.current_dir(&project.dir).env("GOOS", "wasip1").env("GOARCH", "wasm").env("CGO_ENABLED", "0");
    Ok(command)
}

/// The debug settings that Go would give the program by its go.mod and `//go:debug` lines.
fn default_godebug(project: &Project, ctx: &mut BuildCtx<'_>) -> Result<String, BuildError> {
    let mut list = go(project)?;
    list.args(["list", "-f", "{{.DefaultGODEBUG}}", "."]);
    let text = ctx.ask(&mut list, "Repair the project's go.mod or its packages and build again.")?;
    Ok(text.trim().to_string())
}

/// The part of `go mod edit -json` that is used here.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GoMod {
    replace: Option<Vec<Replace>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Replace {
    new: Module,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Module {
    path: String,
    version: Option<String>,
}

impl GoMod {
    fn of(project: &Project, ctx: &mut BuildCtx<'_>) -> Result<Self, BuildError> {
        let mut edit = go(project)?;
        edit.args(["mod", "edit", "-json"]);
        let json = ctx.ask(&mut edit, "Repair the project's go.mod and build again.")?;
        serde_json::from_str(&json).map_err(|e| BuildError::Manifest {
            file: project.dir.join("go.mod"),
            detail: format!("go mod edit printed something that cannot be read: {e}"),
        })
    }

    /// The folders that stand for modules.
    fn local_modules(&self, project: &Project) -> Vec<PathBuf> {
        let replaced = self.replace.iter().flatten();
        replaced.filter(|r| r.new.version.is_none()).map(|r| project.dir.join(&r.new.path)).collect()
    }
}
