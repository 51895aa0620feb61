//! Python guests: componentize-py runs the module's top level in CPython for WebAssembly and snapshots it.
//!
//! The tool comes from PyPI, in an exact version with hashes, into `.numax/tools/py-HASH`. The SDK that goes into the
//! component is the one inside this program, so it fits the WIT; the package `numax` in a developer's environment is
//! there for editors and type checkers. Nothing else of that environment is seen.

use crate::cache::Inputs;
use crate::lang::Toolchain;
use crate::wit::{Wit, write_changed};
use crate::{BuildCtx, BuildError, Project};
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};

mod manifest;
mod tools;

use manifest::Manifest;
use tools::Tools;

/// The tools of Python.
pub struct Python;

/// The world that [`Wit::write_guest_world`] makes.
const WORLD: &str = "guest";

/// Bindings are named after their interface; `types` alone would depend on what else is imported.
const HTTP_TYPES: &str = "wasi:http/types@0.2.12=http_types";

/// The Python inside componentize-py: packages must be fit for it.
const GUEST_PYTHON: &str = "3.14";

/// What the preparing step reports.
#[derive(Deserialize)]
struct Report {
    /// Worlds of `numax:runtime` that the module needs.
    worlds: Vec<String>,
    /// What its author should know.
    warnings: Vec<String>,
}

impl Toolchain for Python {
    fn inputs(&self, project: &Project, _ctx: &mut BuildCtx<'_>) -> Result<Inputs, BuildError> {
        let mut inputs = Inputs::new();
        inputs.tree(&project.dir).fact("tools", tools::hash());
        for (name, text) in tools::SDK {
            inputs.fact(*name, *text);
        }
        Ok(inputs)
    }

    fn build(&self, project: &Project, wit: &Wit, ctx: &mut BuildCtx<'_>) -> Result<PathBuf, BuildError> {
        let manifest = Manifest::read(&project.dir)?;
        let tools = Tools::ready(ctx)?;
        let work = ctx.work_dir()?;
        let sdk = work.join("sdk");
        for (name, text) in tools::SDK {
            write_changed(&sdk.join(name), text)?;
        }
        let (source, report) = (work.join("source"), work.join("report.json"));

        ctx.step("read the module");
        let mut prepare = tools.script(&["build.py"]);
        prepare.args([&project.dir, &manifest.entry, &sdk, &source, &report]);
        ctx.run(&mut prepare, "Repair what is named above and build again.")?;
        let report: Report = read_report(&report)?;
        for warning in &report.warnings {
            ctx.step(&format!("warning: {warning}"));
        }

        let world = work.join("wit");
        let worlds: Vec<&str> = report.worlds.iter().map(String::as_str).collect();
        wit.write_guest_world(&world, &worlds)?;
        let packages = install(&manifest.dependencies, &work, &tools, ctx)?;

        ctx.step("run its top level and snapshot Python (componentize-py; takes a while)");
        let component = work.join(format!("{}.wasm", project.name));
        let mut componentize = tools.componentize(&work)?;
        componentize.arg("--wit-path").arg(&world).args([
            "--world",
            WORLD,
            "--import-interface-name",
            HTTP_TYPES,
        ]);
        componentize.args(["componentize", "_numax_entry", "--output"]).arg(&component);
        componentize.arg("--python-path").arg(&source);
        if let Some(packages) = packages {
            componentize.arg("--python-path").arg(packages);
        }
        ctx.run(&mut componentize, &hint(&report.warnings))?;
        Ok(component)
    }
}

fn hint(warnings: &[String]) -> String {
    let mut text =
        "The top level runs while the module is built, and there it cannot call numax. Move what does into \
                    the handler that needs it."
            .to_string();
    for warning in warnings {
        text.push_str("\nwarning: ");
        text.push_str(warning);
    }
    text
}

fn read_report(path: &Path) -> Result<Report, BuildError> {
    let text = fs::read(path).map_err(BuildError::io("read", path))?;
    serde_json::from_slice(&text)
        .map_err(|e| BuildError::Wit(format!("the report of build.py cannot be read: {e}")))
}

/// Installs the project's dependencies into a folder for this build, unless just these are there.
fn install(
    dependencies: &[String],
    work: &Path,
    tools: &Tools,
    ctx: &mut BuildCtx<'_>,
) -> Result<Option<PathBuf>, BuildError> {
    if dependencies.is_empty() {
        return Ok(None);
    }
    let (packages, done) = (work.join("packages"), work.join("packages.txt"));
    let wanted = dependencies.join("\n");
    if fs::read_to_string(&done).is_ok_and(|there| there == wanted) {
        return Ok(Some(packages));
    }
    for old in [&packages, &done] {
        let _ = fs::remove_file(old).or_else(|_| fs::remove_dir_all(old));
    }
    ctx.step("install the project's dependencies from PyPI");
    let mut pip = tools.script(&["-m", "pip"]);
    pip.args([
        "install",
        "--quiet",
        "--only-binary=:all:",
        "--platform",
        "any",
        "--python-version",
        GUEST_PYTHON,
    ]);
    pip.args(["--no-input", "--disable-pip-version-check", "--target"]).arg(&packages).args(dependencies);
    let hint = "A guest can use packages that are Python alone: a wheel whose name ends in -none-any.whl.";
    ctx.run(&mut pip, hint)?;
    fs::write(&done, wanted).map_err(BuildError::io("write", &done))?;
    Ok(Some(packages))
}
