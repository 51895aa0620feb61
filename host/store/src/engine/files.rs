//! What the engines share: their directory's mark, system errors, and panics that become errors.

use std::{
    any::Any,
    fs::{self, File},
    io::{self, ErrorKind},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use crate::{Engine, kv::KvError};

/// A file beside the engine's, made once the header is on the disk. An engine may recover from damage by dropping what
/// follows it, at worst everything, and say nothing; this tells a database that lost all from a new one. It also says
/// which engine's files these are.
pub(super) const MARK: &str = "numax-rows";
/// A file that is there while a batch may be written in part, see [`set_torn`].
const TORN: &str = "numax-torn";
/// What the mark begins with; sled's says no more, because it was there first.
pub(super) const MAGIC: &str = "numax rows 1";
/// A mark is a line. Anything longer is none.
const MAX_MARK: usize = 64;

/// The engine of a directory with a mark; none when there is no mark. The files beside it count for more than what it says,
/// which is a line that may be damaged like any other.
pub(super) fn marked(dir: &Path) -> Result<Option<Engine>, KvError> {
    let path = dir.join(MARK);
    let text = match fs::read(&path) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        read => read.map_err(io_failed("reading", &path))?,
    };
    let named = named(&text);
    let files = names(dir)?;
    let mut owners = Engine::ALL.into_iter().filter(|engine| are_of(&files, *engine));
    match (owners.next(), owners.next(), named) {
        (Some(owner), None, _) if files.iter().any(|name| owner.owns(name)) => Ok(Some(owner)),
        (_, _, Some(Ok(engine))) => Ok(Some(engine)),
        // Of a newer program, or damaged: whoever wrote it, these are no files that this program knows.
        (None, _, Some(Err(name))) => {
            Err(KvError::Foreign { path: format!("{} (engine {name:?})", dir.display()) })
        }
        _ => Err(KvError::Corrupt { detail: format!("{} cannot be read", path.display()) }),
    }
}

/// The engine that a mark names, or its name if that is not known; none when it is no mark.
fn named(text: &[u8]) -> Option<Result<Engine, &str>> {
    let text = std::str::from_utf8(text.get(..text.len().min(MAX_MARK))?).ok()?;
    Some(match text.strip_prefix(MAGIC)?.trim() {
        "" => Ok(Engine::Sled),
        name => Engine::from_name(name).ok_or(name),
    })
}

/// The names of a directory's files.
fn names(dir: &Path) -> Result<Vec<String>, KvError> {
    let entries = fs::read_dir(dir).map_err(io_failed("listing", dir))?;
    let name = |entry: io::Result<fs::DirEntry>| {
        Ok(entry.map_err(io_failed("listing", dir))?.file_name().to_string_lossy().into_owned())
    };
    entries.map(name).collect()
}

/// Whether all files may be an engine's.
fn are_of(names: &[String], engine: Engine) -> bool {
    names.iter().all(|name| name == MARK || name == TORN || engine.owns(name))
}

/// Writes the mark, durably: everything else in the directory must be durable by then.
pub(super) fn set_mark(dir: &Path, engine: Engine) -> Result<(), KvError> {
    let path = dir.join(MARK);
    let text = match engine {
        Engine::Sled => MAGIC.to_owned(),
        other => format!("{MAGIC} {}", other.name()),
    };
    fs::write(&path, text).map_err(io_failed("writing", &path))?;
    File::open(&path).and_then(|file| file.sync_all()).map_err(io_failed("syncing", &path))?;
    sync_dir(dir)?;
    dir.parent().map_or(Ok(()), sync_dir)
}

/// Notes durably that a batch may be there in part: sled applies the rows of a batch before it knows that there is space
/// for all of them. Until it was applied anew, nobody may build on what a new process finds there.
pub(super) fn set_torn(dir: &Path) -> Result<(), KvError> {
    let path = dir.join(TORN);
    File::create(&path).and_then(|file| file.sync_all()).map_err(io_failed("writing", &path))?;
    sync_dir(dir)
}

/// Takes the note back.
pub(super) fn clear_torn(dir: &Path) -> Result<(), KvError> {
    let path = dir.join(TORN);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io_failed("removing", &path)(error)),
        _ => Ok(()),
    }
}

/// Refuses a database with a batch in part.
pub(super) fn check_torn(dir: &Path) -> Result<(), KvError> {
    if dir.join(TORN).exists() {
        let detail = format!("{}: a batch was written in part when the disk was full", dir.display());
        return Err(KvError::Corrupt { detail });
    }
    Ok(())
}

/// Whether a directory holds no whole database yet. A damaged mark is written anew. Files of the engine may be there when the first opening was cut
/// short.
pub(super) fn is_fresh(dir: &Path, engine: Engine) -> Result<bool, KvError> {
    let names = names(dir)?;
    let all_of = |engine: Engine| are_of(&names, engine);
    match marked(dir)? {
        Some(found) if found != engine => Err(KvError::OtherEngine {
            path: dir.display().to_string(),
            found: found.name(),
            want: engine.name(),
        }),
        None if all_of(engine) => Ok(true),
        Some(_) if all_of(engine) => {
            if named(&fs::read(dir.join(MARK)).unwrap_or_default()) != Some(Ok(engine)) {
                // The files told whose they are.
                set_mark(dir, engine)?;
            }
            Ok(false)
        }
        None if Engine::ALL.into_iter().any(all_of) => Err(KvError::Corrupt {
            detail: format!("{} lacks the file {MARK}, which says whose files these are", dir.display()),
        }),
        _ => Err(KvError::Foreign { path: dir.display().to_string() }),
    }
}

pub(super) fn sync_dir(dir: &Path) -> Result<(), KvError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io_failed("syncing the directory", dir))
}

pub(super) fn io_failed(what: &str, path: &Path) -> impl FnOnce(io::Error) -> KvError {
    let what = format!("{what} {}", path.display());
    move |source| kv_io(what, source)
}

pub(super) fn kv_io(what: String, source: io::Error) -> KvError {
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => KvError::NoSpace { what },
        // Engines report damage that they notice themselves in this way, too.
        ErrorKind::UnexpectedEof | ErrorKind::InvalidData => {
            KvError::Corrupt { detail: format!("{what}: {source}") }
        }
        _ => KvError::Io { what, source },
    }
}

/// A sync that failed is never a matter of space alone: what it should have written may be gone, and another sync would
/// not know. So it must not look like an error that passes.
pub(super) fn sync_failed(what: &str, path: &Path) -> impl FnOnce(io::Error) -> KvError {
    let what = format!("{what} {}", path.display());
    move |source| KvError::Io { what, source }
}

/// Calls an engine. A panic inside, as damaged files may cause, becomes [`KvError::Corrupt`]. The engine's state may be
/// torn then, so callers that write stop writing.
pub(super) fn guard<T>(dir: &Path, act: impl FnOnce() -> Result<T, KvError>) -> Result<T, KvError> {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|panic| {
        let detail = format!("{}: {}", dir.display(), panic_text(panic.as_ref()));
        Err(KvError::Corrupt { detail })
    })
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panic without a text")
}

/// Bytes of the files in a directory and below it; what cannot be read counts nothing.
pub(super) fn disk_bytes(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    let size = |entry: fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => disk_bytes(&entry.path()),
        _ => entry.metadata().map_or(0, |data| data.len()),
    };
    entries.filter_map(Result::ok).map(size).sum()
}
