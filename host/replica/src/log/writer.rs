//! Writing the log.

use std::sync::Arc;

use numax_crdt::VersionVector;
use numax_store::{Disk, DiskError, DiskFile};

use super::{
    DIR,
    frame::{self, MAX_RECORD},
    read::LogReader,
    record::{self, LocalWrite},
    segment::{self, Segment},
    sync::{LogSync, Syncs},
};
use crate::error::LogError;

/// Room that is set aside ahead of the end, so that a sync need not allocate: measured 1.3 to 2.5 times the commits a
/// second under `fsync`. In steps, because a small datastore should stay small.
const RESERVE: u64 = 8 << 20;
/// Bytes that `Durability::None` may keep in memory before they are handed to the operating system.
const MAX_BUFFER: usize = 256 << 10;

/// The unit in which a disk writes: a sync writes the last page of a file anew when more was appended to it.
const PAGE: u64 = 4096;

/// What was written to the log since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogStats {
    /// Records.
    pub records: u64,
    /// Their bytes, frames included.
    pub record_bytes: u64,
    /// Bytes handed to the operating system: records, and headers of segments.
    pub written_bytes: u64,
    /// Syncs.
    pub syncs: u64,
    /// Bytes of the pages that the syncs had to write, the file system's own not counted: a page that several groups
    /// share counts once for each sync.
    pub synced_bytes: u64,
}

/// The writing end of the log. One at a time.
pub(crate) struct Log {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) reader: Arc<LogReader>,
    /// The last segment's file.
    pub(super) file: Arc<dyn DiskFile>,
    /// Where the last segment begins.
    pub(super) start: u64,
    /// The position after the last record, buffered ones included.
    pub(super) end: u64,
    /// The position after the last record in the file.
    pub(super) written: u64,
    /// Room set aside in the file, as a length.
    pub(super) reserved: u64,
    /// Records that wait in memory; their frames are made for their positions.
    pub(super) buffer: Vec<u8>,
    pub(super) segment_bytes: u64,
    /// Why the log takes no more writes.
    pub(super) broken: Option<String>,
    pub(super) syncs: Arc<Syncs>,
    /// Up to here a sync was begun.
    pub(super) sync_begun: u64,
    pub(super) stats: LogStats,
    /// Memory for the next group's frames.
    pub(super) spare: Vec<u8>,
}

/// Bytes of memory that are kept for the next group.
const MAX_SPARE: usize = 1 << 20;

/// Frames of a group, made for the place where the log ends.
pub(crate) struct Frames {
    base: u64,
    bytes: Vec<u8>,
    records: u64,
}

impl Frames {
    /// Adds a record; answers the position after it, or none when it is too large for a record.
    pub(crate) fn push(&mut self, batch: Option<&[u8]>, remote: bool, local: &[LocalWrite]) -> Option<u64> {
        let before = self.bytes.len();
        frame::put(&mut self.bytes, self.base, |out| record::encode(out, batch, remote, local));
        if self.bytes.len() - before > MAX_RECORD {
            self.bytes.truncate(before);
            return None;
        }
        self.records += 1;
        Some(self.base + self.bytes.len() as u64)
    }

    /// Adds a batch that is held back from others; answers as [`push`](Self::push).
    pub(crate) fn push_held(&mut self, batch: &[u8], local: &[LocalWrite]) -> Option<u64> {
        let before = self.bytes.len();
        frame::put(&mut self.bytes, self.base, |out| record::encode_held(out, batch, local));
        if self.bytes.len() - before > MAX_RECORD {
            self.bytes.truncate(before);
            return None;
        }
        self.records += 1;
        Some(self.base + self.bytes.len() as u64)
    }

