//! Where a JavaScript project begins.

use crate::BuildError;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Files looked for when `package.json` names none.
const USUAL: [&str; 8] = [
    "main.js",
    "main.ts",
    "index.js",
    "index.ts",
    "src/main.js",
    "src/main.ts",
    "src/index.js",
    "src/index.ts",
];

/// The package that comes with this program.
const SDK: &str = "@numax/sdk";

/// The part of `package.json` that is used here.
#[derive(Deserialize)]
struct Manifest {
    main: Option<String>,
    #[serde(default)]
    dependencies: BTreeMap<String, String>,
}

/// The file that the project in `dir` begins with: `main` of its `package.json`, else the first of the usual ones.
///
/// # Errors
/// When `package.json` cannot be read, names a file that is not there, names none where no usual one is, or lists
/// packages that are not installed.
pub fn find(dir: &Path) -> Result<PathBuf, BuildError> {
    let file = dir.join("package.json");
    let text = fs::read_to_string(&file).map_err(BuildError::io("read", &file))?;
    let wrong = |detail: String| BuildError::Manifest { file: file.clone(), detail };
    let manifest: Manifest = serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?;
    let installed = |name: &str| dir.ancestors().any(|d| d.join("node_modules").join(name).exists());
    let missing: Vec<&str> =
        manifest.dependencies.keys().map(String::as_str).filter(|n| *n != SDK && !installed(n)).collect();
    if !missing.is_empty() {
        let detail = format!("packages are not installed: {}. Run: npm install", missing.join(", "));
        return Err(wrong(detail));
    }
    if let Some(main) = manifest.main {
        let entry = dir.join(&main);
        return if entry.is_file() {
            Ok(entry)
        } else {
            Err(wrong(format!("`main` names {main}, which is no file")))
        };
    }
    USUAL.iter().map(|n| dir.join(n)).find(|f| f.is_file()).ok_or_else(|| {
        wrong(format!(
            "it names no `main`, and there is none of {}. Write for example \"main\": \"app.js\"",
            USUAL.join(", ")
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(manifest: &str, files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("package.json"), manifest).unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        dir
    }

    #[test]
    fn main_comes_before_the_usual_files() {
        let dir = project(r#"{"main":"app.ts"}"#, &["app.ts", "index.js"]);
        assert_eq!(find(dir.path()).unwrap(), dir.path().join("app.ts"));
        let dir = project("{}", &["src/index.ts"]);
        assert_eq!(find(dir.path()).unwrap(), dir.path().join("src/index.ts"));
    }

    #[test]
    fn a_project_that_cannot_begin_says_why() {
        for (manifest, says) in [
            (r#"{"main":"gone.js"}"#, "gone.js, which is no file"),
            ("{}", "names no `main`"),
            ("{", "EOF"),
            (
                r#"{"main":"x.js","dependencies":{"hono":"4","@numax/sdk":"0.2"}}"#,
                "not installed: hono. Run: npm install",
            ),
        ] {
            let dir = project(manifest, &["x.js"]);
            let text = find(dir.path()).unwrap_err().to_string();
            assert!(text.contains(says) && text.contains("package.json"), "{manifest}: {text}");
        }
    }

    #[test]
    fn installed_packages_of_a_folder_above_count() {
        let dir = project("{}", &["node_modules/hono/package.json", "app/package.json", "app/main.js"]);
        fs::write(dir.path().join("app/package.json"), r#"{"dependencies":{"hono":"4"}}"#).unwrap();
        assert_eq!(find(&dir.path().join("app")).unwrap(), dir.path().join("app/main.js"));
    }
}
