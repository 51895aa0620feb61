//! The files of the operating system.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;

use super::{Disk, DiskError, DiskFile};
use crate::room::{Low, Room, Use};

/// A directory of the file system.
#[derive(Debug)]
pub struct FsDisk {
    root: PathBuf,
    room: Option<Arc<Room>>,
}

impl FsDisk {
    /// The files below `root`, which is made when it is not there.
    ///
    /// # Errors
    /// [`DiskError::Io`], [`DiskError::NoSpace`].
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, DiskError> {
        let root = root.into();
        fs::create_dir_all(&root).map_err(failed("creating", &root))?;
        Ok(Self { root, room: None })
    }

    /// The same, and the disk is not to be filled beyond what `room` keeps free.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn within(root: impl Into<PathBuf>, room: Arc<Room>) -> Result<Self, DiskError> {
        Ok(Self { room: Some(room), ..Self::open(root)? })
    }

    /// Where a name lies. Names that would lead out of the directory are refused.
    fn path(&self, name: &str) -> Result<PathBuf, DiskError> {
        let part_ok = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', '\0']);
        if !name.is_empty() && !name.split('/').all(part_ok) {
            let source = io::Error::new(ErrorKind::InvalidInput, "not a name below the directory");
            return Err(DiskError::Io { what: format!("using the name {name:?}"), source });
        }
        Ok(self.root.join(name))
    }

    fn opened(&self, path: PathBuf, options: &OpenOptions) -> Result<Arc<dyn DiskFile>, DiskError> {
        let file = options.open(&path).map_err(failed("opening", &path))?;
        Ok(Arc::new(FsFile { path, file, room: self.room.clone() }))
    }
}

/// An open file of the operating system.
#[derive(Debug)]
struct FsFile {
    path: PathBuf,
    file: File,
    room: Option<Arc<Room>>,
}

/// Turns the system's error into ours, with what was being done.
fn failed(what: &str, path: &Path) -> impl FnOnce(io::Error) -> DiskError {
    let name = path.display().to_string();
    let what = format!("{what} {name}");
    move |source| match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => DiskError::NoSpace { what },
        ErrorKind::NotFound => DiskError::NotFound { name },
        ErrorKind::AlreadyExists => DiskError::Exists { name },
        _ => DiskError::Io { what, source },
    }
}

/// The files of a directory; none when there is no such directory.
pub(super) fn list_files(path: &Path) -> Result<Vec<String>, DiskError> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed("listing", path))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed("listing", path))?;
        let is_file = entry.file_type().map_err(failed("listing", path))?.is_file();
        // A name that is no UTF-8 cannot be one that was given here.
        names.extend(entry.file_name().into_string().ok().filter(|_| is_file));
    }
    names.sort_unstable();
    Ok(names)
}

/// Up to `len` bytes of a file; fewer at its end. Room for all of them is made first.
pub(super) fn read_file_at(path: &Path, file: &File, offset: u64, len: usize) -> Result<Vec<u8>, DiskError> {
    let mut bytes = vec![0; len];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(failed("reading", path)(error)),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// Opens a file for reading, and says how long it is.
pub(super) fn open_to_read(path: &Path) -> Result<(PathBuf, File, u64), DiskError> {
    let file = File::open(path).map_err(failed("opening", path))?;
    let len = file.metadata().map_err(failed("reading", path))?.len();
    Ok((path.to_path_buf(), file, len))
}

/// Copies a directory with everything in it.
pub(super) fn copy_dir(from: &Path, to: &Path) -> Result<(), DiskError> {
    fs::create_dir_all(to).map_err(failed("creating", to))?;
    for entry in fs::read_dir(from).map_err(failed("listing", from))? {
        let entry = entry.map_err(failed("listing", from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().map_err(failed("reading", &source))?.is_dir() {
            copy_dir(&source, &target)?;
        } else {
            fs::copy(&source, &target).map_err(failed("copying to", &target))?;
        }
    }
    Ok(())
}

impl Disk for FsDisk {
    fn list(&self, dir: &str) -> Result<Vec<String>, DiskError> {
        list_files(&self.path(dir)?)
    }

    fn create_dir(&self, dir: &str) -> Result<(), DiskError> {
        let path = self.path(dir)?;
        fs::create_dir_all(&path).map_err(failed("creating", &path))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError> {
        let path = self.path(name)?;
        self.opened(path, OpenOptions::new().read(true).append(true).create_new(true))
    }

    fn open_append(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError> {
        let path = self.path(name)?;
        self.opened(path, OpenOptions::new().read(true).append(true))
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        let (from, to) = (self.path(from)?, self.path(to)?);
        fs::rename(&from, &to).map_err(failed("renaming", &from))
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        let path = self.path(name)?;
        fs::remove_file(&path).map_err(failed("removing", &path))
    }

    fn sync_dir(&self, dir: &str) -> Result<(), DiskError> {
        let path = self.path(dir)?;
        let synced = File::open(&path).and_then(|dir| dir.sync_all());
        synced.map_err(failed("syncing the directory", &path))
    }

    fn check_room(&self) -> Result<(), Low> {
        self.room.as_ref().map_or(Ok(()), |room| room.check(Use::Batches, 0))
    }
}

impl DiskFile for FsFile {
    fn append(&self, bytes: &[u8]) -> Result<(), DiskError> {
        (&self.file).write_all(bytes).map_err(failed("appending to", &self.path))
    }

    fn read_at(&self, offset: u64, len: usize) -> Result<Bytes, DiskError> {
        // Not more than the file has, whatever was asked: `len` may come from a damaged record.
        let left = self.len()?.saturating_sub(offset);
        let len = len.min(usize::try_from(left).unwrap_or(usize::MAX));
        Ok(read_file_at(&self.path, &self.file, offset, len)?.into())
    }

    fn sync(&self) -> Result<(), DiskError> {
        // fdatasync: it writes the file's length too, but not its times.
        self.file.sync_data().map_err(failed("syncing", &self.path))
    }

    fn truncate(&self, len: u64) -> Result<(), DiskError> {
        self.file.set_len(len).map_err(failed("truncating", &self.path))
    }

    fn len(&self) -> Result<u64, DiskError> {
        Ok(self.file.metadata().map_err(failed("reading", &self.path))?.len())
    }

    fn reserve(&self, bytes: u64) -> Result<(), DiskError> {
        if self.room.as_ref().is_some_and(|room| !room.has_spare(bytes)) {
            return Ok(());
        }
        fallocate(&self.file, 0, bytes).map_err(failed("reserving room for", &self.path))
    }
}

/// Sets so many bytes aside for a file, from an offset on, without changing its length, where the file system can.
#[cfg(target_os = "linux")]
pub(crate) fn fallocate(file: &File, from: u64, bytes: u64) -> io::Result<()> {
    use rustix::{fs::FallocateFlags, io::Errno};
    match rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, from, bytes) {
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Sets so many bytes aside for a file, from an offset on, without changing its length, where the file system can.
#[cfg(not(target_os = "linux"))]
pub(crate) fn fallocate(_: &File, _: u64, _: u64) -> io::Result<()> {
    Ok(())
}
