//! What a picture keeps of overwritten rows and does not fit into memory: runs of rows in order of their names, each in a
//! file. Nothing of them is worth anything after a restart; files that are left are removed then.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use numax_crdt::codec::{Reader, put_bytes};
use numax_store::{Disk, DiskError, DiskFile};

use super::overlay::Cell;

/// Where the files are.
const DIR: &str = "pictures";
/// About so many bytes are read at once, and stand for an entry in memory.
const BLOCK: usize = 64 << 10;

/// All runs of one picture, the oldest first: what is in an older run counts.
pub(super) struct Runs {
    disk: Arc<dyn Disk>,
    /// Tells the files of this picture from others'.
    number: u64,
    runs: Vec<Run>,
}

struct Run {
    name: String,
    file: Arc<dyn DiskFile>,
    /// The first name of each block, where it begins, and its bytes.
    blocks: Vec<(Bytes, u64, usize)>,
}

/// Removes what is left of pictures of an earlier process.
pub(crate) fn remove_left(disk: &dyn Disk) -> Result<(), DiskError> {
    disk.list(DIR)?.iter().try_for_each(|file| disk.remove(&format!("{DIR}/{file}")))
}

impl Runs {
    pub(super) fn new(disk: Arc<dyn Disk>, number: u64) -> Self {
        Self { disk, number, runs: Vec::new() }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.runs.len()
    }

    /// Writes a run.
    pub(super) fn add(&mut self, rows: &BTreeMap<Bytes, Cell>) -> Result<(), DiskError> {
        self.disk.create_dir(DIR)?;
        let name = format!("{DIR}/{:016x}-{}", self.number, self.runs.len());
        let file = self.disk.create(&name)?;
        // From here on it is removed with the others, also when it cannot be written.
        self.runs.push(Run { name, file, blocks: Vec::new() });
        let Some(run) = self.runs.last_mut() else { return Ok(()) };
        let (mut at, mut block, mut first) = (0, Vec::with_capacity(BLOCK + 1024), None);
        for (row, cell) in rows {
            first.get_or_insert_with(|| row.clone());
            put_bytes(&mut block, row);
            block.push(u8::from(cell.is_some()));
            put_bytes(&mut block, cell.as_deref().unwrap_or_default());
            if block.len() >= BLOCK {
                run.write(&mut at, &mut block, first.take())?;
            }
        }
        run.write(&mut at, &mut block, first)
    }

    /// What a row was, if it is kept.
    pub(super) fn get(&self, row: &[u8]) -> Result<Option<Cell>, DiskError> {
        for run in &self.runs {
            let next = run.blocks.partition_point(|(first, ..)| first[..] <= *row);
            if let Some(block) = next.checked_sub(1)
                && let Some(cell) = run.read(block)?.remove(row)
            {
                return Ok(Some(cell));
            }
        }
        Ok(None)
    }

    /// Adds what is kept of the rows after `after` that begin with `prefix`, up to `until`.
    pub(super) fn range(
        &self,
        prefix: &[u8],
        after: &[u8],
        until: Option<&[u8]>,
        rows: &mut BTreeMap<Bytes, Cell>,
    ) -> Result<(), DiskError> {
        let start = after.max(prefix);
        let before_end =
            |row: &[u8]| (row < prefix || row.starts_with(prefix)) && until.is_none_or(|until| row <= until);
        // What an older run says is laid over what newer ones do.
        for run in self.runs.iter().rev() {
            let begin = run.blocks.partition_point(|(first, ..)| first[..] <= *start).saturating_sub(1);
            let blocks = run.blocks.iter().enumerate().skip(begin);
            for (block, _) in blocks.take_while(|(_, (first, ..))| before_end(first)) {
                let within = |row: &[u8]| row > after && row.starts_with(prefix) && before_end(row);
                rows.extend(run.read(block)?.into_iter().filter(|(row, _)| within(row)));
            }
        }
        Ok(())
    }
}

impl Run {
    fn write(&mut self, at: &mut u64, block: &mut Vec<u8>, first: Option<Bytes>) -> Result<(), DiskError> {
        if let Some(first) = first {
            self.file.append(block)?;
            self.blocks.push((first, *at, block.len()));
            *at += block.len() as u64;
            block.clear();
        }
        Ok(())
    }

    fn read(&self, block: usize) -> Result<BTreeMap<Bytes, Cell>, DiskError> {
        let mut rows = BTreeMap::new();
        let Some((_, at, len)) = self.blocks.get(block) else { return Ok(rows) };
        let damaged = || DiskError::NotFound { name: format!("{} as it was written", self.name) };
        let mut reader = Reader::new(self.file.read_at(*at, *len)?);
        while reader.remaining() > 0 {
            let row = reader.bytes("row", usize::MAX).map_err(|_| damaged())?;
            let there = reader.u8("row").map_err(|_| damaged())? != 0;
            let value = reader.bytes("row", usize::MAX).map_err(|_| damaged())?;
            rows.insert(row, there.then_some(value));
        }
        if rows.is_empty() { Err(damaged()) } else { Ok(rows) }
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        for run in &self.runs {
            if let Err(error) = self.disk.remove(&run.name) {
                tracing::warn!(%error, "a file of overwritten rows cannot be removed; the next start does it");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use numax_store::MemDisk;

    #[test]
    fn files_go_with_their_picture_or_with_the_next_start() {
        let disk: Arc<dyn Disk> = Arc::new(MemDisk::new());
        remove_left(&*disk).unwrap();
        let row = |n: u32| Bytes::from(n.to_be_bytes().to_vec());
        let rows =
            |from: u32| (from..from + 9_000).map(|n| (row(n), (n % 2 == 0).then(|| row(from)))).collect();
        let mut runs = Runs::new(disk.clone(), 7);
        runs.add(&rows(0)).unwrap();
        runs.add(&rows(5_000)).unwrap();
        assert!(runs.runs.iter().all(|run| run.blocks.len() > 1));
        // The older run counts.
        assert_eq!(runs.get(&row(5_002)).unwrap(), Some(Some(row(0))));
        assert_eq!(runs.get(&row(9_002)).unwrap(), Some(Some(row(5_000))));
        assert_eq!((runs.get(&row(9_001)).unwrap(), runs.get(&row(14_000)).unwrap()), (Some(None), None));
        let mut found = BTreeMap::new();
        runs.range(&[0, 0], &row(8_998), Some(&row(9_001)), &mut found).unwrap();
        let want = [(row(8_999), None), (row(9_000), Some(row(5_000))), (row(9_001), None)];
        assert_eq!(found, want.into());
        runs.range(&row(13_998), b"", None, &mut found).unwrap();
        assert_eq!(found.len(), 4);
        assert_eq!(disk.list(DIR).unwrap().len(), 2);
        drop(runs);
        assert!(disk.list(DIR).unwrap().is_empty());
        std::mem::forget({
            let mut runs = Runs::new(disk.clone(), 7);
            runs.add(&rows(0)).unwrap();
            runs
        });
        remove_left(&*disk).unwrap();
        assert!(disk.list(DIR).unwrap().is_empty());
    }
}
