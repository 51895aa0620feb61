//! `numax build`.

use std::path::Path;

use numax_guest::{BuildError, BuildOptions, BuildOutput, Progress, build};
use serde_json::json;

use super::{print, print_json};
use crate::args::BuildArgs;
use crate::exit::Failure;
use crate::progress::Steps;

pub(crate) fn run(args: &BuildArgs) -> Result<(), Failure> {
    let output = build_with_progress(&args.dir, args.out.clone(), args.quiet)?;
    if args.json {
        print_json(&json!({
            "component": output.wasm,
            "policy": output.policy,
            "language": output.language.name(),
            "cached": output.cached,
        }));
    } else {
        print(&output.wasm.display().to_string());
    }
    Ok(())
}

/// Builds and shows the steps on stderr.
pub(crate) fn build_with_progress(
    dir: &Path,
    out: Option<std::path::PathBuf>,
    quiet: bool,
) -> Result<BuildOutput, Failure> {
    let mut steps = Steps::new();
    let options = BuildOptions {
        out,
        quiet,
        on_progress: Some(Box::new(move |progress| match progress {
            Progress::Step(step) if !quiet => steps.begin(step),
            Progress::Output(line) if !quiet => steps.output(line),
            _ => {}
        })),
    };
    build(dir, options).map_err(|error| match error {
        BuildError::NotAProject { .. } => Failure::usage(error),
        other => Failure::failed(other),
    })
}
