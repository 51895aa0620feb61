//! Files to look at: a directory of the file system that nothing is written to.
//!
//! Opening a datastore writes: it cuts off a torn end, writes a segment anew, makes `meta.json`. Here all of that
//! happens in memory, in front of files that are opened for reading only, and is gone with the value.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;

use super::{Disk, DiskError, DiskFile, fs::read_file_at};

/// A disk whose files are those of directories, and whose changes stay in memory.
pub struct ViewDisk {
    root: PathBuf,
    /// Where names lie that begin with one of these parts.
    places: BTreeMap<String, PathBuf>,
    /// What was made, removed or opened here; none: removed.
    files: Mutex<BTreeMap<String, Option<Arc<ViewFile>>>>,
}

impl ViewDisk {
    /// The files below a directory.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), places: BTreeMap::new(), files: Mutex::default() }
    }

    /// Names that are `first`, or lie below it, lie at `place`.
    #[must_use]
    pub fn with_place(mut self, first: &str, place: impl Into<PathBuf>) -> Self {
        self.places.insert(first.to_string(), place.into());
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        let (first, rest) = name.split_once('/').unwrap_or((name, ""));
        match self.places.get(first) {
            Some(place) if rest.is_empty() => place.clone(),
            Some(place) => place.join(rest),
            None if name.is_empty() => self.root.clone(),
            None => self.root.join(name),
        }
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<String, Option<Arc<ViewFile>>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_found(name: &str) -> DiskError {
    DiskError::NotFound { name: name.to_string() }
}

impl Disk for ViewDisk {
    fn list(&self, dir: &str) -> Result<Vec<String>, DiskError> {
        let mut names = super::fs::list_files(&self.path(dir))?;
        for (name, file) in &*self.files() {
            let below = match dir {
                "" => Some(name.as_str()),
                dir => name.strip_prefix(dir).and_then(|below| below.strip_prefix('/')),
            };
            let Some(below) = below.filter(|below| !below.contains('/')) else { continue };
            match (names.binary_search_by(|known| known.as_str().cmp(below)), file) {
                (Err(at), Some(_)) => names.insert(at, below.to_string()),
                (Ok(at), None) => drop(names.remove(at)),
                (Ok(_), Some(_)) | (Err(_), None) => {}
            }
        }
        Ok(names)
    }

    fn create_dir(&self, _dir: &str) -> Result<(), DiskError> {
        Ok(())
    }

    fn create(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError> {
        if self.open_append(name).is_ok() {
            return Err(DiskError::Exists { name: name.to_string() });
        }
        let file = Arc::new(ViewFile { base: None, content: Mutex::default() });
        self.files().insert(name.to_string(), Some(file.clone()));
        Ok(file)
    }

    fn open_append(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError> {
        if let Some(known) = self.files().get(name) {
            return known.clone().map(|file| file as Arc<dyn DiskFile>).ok_or_else(|| not_found(name));
        }
        let (path, file, len) = super::fs::open_to_read(&self.path(name))?;
        let content = Mutex::new(Content { of_base: len, tail: Vec::new() });
        let file = Arc::new(ViewFile { base: Some((path, file)), content });
        self.files().insert(name.to_string(), Some(file.clone()));
        Ok(file)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        self.open_append(from)?;
        let mut files = self.files();
        let file = files.insert(from.to_string(), None).flatten();
        files.insert(to.to_string(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        self.open_append(name)?;
        self.files().insert(name.to_string(), None);
        Ok(())
    }

    fn sync_dir(&self, _dir: &str) -> Result<(), DiskError> {
        Ok(())
    }
}

/// A file: the beginning of one that is on the disk, and what was appended to it here.
struct ViewFile {
    base: Option<(PathBuf, File)>,
    content: Mutex<Content>,
}

#[derive(Default)]
struct Content {
    /// Bytes of the file on the disk that count.
    of_base: u64,
    tail: Vec<u8>,
}

impl ViewFile {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DiskFile for ViewFile {
    fn append(&self, bytes: &[u8]) -> Result<(), DiskError> {
        self.content().tail.extend_from_slice(bytes);
        Ok(())
    }

    fn read_at(&self, offset: u64, len: usize) -> Result<Bytes, DiskError> {
        let content = self.content();
        let mut out = Vec::new();
        if let Some((path, file)) = &self.base
            && offset < content.of_base
        {
            let left = usize::try_from(content.of_base - offset).unwrap_or(usize::MAX);
            out = read_file_at(path, file, offset, len.min(left))?;
        }
        let at = (offset + out.len() as u64).saturating_sub(content.of_base);
        // A file that became shorter meanwhile has a hole before the tail.
        if out.len() < len && offset + out.len() as u64 >= content.of_base {
            let tail = usize::try_from(at).ok().and_then(|at| content.tail.get(at..)).unwrap_or_default();
            out.extend(tail.iter().take(len - out.len()));
        }
        Ok(out.into())
    }

    fn sync(&self) -> Result<(), DiskError> {
        Ok(())
    }

    fn truncate(&self, len: u64) -> Result<(), DiskError> {
        let mut content = self.content();
        match len.checked_sub(content.of_base) {
            Some(of_tail) => content.tail.truncate(usize::try_from(of_tail).unwrap_or(usize::MAX)),
            None => {
                content.of_base = len;
                content.tail.clear();
            }
        }
        Ok(())
    }

    fn len(&self) -> Result<u64, DiskError> {
        let content = self.content();
        Ok(content.of_base + content.tail.len() as u64)
    }
}

/// Copies a directory with everything in it, for looking at what can only be opened for writing. `to` is made.
///
/// # Errors
/// The system's, with the path.
pub fn copy_dir(from: &Path, to: &Path) -> Result<(), DiskError> {
    super::fs::copy_dir(from, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(disk: &ViewDisk, name: &str) -> Vec<u8> {
        disk.open_append(name).unwrap().read_at(0, 1000).unwrap().to_vec()
    }

    #[test]
    fn changes_are_seen_here_and_nowhere_else() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(dir.path().join("log")).unwrap();
        for (name, text) in [("log/1", "one"), ("log/2", "two"), ("top", "top")] {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        std::fs::write(other.path().join("moved"), "elsewhere").unwrap();
        let disk = ViewDisk::new(dir.path())
            .with_place("logs", other.path())
            .with_place("name", other.path().join("moved"));
        assert_eq!(
            (disk.list("log").unwrap(), disk.list("").unwrap()),
            (vec!["1".into(), "2".into()], vec!["top".into()])
        );
        assert_eq!(
            (all(&disk, "logs/moved"), all(&disk, "name")),
            (b"elsewhere".to_vec(), b"elsewhere".to_vec())
        );

        let file = disk.open_append("log/1").unwrap();
        file.append(b" and more").unwrap();
        assert_eq!((all(&disk, "log/1"), file.len().unwrap()), (b"one and more".to_vec(), 12));
        assert_eq!(file.read_at(2, 5).unwrap(), b"e and"[..], "over the end of the file");
        assert_eq!(file.read_at(12, 5).unwrap(), b""[..]);
        file.truncate(6).unwrap();
        assert_eq!(all(&disk, "log/1"), b"one an");
        file.truncate(2).unwrap();
        file.append(b"!").unwrap();
        file.sync().unwrap();
        assert_eq!(all(&disk, "log/1"), b"on!");

        disk.rename("log/1", "log/2").unwrap();
        assert_eq!(
            (all(&disk, "log/2"), disk.list("log").unwrap()),
            (b"on!".to_vec(), vec!["2".to_string()])
        );
        assert!(matches!(disk.open_append("log/1"), Err(DiskError::NotFound { .. })));
        disk.remove("log/2").unwrap();
        assert!(matches!(disk.remove("log/2"), Err(DiskError::NotFound { .. })));
        let made = disk.create("log/2").unwrap();
        assert!(made.is_empty().unwrap() && matches!(disk.create("log/2"), Err(DiskError::Exists { .. })));
        disk.create("log/3").unwrap().append(b"x").unwrap();
        assert_eq!(disk.list("log").unwrap(), ["2", "3"]);
        assert_eq!(disk.list("logs").unwrap(), ["moved"], "a name that begins alike is another");

        for (name, text) in [("log/1", "one"), ("log/2", "two"), ("top", "top")] {
            assert_eq!(std::fs::read_to_string(dir.path().join(name)).unwrap(), text);
        }
        assert!(!dir.path().join("log/3").exists());
    }
}
