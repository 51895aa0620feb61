//! The policy file beside a built component.

use crate::{BuildError, Language, Project, component};
use numax_policy::init::{Options, least_policy};
use std::fs;
use std::path::{Path, PathBuf};

/// Where the policy of `wasm` belongs: `NAME.policy.toml` beside `NAME.wasm`.
pub fn path_for(wasm: &Path) -> PathBuf {
    wasm.with_extension("policy.toml")
}

/// Puts a policy beside `wasm` unless one is there: the project's own (`NAME.policy.toml` or `policy.toml` in its
/// folder), else the least that the component's imports ask for. A copy of the project's own policy that has since been
/// edited there is renewed; a policy that was written by hand beside the component never is.
///
/// # Errors
/// When a file cannot be read or written, or the component is none.
pub fn ensure(project: &Project, wasm: &Path) -> Result<PathBuf, BuildError> {
    let path = path_for(wasm);
    let own = [format!("{}.policy.toml", project.name), "policy.toml".into()];
    let text = match own.iter().map(|n| project.dir.join(n)).find(|p| p.is_file() && *p != path) {
        Some(own) => {
            let text = fs::read_to_string(&own).map_err(BuildError::io("read", &own))?;
            format!("{}{text}", copied_from(&own))
        }
        None => least(project, wasm)?,
    };
    match fs::read_to_string(&path) {
        Ok(there) if there == text || !there.starts_with(COPIED) || !text.starts_with(COPIED) => {
            return Ok(path);
        }
        _ => fs::write(&path, text).map_err(BuildError::io("write", &path))?,
    }
    Ok(path)
}

const COPIED: &str = "# Copied by `numax build` from ";

fn copied_from(own: &Path) -> String {
    let name = own.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    format!("{COPIED}the project's {name}: edit it there.\n")
}

/// The least policy for a component's imports and exports.
fn least(project: &Project, wasm: &Path) -> Result<String, BuildError> {
    let module = wasm.file_stem().map_or_else(|| project.name.clone(), |n| n.to_string_lossy().into_owned());
    let mut options = Options::least(&module);
    if matches!(project.language, Language::JavaScript | Language::Python) {
        // An interpreter's first call takes some 50 ms, and its heap begins where a compiled guest's ends.
        (options.cpu_ms_per_run, options.memory_max_mb) = (500, 256);
    }
    let exports = component::surface(wasm)?.exports;
    Ok(least_policy(&component::imported_functions(wasm)?, &exports, &options))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(dir: &Path) -> Project {
        Project { dir: dir.into(), name: "app".into(), language: Language::Rust, root: dir.into() }
    }

    #[test]
    fn the_projects_own_policy_is_copied_and_renewed_until_edited_by_hand() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("policy.toml");
        let wasm = dir.path().join("target/app.wasm");
        fs::create_dir_all(dir.path().join("target")).unwrap();
        fs::write(&own, "version = 1\n").unwrap();

        let beside = ensure(&project(dir.path()), &wasm).unwrap();
        assert_eq!(beside, dir.path().join("target/app.policy.toml"));
        assert!(fs::read_to_string(&beside).unwrap().ends_with("version = 1\n"));

        fs::write(&own, "version = 1\n# more\n").unwrap();
        ensure(&project(dir.path()), &wasm).unwrap();
        assert!(fs::read_to_string(&beside).unwrap().ends_with("# more\n"));

        fs::write(&beside, "version = 1\n# mine\n").unwrap();
        ensure(&project(dir.path()), &wasm).unwrap();
        assert_eq!(fs::read_to_string(&beside).unwrap(), "version = 1\n# mine\n");
    }

    #[test]
    fn a_policy_named_like_the_module_wins() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("policy.toml"), "# general\n").unwrap();
        fs::write(dir.path().join("app.policy.toml"), "# special\n").unwrap();
        fs::create_dir_all(dir.path().join("target")).unwrap();
        let beside = ensure(&project(dir.path()), &dir.path().join("target/app.wasm")).unwrap();
        assert!(fs::read_to_string(beside).unwrap().ends_with("# special\n"));
    }
}
