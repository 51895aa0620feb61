//! Small files that must be private, whole and durable: keys, certificates.
//!
//! Two processes may meet on one folder (two nodes of one user on first use), so every creation happens under a file
//! lock, and a file appears under its name only when all of it is on disk: temporary file, sync, rename, sync of the folder.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use crate::identity::IdentityError;

/// The largest key or certificate file that is read: a chain of a few certificates takes 4 KiB, so anything far beyond is not one.
const MAX_FILE: u64 = 256 * 1024;

/// A held lock on a folder; released when dropped.
pub(crate) struct FolderLock(
    #[allow(dead_code, reason = "held for its lock, which ends with the file")] File,
);

/// Makes a folder that only its owner can enter; one that is there keeps the mode that it was given.
pub(crate) fn new_private_dir(dir: &Path) -> Result<(), IdentityError> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(dir).map_err(|e| IdentityError::io("create the folder", dir, e))
}

/// Makes a folder (and those above it) that only its owner can enter. An existing one is tightened.
pub(crate) fn private_dir(dir: &Path) -> Result<(), IdentityError> {
    fs::create_dir_all(dir).map_err(|e| IdentityError::io("create the folder", dir, e))?;
    set_mode(dir, 0o700)
}

/// Waits for the folder's lock, which every writer of this folder takes.
pub(crate) fn lock(dir: &Path) -> Result<FolderLock, IdentityError> {
    let path = dir.join("lock");
    let file = private_options()
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|e| IdentityError::io("open the lock file", &path, e))?;
    file.lock().map_err(|e| IdentityError::io("lock", &path, e))?;
    Ok(FolderLock(file))
}

/// Writes a file as a whole, readable by its owner only if `private`. The caller holds the folder's lock.
pub(crate) fn write(path: &Path, bytes: &[u8], private: bool) -> Result<(), IdentityError> {
    let fail = |action, at: &Path, e| IdentityError::io(action, at, e);
    let dir = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = temporary_name(path);
    // A temporary file that a crash left behind may have any mode: begin with a new one.
    match fs::remove_file(&temporary) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(fail("remove", &temporary, e)),
        _ => {}
    }
    let mut options = if private { private_options() } else { plain_options() };
    let mut file = options.create_new(true).open(&temporary).map_err(|e| fail("create", &temporary, e))?;
    file.write_all(bytes).map_err(|e| fail("write", &temporary, e))?;
    file.sync_all().map_err(|e| fail("sync", &temporary, e))?;
    drop(file);
    fs::rename(&temporary, path).map_err(|e| fail("rename to", path, e))?;
    sync_dir(dir)
}

/// Reads a secret; refuses a file that others than its owner could read or change.
pub(crate) fn read_private(path: &Path) -> Result<Option<String>, IdentityError> {
    let Some((text, mode)) = read_with_mode(path)? else { return Ok(None) };
    match mode & 0o077 {
        0 => Ok(Some(text)),
        _ => Err(IdentityError::Exposed { path: path.to_owned(), mode }),
    }
}

/// Reads a file that is no secret.
pub(crate) fn read(path: &Path) -> Result<Option<String>, IdentityError> {
    Ok(read_with_mode(path)?.map(|(text, _)| text))
}

fn read_with_mode(path: &Path) -> Result<Option<(String, u32)>, IdentityError> {
    let fail = |e| IdentityError::io("read", path, e);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(fail(e)),
    };
    // The mode of the opened file, not of the name: nothing can be exchanged in between.
    let mode = mode_of(&file.metadata().map_err(fail)?);
    let mut bytes = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut bytes).map_err(fail)?;
    // Not UTF-8 is not PEM; the parser behind says so with the file's name.
    Ok(Some((String::from_utf8_lossy(&bytes).into_owned(), mode)))
}

fn temporary_name(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

fn sync_dir(dir: &Path) -> Result<(), IdentityError> {
    if cfg!(windows) {
        return Ok(());
    }
    let fail = |e| IdentityError::io("sync the folder", dir, e);
    File::open(dir).map_err(fail)?.sync_all().map_err(fail)
}

fn plain_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    options
}

#[cfg(unix)]
fn private_options() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = plain_options();
    options.mode(0o600);
    options
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> Result<(), IdentityError> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(|e| IdentityError::io("set the permissions of", path, e))
}

#[cfg(unix)]
fn mode_of(metadata: &fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o777
}

#[cfg(not(unix))]
fn private_options() -> OpenOptions {
    plain_options()
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> Result<(), IdentityError> {
    Ok(())
}

#[cfg(not(unix))]
fn mode_of(_: &fs::Metadata) -> u32 {
    0o600
}
