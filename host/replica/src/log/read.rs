//! Reading the log: record by record, and the batches that a peer lacks.

use std::sync::{
    Arc, Mutex, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use numax_crdt::{BatchHeader, VersionVector};
use numax_store::{Disk, DiskError, DiskFile};

use super::{
    frame::{self, FRAME_HEAD, Parsed},
    record::{self, Record},
    segment::Segment,
};
use crate::{
    core::{LogPage, missing},
    error::LogError,
};

/// Bytes read from a segment at once.
const CHUNK: usize = 256 << 10;
/// Bytes of log after which a page of batches ends even if it is not full, so that one call stays short when the
/// reader has nearly everything already.
const MAX_SCAN: u64 = 16 << 20;
/// Bytes of log between checkpoints, and how many of them are kept; beyond, every other one goes.
const CHECKPOINT_EVERY: u64 = 1 << 20;
const MAX_CHECKPOINTS: usize = 1024;

/// Where a reader of the log goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogCursor(pub u64);

/// What is wrong with a record whose end is not there.
pub(super) const CUT_OFF: &str = "the record is cut off";

/// What stands at the place where a [`Scanner`] is.
pub(super) enum Step {
    /// A record that ends at this position.
    Record { end: u64, bytes: Bytes },
    /// The end of the part to be read.
    End,
    /// No whole frame.
    Bad { detail: &'static str },
}

/// Reads frames of one segment in order.
pub(super) struct Scanner {
    file: Arc<dyn DiskFile>,
    /// Where the segment begins.
    start: u64,
    /// The position of the next frame.
    at: u64,
    /// The position to stop at.
    until: u64,
    /// What was read of the file from `at` on.
    buffer: Bytes,
}

impl Scanner {
    pub(super) fn new(file: Arc<dyn DiskFile>, start: u64, at: u64, until: u64) -> Self {
        Self { file, start, at, until, buffer: Bytes::new() }
    }

    pub(super) fn position(&self) -> u64 {
        self.at
    }

    pub(super) fn step(&mut self) -> Result<Step, LogError> {
        if self.at >= self.until {
            return Ok(Step::End);
        }
        loop {
            match frame::parse(&self.buffer, self.at) {
                Parsed::Record(len) => {
                    let whole = self.buffer.split_to(FRAME_HEAD + len);
                    self.at += whole.len() as u64;
                    return Ok(Step::Record { end: self.at, bytes: whole.slice(FRAME_HEAD..) });
                }
                Parsed::Bad(detail) => return Ok(Step::Bad { detail }),
                Parsed::Partial(need) => {
                    let left = usize::try_from(self.until - self.at).unwrap_or(usize::MAX);
                    if need > left || !self.fill(need.max(CHUNK).min(left))? {
                        return Ok(Step::Bad { detail: CUT_OFF });
                    }
                }
            }
        }
    }

    /// Reads on; `false` when the file has nothing more.
    fn fill(&mut self, want: usize) -> Result<bool, LogError> {
        let before = self.buffer.len();
        self.buffer = self.file.read_at(self.at - self.start, want)?;
        Ok(self.buffer.len() > before)
    }
}

/// A position and what had been applied up to it.
#[derive(Debug, Clone)]
struct Checkpoint {
    at: u64,
    vector: VersionVector,
}

/// The side of the log that readers share with the writer.
pub(crate) struct LogReader {
    disk: Arc<dyn Disk>,
    segments: RwLock<Vec<Arc<Segment>>>,
    checkpoints: Mutex<Vec<Checkpoint>>,
    /// Up to here records may be read.
    readable: AtomicU64,
    /// Where state was transferred last, and everything known behind it. Batches cannot lead anybody past it who does
    /// not know all of that.
    base: RwLock<Option<(u64, VersionVector)>>,
}

impl LogReader {
    pub(super) fn new(disk: Arc<dyn Disk>, segments: Vec<Arc<Segment>>, readable: u64) -> Self {
        Self {
            disk,
            segments: RwLock::new(segments),
            checkpoints: Mutex::new(Vec::new()),
            readable: AtomicU64::new(readable),
            base: RwLock::new(None),
        }
    }

    /// State was transferred up to here, and this is known behind it.
    pub(crate) fn set_base(&self, base: Option<(u64, VersionVector)>) {
        *self.base.write().unwrap_or_else(PoisonError::into_inner) = base;
    }

    /// The start and vector of the first segment.
    pub(crate) fn first(&self) -> Option<(u64, VersionVector)> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        segments.first().map(|first| (first.start, first.vector.clone()))
    }

    /// The first two segments, if there are two.
    pub(super) fn first_two(&self) -> Option<(Arc<Segment>, Arc<Segment>)> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        match segments.as_slice() {
            [first, next, ..] => Some((first.clone(), next.clone())),
            _ => None,
        }
    }

    /// Forgets the first segment, which begins at `start`.
    pub(super) fn drop_first(&self, start: u64) {
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        if segments.first().is_some_and(|first| first.start == start) {
            segments.remove(0);
        }
        let start = segments.first().map_or(0, |first| first.start);
        drop(segments);
        let mut checkpoints = self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
        checkpoints.retain(|checkpoint| checkpoint.at >= start);
    }

    pub(super) fn push_segment(&self, segment: Segment) {
        self.segments.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(segment));
    }

    pub(super) fn set_readable(&self, position: u64) {
        self.readable.store(position, Ordering::Release);
    }

    /// Takes note that everything in `vector` lies before `at`.
    pub(super) fn checkpoint(&self, at: u64, vector: &VersionVector) {
        let mut checkpoints = self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
        if checkpoints.last().is_some_and(|last| at < last.at + CHECKPOINT_EVERY) {
            return;
        }
        if checkpoints.len() >= MAX_CHECKPOINTS {
            let mut keep = false;
            checkpoints.retain(|_| {
                keep = !keep;
                keep
            });
        }
        checkpoints.push(Checkpoint { at, vector: vector.clone() });
    }

    /// The last known position before which there is nothing that `vector` lacks.
    fn begin(&self, vector: &VersionVector) -> Result<u64, LogError> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        let segment = segments.iter().rev().find(|segment| vector.covers_vector(&segment.vector));
        let first = segment.ok_or(LogError::Behind)?.first;
        drop(segments);
        let checkpoints = self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
        let later = checkpoints.iter().rev().take_while(|checkpoint| checkpoint.at > first);
        Ok(later.into_iter().find(|c| vector.covers_vector(&c.vector)).map_or(first, |c| c.at))
    }

    /// The segment that holds the frame at a position, and the position where it ends.
    fn segment_at(&self, position: u64) -> Option<(Arc<Segment>, Option<u64>)> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        let next = segments.partition_point(|segment| segment.start <= position);
        let segment = segments.get(next.checked_sub(1)?)?;
        Some((segment.clone(), segments.get(next).map(|segment| segment.start)))
    }

    /// Reads records from a position on, until `visit` (which gets the record and the position after it) answers
    /// `false`, or to the end. Answers the position to go on at, none at the end.
    pub(crate) fn read(
        &self,
        from: u64,
        mut visit: impl FnMut(u64, Record) -> bool,
    ) -> Result<Option<u64>, LogError> {
        let readable = self.readable.load(Ordering::Acquire);
        let mut at = from;
        while at < readable {
            let (segment, end) = self.segment_at(at).ok_or(LogError::Behind)?;
            let until = end.unwrap_or(readable).min(readable);
            let file = match self.disk.open_append(&segment.file()) {
                // Removed since it was looked up.
                Err(DiskError::NotFound { .. }) if segment.start < readable => return Err(LogError::Behind),
                other => other?,
            };
            let mut scanner = Scanner::new(file, segment.start, at.max(segment.first), until);
            loop {
                match scanner.step()? {
                    Step::Record { end, bytes } => {
                        let record = record::decode(bytes)
                            .map_err(|error| damaged(&segment, scanner.position(), &error.to_string()))?;
                        if !visit(end, record) {
                            return Ok((end < readable).then_some(end));
                        }
                    }
                    Step::End => break,
                    Step::Bad { detail } => return Err(damaged(&segment, scanner.position(), detail)),
                }
            }
            at = until.max(at + 1);
        }
        Ok(None)
    }

    /// All batches from a position on (none: from the first that is there), and where to go on.
    pub(crate) fn batches_from(
        &self,
        cursor: Option<LogCursor>,
        max_bytes: usize,
    ) -> Result<(Vec<Bytes>, Option<LogCursor>), LogError> {
        let from =
            cursor.map(|LogCursor(at)| at).or(self.first().map(|(start, _)| start)).unwrap_or_default();
        let (mut batches, mut bytes) = (Vec::new(), 0);
        let next = self.read(from, |_, record| {
            bytes += record.batch.as_ref().map_or(0, Bytes::len);
            batches.extend(record.batch);
            bytes < max_bytes
        })?;
        Ok((batches, next.map(LogCursor)))
    }

    /// What whoever had `vector` has after all pages up to a position.
    fn led_to(&self, vector: &VersionVector, until: u64) -> Result<VersionVector, LogError> {
        let mut known = vector.clone();
        let from = self.begin(vector)?;
        if from < until {
            self.read(from, |end, record| {
                if let Some(header) = record.batch.and_then(|batch| BatchHeader::peek(&batch).ok())
                    && end <= until
                    && missing(&header, &known).is_none()
                {
                    known.set_max(header.origin, header.seq);
                }
                end < until
            })?;
        }
        Ok(known)
    }

    /// Batches that `vector` lacks, in the order in which they were applied here, and where to go on.
    ///
    /// Only such as can be applied one after the other by who has `vector`. Most logs have no others. But what was
    /// written here in the middle of a transfer of state stands before what it depends on, or that came as rows: who got
    /// it could not use it, and a page full of it would be asked for again and again.
    pub(crate) fn batches_after(
        &self,
        vector: &VersionVector,
        cursor: Option<LogCursor>,
        max_bytes: usize,
    ) -> Result<LogPage, LogError> {
        let from = match cursor {
            Some(LogCursor(at)) => at,
            None => self.begin(vector)?,
        };
        let base = self.base.read().unwrap_or_else(PoisonError::into_inner).clone();
        let barrier =
            base.filter(|(at, known)| from <= *at && !vector.covers_vector(known)).map(|(at, _)| at);
        if barrier == Some(from) {
            return Err(LogError::Behind);
        }
        let (mut batches, mut bytes) = (Vec::new(), 0);
        // What the reader has when it has applied the page so far. What earlier pages brought is looked up when needed.
        let mut known = vector.clone();
        let (mut earlier, mut failed) = (cursor, None);
        let next = self.read(from, |end, record| {
            if let Some(batch) = record.batch
                && let Ok(header) = BatchHeader::peek(&batch)
                && !known.covers(header.dot())
            {
                if missing(&header, &known).is_some()
                    && let Some(LogCursor(at)) = earlier.take()
                {
                    match self.led_to(vector, at) {
                        Ok(more) => known.merge(&more),
                        Err(error) => {
                            failed = Some(error);
                            return false;
                        }
                    }
                }
                if missing(&header, &known).is_none() {
                    known.set_max(header.origin, header.seq);
                    bytes += batch.len();
                    batches.push(batch);
                }
            }
            bytes < max_bytes && end - from < MAX_SCAN && barrier != Some(end)
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        // What lies before a transfer may still be new to the peer. What lies behind it is of no use to it.
        let behind = barrier.is_some() && next.is_none_or(|next| Some(next) == barrier);
        if behind && batches.is_empty() {
            return Err(LogError::Behind);
        }
        Ok(LogPage { batches, next: next.filter(|_| !behind).map(LogCursor), behind })
    }
}

pub(super) fn damaged(segment: &Segment, position: u64, detail: &str) -> LogError {
    LogError::Corrupt {
        file: segment.file(),
        offset: position.saturating_sub(segment.start),
        detail: detail.to_string(),
    }
}
