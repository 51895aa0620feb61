//! Looking at a log that may be damaged anywhere: which records of it can be read.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use numax_store::{Disk, DiskFile};

use super::{
    DIR,
    frame::{self, FRAME_HEAD, Parsed},
    record::{self, Record},
    segment::{self, Header, Segment},
};
use crate::error::LogError;

/// A file of the log.
pub(crate) struct Part {
    /// Its name below the datastore's directory.
    pub name: String,
    /// Its first position, as its name tells.
    pub start: u64,
    /// The position after its last byte.
    pub end: u64,
    /// What its header says; none when that cannot be read.
    pub header: Option<Segment>,
    /// Where whole records stand, in order and without gaps inside a range.
    pub good: Vec<Range<u64>>,
    /// Whole records.
    pub records: u64,
}

impl Part {
    /// Whether every byte of it can be read.
    pub(crate) fn is_whole(&self) -> bool {
        let Some(header) = &self.header else { return false };
        match &self.good[..] {
            [] => header.first == self.end,
            [all] => all.start == header.first && all.end == self.end,
            _ => false,
        }
    }
}

/// Looks at every file of the log. Reads all of it.
///
/// # Errors
/// When the disk cannot be read, or a file is not ours or a newer program's.
pub(crate) fn survey(disk: &dyn Disk) -> Result<Vec<Part>, LogError> {
    let mut parts = Vec::new();
    for name in disk.list(DIR)? {
        let Some(start) = segment::parse_name(&name) else { continue };
        let name = format!("{DIR}/{name}");
        let file = disk.open_append(&name)?;
        let bytes = read_all(&*file)?;
        let header =
            match segment::read_header(start, |len| Ok::<_, LogError>(bytes.slice(..len.min(bytes.len())))) {
                Ok(Header::Good(header)) => Some(header),
                Ok(Header::Torn(_)) | Err(LogError::Foreign { .. }) => None,
                Err(error) => return Err(error),
            };
        let mut part =
            Part { name, start, end: start + bytes.len() as u64, header, good: Vec::new(), records: 0 };
        let mut at = part.header.as_ref().map_or(0, |header| header.first - start) as usize;
        while let Some(found) = next_record(&bytes, start, at) {
            let end = found.end as u64 + start;
            match part.good.last_mut() {
                Some(last) if last.end == found.start as u64 + start => last.end = end,
                _ => part.good.push(found.start as u64 + start..end),
            }
            part.records += 1;
            at = found.end;
        }
        parts.push(part);
    }
    Ok(parts)
}

/// The whole records between two positions of a file.
///
/// # Errors
/// When the disk cannot be read.
pub(crate) fn records(
    disk: &dyn Disk,
    file: &str,
    start: u64,
    range: &Range<u64>,
    mut visit: impl FnMut(Record),
) -> Result<(), LogError> {
    let bytes = read_all(&*disk.open_append(file)?)?;
    let mut at = range.start.saturating_sub(start) as usize;
    while at < range.end.saturating_sub(start) as usize
        && let Some(found) = next_record(&bytes, start, at)
    {
        if let Ok(record) = record::decode(bytes.slice(found.start + FRAME_HEAD..found.end)) {
            visit(record);
        }
        at = found.end;
    }
    Ok(())
}

/// Whether a whole record stands anywhere at or behind an offset of a file whose first position is `start`.
pub(super) fn has_record(file: &Arc<dyn DiskFile>, start: u64, from: u64) -> Result<bool, LogError> {
    let bytes = read_all(&**file)?;
    Ok(next_record(&bytes, start, usize::try_from(from).unwrap_or(usize::MAX)).is_some())
}

fn read_all(file: &dyn DiskFile) -> Result<Bytes, LogError> {
    let len = usize::try_from(file.len()?).unwrap_or(usize::MAX);
    Ok(file.read_at(0, len)?)
}

/// The first whole record at or behind an offset. Positions are part of a record's checksum, so nothing else is taken
/// for one.
fn next_record(bytes: &Bytes, start: u64, from: usize) -> Option<Range<usize>> {
    (from..bytes.len()).find_map(|at| {
        let rest = bytes.slice(at..);
        let (head, body) = rest.split_first_chunk::<FRAME_HEAD>()?;
        let [a, b, c, d, ..] = *head;
        let len = u32::from_le_bytes([a, b, c, d]) as usize;
        // Cheap first: reading a record only looks at lengths, a checksum looks at everything.
        if len == 0 || len > body.len() || record::decode(rest.slice(FRAME_HEAD..FRAME_HEAD + len)).is_err() {
            return None;
        }
        match frame::parse(&rest, start + at as u64) {
            Parsed::Record(len) => Some(at..at + FRAME_HEAD + len),
            Parsed::Partial(_) | Parsed::Bad(_) => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(start: u64, records: &[&[u8]]) -> (Vec<u8>, Vec<Range<usize>>) {
        let (mut out, mut places) = (b"header".to_vec(), Vec::new());
        for record in records {
            let at = out.len();
            frame::put(&mut out, start, |out| record::encode(out, Some(record), false, &[]));
            places.push(at..out.len());
        }
        (out, places)
    }

    #[test]
    fn records_behind_damage_are_found() {
        let (bytes, places) = log(1000, &[b"one", b"two", b"three"]);
        let find = |bytes: &[u8], from| next_record(&Bytes::copy_from_slice(bytes), 1000, from);
        assert_eq!(find(&bytes, 0), Some(places[0].clone()));
        for at in places[0].clone() {
            let mut hurt = bytes.clone();
            hurt[at] ^= 0x10;
            assert_eq!(find(&hurt, 6), Some(places[1].clone()), "byte {at}");
        }
        assert_eq!(find(&bytes, places[2].start), Some(places[2].clone()));
        assert_eq!(find(&bytes, places[2].start + 1), None);
        // The same bytes elsewhere are no records.
        assert_eq!(next_record(&Bytes::from(bytes), 1001, 0), None);
    }
}
