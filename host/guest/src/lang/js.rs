//! JavaScript and TypeScript guests: esbuild makes one file of the module, its imports and the SDK; ComponentizeJS runs
//! that file's top level in a JavaScript engine and snapshots it; the snapshot is wrapped into a component here.
//!
//! Both tools come from npm, in exact versions of a lock file inside this program, into `.numax/tools/js-HASH`. The SDK
//! that goes into the component is the one inside this program, so it fits the WIT; the `@numax/sdk` of a project's
//! `package.json` is there for editors.

use crate::cache::Inputs;
use crate::lang::Toolchain;
use crate::wit::{Wit, write_changed};
use crate::{BuildCtx, BuildError, Project};
use serde::Deserialize;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

mod entry;
mod tools;
mod wrap;

/// The tools of JavaScript.
pub struct JavaScript;

/// The world that [`Wit::write_guest_world`] makes.
const WORLD: &str = "guest";

/// In the work folder: what the last bundle was made of outside of the project, one path a line.
const OUTSIDE: &str = "outside.txt";

/// What the bundling step reports.
#[derive(Deserialize)]
struct Report {
    /// Worlds of `numax:runtime` that the module needs.
    worlds: Vec<String>,
    /// Features of the engine that it does not need.
    without: Vec<String>,
    /// The files that it was made of.
    sources: Vec<PathBuf>,
}

impl Toolchain for JavaScript {
    fn inputs(&self, project: &Project, ctx: &mut BuildCtx<'_>) -> Result<Inputs, BuildError> {
        let mut inputs = Inputs::new();
        inputs.tree(&project.dir);
        inputs.fact("tools", tools::hash());
        for (name, text) in tools::SDK {
            inputs.fact(*name, *text);
        }
        // A module may import files beside its folder; which ones is known once it was built.
        let outside = fs::read_to_string(ctx.work_dir()?.join(OUTSIDE)).unwrap_or_default();
        for file in outside.lines().map(Path::new).filter(|f| f.exists()) {
            inputs.tree(file);
        }
        Ok(inputs)
    }

    fn build(&self, project: &Project, wit: &Wit, ctx: &mut BuildCtx<'_>) -> Result<PathBuf, BuildError> {
        let entry = entry::find(&project.dir)?;
        let tools = tools::Tools::ready(ctx)?;
        let work = ctx.work_dir()?;
        let sdk = work.join("sdk");
        for (name, text) in tools::SDK {
            write_changed(&sdk.join(name), text)?;
        }
        let (bundle, report) = (work.join("bundle.js"), work.join("bundle.json"));

        ctx.step("bundle the module (esbuild)");
        let config = json!({ "entry": entry, "sdk": sdk.join("src"), "bundle": bundle, "report": report });
        ctx.run(&mut tools.driver("bundle", &config), "Repair what is named above and build again.")?;
        let report = read_report(&report)?;
        keep_outside(&work, project, &sdk, &report.sources)?;

        let world = work.join("wit");
        let worlds: Vec<&str> = report.worlds.iter().map(String::as_str).collect();
        wit.write_guest_world(&world, &worlds)?;

        ctx.step("run its top level and snapshot the engine (ComponentizeJS; takes a while)");
        let core = work.join("core.wasm");
        let config = json!({
            "bundle": bundle, "wit": world, "world": WORLD, "without": report.without, "core": core,
        });
        let hint = "Repair what is named above and build again. Line numbers are those of the bundle:";
        ctx.run(&mut tools.driver("snapshot", &config), &format!("{hint} {}", bundle.display()))?;

        let component = work.join(format!("{}.wasm", project.name));
        let bytes = wrap::component(&fs::read(&core).map_err(BuildError::io("read", &core))?, &core)?;
        fs::write(&component, bytes).map_err(BuildError::io("write", &component))?;
        fs::remove_file(&core).map_err(BuildError::io("remove", &core))?;
        Ok(component)
    }
}

fn read_report(path: &Path) -> Result<Report, BuildError> {
    let text = fs::read(path).map_err(BuildError::io("read", path))?;
    serde_json::from_slice(&text)
        .map_err(|e| BuildError::Wit(format!("the report of the bundler cannot be read: {e}")))
}

/// Notes the sources that lie neither in the project, nor in the SDK, nor in an installed package.
fn keep_outside(work: &Path, project: &Project, sdk: &Path, sources: &[PathBuf]) -> Result<(), BuildError> {
    let installed = |p: &Path| p.components().any(|c| c.as_os_str() == "node_modules");
    let outside: String = sources
        .iter()
        .filter(|p| !p.starts_with(&project.dir) && !p.starts_with(sdk) && !installed(p))
        .map(|p| format!("{}\n", p.display()))
        .collect();
    write_changed(&work.join(OUTSIDE), &outside)
}

impl tools::Tools {
    /// The driver that knows how to call esbuild and ComponentizeJS.
    fn driver(&self, step: &str, config: &serde_json::Value) -> Command {
        let mut command = Command::new(&self.node);
        // Options for a developer's own node programs may not reach these.
        command.env_remove("NODE_OPTIONS").current_dir(&self.dir);
        command.args(["build.mjs", step]).arg(config.to_string());
        command
    }
}
