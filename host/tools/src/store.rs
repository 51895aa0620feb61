//! A datastore, opened without changing it.

use std::{
    ops::Deref,
    path::{Path, PathBuf},
};

use numax_crdt::{Key, Kind, limits::MAX_KEY};
use numax_replica::at_rest::AtRest;

use crate::{ToolError, escape, scratch::Scratch};

/// A stopped datastore with the scratch directory that its rows were copied into.
#[derive(Debug)]
pub struct Store {
    rest: AtRest,
    path: String,
    /// Removed behind the rest.
    _scratch: Scratch,
}

impl Store {
    /// Opens the datastore at `dir`. Its rows are copied into a new directory in `scratch` (none: the system's for
    /// temporary files), which goes with this value. Blocks.
    ///
    /// # Errors
    /// When there is no datastore, a running node has it, or it cannot be read.
    pub fn open(dir: &Path, scratch: Option<&Path>) -> Result<Self, ToolError> {
        let within: PathBuf = scratch.map_or_else(std::env::temp_dir, Path::to_path_buf);
        let made = Scratch::make(&within)
            .map_err(ToolError::io(format!("making a scratch directory in {}", within.display())))?;
        let rest = AtRest::open(dir, made.path())?;
        Ok(Self { rest, path: dir.display().to_string(), _scratch: made })
    }

    /// Where it lies, as it was named.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl Deref for Store {
    type Target = AtRest;

    fn deref(&self) -> &AtRest {
        &self.rest
    }
}

/// The key that an argument names, in the form of [`escape`].
///
/// # Errors
/// [`ToolError::Usage`] when it does not lead to bytes, or is longer than keys are.
pub fn key(text: &str) -> Result<Key, ToolError> {
    let bytes = escape::unescape(text).map_err(|error| ToolError::Usage(format!("KEY: {error}")))?;
    let len = bytes.len();
    Key::new(bytes).map_err(|_| ToolError::Usage(format!("KEY: {len} bytes; a key has at most {MAX_KEY}")))
}

/// The families that an argument chooses: one by its name, or all.
///
/// # Errors
/// [`ToolError::Usage`] when there is no such family.
pub fn kinds(name: Option<&str>) -> Result<Vec<Kind>, ToolError> {
    let Some(name) = name else { return Ok(Kind::ALL.to_vec()) };
    let found = Kind::from_config_name(name).or_else(|| Kind::from_wit_name(name));
    found.map(|kind| vec![kind]).ok_or_else(|| {
        let known = Kind::ALL.map(Kind::config_name).join(", ");
        ToolError::Usage(format!("--kind: `{name}` is no family; write one of: {known}"))
    })
}