    /// Adds a page of transferred state; answers as [`push`](Self::push).
    pub(crate) fn push_page(&mut self, page: &[u8]) -> Option<u64> {
        let before = self.bytes.len();
        frame::put(&mut self.bytes, self.base, |out| record::encode_page(out, page));
        if self.bytes.len() - before > MAX_RECORD {
            self.bytes.truncate(before);
            return None;
        }
        Some(self.base + self.bytes.len() as u64)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl Log {
    /// The shared reading end.
    pub(crate) fn reader(&self) -> &Arc<LogReader> {
        &self.reader
    }

    /// The position after the last record.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Everything before this position is synced.
    pub(crate) fn synced(&self) -> u64 {
        self.syncs.synced()
    }

    /// Lets no sync succeed any more, waits for one that runs, and answers up to where all is synced for good.
    pub(crate) fn settle_syncs(&self) -> u64 {
        self.syncs.settle()
    }

    /// Why the log takes no more writes, if so.
    pub(crate) fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// Begins a group: starts a new segment if the last one is full. `vector` is everything applied so far.
    pub(crate) fn begin(&mut self, vector: &VersionVector) -> Result<Frames, LogError> {
        if self.end - self.start >= self.segment_bytes {
            self.rotate(vector)?;
        }
        self.reader.checkpoint(self.end, vector);
        Ok(Frames { base: self.end, bytes: std::mem::take(&mut self.spare), records: 0 })
    }

    /// Writes a group as a whole, or changes nothing. With `buffered` it may stay in memory for now.
    pub(crate) fn append(&mut self, frames: &Frames, buffered: bool) -> Result<(), LogError> {
        if buffered {
            if self.buffer.len() + frames.bytes.len() > MAX_BUFFER {
                self.write_buffer()?;
            }
            self.buffer.extend_from_slice(&frames.bytes);
            self.end += frames.bytes.len() as u64;
        } else {
            self.write_buffer()?;
            self.write(&frames.bytes)?;
            self.end = self.written;
        }
        self.stats.records += frames.records;
        self.stats.record_bytes += frames.bytes.len() as u64;
        Ok(())
    }

    /// Takes the memory of frames that were written.
    pub(crate) fn reuse(&mut self, frames: Frames) {
        self.spare = frames.bytes;
        self.spare.clear();
        self.spare.shrink_to(MAX_SPARE);
    }

    /// What was written since the log was opened.
    pub(crate) fn stats(&self) -> LogStats {
        self.stats
    }

    /// Hands what waits in memory to the operating system.
    pub(crate) fn write_buffer(&mut self) -> Result<(), LogError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = self.write(&buffer);
        if result.is_ok() {
            buffer.clear();
        }
        self.buffer = buffer;
        result
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), LogError> {
        let len = self.written - self.start;
        let need = len + bytes.len() as u64;
        if need > self.reserved {
            self.reserved = need + RESERVE;
            // Only a hint: without it syncs are slower, and a full disk shows at the append.
            let _ = self.file.reserve(self.reserved);
        }
        if let Err(error) = self.file.append(bytes) {
            if let Err(cut) = self.file.truncate(len) {
                self.broken = Some(format!("{error}; cutting off the half-written record failed too: {cut}"));
            }
            return Err(error.into());
        }
        self.written += bytes.len() as u64;
        self.stats.written_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Lets readers see what has been written, or of that only what is synced.
    pub(crate) fn expose(&self, only_synced: bool) {
        self.reader.set_readable(if only_synced { self.synced() } else { self.written });
    }

    /// Starts a new segment even if the last one is not full; see [`begin`](Self::begin).
    pub(crate) fn begin_segment(&mut self, vector: &VersionVector) -> Result<(), LogError> {
        if self.end > self.start { self.rotate(vector) } else { Ok(()) }
    }

    /// Starts a new segment. The old one is synced first, so that only the last segment can have a torn end.
    fn rotate(&mut self, vector: &VersionVector) -> Result<(), LogError> {
        self.write_buffer()?;
        self.sync_now()?;
        let (file, segment) = match create(&self.disk, self.end, vector) {
            Ok(created) => created,
            Err(error) => {
                // A full disk passes. After any other error nobody knows what reached the disk.
                if !matches!(error, LogError::Disk(DiskError::NoSpace { .. })) {
                    self.broken = Some(format!("making a segment of the log failed: {error}"));
                }
                return Err(error);
            }
        };
        self.stats.written_bytes += segment.first - segment.start;
        self.stats.synced_bytes += pages(0, segment.first - segment.start);
        self.file = file;
        self.start = segment.start;
        self.end = segment.first;
        self.written = segment.first;
        self.syncs.reached(segment.first);
        self.sync_begun = segment.first;
        self.reserved = 0;
        self.reader.push_segment(segment);
        // All of it is synced.
        self.expose(false);
        Ok(())
    }

    /// Syncs everything written, here and now.
    pub(crate) fn sync_now(&mut self) -> Result<(), LogError> {
        self.write_buffer()?;
        let job = self.sync_job();
        let result = job.run();
        self.sync_done(&result);
        Ok(result?)
    }

    /// What to do, on any thread, to sync what has been written so far.
    pub(crate) fn sync_job(&mut self) -> LogSync {
        if self.written > self.sync_begun {
            self.stats.syncs += 1;
            self.stats.synced_bytes += pages(self.sync_begun - self.start, self.written - self.start);
            self.sync_begun = self.written;
        }
        LogSync::new(self.file.clone(), self.written, self.syncs.clone())
    }

    /// Takes note of what came of a job.
    pub(crate) fn sync_done(&mut self, result: &Result<(), DiskError>) {
        if let Err(error) = result {
            // After a failed sync the kernel may have dropped the pages and call the file clean: trying again would
            // succeed and prove nothing.
            self.broken.get_or_insert_with(|| format!("syncing the log failed: {error}"));
        }
    }
}

/// Bytes of the pages of a file that hold its bytes between two offsets.
fn pages(from: u64, until: u64) -> u64 {
    (until.div_ceil(PAGE) - from / PAGE) * PAGE
}

/// Makes an empty log that goes on from a state with this vector, and answers the position at which it does.
pub(crate) fn begin(disk: Arc<dyn Disk>, vector: &VersionVector) -> Result<u64, LogError> {
    disk.create_dir(DIR)?;
    let (_, segment) = create(&disk, 0, vector)?;
    disk.sync_dir("")?;
    Ok(segment.first)
}

/// Makes the segment that begins at `start`, durable with its name.
pub(crate) fn create(
    disk: &Arc<dyn Disk>,
    start: u64,
    vector: &VersionVector,
) -> Result<(Arc<dyn DiskFile>, Segment), LogError> {
    let name = segment::file_name(start);
    let header = segment::encode_header(start, vector);
    let file = match disk.create(&name) {
        // Left by a rotation that failed after making the file: nothing refers to it.
        Err(DiskError::Exists { .. }) => {
            disk.remove(&name)?;
            disk.create(&name)?
        }
        other => other?,
    };
    file.append(&header)?;
    file.sync()?;
    disk.sync_dir(DIR)?;
    Ok((file, Segment { start, first: start + header.len() as u64, vector: vector.clone() }))
}
