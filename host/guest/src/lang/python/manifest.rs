//! Where a Python project begins, and what it depends on.

use crate::BuildError;
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};

/// Files looked for when `pyproject.toml` names none.
const USUAL: [&str; 2] = ["app.py", "main.py"];

/// The package that comes with this program.
const SDK: &str = "numax";

/// What is used of a project's description.
#[derive(Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The file that defines the handlers.
    pub entry: PathBuf,
    /// Packages from PyPI, as `pip install` takes them; the SDK is not among them.
    pub dependencies: Vec<String>,
}

#[derive(Default, Deserialize)]
struct PyProject {
    #[serde(default)]
    project: ProjectTable,
    #[serde(default)]
    tool: ToolTable,
}

#[derive(Default, Deserialize)]
struct ProjectTable {
    #[serde(default)]
    dependencies: Vec<String>,
}

#[derive(Default, Deserialize)]
struct ToolTable {
    #[serde(default)]
    numax: NumaxTable,
}

#[derive(Default, Deserialize)]
struct NumaxTable {
    entry: Option<String>,
}

impl Manifest {
    /// Reads the project in `dir`: `[tool.numax] entry` and `[project] dependencies` of its `pyproject.toml`, if it has
    /// one, else `app.py` or `main.py` and no dependencies.
    ///
    /// # Errors
    /// When `pyproject.toml` cannot be read or the entry is not there.
    pub fn read(dir: &Path) -> Result<Self, BuildError> {
        let file = dir.join("pyproject.toml");
        let wrong = |detail: String| BuildError::Manifest { file: file.clone(), detail };
        let parsed = if file.is_file() {
            let text = fs::read_to_string(&file).map_err(BuildError::io("read", &file))?;
            toml::from_str(&text).map_err(|e| wrong(e.to_string()))?
        } else {
            PyProject::default()
        };
        let entry = match parsed.tool.numax.entry {
            Some(name) => {
                let entry = dir.join(&name);
                if !entry.is_file() {
                    return Err(wrong(format!("[tool.numax] entry names {name}, which is no file")));
                }
                entry
            }
            None => USUAL.iter().map(|n| dir.join(n)).find(|f| f.is_file()).ok_or_else(|| {
                wrong(format!(
                    "there is no {}. Write for example:\n[tool.numax]\nentry = \"service.py\"",
                    USUAL.join(" or ")
                ))
            })?,
        };
        let dependencies = parsed.project.dependencies.into_iter().filter(|d| name_of(d) != SDK).collect();
        Ok(Self { entry, dependencies })
    }
}

/// The package of a requirement: `numax` of `numax >= 0.2`.
fn name_of(requirement: &str) -> &str {
    let end =
        requirement.find(|c: char| !c.is_alphanumeric() && !"-_.".contains(c)).unwrap_or(requirement.len());
    &requirement[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> Result<Manifest, String> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let mut manifest = Manifest::read(dir.path()).map_err(|e| e.to_string())?;
        manifest.entry = manifest.entry.strip_prefix(dir.path()).unwrap().to_path_buf();
        Ok(manifest)
    }

    #[test]
    fn a_lone_file_is_a_project() {
        assert_eq!(
            read(&[("app.py", "")]).unwrap(),
            Manifest { entry: "app.py".into(), dependencies: vec![] }
        );
    }

    #[test]
    fn pyproject_names_entry_and_dependencies() {
        let text = "[project]\nname = 'x'\ndependencies = ['numax>=0.2', 'tabulate', 'numax-extra ~= 1']\n\
                    [tool.numax]\nentry = 'service.py'\n[tool.other]\nx = 1\n";
        let manifest = read(&[("pyproject.toml", text), ("service.py", ""), ("app.py", "")]).unwrap();
        assert_eq!(manifest.entry, Path::new("service.py"));
        assert_eq!(manifest.dependencies, ["tabulate", "numax-extra ~= 1"]);
    }

    #[test]
    fn a_project_that_cannot_begin_says_why() {
        for (text, says) in [
            ("", "there is no app.py or main.py"),
            ("[tool.numax]\nentry = 'gone.py'", "gone.py, which is no file"),
            ("[tool.numax", "TOML parse error"),
        ] {
            let error = read(&[("pyproject.toml", text)]).unwrap_err();
            assert!(error.contains(says) && error.contains("pyproject.toml"), "{error}");
        }
    }
}
