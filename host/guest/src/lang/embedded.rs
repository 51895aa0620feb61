//! Files that are inside this program: the SDKs, and what the tools of a language are installed from.

use crate::BuildError;
use crate::wit::write_changed;
use sha2::{Digest as _, Sha256};
use std::path::Path;

/// Names below a folder, with their contents.
pub type Files = [(&'static str, &'static str)];

/// Names everything in the lists, for a folder that holds what was made from it.
pub fn hash(lists: &[&Files]) -> String {
    let mut hash = Sha256::new();
    for text in lists.iter().flat_map(|l| l.iter()).flat_map(|(name, text)| [name, text]) {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    hex::encode(hash.finalize())[..12].to_string()
}

/// Writes those that differ from what is there.
///
/// # Errors
/// When a file cannot be read or written.
pub fn write(files: &Files, dir: &Path) -> Result<(), BuildError> {
    files.iter().try_for_each(|(name, text)| write_changed(&dir.join(name), text))
}
