//! Sled's log, read without sled: where the parts of each page lie.
//!
//! The main file is a row of segments of 512 KiB, each with a header that says which stretch of the log it holds. A
//! page is a whole one and the changes since. `snap.N` says where all pages lay when the database was opened; what
//! follows is read from the log, up to the place where it breaks off, as sled itself does when it opens a database.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::bytes::{Input, Odd, crc32};
use crate::{engine::files::io_failed, kv::KvError};

/// Bytes of a segment.
const SEGMENT: u64 = 512 << 10;
/// Bytes of a segment's header: a checksum, its place in the log, and what was surely on the disk when it was begun.
const SEGMENT_HEADER: u64 = 20;
/// Bytes that a message's header may have. No message begins where fewer are left.
const MESSAGE_HEADER: u64 = 32;
/// Bytes of a blob before what it holds: checksum and kind.
const BLOB_HEADER: usize = 5;

/// Where one part of a page lies: its place in the log, in the main file, and the name of its blob if it has one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    place: i64,
    offset: u64,
    blob: Option<i64>,
}

/// The parts of all pages that are in use: a whole page, and changes.
pub(super) type Pages = BTreeMap<u64, Vec<Part>>;

/// Sled's files, opened to be read.
#[derive(Debug)]
pub(super) struct Log {
    dir: PathBuf,
    file: File,
}

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Canceled,
    Cap,
    Manifest,
    Free,
    Page { whole: bool, blob: bool },
}

struct Message {
    kind: Kind,
    page: u64,
    /// Bytes with its header.
    len: u64,
    body: Vec<u8>,
}

impl Log {
    pub(super) fn open(dir: &Path) -> Result<Self, KvError> {
        let path = dir.join("db");
        let file = File::open(&path).map_err(io_failed("opening", &path))?;
        Ok(Self { dir: dir.to_owned(), file })
    }

    /// Something that sled did not write like this.
    pub(super) fn odd(&self, odd: &Odd) -> KvError {
        KvError::Corrupt { detail: format!("{}: {}", self.dir.display(), odd.0) }
    }

    /// Finds all pages.
    pub(super) fn pages(&self) -> Result<Pages, KvError> {
        let (start, mut pages) = self.snapshot()?;
        let (segments, synced) = self.segments(first_of(start))?;
        // Behind what was surely there, the first segment that is missing and the first message that is not whole end
        // the log. Before, what cannot be read is the rest of a segment that is being used again: newer messages say
        // what it held.
        let tail = first_of(synced);
        let mut end = tail;
        for (place, offset) in segments.range(tail..) {
            if *place != first_of(end + SEGMENT as i64 - 1) {
                break;
            }
            let whole;
            (end, whole) = self.segment(*place, *offset, |_, _, _| Ok(true))?;
            if !whole {
                break;
            }
        }
        let mut go_on = true;
        for (place, offset) in segments.range(..end) {
            self.segment(*place, *offset, |lsn, at, message| {
                go_on &= lsn < end && !self.is_torn(message, end)?;
                if go_on && lsn >= start {
                    self.apply(lsn, at, message, &mut pages)?;
                }
                Ok(go_on)
            })?;
            if !go_on {
                break;
            }
        }
        Ok(pages)
    }

    /// Whether a batch begins here that is not there as a whole.
    fn is_torn(&self, message: &Message, end: i64) -> Result<bool, KvError> {
        let last = || Input(&message.body).i64().map_err(|odd| self.odd(&odd));
        Ok(message.kind == Kind::Manifest && last()? >= end)
    }

