//! Reading a snapshot's files from a bucket: chunks by ranges, several at once.

use std::sync::Arc;

use super::client::Client;
use crate::{SnapshotError, error::damaged, manifest::FileEntry, source::Source};

/// Chunks that are fetched at once: enough to fill a line over a distance, and 32 MiB of memory.
const READS: usize = 8;

#[derive(Debug)]
pub(crate) struct BucketSource {
    client: Arc<Client>,
    id: String,
}

impl BucketSource {
    pub(crate) fn new(client: Arc<Client>, id: String) -> Self {
        Self { client, id }
    }
}

impl Source for BucketSource {
    fn name(&self) -> String {
        self.client.name_of(&self.id)
    }

    fn lengths(&self, files: &[FileEntry]) -> Result<Vec<Option<u64>>, SnapshotError> {
        let found = self.client.lengths(&self.id)?;
        Ok(files.iter().map(|file| found.get(&file.name).copied()).collect())
    }

    fn read(&self, file: &str, offset: u64, buffer: &mut [u8]) -> Result<(), SnapshotError> {
        let bytes = self.client.get_range(&format!("{}/{file}", self.id), offset, buffer.len() as u64)?;
        if bytes.len() != buffer.len() {
            let (found, want) = (bytes.len(), buffer.len());
            let detail = format!("at byte {offset} it has {found} bytes more and should have {want}");
            return Err(damaged(self.name_of(file), detail));
        }
        buffer.copy_from_slice(&bytes);
        Ok(())
    }

    fn threads(&self) -> usize {
        READS
    }

    /// Each read is a request.
    fn block(&self) -> usize {
        usize::MAX
    }
}
