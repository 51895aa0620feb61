//! Components by the content of everything that went into them.

use crate::wit::Wit;
use crate::{BuildError, Language, Project};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Raised when this crate builds a component in another way from the same inputs.
const RECIPE: &str = "1";

/// Components kept in one cache folder. A Python component has 18 MB: this is at most about half a gigabyte, and holds a
/// few edits back and forth of every example.
const MAX_ENTRIES: usize = 32;

/// Folders that hold what tools made, or nothing that a component is made of.
const IGNORED: [&str; 9] = [
    "target",
    "dist",
    "node_modules",
    "__pycache__",
    ".git",
    ".numax",
    ".venv",
    ".mypy_cache",
    ".pytest_cache",
];

/// What decides a component.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    trees: Vec<PathBuf>,
    facts: Vec<(String, String)>,
}

impl Inputs {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The content of a file or of a folder, without what builds leave in it (`target`, `dist`, `node_modules`, …),
    /// policies and hidden folders of tools. Where it stands does not count.
    pub fn tree(&mut self, path: impl Into<PathBuf>) -> &mut Self {
        self.trees.push(path.into());
        self
    }

    /// A version, a flag: anything that is a short text.
    pub fn fact(&mut self, name: impl Into<String>, value: impl Into<String>) -> &mut Self {
        self.facts.push((name.into(), value.into()));
        self
    }

    /// The SHA-256 of all of it, of this program's WIT and of the way it builds, in hex.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn key(&self, language: Language) -> Result<String, BuildError> {
        let mut hash = Sha256::new();
        text(&mut hash, RECIPE);
        text(&mut hash, env!("CARGO_PKG_VERSION"));
        text(&mut hash, language.name());
        for (name, contents) in Wit.files() {
            text(&mut hash, name);
            text(&mut hash, contents);
        }
        for (name, value) in &self.facts {
            text(&mut hash, name);
            text(&mut hash, value);
        }
        for path in &self.trees {
            text(&mut hash, "tree");
            tree(&mut hash, path, Path::new(""))?;
        }
        Ok(hex::encode(hash.finalize()))
    }
}

/// Length before content, so that no two lists of texts look alike.
fn text(hash: &mut Sha256, s: &str) {
    bytes(hash, s.as_bytes());
}

fn bytes(hash: &mut Sha256, b: &[u8]) {
    hash.update((b.len() as u64).to_le_bytes());
    hash.update(b);
}

fn tree(hash: &mut Sha256, path: &Path, shown: &Path) -> Result<(), BuildError> {
    let meta = fs::metadata(path).map_err(BuildError::io("read", path))?;
    if meta.is_dir() {
        let mut names = Vec::new();
        for entry in fs::read_dir(path).map_err(BuildError::io("read", path))? {
            names.push(entry.map_err(BuildError::io("read", path))?.file_name());
        }
        names.sort();
        for name in names {
            let child = path.join(&name);
            if !ignored(&child, &name.to_string_lossy()) {
                tree(hash, &child, &shown.join(&name))?;
            }
        }
    } else if meta.is_file() {
        text(hash, &shown.to_string_lossy());
        bytes(hash, &fs::read(path).map_err(BuildError::io("read", path))?);
    }
    Ok(())
}

fn ignored(path: &Path, name: &str) -> bool {
    if path.is_dir() {
        // A link to a folder may lead in a circle.
        IGNORED.contains(&name) || path.is_symlink()
    } else {
        name == "policy.toml" || name.ends_with(".policy.toml") || name.ends_with(".pyc") || !path.exists()
    }
}

/// The cache folder of a project's root: `.numax/cache/components`. Nothing here is an error: a cache that cannot be
/// read or written is one that has nothing.
#[derive(Clone, Debug)]
pub struct Cache {
    dir: PathBuf,
}

impl Cache {
    /// The cache that `project` shares with the others of its root.
    pub fn open(project: &Project) -> Self {
        Self { dir: project.state_dir().join("cache/components") }
    }

    fn file(&self, key: &str) -> PathBuf {
        self.dir.join(format!("{key}.wasm"))
    }

    /// The component made of these inputs, if it is here.
    pub fn get(&self, key: &str) -> Option<PathBuf> {
        let path = self.file(key);
        // Touch it: the oldest go first.
        let file = fs::File::options().append(true).open(&path).ok()?;
        let _ = file.set_modified(SystemTime::now());
        Some(path)
    }

    /// Keeps a copy of `component`, and drops the entries that were not used for longest.
    pub fn put(&self, key: &str, component: &Path) {
        let path = self.file(key);
        let part = self.dir.join(format!("{key}.{}.part", std::process::id()));
        let kept = fs::create_dir_all(&self.dir)
            .and_then(|()| fs::copy(component, &part))
            .and_then(|_| fs::rename(&part, &path));
        if let Err(error) = kept {
            tracing::warn!(%error, path = %path.display(), "the component was not cached");
            return;
        }
        self.trim();
    }

    fn trim(&self) {
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        let mut files: Vec<(SystemTime, PathBuf)> =
            entries.flatten().filter_map(|e| Some((e.metadata().ok()?.modified().ok()?, e.path()))).collect();
        files.sort();
        let surplus = files.len().saturating_sub(MAX_ENTRIES);
        for (_, path) in &files[..surplus] {
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn key_of(dir: &Path) -> String {
        let mut inputs = Inputs::new();
        inputs.tree(dir).fact("tool", "1.0");
        inputs.key(Language::Rust).unwrap()
    }

    #[test]
    fn the_key_follows_content_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let src = dir.path().join("src");
        fs::create_dir_all(&src).unwrap();
        fs::write(src.join("a"), "one").unwrap();
        let first = key_of(dir.path());
        assert_eq!(first, key_of(dir.path()));

        // What builds leave behind, and the policy, are no inputs.
        fs::create_dir_all(dir.path().join("target/x")).unwrap();
        fs::write(dir.path().join("target/x/y"), "made").unwrap();
        fs::write(dir.path().join("policy.toml"), "version = 1").unwrap();
        assert_eq!(first, key_of(dir.path()));

        fs::write(src.join("a"), "two").unwrap();
        let second = key_of(dir.path());
        assert_ne!(first, second);
        fs::rename(src.join("a"), src.join("b")).unwrap();
        assert_ne!(second, key_of(dir.path()));

        let mut other = Inputs::new();
        other.tree(dir.path()).fact("tool", "1.1");
        assert_ne!(key_of(dir.path()), other.key(Language::Rust).unwrap());
        assert_ne!(other.key(Language::Rust).unwrap(), other.key(Language::Go).unwrap());
    }

    #[test]
    fn the_cache_is_bounded_and_drops_what_was_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache { dir: dir.path().join("c") };
        let component = dir.path().join("x.wasm");
        fs::write(&component, "component").unwrap();
        for i in 0..MAX_ENTRIES {
            cache.put(&format!("key{i}"), &component);
            let old = SystemTime::UNIX_EPOCH + Duration::from_secs(i as u64);
            fs::File::options()
                .append(true)
                .open(cache.file(&format!("key{i}")))
                .unwrap()
                .set_modified(old)
                .unwrap();
        }
        assert!(cache.get("key0").is_some());
        cache.put("new", &component);
        assert_eq!(fs::read_dir(&cache.dir).unwrap().count(), MAX_ENTRIES);
        assert!(cache.get("key0").is_some() && cache.get("new").is_some());
        assert!(cache.get("key1").is_none());
    }
}
