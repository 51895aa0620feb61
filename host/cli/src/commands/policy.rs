//! `numax policy init` and `validate`.

use std::fs;
use std::path::Path;

use numax_guest::component;
use numax_policy::init::{Options, least_policy};
use numax_policy::{Policy, path_for};
use serde_json::json;

use super::{print, print_json};
use crate::args::{PolicyArgs, PolicyCommand};
use crate::exit::{FAILED, Failure};

pub(crate) fn run(args: &PolicyArgs) -> Result<(), Failure> {
    match &args.command {
        PolicyCommand::Init { module, grant_all, force, stdout } => init(module, *grant_all, *force, *stdout),
        PolicyCommand::Validate { files, json } => validate(files, *json),
    }
}

/// A component of this size carries an interpreter. Those need more time for a first call, and
/// more memory.
const INTERPRETED: u64 = 10 << 20;

fn init(module: &Path, grant_all: bool, force: bool, stdout: bool) -> Result<(), Failure> {
    let exports = component::surface(module).map_err(Failure::failed)?.exports;
    let imports = component::imported_functions(module).map_err(Failure::failed)?;
    let name = module.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let mut options = Options { grant_all, ..Options::least(&name) };
    if fs::metadata(module).is_ok_and(|file| file.len() > INTERPRETED) {
        options.cpu_ms_per_run = 500;
        options.memory_max_mb = 256;
    }
    let text = least_policy(&imports, &exports, &options);
    if stdout {
        print(text.trim_end());
        return Ok(());
    }
    let path = path_for(module);
    if path.exists() && !force {
        return Err(Failure::failed(format!(
            "{} is there already; look at what would be written with --stdout, replace it with --force",
            path.display()
        )));
    }
    fs::write(&path, text)
        .map_err(|error| Failure::failed(format!("cannot write {}: {error}", path.display())))?;
    if grant_all {
        eprintln!(
            "warning: this policy grants everything {name} could ask for; cut it down before others run it"
        );
    }
    print(&path.display().to_string());
    Ok(())
}

fn validate(files: &[std::path::PathBuf], as_json: bool) -> Result<(), Failure> {
    let mut wrong = false;
    let mut list = Vec::new();
    for file in files {
        match Policy::load(file) {
            Ok(policy) => {
                let grants = policy.grants();
                if !as_json {
                    eprintln!("{}: valid, {} grants", file.display(), grants.len());
                    grants.iter().for_each(|grant| print(grant));
                }
                list.push(json!({ "file": file, "valid": true, "grants": grants }));
            }
            Err(error) => {
                wrong = true;
                list.push(json!({ "file": file, "valid": false, "error": error.to_string() }));
                let _ = Failure::policy(error).report();
            }
        }
    }
    if as_json {
        print_json(&json!(list));
    }
    if wrong { Err(Failure::said(FAILED)) } else { Ok(()) }
}