    fn apply(&self, place: i64, offset: u64, message: &Message, pages: &mut Pages) -> Result<(), KvError> {
        let page = message.page;
        match message.kind {
            Kind::Page { whole, blob } => {
                let blob =
                    if blob { Some(Input(&message.body).i64().map_err(|odd| self.odd(&odd))?) } else { None };
                if blob.is_some_and(|blob| !self.blob_path(blob).exists()) {
                    // It was replaced, and the message is not needed any more.
                    return Ok(());
                }
                let part = Part { place, offset, blob };
                match pages.get_mut(&page) {
                    _ if whole => drop(pages.insert(page, vec![part])),
                    Some(parts) if parts.last().is_some_and(|last| last.place < place) => parts.push(part),
                    _ => {}
                }
            }
            Kind::Free => drop(pages.remove(&page)),
            Kind::Canceled | Kind::Cap | Kind::Manifest => {}
        }
        Ok(())
    }

    /// Visits the messages of a segment with their place in the log and in the file, until `visit` answers `false`.
    /// Answers the place behind the last one, and whether the segment is whole.
    fn segment(
        &self,
        place: i64,
        offset: u64,
        mut visit: impl FnMut(i64, u64, &Message) -> Result<bool, KvError>,
    ) -> Result<(i64, bool), KvError> {
        let mut at = SEGMENT_HEADER;
        while at + MESSAGE_HEADER <= SEGMENT {
            let lsn = place + at as i64;
            let Some(message) = self.message(lsn, offset + at)? else { return Ok((lsn, false)) };
            if !visit(lsn, offset + at, &message)? {
                return Ok((lsn, false));
            }
            if message.kind == Kind::Cap {
                break;
            }
            at += message.len;
        }
        Ok((place + SEGMENT as i64, true))
    }

    /// Where each segment lies that holds the log from `least` on, and up to where it was surely on the disk.
    fn segments(&self, least: i64) -> Result<(BTreeMap<i64, u64>, i64), KvError> {
        let path = self.dir.join("db");
        let len = self.file.metadata().map_err(io_failed("reading", &path))?.len();
        let (mut segments, mut synced) = (BTreeMap::new(), least);
        for offset in (0..len).step_by(SEGMENT as usize) {
            let header = self.read(offset, SEGMENT_HEADER as usize)?;
            let mut input = Input(&header);
            if let (Ok(crc), Ok(place), Ok(stable)) = (input.u32(), input.i64(), input.i64())
                && crc32(&[header.get(4..).unwrap_or_default()]) == !crc
                && (place ^ i64::MAX) >= least
            {
                segments.insert(place ^ i64::MAX, offset);
                synced = synced.max(stable ^ i64::MAX);
            }
        }
        Ok((segments, synced))
    }

    /// The newest picture of the pages, and the place in the log that it includes.
    fn snapshot(&self) -> Result<(i64, Pages), KvError> {
        let entries = fs::read_dir(&self.dir).map_err(io_failed("listing", &self.dir))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let newest = names.filter(|name| name.starts_with("snap.") && !name.ends_with(UNFINISHED)).max();
        let Some(newest) = newest else { return Ok((0, Pages::new())) };
        let path = self.dir.join(newest);
        let bytes = fs::read(&path).map_err(io_failed("reading", &path))?;
        read_snapshot(&bytes).map_err(|odd| self.odd(&odd))
    }

    /// The message at a place; none when there is no whole one.
    fn message(&self, place: i64, offset: u64) -> Result<Option<Message>, KvError> {
        let left = (SEGMENT - offset % SEGMENT) as usize;
        let head = self.read(offset, left.min(4 << 10))?;
        let mut input = Input(&head);
        let Ok(header) = Header::read(&mut input) else { return Ok(None) };
        let header_len = head.len() - input.0.len();
        let Some(kind) = header
            .kind
            .filter(|_| header.len <= (left - header_len) as u64 && header.segment == place as u64 / SEGMENT)
        else {
            return Ok(None);
        };
        let len = header.len as usize;
        let body = match input.0.get(..len) {
            Some(body) => body.to_vec(),
            None => self.read(offset + header_len as u64, len)?,
        };
        // The checksum itself stands first.
        let whole =
            body.len() == len && crc32(&[&body, head.get(4..header_len).unwrap_or_default()]) == !header.crc;
        Ok(whole.then(|| Message { kind, page: header.page, len: (header_len + len) as u64, body }))
    }

