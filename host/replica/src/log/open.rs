//! Opening the log: finding its segments, replaying what the engine lacks, cutting off a torn end.

use std::sync::Arc;

use bytes::Bytes;
use numax_crdt::VersionVector;
use numax_store::{Disk, DiskFile};

use super::{
    DIR, frame,
    read::{CUT_OFF, LogReader, Scanner, Step, damaged},
    record::{self, Record},
    segment::{self, Header, Segment},
    survey,
    sync::Syncs,
    writer::{self, Log},
};
use crate::error::{CoreError, LogError};

/// What the name of a segment ends with while it is written anew.
const TEMPORARY: &str = ".tmp";
/// Bytes copied at once then.
const COPY_STEP: usize = 1 << 20;

/// A record was torn, and there were others behind it: of two that were on their way to the disk, the second arrived.
const HOLES: &str = "records behind a torn one were cut off the log";
/// A record was torn, or was whole once and is damaged: after a power cut nothing tells the one from the other.
const TORN: &str = "the log's last record could not be read and was cut off";

struct Found {
    segment: Segment,
    file: Arc<dyn DiskFile>,
    /// The position after its last byte.
    end: u64,
}

/// How the log may end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    /// There is none: the datastore is new.
    New,
    /// Here: the last stop was an orderly one.
    Clean(u64),
    /// Here, too, in files that came from elsewhere since: nothing proves that they were synced there.
    Copied(u64),
    /// In the middle of a record: the process was killed, the system was not.
    Killed,
    /// Anyhow behind what was synced: the machine went down, or this is a copy.
    PowerCut,
    /// In the middle of a record, nobody knows why; it is only looked at. Records behind that one are not left out in
    /// silence.
    AtRest,
}

/// What a replay is given, in order.
pub(crate) enum Replayed {
    /// A segment begins that lies behind the engine's position as a whole: what had been applied before it.
    Segment(VersionVector),
    /// A record, and the position behind it.
    Record(u64, Record),
}

/// Opens the log, or makes it.
///
/// `included` is the position that the engine includes, up to which the log is known to be synced. Everything after it
/// is given to `replay`. Answers the log, and what was cut off its end if that may have been told to others.
pub(crate) fn open(
    disk: Arc<dyn Disk>,
    segment_bytes: u64,
    included: u64,
    expect: End,
    mut replay: impl FnMut(Replayed) -> Result<(), CoreError>,
) -> Result<(Log, Option<&'static str>), CoreError> {
    disk.create_dir(DIR).map_err(LogError::from)?;
    disk.sync_dir("").map_err(LogError::from)?;
    let mut found = find(&disk, included)?;
    let Some(mut last) = found.pop() else {
        if included > 0 || !matches!(expect, End::New) {
            return Err(missing(included).into());
        }
        let (file, segment) = writer::create(&disk, 0, &VersionVector::new())?;
        return Ok((finish(disk, Vec::new(), segment, file, segment_bytes, None), None));
    };
    let start = found.first().unwrap_or(&last).segment.start;
    if start > included {
        return Err(CoreError::RowsLost(format!(
            "they include the log up to position {included}, and what is left of it begins at {start}"
        )));
    }
    if last.end < included {
        return Err(missing(included).into());
    }
    // What a killed process had handed over becomes durable, with its name, before anything is built on it. The engine
    // includes only what was synced; and an orderly stop syncs all.
    let clean = matches!(expect, End::Clean(end) if end == last.end);
    let synced = clean || (last.end == included && included > last.segment.first);
    if !synced {
        last.file = write_anew(&disk, &last)?;
    }

    for part in found.iter().filter(|part| part.end > included) {
        match replay_segment(part, included, &mut replay)? {
            None => {}
            Some((at, detail)) => return Err(damaged(&part.segment, at, detail).into()),
        }
    }
    let (mut end, mut cut) = (last.end, None);
    if let Some((at, detail)) = replay_segment(&last, included, &mut replay)? {
        let holes = survey::has_record(&last.file, last.segment.start, at - last.segment.start)?;
        let torn = match expect {
            End::Clean(end) | End::Copied(end) => end != last.end,
            // A process ends in the middle of a write, and then the bytes end, too.
            End::Killed => detail == CUT_OFF && !holes && !is_whole(&last, at)?,
            End::PowerCut | End::New => true,
            End::AtRest => !holes,
        };
        if at < included || !torn {
            return Err(damaged(&last.segment, at, detail).into());
        }
        tracing::warn!(
            file = last.segment.file(),
            offset = at - last.segment.start,
            bytes = last.end - at,
            detail,
            "the log ends with a record that was not written whole; it is cut off"
        );
        last.file.truncate(at - last.segment.start).map_err(LogError::from)?;
        last.file.sync().map_err(LogError::from)?;
        end = at;
        cut = matches!(expect, End::PowerCut | End::Copied(_)).then_some(if holes { HOLES } else { TORN });
    }
    let before = found.into_iter().map(|part| Arc::new(part.segment)).collect();
    Ok((finish(disk, before, last.segment, last.file, segment_bytes, Some(end)), cut))
}

/// Whether the last bytes are a whole record whose length is damaged.
fn is_whole(last: &Found, at: u64) -> Result<bool, LogError> {
    let len = usize::try_from(last.end - at).unwrap_or(usize::MAX);
    Ok(frame::is_whole(&last.file.read_at(at - last.segment.start, len)?, at))
}

