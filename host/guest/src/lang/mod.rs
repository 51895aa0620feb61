//! The languages that guests are written in, and what each needs to become a component.

use crate::cache::Inputs;
use crate::wit::Wit;
use crate::{BuildCtx, BuildError, Project};
use std::fmt;
use std::path::{Path, PathBuf};

mod embedded;
pub mod go;
pub mod js;
pub mod python;
pub mod rust;

/// A language that guests are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// Rust, known by `Cargo.toml`.
    Rust,
    /// Go with the standard toolchain, known by `go.mod`.
    Go,
    /// JavaScript or TypeScript, known by `package.json`.
    JavaScript,
    /// Python, known by `pyproject.toml` or `app.py`.
    Python,
}

impl Language {
    /// All of them, in the order in which [`detect`] looks.
    pub const ALL: [Self; 4] = [Self::Rust, Self::Go, Self::JavaScript, Self::Python];

    /// The name for people and for messages: `Rust`, `Go`, `JavaScript`, `Python`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::Go => "Go",
            Self::JavaScript => "JavaScript",
            Self::Python => "Python",
        }
    }

    /// The files that show this language.
    pub fn markers(self) -> &'static [&'static str] {
        match self {
            Self::Rust => &["Cargo.toml"],
            Self::Go => &["go.mod"],
            Self::JavaScript => &["package.json"],
            Self::Python => &["pyproject.toml", "app.py"],
        }
    }

    /// The folder of the project that the component is put into.
    pub fn out_folder(self) -> &'static str {
        match self {
            Self::Rust | Self::Go => "target",
            Self::JavaScript | Self::Python => "dist",
        }
    }

    /// The tools of this language.
    pub fn toolchain(self) -> &'static dyn Toolchain {
        match self {
            Self::Rust => &rust::Rust,
            Self::Go => &go::Go,
            Self::JavaScript => &js::JavaScript,
            Self::Python => &python::Python,
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The language of the project in `dir`; the first of [`Language::ALL`] that has one of its files there.
///
/// # Errors
/// [`BuildError::NotAProject`] when none has.
pub fn detect(dir: &Path) -> Result<Language, BuildError> {
    Language::ALL
        .into_iter()
        .find(|l| l.markers().iter().any(|m| dir.join(m).is_file()))
        .ok_or_else(|| BuildError::NotAProject { dir: dir.to_path_buf() })
}

/// What a language needs to make a component of a project.
///
/// A build calls [`Toolchain::inputs`] once; if the cache has no component for them it calls [`Toolchain::build`]
/// once. Both find the tools that they need and answer [`BuildError::ToolMissing`], with the way to get it, for one
/// that is not there.
pub trait Toolchain: Sync {
    /// Everything that decides what the component will be, beside numax's own version and WIT, which
    /// [`crate::cache`] adds: sources (the project's folder, local packages that it uses, the SDK), the versions of
    /// the tools, and flags. Fast, and without installing anything.
    ///
    /// # Errors
    /// A missing tool, or a project file that cannot be read.
    fn inputs(&self, project: &Project, ctx: &mut BuildCtx<'_>) -> Result<Inputs, BuildError>;

    /// Builds the project and returns the component's path: any file below the project's build folders or
    /// [`BuildCtx::work_dir`]; the caller copies it. Installs packages into [`BuildCtx::tools_dir`] if need be.
    ///
    /// # Errors
    /// A tool that is missing or fails; a project that is not a numax guest.
    fn build(&self, project: &Project, wit: &Wit, ctx: &mut BuildCtx<'_>) -> Result<PathBuf, BuildError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_is_known_by_its_file() {
        for language in Language::ALL {
            for marker in language.markers() {
                let dir = tempfile::tempdir().unwrap();
                std::fs::write(dir.path().join(marker), "").unwrap();
                assert_eq!(detect(dir.path()).unwrap(), language, "{marker}");
            }
        }
    }

    #[test]
    fn a_folder_without_a_project_says_what_was_looked_for() {
        let dir = tempfile::tempdir().unwrap();
        let text = detect(dir.path()).unwrap_err().to_string();
        for language in Language::ALL {
            assert!(language.markers().iter().all(|m| text.contains(m)), "{text}");
        }
    }
}
