//! From files on the command line or in `numax.toml` to loaded modules.

use std::path::{Path, PathBuf};

use numax_node::config::{ModuleConfig, NodeConfig};
use numax_policy::{Policy, PolicyError};

use crate::args::RunArgs;
use crate::commands::build::build_with_progress;
use crate::exit::Failure;

/// A module with what it may do, not loaded yet.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub name: String,
    pub path: PathBuf,
    pub policy: Policy,
    pub env: Vec<(String, String)>,
}

/// Finds the modules and reads their policies; builds those of `numax.toml` that can be built and
/// are not there yet.
pub(crate) fn wanted(args: &RunArgs, config: &NodeConfig) -> Result<Vec<Wanted>, Failure> {
    let list: Vec<ModuleConfig> = match args.modules.is_empty() {
        true => config.modules.clone(),
        false => args.modules.iter().map(ModuleConfig::file).collect(),
    };
    if args.policy.is_some() && list.len() != 1 {
        return Err(Failure::usage(format!(
            "--policy is for one module, here are {}; put NAME.policy.toml beside each instead",
            list.len()
        )));
    }
    let common = variables(&args.env)?;
    let mut wanted = Vec::new();
    for module in list {
        present(&module)?;
        let policy = match args.policy.as_ref().or(module.policy.as_ref()) {
            Some(file) => Policy::load(file),
            None => Policy::load_beside(&module.path),
        };
        let policy = policy.map_err(|error| policy_failure(error, &module.path))?;
        let stem = module.path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let name = module.name.or(stem).unwrap_or_default();
        let env = common.iter().chain(&module.env).cloned().collect();
        wanted.push(Wanted { name, path: module.path, policy, env });
    }
    let mut names: Vec<&str> = wanted.iter().map(|module| module.name.as_str()).collect();
    names.sort_unstable();
    if let Some(twice) =
        names.windows(2).find(|pair| pair.first() == pair.last()).and_then(|pair| pair.first())
    {
        return Err(Failure::usage(format!(
            "two modules are called {twice}; give them names of their own under [[module]] in numax.toml"
        )));
    }
    Ok(wanted)
}

/// The component is there, or is built now.
fn present(module: &ModuleConfig) -> Result<(), Failure> {
    if module.path.exists() {
        return Ok(());
    }
    let path = module.path.display();
    if let Some(project) = &module.build {
        eprintln!("{path} is not built yet; building {}", project.display());
        build_with_progress(project, Some(module.path.clone()), false)?;
        return Ok(());
    }
    Err(match project_of(&module.path) {
        Some(project) => Failure::failed(format!(
            "{path} does not exist yet; {0} is a guest project, build it with:  numax build {0}",
            project.display()
        )),
        None => Failure::failed(format!("{path} does not exist")),
    })
}

/// The guest project that a file in its output folder would come from.
fn project_of(wasm: &Path) -> Option<PathBuf> {
    let folder = wasm.parent()?;
    let output = ["target", "dist"].iter().any(|name| folder.ends_with(name));
    let project = folder.parent().filter(|_| output)?;
    numax_guest::detect(project).is_ok().then(|| project.to_path_buf())
}

fn policy_failure(error: PolicyError, module: &Path) -> Failure {
    match error {
        PolicyError::Read { path, source } => {
            Failure::failed(format!("cannot read the policy {path} of {}: {source}", module.display()))
        }
        other => Failure::policy(other),
    }
}

fn variables(list: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let one = |text: &String| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Failure::usage(format!("--env {text}: write NAME=VALUE"))),
    };
    list.iter().map(one).collect()
}
