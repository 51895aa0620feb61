//! componentize-py, installed from PyPI into a folder of its own; and the SDK inside this program.

use crate::exec::{Tool, find_tool, tool_version};
use crate::lang::embedded::{self, Files};
use crate::{BuildCtx, BuildError};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

macro_rules! files {
    ($folder:literal: $($name:literal)*) => {
        &[$(($name, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk-python/", $folder, "/", $name)))),*]
    };
}

/// The package `numax`.
pub const SDK: &Files = files!(".":
    "numax/__init__.py" "numax/_check.py" "numax/_handlers.py" "numax/_host.py" "numax/_incoming.py" "numax/_kinds.py"
    "numax/changes.py" "numax/cluster.py" "numax/crdt.py" "numax/errors.py" "numax/events.py" "numax/http.py"
    "numax/kv.py" "numax/module.py"
);

/// What pip installs.
const PACKAGES: &Files = files!("tools": "requirements.txt");

/// The script that prepares a module.
const DRIVER: &Files = files!("tools": "build.py");

/// The oldest Python that `build.py` runs on, and the oldest that Python's makers still care for.
const PYTHON_MINOR: u32 = 10;

const GET_PYTHON: &str = "Install Python 3.10 or newer: https://www.python.org/downloads.";

const PYTHON: Tool = Tool { names: &["python3", "python"], what: "Python guests", get: GET_PYTHON };

/// Written last: an installation that was broken off has none.
const DONE: &str = ".installed";

/// Starts componentize-py, whose package has no program of its own outside of an environment. The first argument is its
/// folder.
const START: &str =
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from componentize_py import script; sys.exit(script())";

/// The tools, ready to run.
pub struct Tools {
    python: PathBuf,
    dir: PathBuf,
}

/// Names everything that builds, and its exact versions.
pub fn hash() -> String {
    embedded::hash(&[PACKAGES, DRIVER])
}

impl Tools {
    /// Finds Python and, the first time, installs componentize-py.
    ///
    /// # Errors
    /// When Python or pip is missing or Python is too old, or the installation fails.
    pub fn ready(ctx: &mut BuildCtx<'_>) -> Result<Self, BuildError> {
        let python = find_tool(&PYTHON)?;
        check_version(&tool_version(&python, &["--version"])?)?;
        let _lock = ctx.lock("tools-python")?;
        // Named after what is installed: another driver needs no other installation.
        let tools = Self { python, dir: ctx.tools_dir(&format!("py-{}", embedded::hash(&[PACKAGES])))? };
        embedded::write(DRIVER, &tools.dir)?;
        if !tools.dir.join(DONE).is_file() {
            tools.install(ctx)?;
        }
        Ok(tools)
    }

    fn install(&self, ctx: &mut BuildCtx<'_>) -> Result<(), BuildError> {
        embedded::write(PACKAGES, &self.dir)?;
        if tool_version(&self.python, &["-m", "pip", "--version"]).is_err() {
            return Err(BuildError::ToolMissing {
                tool: "pip".into(),
                what: "Python guests (it installs componentize-py once)".into(),
                get: "Install it with `python3 -m ensurepip`, or as the package python3-pip of your system."
                    .into(),
            });
        }
        ctx.step("install componentize-py from PyPI (47 MB, once)");
        let packages = self.packages();
        if packages.exists() {
            fs::remove_dir_all(&packages).map_err(BuildError::io("remove", &packages))?;
        }
        let mut pip = self.script(&["-m", "pip"]);
        pip.args([
            "install",
            "--quiet",
            "--require-hashes",
            "--only-binary=:all:",
            "--no-deps",
            "--no-input",
        ]);
        pip.args(["--disable-pip-version-check", "--requirement", "requirements.txt", "--target"])
            .arg(packages);
        ctx.run(
            &mut pip,
            "The package comes from PyPI. Check the network, and `python3 -m pip config list`.",
        )?;
        let done = self.dir.join(DONE);
        fs::write(&done, "").map_err(BuildError::io("write", &done))
    }

    fn packages(&self) -> PathBuf {
        self.dir.join("packages")
    }

    /// Python with these arguments, in the tools' folder.
    pub fn script(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.python);
        // The developer's own settings may not reach it, nor stacks of componentize-py hide what it says.
        for name in [
            "PYTHONPATH",
            "PYTHONHOME",
            "PYTHONSTARTUP",
            "PYTHONOPTIMIZE",
            "RUST_BACKTRACE",
            "RUST_LIB_BACKTRACE",
        ] {
            command.env_remove(name);
        }
        command
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONUTF8", "1")
            .env("PIP_ROOT_USER_ACTION", "ignore");
        command.current_dir(&self.dir).args(args);
        command
    }

    /// componentize-py, which sees no packages of the developer's: it takes those of VIRTUAL_ENV, here an empty folder
    /// below `work`.
    ///
    /// # Errors
    /// When that folder cannot be made.
    pub fn componentize(&self, work: &Path) -> Result<Command, BuildError> {
        let none = work.join("no-packages");
        let site = none.join("lib/site-packages");
        fs::create_dir_all(&site).map_err(BuildError::io("create", &site))?;
        let mut command = self.script(&["-c", START]);
        command.arg(self.packages()).env("VIRTUAL_ENV", none);
        Ok(command)
    }
}

/// `version` as Python prints it: Python 3.11.7.
fn check_version(version: &str) -> Result<(), BuildError> {
    let mut numbers = version.trim_start_matches("Python ").split('.').map(|n| n.parse::<u32>().ok());
    let (major, minor) = (numbers.next().flatten(), numbers.next().flatten());
    if major > Some(3) || (major == Some(3) && minor >= Some(PYTHON_MINOR)) {
        return Ok(());
    }
    Err(BuildError::ToolMissing {
        tool: format!("python 3.{PYTHON_MINOR} or newer"),
        what: "Python guests".into(),
        get: format!("The one in PATH is {version}. {GET_PYTHON}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_sdk_in_the_program_is_the_whole_of_it() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk-python/numax");
        let there: BTreeSet<String> = fs::read_dir(folder)
            .unwrap()
            .map(|e| format!("numax/{}", e.unwrap().file_name().into_string().unwrap()))
            .filter(|n| n.ends_with(".py"))
            .collect();
        let here: BTreeSet<String> = SDK.iter().map(|(n, _)| n.to_string()).collect();
        assert_eq!(here, there);
    }

    #[test]
    fn an_old_python_is_refused_with_the_way_to_a_newer_one() {
        for good in ["Python 3.10.0", "Python 3.14.1+", "Python 4.0"] {
            check_version(good).unwrap();
        }
        for bad in ["Python 3.9.2", "Python 2.7.18", "", "nonsense"] {
            let text = check_version(bad).unwrap_err().to_string();
            assert!(text.contains("python 3.10 or newer") && text.contains("python.org"), "{text}");
        }
    }

    #[test]
    fn every_package_has_an_exact_version_and_hashes() {
        let text = PACKAGES.iter().find(|(n, _)| *n == "requirements.txt").unwrap().1.replace("\\\n", " ");
        let lines: Vec<&str> = text.lines().filter(|l| !l.starts_with('#') && !l.is_empty()).collect();
        assert!(!lines.is_empty());
        assert!(lines.iter().all(|l| l.contains("==") && l.contains("--hash=sha256:")), "{lines:?}");
    }
}
