//! Files of snapshots: hashing them and copying them, checked, on several threads.
//!
//! A copy begins to write out each chunk as soon as it is made, so that the sync at the end finds little left: syncing
//! only at the end took one and a half to three times as long as `cp` and `sync`, measured.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
};

use rustix::fs::{Advice, fadvise};

use crate::{
    Progress,
    error::{SnapshotError, damaged, failed},
    manifest::{FileEntry, Manifest},
    source::{FolderSource, Source},
};

/// Bytes to which one hash applies: large enough that a hash costs nothing, small enough that threads share the work on
/// one file, and that an error says where.
pub(crate) const CHUNK: u64 = 4 << 20;
/// Files that are synced at once.
const SYNCS: usize = 4;

/// Works off `count` pieces on several threads; the first error ends it.
pub(crate) fn parallel(
    threads: usize,
    count: usize,
    work: impl Fn(usize, &mut Vec<u8>) -> Result<(), SnapshotError> + Sync,
) -> Result<(), SnapshotError> {
    let next = AtomicUsize::new(0);
    let failure: Mutex<Option<SnapshotError>> = Mutex::new(None);
    let threads = threads.clamp(1, count.max(1));
    let run = || {
        let mut buffer = Vec::new();
        loop {
            let piece = next.fetch_add(1, Ordering::Relaxed);
            if piece >= count {
                return;
            }
            if let Err(error) = work(piece, &mut buffer) {
                failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                next.store(count, Ordering::Relaxed);
                return;
            }
        }
    };
    thread::scope(|scope| {
        (1..threads).for_each(|_| drop(scope.spawn(run)));
        run();
    });
    failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

/// A chunk of a file.
struct Piece<'a> {
    name: &'a str,
    offset: u64,
    len: usize,
    hash: Option<&'a str>,
}

impl Piece<'_> {
    /// Reads it, gives each block with its place in the file to `each`, and answers the hash of all.
    fn read(
        &self,
        from: &dyn Source,
        buffer: &mut Vec<u8>,
        mut each: impl FnMut(&[u8], u64) -> Result<(), SnapshotError>,
    ) -> Result<blake3::Hash, SnapshotError> {
        let mut hasher = blake3::Hasher::new();
        let mut done = 0;
        while done < self.len {
            buffer.resize(from.block().clamp(1, self.len - done), 0);
            let offset = self.offset + done as u64;
            from.read(self.name, offset, buffer)?;
            hasher.update(buffer);
            each(buffer, offset)?;
            done += buffer.len();
        }
        Ok(hasher.finalize())
    }

    /// Reads it in the same way, and compares. What `each` has been given may be wrong until this has ended well.
    fn verify(
        &self,
        from: &dyn Source,
        buffer: &mut Vec<u8>,
        each: impl FnMut(&[u8], u64) -> Result<(), SnapshotError>,
    ) -> Result<(), SnapshotError> {
        let hash = self.read(from, buffer, each)?;
        if self.hash.is_some_and(|want| *want == *hash.to_hex()) {
            return Ok(());
        }
        let (start, end) = (self.offset, self.offset + self.len as u64);
        Err(damaged(
            from.name_of(self.name),
            format!("bytes {start} to {end} do not have the hash that the manifest tells"),
        ))
    }
}

/// Compares the lengths of all files of a manifest.
pub(crate) fn check_lengths(manifest: &Manifest, from: &dyn Source) -> Result<(), SnapshotError> {
    for (file, found) in manifest.files.iter().zip(from.lengths(&manifest.files)?) {
        match found {
            Some(found) if found == file.bytes => {}
            Some(found) => {
                let detail = format!("it has {found} bytes and should have {}", file.bytes);
                return Err(damaged(from.name_of(&file.name), detail));
            }
            None => return Err(damaged(from.name_of(&file.name), "it is missing")),
        }
    }
    Ok(())
}

/// The pieces of all files of a manifest, checked for their lengths.
fn pieces<'a>(manifest: &'a Manifest, from: &dyn Source) -> Result<Vec<Piece<'a>>, SnapshotError> {
    check_lengths(manifest, from)?;
    let mut out = Vec::new();
    for file in &manifest.files {
        for (hash, offset) in file.chunks.iter().zip((0..).step_by(step(manifest.chunk_bytes))) {
            let len = manifest.chunk_bytes.min(file.bytes - offset);
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            out.push(Piece { name: &file.name, offset, len, hash: Some(hash) });
        }
    }
    Ok(out)
}

fn step(chunk_bytes: u64) -> usize {
    usize::try_from(chunk_bytes).unwrap_or(usize::MAX).max(1)
}

/// Counts bytes for a [`Progress`].
pub(crate) struct Meter<'a> {
    done: AtomicU64,
    total: u64,
    progress: Progress<'a>,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(total: u64, progress: Progress<'a>) -> Self {
        Self { done: AtomicU64::new(0), total, progress }
    }

    pub(crate) fn add(&self, bytes: usize) {
        let done = self.done.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        (self.progress)(done, self.total);
    }
}