/// Puts a synced copy of a segment in its place.
///
/// To sync the file again would not do: if a sync failed in the last process, the system calls the lost pages clean, so
/// that another sync succeeds and proves nothing, while what is read comes from memory. Only bytes that are written
/// anew are known to get to the disk. It is one segment, and only after an end without a stop.
fn write_anew(disk: &Arc<dyn Disk>, part: &Found) -> Result<Arc<dyn DiskFile>, LogError> {
    let name = part.segment.file();
    let copy = format!("{name}{TEMPORARY}");
    let file = disk.create(&copy)?;
    let mut at = 0;
    while at < part.end - part.segment.start {
        let bytes = part.file.read_at(at, COPY_STEP)?;
        if bytes.is_empty() {
            return Err(damaged(
                &part.segment,
                part.segment.start + at,
                "the file became shorter while it was read",
            ));
        }
        file.append(&bytes)?;
        at += bytes.len() as u64;
    }
    file.sync()?;
    disk.rename(&copy, &name)?;
    disk.sync_dir(DIR)?;
    Ok(file)
}

fn missing(included: u64) -> LogError {
    LogError::Corrupt {
        file: DIR.to_string(),
        offset: included,
        detail: "the log ends before this position, which was there".to_string(),
    }
}

fn finish(
    disk: Arc<dyn Disk>,
    mut segments: Vec<Arc<Segment>>,
    last: Segment,
    file: Arc<dyn DiskFile>,
    segment_bytes: u64,
    end: Option<u64>,
) -> Log {
    let (start, end) = (last.start, end.unwrap_or(last.first));
    segments.push(Arc::new(last));
    let reader = Arc::new(LogReader::new(disk.clone(), segments, end));
    Log {
        disk,
        reader,
        file,
        start,
        end,
        written: end,
        reserved: 0,
        buffer: Vec::new(),
        segment_bytes,
        broken: None,
        syncs: Arc::new(Syncs::new(end)),
        sync_begun: end,
        stats: writer::LogStats::default(),
        spare: Vec::new(),
    }
}

/// Where the log begins, by the names of its segments; none when there are none.
pub(crate) fn first_position(disk: &dyn Disk) -> Result<Option<u64>, LogError> {
    Ok(disk.list(DIR)?.iter().filter_map(|name| segment::parse_name(name)).min())
}

/// The segments in order. A last one whose making was interrupted is removed.
fn find(disk: &Arc<dyn Disk>, included: u64) -> Result<Vec<Found>, LogError> {
    let mut starts = Vec::new();
    for name in disk.list(DIR)? {
        match segment::parse_name(&name) {
            Some(start) => starts.push(start),
            // Left by a crash while a segment was written anew; the segment itself is still there.
            None if name.ends_with(TEMPORARY) => disk.remove(&format!("{DIR}/{name}"))?,
            None => return Err(LogError::Foreign { file: format!("{DIR}/{name}") }),
        }
    }
    starts.sort_unstable();
    let mut found: Vec<Found> = Vec::new();
    for (index, start) in starts.iter().enumerate() {
        let name = segment::file_name(*start);
        let file = disk.open_append(&name)?;
        let gap = found.last().is_some_and(|before| before.end != *start);
        match segment::read_header(*start, |len| Ok::<Bytes, LogError>(file.read_at(0, len)?))? {
            Header::Good(segment) if !gap => {
                let end = start + file.len()?;
                found.push(Found { segment, file, end });
            }
            Header::Good(segment) => {
                return Err(damaged(
                    &segment,
                    *start,
                    "the segment before does not end where this one begins",
                ));
            }
            // It was synced before the first record went into it, so nothing is lost with it; where there are records,
            // it was damaged later.
            Header::Torn(_)
                if index + 1 == starts.len()
                    && *start >= included
                    && !survey::has_record(&file, *start, 0)? =>
            {
                disk.remove(&name)?;
                disk.sync_dir(DIR)?;
            }
            Header::Torn(detail) => {
                return Err(LogError::Corrupt { file: name, offset: 0, detail: detail.to_string() });
            }
        }
    }
    Ok(found)
}

/// Replays what of a segment lies after `included`. Answers where and why it stopped before the segment's end.
fn replay_segment(
    part: &Found,
    included: u64,
    replay: &mut impl FnMut(Replayed) -> Result<(), CoreError>,
) -> Result<Option<(u64, &'static str)>, CoreError> {
    let from = part.segment.first.max(included);
    if part.segment.start >= included {
        replay(Replayed::Segment(part.segment.vector.clone()))?;
    }
    let mut scanner = Scanner::new(part.file.clone(), part.segment.start, from, part.end);
    loop {
        match scanner.step()? {
            Step::Record { end, bytes } => {
                // A copy, so that a value that stays in memory does not keep a whole chunk of the log alive.
                let record = record::decode(Bytes::copy_from_slice(&bytes))
                    .map_err(|error| damaged(&part.segment, scanner.position(), &error.to_string()))?;
                replay(Replayed::Record(end, record))?;
            }
            Step::End => return Ok(None),
            Step::Bad { detail } => return Ok(Some((scanner.position(), detail))),
        }
    }
}
