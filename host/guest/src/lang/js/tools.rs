//! esbuild and ComponentizeJS, installed from npm into a folder of their own; and the SDK inside this program.

use crate::exec::{Tool, find_tool, tool_version};
use crate::lang::embedded::{self, Files};
use crate::{BuildCtx, BuildError};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

macro_rules! files {
    ($folder:literal: $($name:literal)*) => {
        &[$(($name, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk-js/", $folder, "/", $name)))),*]
    };
}

/// The package `@numax/sdk`, without its types. Its manifest tells the bundler that unused files may be left out.
pub const SDK: &Files = files!(".":
    "package.json"
    "src/cluster.js" "src/crdt.js" "src/errors.js" "src/events.js" "src/handlers.js" "src/handles.js" "src/http.js"
    "src/index.js" "src/kv.js" "src/module.js" "src/pages.js" "src/values.js"
);

/// What `npm ci` installs from.
const PACKAGES: &Files = files!("tools":
    "package-lock.json" "package.json" "stubs/jco/index.js" "stubs/jco/package.json" "stubs/weval/index.js"
    "stubs/weval/package.json"
);

/// The program that calls what was installed, which it looks for beside itself.
const DRIVER: &Files = files!("tools": "build.mjs");

/// The oldest Node that runs them, which is the oldest that Node's makers still care for.
const NODE_MAJOR: u32 = 20;

const GET_NODE: &str = "Install Node.js 20 or newer (npm comes with it): https://nodejs.org/en/download.";

const NODE: Tool = Tool { names: &["node"], what: "JavaScript guests", get: GET_NODE };

const NPM: Tool =
    Tool { names: &["npm"], what: "JavaScript guests (it installs ComponentizeJS once)", get: GET_NODE };

/// Written last: an installation that was broken off has none.
const DONE: &str = ".installed";

/// The tools, ready to run.
pub struct Tools {
    /// Node.
    pub node: PathBuf,
    /// The folder that holds `build.mjs` and `node_modules`.
    pub dir: PathBuf,
}

/// Names everything that builds, and its exact versions.
pub fn hash() -> String {
    embedded::hash(&[PACKAGES, DRIVER])
}

impl Tools {
    /// Finds Node and, the first time, installs the packages.
    ///
    /// # Errors
    /// When Node or npm is missing or too old, or the installation fails.
    pub fn ready(ctx: &mut BuildCtx<'_>) -> Result<Self, BuildError> {
        let node = find_tool(&NODE)?;
        check_version(&tool_version(&node, &["--version"])?)?;
        let _lock = ctx.lock("tools-js")?;
        // Named after what is installed: another driver needs no other installation.
        let dir = ctx.tools_dir(&format!("js-{}", embedded::hash(&[PACKAGES])))?;
        embedded::write(DRIVER, &dir)?;
        if !dir.join(DONE).is_file() {
            install(&dir, ctx)?;
        }
        Ok(Self { node, dir })
    }
}

fn install(dir: &Path, ctx: &mut BuildCtx<'_>) -> Result<(), BuildError> {
    embedded::write(PACKAGES, dir)?;
    ctx.step("install ComponentizeJS and esbuild from npm (80 MB, once)");
    let mut npm = Command::new(find_tool(&NPM)?);
    npm.current_dir(dir).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress"]);
    let hint =
        "The packages come from the registry of npm. Check the network, and `npm config get registry`.";
    ctx.run(&mut npm, hint)?;
    let done = dir.join(DONE);
    fs::write(&done, "").map_err(BuildError::io("write", &done))
}

/// `version` as Node prints it: v20.1.0.
fn check_version(version: &str) -> Result<(), BuildError> {
    let major = version.trim_start_matches('v').split('.').next().and_then(|n| n.parse::<u32>().ok());
    if major.is_some_and(|m| m >= NODE_MAJOR) {
        return Ok(());
    }
    Err(BuildError::ToolMissing {
        tool: format!("node {NODE_MAJOR} or newer"),
        what: "JavaScript guests".into(),
        get: format!("The one in PATH is {version}. {GET_NODE}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_sdk_in_the_program_is_the_whole_of_it() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk-js/src");
        let there: BTreeSet<String> = fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .filter(|n| n.ends_with(".js"))
            .collect();
        let here: BTreeSet<String> =
            SDK.iter().filter_map(|(n, _)| n.strip_prefix("src/")).map(String::from).collect();
        assert_eq!(here, there);
    }

    #[test]
    fn an_old_node_is_refused_with_the_way_to_a_newer_one() {
        for good in ["v20.0.0", "v24.1.2"] {
            check_version(good).unwrap();
        }
        for bad in ["v18.19.0", "v9.0.0", "", "nonsense"] {
            let text = check_version(bad).unwrap_err().to_string();
            assert!(text.contains("node 20 or newer") && text.contains("nodejs.org"), "{text}");
        }
    }

    #[test]
    fn versions_are_exact() {
        let manifest = PACKAGES.iter().find(|(n, _)| *n == "package.json").unwrap().1;
        let manifest: serde_json::Value = serde_json::from_str(manifest).unwrap();
        for (name, version) in manifest["dependencies"].as_object().unwrap() {
            let version = version.as_str().unwrap();
            let exact =
                version.split('.').count() == 3 && version.chars().all(|c| c.is_ascii_digit() || c == '.');
            assert!(exact || version.starts_with("file:./stubs/"), "{name} {version}");
        }
    }
}
