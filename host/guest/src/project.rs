//! One guest project on disk.

use crate::{BuildError, Language, detect};
use std::path::{Path, PathBuf};

/// A folder that holds a guest in one of the four languages.
#[derive(Clone, Debug)]
pub struct Project {
    /// The folder, absolute.
    pub dir: PathBuf,
    /// The folder's name: what the module is called.
    pub name: String,
    /// The language it is written in.
    pub language: Language,
    /// Where shared things are kept, in a `.numax` folder: the nearest folder upwards that holds `numax.toml`, else
    /// the project's own.
    pub root: PathBuf,
}

impl Project {
    /// Looks at `dir`.
    ///
    /// # Errors
    /// When the folder cannot be read or holds no project.
    pub fn open(dir: &Path) -> Result<Self, BuildError> {
        let dir = dir.canonicalize().map_err(BuildError::io("open", dir))?;
        let language = detect(&dir)?;
        let name = dir.file_name().map_or_else(|| "guest".into(), |n| n.to_string_lossy().into_owned());
        let root = dir.ancestors().find(|d| d.join("numax.toml").is_file()).unwrap_or(&dir).to_path_buf();
        Ok(Self { dir, name, language, root })
    }

    /// The `.numax` folder of [`Project::root`].
    pub fn state_dir(&self) -> PathBuf {
        self.root.join(".numax")
    }

    /// Where the component goes unless told otherwise: `target/NAME.wasm` for languages that compile there,
    /// `dist/NAME.wasm` for the others.
    pub fn default_out(&self) -> PathBuf {
        self.dir.join(self.language.out_folder()).join(format!("{}.wasm", self.name))
    }
}
