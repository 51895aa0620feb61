//! Uploading a snapshot: all files at once in parts, then the question whether all of it is there, then the manifest.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use object_store::multipart::PartId;

use super::{
    client::{Client, UploadId},
    leftover::{self, Mark},
    source::BucketSource,
};
use crate::{
    Progress, SnapshotError,
    files::{self, Meter},
    manifest::{self, FileEntry, Manifest},
    source::{FolderSource, Source},
};

/// Parts that are sent at once: with their size the memory that an upload takes, 64 MiB for files of up to 72 GB.
const WRITES: usize = 8;
/// What a part has at least. S3 takes none below 5 MiB, and each costs a request.
const PART: u64 = 8 << 20;
/// S3 takes no more than 10,000 parts.
const MAX_PARTS: u64 = 9_000;

/// A file on its way.
struct Sent<'a> {
    entry: &'a FileEntry,
    key: String,
    /// None for a file that goes in one piece.
    upload: Option<UploadId>,
    parts: Mutex<Vec<Option<PartId>>>,
}

/// Uploads the snapshot that lies in a directory, complete but for its manifest. When that fails, what was sent is
/// removed as far as the server lets it be.
pub(crate) fn run(
    client: &Arc<Client>,
    owner: &str,
    dir: &Path,
    manifest: &Manifest,
    progress: Progress<'_>,
) -> Result<(), SnapshotError> {
    let id = &manifest.id;
    let mut open = Vec::new();
    let done = send(client, owner, dir, manifest, &mut open, progress);
    match &done {
        Ok(()) => {
            // The manifest is there: the mark says nothing any more, and goes with the snapshot at the latest.
            if let Err(error) = client.delete(&[format!("{id}/{}", leftover::MARK)]) {
                tracing::debug!("the mark of an upload is left: {error}");
            }
        }
        Err(_) => {
            let mark = Mark { owner: owner.to_string(), uploads: open };
            if let Err(error) = leftover::give_up(client, id, &mark) {
                tracing::warn!(id, "what was sent of a snapshot cannot be removed now: {error}");
            }
        }
    }
    done
}

fn send(
    client: &Arc<Client>,
    owner: &str,
    dir: &Path,
    manifest: &Manifest,
    open: &mut Vec<(String, UploadId)>,
    progress: Progress<'_>,
) -> Result<(), SnapshotError> {
    let id = &manifest.id;
    let mut files = Vec::new();
    for entry in &manifest.files {
        let key = format!("{id}/{}", entry.name);
        let upload = if entry.bytes > PART { Some(client.begin(&key)?) } else { None };
        open.extend(upload.iter().map(|upload| (key.clone(), upload.clone())));
        files.push(Sent { entry, key, upload, parts: Mutex::new(Vec::new()) });
    }
    Mark { owner: owner.to_string(), uploads: open.clone() }.put(client, id)?;

    let pieces: Vec<(&Sent<'_>, u64, u64)> = files.iter().flat_map(pieces).collect();
    let from = FolderSource(dir.to_path_buf());
    let meter = Meter::new(manifest.bytes(), progress);
    files::parallel(WRITES, pieces.len(), |piece, _| {
        let Some((file, offset, len)) = pieces.get(piece) else { return Ok(()) };
        let mut bytes = vec![0; usize::try_from(*len).unwrap_or(usize::MAX)];
        from.read(&file.entry.name, *offset, &mut bytes)?;
        let count = bytes.len();
        match &file.upload {
            None => client.put(&file.key, bytes)?,
            Some(upload) => {
                let index = usize::try_from(offset / part_bytes(file.entry.bytes)).unwrap_or(usize::MAX);
                let part = client.put_part(&file.key, upload, index, bytes)?;
                let mut parts = file.parts.lock().unwrap_or_else(PoisonError::into_inner);
                if parts.len() <= index {
                    parts.resize(index + 1, None);
                }
                if let Some(slot) = parts.get_mut(index) {
                    *slot = Some(part);
                }
            }
        }
        meter.add(count);
        Ok(())
    })?;
    for Sent { key, upload, parts, .. } in files {
        if let Some(upload) = upload {
            let parts = parts.into_inner().unwrap_or_else(PoisonError::into_inner);
            client.complete(&key, &upload, parts.into_iter().flatten().collect())?;
        }
    }
    // What the server says that it has, and not what it answered to each request: the manifest promises all of it.
    let there = BucketSource::new(client.clone(), id.clone());
    files::check_lengths(manifest, &there)?;
    client.put(&format!("{id}/{}", manifest::FILE), manifest.to_json())
}

/// The pieces in which a file is sent.
fn pieces<'a>(file: &'a Sent<'a>) -> impl Iterator<Item = (&'a Sent<'a>, u64, u64)> {
    let bytes = file.entry.bytes;
    let part = part_bytes(bytes);
    // A file without bytes is one piece, too.
    (0..bytes.div_ceil(part).max(1)).map(move |index| {
        let offset = index * part;
        (file, offset, part.min(bytes - offset))
    })
}

/// Bytes of a file's parts, the last excepted.
fn part_bytes(file: u64) -> u64 {
    file.div_ceil(MAX_PARTS).next_multiple_of(1 << 20).max(PART)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_has_more_parts_than_s3_takes() {
        for bytes in [0, 1, PART, PART + 1, 70 << 30, 80 << 30, 5 << 40] {
            let part = part_bytes(bytes);
            assert!(part >= PART && bytes.div_ceil(part) <= 10_000, "{bytes}: {part}");
        }
        assert_eq!(part_bytes(70 << 30), PART);
    }
}