/// Hashes all files below a directory, in the parts that belong to a snapshot.
pub(crate) fn hash(root: &Path, progress: Progress<'_>) -> Result<Vec<FileEntry>, SnapshotError> {
    let mut files: Vec<FileEntry> = Vec::new();
    for path in walk(root)? {
        let bytes = fs::metadata(&path).map_err(failed("reading", &path))?.len();
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        files.push(FileEntry { name, bytes, chunks: Vec::new() });
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let mut pieces = Vec::new();
    for file in &files {
        for offset in (0..file.bytes).step_by(step(CHUNK)) {
            let len = usize::try_from(CHUNK.min(file.bytes - offset)).unwrap_or(usize::MAX);
            pieces.push(Piece { name: &file.name, offset, len, hash: None });
        }
    }
    let meter = Meter::new(files.iter().map(|file| file.bytes).sum(), progress);
    let hashes: Vec<Mutex<String>> = pieces.iter().map(|_| Mutex::default()).collect();
    let from = FolderSource(root.to_path_buf());
    parallel(from.threads(), pieces.len(), |piece, buffer| {
        let (Some(piece), Some(slot)) = (pieces.get(piece), hashes.get(piece)) else { return Ok(()) };
        let hash = piece.read(&from, buffer, |_, _| Ok(()))?;
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = hash.to_hex().to_string();
        meter.add(piece.len);
        Ok(())
    })?;
    drop(pieces);
    let mut hashes = hashes.into_iter().map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner));
    for file in &mut files {
        let count = usize::try_from(file.bytes.div_ceil(CHUNK)).unwrap_or(usize::MAX);
        file.chunks = hashes.by_ref().take(count).collect();
    }
    Ok(files)
}

/// Reads all files of a manifest and compares them.
pub(crate) fn verify(
    manifest: &Manifest,
    from: &dyn Source,
    progress: Progress<'_>,
) -> Result<(), SnapshotError> {
    let pieces = pieces(manifest, from)?;
    let meter = Meter::new(manifest.bytes(), progress);
    parallel(from.threads(), pieces.len(), |piece, buffer| {
        let Some(piece) = pieces.get(piece) else { return Ok(()) };
        piece.verify(from, buffer, |_, _| Ok(()))?;
        meter.add(piece.len);
        Ok(())
    })
}

/// Copies all files of a manifest into a directory that has none of them, comparing what it reads. What is there
/// afterwards is synced, with its names.
pub(crate) fn copy(
    manifest: &Manifest,
    from: &dyn Source,
    to: &Path,
    progress: Progress<'_>,
) -> Result<(), SnapshotError> {
    let pieces = pieces(manifest, from)?;
    let mut made = Vec::new();
    for entry in &manifest.files {
        let path = to.join(&entry.name);
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(failed("creating", dir))?;
        }
        let file = File::create_new(&path).map_err(failed("creating", &path))?;
        reserve(&file, entry.bytes).map_err(failed("making room for", &path))?;
        made.push((path, file));
    }
    let meter = Meter::new(manifest.bytes(), progress);
    parallel(from.threads(), pieces.len(), |piece, buffer| {
        let Some(piece) = pieces.get(piece) else { return Ok(()) };
        let path = to.join(piece.name);
        let file = File::options().write(true).open(&path).map_err(failed("opening", &path))?;
        piece.verify(from, buffer, |block, offset| {
            file.write_all_at(block, offset).map_err(failed("writing", &path))
        })?;
        write_out(&file, piece.offset, piece.len);
        meter.add(piece.len);
        Ok(())
    })?;
    parallel(SYNCS, made.len(), |index, _| match made.get(index) {
        Some((path, file)) => file.sync_all().map_err(failed("syncing", path)),
        None => Ok(()),
    })?;
    sync_dirs(to)
}

/// Sets the file's length, with room on the disk where the file system can say so: a full disk shows here and not in
/// the middle.
fn reserve(file: &File, bytes: u64) -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    if bytes > 0 {
        use rustix::{fs::FallocateFlags, io::Errno};
        match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, bytes) {
            Ok(()) => return Ok(()),
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    file.set_len(bytes)
}

/// Asks the system to begin to write a range to the disk. Pages that are still dirty stay in memory; a system that
/// does nothing here only leaves more to the sync.
fn write_out(file: &File, offset: u64, len: usize) {
    let _ = fadvise(file, offset, std::num::NonZeroU64::new(len as u64), Advice::DontNeed);
}

/// All files below a directory.
pub(crate) fn walk(dir: &Path) -> Result<Vec<PathBuf>, SnapshotError> {
    let (mut files, mut dirs) = (Vec::new(), vec![dir.to_path_buf()]);
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).map_err(failed("listing", &dir))? {
            let entry = entry.map_err(failed("listing", &dir))?;
            let kind = entry.file_type().map_err(failed("listing", &dir))?;
            if kind.is_dir() {
                dirs.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    Ok(files)
}

/// Syncs all files below a directory, and all names.
pub(crate) fn sync_all(dir: &Path) -> Result<(), SnapshotError> {
    let files = walk(dir)?;
    parallel(SYNCS, files.len(), |index, _| match files.get(index) {
        Some(path) => File::open(path).and_then(|file| file.sync_all()).map_err(failed("syncing", path)),
        None => Ok(()),
    })?;
    sync_dirs(dir)
}

/// Syncs the names below a directory.
fn sync_dirs(dir: &Path) -> Result<(), SnapshotError> {
    for entry in fs::read_dir(dir).map_err(failed("listing", dir))? {
        let entry = entry.map_err(failed("listing", dir))?;
        if entry.file_type().map_err(failed("listing", dir))?.is_dir() {
            sync_dirs(&entry.path())?;
        }
    }
    sync_dir(dir)
}

/// Syncs the names in a directory.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), SnapshotError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("syncing the directory", dir))
}

/// Refuses when a file system has not enough room.
pub(crate) fn check_room(path: &Path, need: u64) -> Result<(), SnapshotError> {
    let stat =
        rustix::fs::statvfs(path).map_err(|errno| failed("asking for the room of", path)(errno.into()))?;
    let have = stat.f_bavail.saturating_mul(stat.f_frsize);
    if have < need {
        return Err(SnapshotError::NoRoom { path: path.display().to_string(), need, have });
    }
    Ok(())
}
