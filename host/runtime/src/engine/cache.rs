//! The cache of compiled code on disk: a module that was compiled once is mapped and not compiled again.
//!
//! An entry is machine code that this process will run, so whoever can write here owns the node. The folder belongs to
//! this user, nobody else may write in it, and that is verified each time it is opened; the name of an entry is the hash
//! of the module's bytes and of everything that compiled code depends on (engine version, settings, CPU features).
//! An entry is written to a temporary name and renamed, and is never changed in place: a process may have it mapped.

use sha2::{Digest, Sha256};
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use wasmtime::component::Component;

/// Why the cache of compiled code cannot be used. Modules are then compiled at every load.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The folder could not be made or looked at.
    #[error("cache folder {dir}: {source}")]
    Io {
        /// The folder.
        dir: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Somebody else could put code there that this node would run.
    #[error("cache folder {dir} {why}; use a folder that only you can write, e.g. `chmod 700 {dir}`")]
    Unsafe {
        /// The folder.
        dir: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// A folder with compiled components.
pub(super) struct CodeCache {
    dir: PathBuf,
    /// Hash of what compiled code depends on beside the module itself.
    environment: [u8; 32],
    temporary: AtomicU64,
}

/// Feeds a [`Hash`] into SHA-256, so that the key does not depend on the standard library's own hasher.
struct Sha(Sha256);

impl Hasher for Sha {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        digest.iter().take(8).fold(0, |n, b| (n << 8) | u64::from(*b))
    }
}

impl CodeCache {
    /// Opens the folder, making it if it is not there.
    pub(super) fn open(dir: PathBuf, engine: &wasmtime::Engine) -> Result<CodeCache, CacheError> {
        make_private(&dir).map_err(|source| CacheError::Io { dir: dir.clone(), source })?;
        check_private(&dir)?;
        let mut hasher = Sha(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(CodeCache { dir, environment: hasher.0.finalize().into(), temporary: AtomicU64::new(0) })
    }

    /// The component of these bytes, and whether its code was here already. Blocking.
    pub(super) fn component(
        &self,
        engine: &wasmtime::Engine,
        wasm: &[u8],
    ) -> Result<(Component, bool), wasmtime::Error> {
        let path = self.dir.join(self.entry_name(wasm));
        if path.exists() {
            match self.read(engine, &path) {
                Ok(component) => return Ok((component, true)),
                Err(e) => {
                    tracing::warn!(entry = %path.display(), error = %format!("{e:#}"), "compiled code is damaged; compiling again");
                }
            }
        }
        let component = Component::new(engine, wasm)?;
        // A cache that cannot be written costs time, not correctness.
        if let Err(e) =
            component.serialize().map_err(std::io::Error::other).and_then(|code| self.write(&path, &code))
        {
            tracing::warn!(entry = %path.display(), error = %e, "compiled code could not be cached");
        }
        Ok((component, false))
    }

    fn entry_name(&self, wasm: &[u8]) -> String {
        let mut h = Sha256::new();
        h.update(Sha256::digest(wasm));
        h.update(self.environment);
        format!("{}.cwasm", hex::encode(h.finalize()))
    }

    /// An entry is its code followed by the SHA-256 of it: a torn or damaged file is found before it is mapped as code.
    fn read(&self, engine: &wasmtime::Engine, path: &Path) -> Result<Component, wasmtime::Error> {
        let sum = std::fs::read(path.with_extension("sha256"))?;
        let code = std::fs::read(path)?;
        if Sha256::digest(&code).as_slice() != sum {
            wasmtime::bail!("its checksum does not match");
        }
        drop(code);
        // SAFETY: the bytes were made by this program with the same engine settings (the name says so, and wasmtime
        // compares them again), are whole (checksum above), and lie in a folder that no other user can write, which
        // `open` verified. Files here are never changed in place, only replaced by rename, so the mapping stays good.
        unsafe { Component::deserialize_file(engine, path) }
    }

    fn write(&self, path: &Path, code: &[u8]) -> std::io::Result<()> {
        let n = self.temporary.fetch_add(1, Ordering::Relaxed);
        let temporary = self.dir.join(format!("tmp-{}-{n}", std::process::id()));
        let put = |name: &Path, bytes: &[u8]| -> std::io::Result<()> {
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&temporary)?;
            file.write_all(bytes)?;
            drop(file);
            std::fs::rename(&temporary, name)
        };
        let done = put(path, code)
            .and_then(|()| put(&path.with_extension("sha256"), Sha256::digest(code).as_slice()));
        if done.is_err() {
            // Nothing more to do if even this fails: the name is never used again.
            let _ = std::fs::remove_file(&temporary);
        }
        done
    }
}

#[cfg(unix)]
fn make_private(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

#[cfg(not(unix))]
fn make_private(dir: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)
}

#[cfg(unix)]
fn check_private(dir: &Path) -> Result<(), CacheError> {
    use std::os::unix::fs::MetadataExt;
    let io = |source| CacheError::Io { dir: dir.to_owned(), source };
    let meta = std::fs::symlink_metadata(dir).map_err(io)?;
    let bad = |why| Err(CacheError::Unsafe { dir: dir.to_owned(), why });
    if !meta.is_dir() {
        return bad("is not a folder (a link is not taken either)");
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return bad("belongs to another user");
    }
    if meta.mode() & 0o022 != 0 {
        return bad("can be written by other users");
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_private(_dir: &Path) -> Result<(), CacheError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn engine() -> wasmtime::Engine {
        wasmtime::Engine::new(&crate::engine::pool::base()).unwrap()
    }

    #[test]
    fn the_second_load_comes_from_the_cache() {
        let (dir, engine) = (tempfile::tempdir().unwrap(), engine());
        let cache = CodeCache::open(dir.path().join("code"), &engine).unwrap();
        assert!(!cache.component(&engine, EMPTY).unwrap().1);
        assert!(cache.component(&engine, EMPTY).unwrap().1);
    }

    #[test]
    fn a_damaged_entry_is_compiled_again() {
        let (dir, engine) = (tempfile::tempdir().unwrap(), engine());
        let cache = CodeCache::open(dir.path().join("code"), &engine).unwrap();
        cache.component(&engine, EMPTY).unwrap();
        let entry = dir.path().join("code").join(cache.entry_name(EMPTY));
        std::fs::remove_file(&entry).unwrap();
        std::fs::write(&entry, b"not code").unwrap();
        assert!(!cache.component(&engine, EMPTY).unwrap().1);
        assert!(cache.component(&engine, EMPTY).unwrap().1);
    }

    #[test]
    fn other_settings_have_other_entries() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (engine(), {
            let mut c = crate::engine::pool::base();
            c.epoch_interruption(false);
            wasmtime::Engine::new(&c).unwrap()
        });
        let of = |e| CodeCache::open(dir.path().join("code"), e).unwrap().entry_name(EMPTY);
        assert_ne!(of(&a), of(&b));
        assert_eq!(of(&a), of(&a));
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_others_can_write_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let (dir, engine) = (tempfile::tempdir().unwrap(), engine());
        let code = dir.path().join("code");
        std::fs::create_dir(&code).unwrap();
        std::fs::set_permissions(&code, std::fs::Permissions::from_mode(0o777)).unwrap();
        let e = CodeCache::open(code, &engine).err().unwrap();
        assert!(e.to_string().contains("chmod 700"), "{e}");
    }
}