    /// What a part of a page holds.
    pub(super) fn part(&self, page: u64, part: Part) -> Result<Vec<u8>, KvError> {
        if let Some(blob) = part.blob {
            let path = self.blob_path(blob);
            let mut bytes = fs::read(&path).map_err(io_failed("reading", &path))?;
            let crc = Input(&bytes).u32().map_err(|odd| self.odd(&odd))?;
            let (kind, held) = (bytes.get(4..BLOB_HEADER).unwrap_or_default(), bytes.get(BLOB_HEADER..));
            if crc32(&[kind, held.unwrap_or_default()]) != crc || held.is_none() {
                return Err(self.odd(&Odd("a large page has a wrong checksum")));
            }
            return Ok(bytes.split_off(BLOB_HEADER));
        }
        match self.message(part.place, part.offset)? {
            Some(message) if message.page == page => Ok(message.body),
            _ => Err(self.odd(&Odd("a page is not where it should be"))),
        }
    }

    fn blob_path(&self, blob: i64) -> PathBuf {
        self.dir.join("blobs").join(blob.to_string())
    }

    /// So many bytes, or fewer at the end of the file.
    fn read(&self, offset: u64, len: usize) -> Result<Vec<u8>, KvError> {
        let mut bytes = vec![0; len];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(io_failed("reading", &self.dir.join("db"))(error)),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }
}

/// Where in the log the segment of a place begins.
fn first_of(place: i64) -> i64 {
    place / SEGMENT as i64 * SEGMENT as i64
}

/// How the name of a snapshot ends that is being written.
pub(super) const UNFINISHED: &str = ".generating";

struct Header {
    crc: u32,
    kind: Option<Kind>,
    len: u64,
    /// Which segment of the log it belongs to: older messages may stand behind newer ones.
    segment: u64,
    page: u64,
}

impl Header {
    fn read(input: &mut Input<'_>) -> Result<Self, Odd> {
        let crc = input.u32()?;
        let kind = match input.byte()? {
            1 => Some(Kind::Canceled),
            2 => Some(Kind::Cap),
            3 => Some(Kind::Manifest),
            4 => Some(Kind::Free),
            // A counter and names of trees are whole pages, too.
            5 | 6 | 8 => Some(Kind::Page { whole: true, blob: false }),
            7 | 9 => Some(Kind::Page { whole: true, blob: true }),
            10 => Some(Kind::Page { whole: false, blob: false }),
            11 => Some(Kind::Page { whole: false, blob: true }),
            _ => None,
        };
        Ok(Self { crc, kind, len: input.number()?, segment: input.number()?, page: input.number()? })
    }
}

fn read_snapshot(bytes: &[u8]) -> Result<(i64, Pages), Odd> {
    let (held, end) = bytes
        .len()
        .checked_sub(12)
        .and_then(|at| bytes.split_at_checked(at))
        .ok_or(Odd("a snapshot is cut"))?;
    if Input(end.get(8..).unwrap_or_default()).u32()? != crc32(&[held]) {
        return Err(Odd("a snapshot has a wrong checksum"));
    }
    let mut input = Input(held);
    // One more than what is meant, none is zero.
    let start = (input.i64()? - 1).max(0);
    let _active = input.number()?;
    let mut pages = Pages::new();
    for page in 0.. {
        if input.0.is_empty() {
            break;
        }
        match input.byte()? {
            0 => drop(read_part(&mut input, false)?),
            parts => {
                let parts = (0..parts).map(|_| read_part(&mut input, true)).collect::<Result<_, _>>()?;
                pages.insert(page, parts);
            }
        }
    }
    Ok((start, pages))
}

fn read_part(input: &mut Input<'_>, sized: bool) -> Result<Part, Odd> {
    let place = input.i64()?;
    let (kind, offset) = (input.byte()?, input.number()?);
    let blob = if kind == 0 { None } else { Some(input.i64()?) };
    if sized {
        input.number()?;
    }
    Ok(Part { place, offset, blob })
}
