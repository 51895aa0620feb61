//! What a toolchain has at hand during one build: folders, locks, progress, and a way to run programs.

use crate::build::{OnProgress, Progress};
use crate::exec::{self, Finished};
use crate::{BuildError, Project};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

/// One build under way.
pub struct BuildCtx<'p> {
    project: &'p Project,
    quiet: bool,
    on_progress: Option<OnProgress>,
}

/// Held as long as it lives, among processes too.
pub struct Lock {
    _file: File,
}

impl<'p> BuildCtx<'p> {
    pub(crate) fn new(
        project: &'p Project,
        quiet: bool,
        on_progress: Option<OnProgress>,
    ) -> Result<Self, BuildError> {
        Ok(Self { project, quiet, on_progress })
    }

    /// A folder for files of this build, kept between builds: `.numax/build/NAME-LANGUAGE` under the project's root.
    /// Made if it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn work_dir(&self) -> Result<PathBuf, BuildError> {
        let language = self.project.language.name().to_lowercase();
        self.folder(&format!("build/{}-{language}", self.project.name))
    }

    /// The folder for packages of a language's own registry: `.numax/tools/NAME` under the project's root, shared by
    /// all projects of that root. Made if it is not there. Hold [`BuildCtx::lock`] while installing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn tools_dir(&self, name: &str) -> Result<PathBuf, BuildError> {
        self.folder(&format!("tools/{name}"))
    }

    fn folder(&self, name: &str) -> Result<PathBuf, BuildError> {
        let dir = self.project.state_dir().join(name);
        fs::create_dir_all(&dir).map_err(BuildError::io("create", &dir))?;
        Ok(dir)
    }

    /// Waits for the lock of this name, which all projects of the root share, and takes it.
    ///
    /// # Errors
    /// When the lock's file cannot be made or locked.
    pub fn lock(&mut self, name: &str) -> Result<Lock, BuildError> {
        let path = self.folder("locks")?.join(name);
        let file = File::create(&path).map_err(BuildError::io("create", &path))?;
        if file.try_lock().is_err() {
            self.step(&format!("waiting for another build ({})", path.display()));
            file.lock().map_err(BuildError::io("lock", &path))?;
        }
        Ok(Lock { _file: file })
    }

    /// Says that a step begins.
    pub fn step(&mut self, text: &str) {
        tracing::debug!(step = text, project = %self.project.name);
        if let Some(f) = &mut self.on_progress {
            f(Progress::Step(text));
        }
    }

    /// Asks a program for something: as [`BuildCtx::run`], but what it prints is the answer and nobody else sees it.
    ///
    /// # Errors
    /// As [`BuildCtx::run`].
    pub fn ask(&mut self, command: &mut Command, hint: &str) -> Result<String, BuildError> {
        let done = exec::run(command, |_| {})?;
        self.checked(command, done, hint)
    }

    /// Runs a program to its end; its output goes line by line to whoever follows the build. What it printed on
    /// standard output is returned.
    ///
    /// # Errors
    /// [`BuildError::ToolFailed`] with the end of its output and `hint` (what the user should do) when it exits with
    /// another status than 0; [`BuildError::Io`] when it cannot be started.
    pub fn run(&mut self, command: &mut Command, hint: &str) -> Result<String, BuildError> {
        let done = exec::run(command, |line| {
            if !self.quiet
                && let Some(f) = &mut self.on_progress
            {
                f(Progress::Output(line));
            }
        })?;
        self.checked(command, done, hint)
    }

    fn checked(&self, command: &Command, done: Finished, hint: &str) -> Result<String, BuildError> {
        if done.status.success() {
            return Ok(done.stdout);
        }
        Err(BuildError::ToolFailed {
            command: exec::shown(command),
            dir: command.get_current_dir().map_or_else(|| self.project.dir.clone(), PathBuf::from),
            status: done.status.to_string(),
            tail: done.tail,
            hint: hint.to_string(),
        })
    }
}
