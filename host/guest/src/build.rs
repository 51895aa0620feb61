//! The whole of `numax build`: language, cache, tools, output, policy.

use crate::cache::Cache;
use crate::{BuildCtx, BuildError, Language, Project, policy, wit::Wit};
use std::fs;
use std::path::{Path, PathBuf};

/// What a build tells while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// A step begins: "cargo build", "install ComponentizeJS", …
    Step(&'a str),
    /// A line that a tool printed. Not sent when [`BuildOptions::quiet`] is set.
    Output(&'a str),
}

/// Who hears of [`Progress`].
pub type OnProgress = Box<dyn FnMut(Progress<'_>) + Send>;

/// How to build.
#[derive(Default)]
pub struct BuildOptions {
    /// Where the component goes; [`Project::default_out`] if not said.
    pub out: Option<PathBuf>,
    /// Keep what the tools print to oneself. It still stands in an error.
    pub quiet: bool,
    /// Hears of each step and of the tools' output.
    pub on_progress: Option<OnProgress>,
}

/// What was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildOutput {
    /// The component.
    pub wasm: PathBuf,
    /// The policy file beside it.
    pub policy: PathBuf,
    /// Whether the component came from the cache.
    pub cached: bool,
    /// The language of the project.
    pub language: Language,
}

/// Builds the guest in `dir` into one component and puts a policy file beside it if none is there.
///
/// Builds of the same project wait for each other, in this process and among processes.
///
/// # Errors
/// A folder that is no project, a tool that is missing or fails, a module that is no numax guest, a file that cannot be
/// written.
pub fn build(dir: &Path, mut options: BuildOptions) -> Result<BuildOutput, BuildError> {
    let project = Project::open(dir)?;
    let wasm = options.out.take().unwrap_or_else(|| project.default_out());
    let mut ctx = BuildCtx::new(&project, options.quiet, options.on_progress)?;
    let _lock = ctx.lock(&format!("build-{}-{}", project.name, project.language.name().to_lowercase()))?;
    let toolchain = project.language.toolchain();
    let inputs = toolchain.inputs(&project, &mut ctx)?;
    let cache = Cache::open(&project);
    let key = inputs.key(project.language)?;
    let cached = match cache.get(&key) {
        Some(found) => {
            copy(&found, &wasm)?;
            true
        }
        None => {
            let made = toolchain.build(&project, &Wit, &mut ctx)?;
            crate::component::check(&made)?;
            copy(&made, &wasm)?;
            cache.put(&key, &wasm);
            false
        }
    };
    let policy = policy::ensure(&project, &wasm)?;
    Ok(BuildOutput { wasm, policy, cached, language: project.language })
}

/// Copies by way of a neighbour and a rename: whoever runs the old file never sees half a new one.
fn copy(from: &Path, to: &Path) -> Result<(), BuildError> {
    if from == to {
        return Ok(());
    }
    let folder = to.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(BuildError::io("create", folder))?;
    let part = to.with_extension("wasm.part");
    fs::copy(from, &part).map_err(BuildError::io("write", &part))?;
    fs::rename(&part, to).map_err(BuildError::io("write", to))
}
