//! What interrupted uploads and removals leave behind, and how it goes.
//!
//! Objects under an id without a manifest are no snapshot. They are somebody's upload that is under way, or a leftover.
//! The uploader's mark tells them apart: what this scratch folder began is a leftover, because its lock is held by whoever
//! asks; what others began is one when nothing of it changed for a day. Taking another's upload for a leftover would
//! break it and no more: it asks whether all objects are there before it puts its manifest.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::Path,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

use super::{
    Survey,
    client::{Client, Object, UploadId},
    is_whole,
};
use crate::{SnapshotError, error::failed, manifest};

/// The mark's name below an id.
pub(crate) const MARK: &str = "upload.json";
/// No snapshot's upload is silent for so long: a part is a few megabytes.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// The file in a scratch folder that says who uploads from there.
const OWNER: &str = ".owner";
/// Bounds what is read of a mark.
const MAX_MARK: u64 = 16 << 20;

/// What an upload says of itself while it is under way.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// The scratch folder that it comes from.
    pub owner: String,
    /// Uploads in parts that are open: key and id. Nothing else lists their parts, and they cost as much as objects do.
    pub uploads: Vec<(String, UploadId)>,
}

impl Mark {
    pub(crate) fn put(&self, client: &Client, id: &str) -> Result<(), SnapshotError> {
        client.put(&format!("{id}/{MARK}"), serde_json::to_vec(self).unwrap_or_default())
    }

    /// The mark of an id; one that cannot be read tells nothing.
    fn get(client: &Client, id: &str) -> Result<Self, SnapshotError> {
        let text = client.get(&format!("{id}/{MARK}"), MAX_MARK)?;
        Ok(serde_json::from_slice(&text).unwrap_or_default())
    }
}

/// Who uploads from a scratch folder: a word that no other folder has.
pub(crate) fn owner(scratch: &Path) -> Result<String, SnapshotError> {
    let path = scratch.join(OWNER);
    if let Ok(text) = fs::read_to_string(&path)
        && !text.is_empty()
    {
        return Ok(text);
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut hash = blake3::Hasher::new();
    hash.update(path.as_os_str().as_encoded_bytes());
    hash.update(&std::process::id().to_le_bytes()).update(&now.as_nanos().to_le_bytes());
    let text = hash.finalize().to_hex().as_str().get(..32).unwrap_or_default().to_string();
    fs::File::create(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .map_err(failed("writing", &path))?;
    Ok(text)
}

/// Removes all leftovers.
pub(crate) fn sweep(client: &Client, owner: &str, survey: &Survey) -> Result<(), SnapshotError> {
    let now = SystemTime::now();
    for (id, objects) in survey.iter().filter(|(_, objects)| !is_whole(objects)) {
        let mark = if objects.contains_key(MARK) { Mark::get(client, id)? } else { Mark::default() };
        if mark.owner == owner || is_stale(objects, now) {
            give_up(client, id, &mark)?;
            tracing::info!(id, "what an interrupted upload had left was removed");
        }
    }
    Ok(())
}

fn is_stale(objects: &BTreeMap<String, Object>, now: SystemTime) -> bool {
    let newest = objects.values().map(|object| object.modified).max();
    newest.is_none_or(|newest| now.duration_since(newest).is_ok_and(|age| age >= STALE))
}

/// Removes an upload that is not complete.
pub(crate) fn give_up(client: &Client, id: &str, mark: &Mark) -> Result<(), SnapshotError> {
    let own = format!("{id}/");
    // A mark may come from anybody who can write there.
    for (key, upload) in mark.uploads.iter().filter(|(key, _)| key.starts_with(&own)) {
        client.abort(key, upload)?;
    }
    discard(client, id)
}

/// Removes everything under an id: the manifest first, so that nobody sees half a snapshot, and the mark last, because it
/// knows of uploads that no list shows.
pub(crate) fn discard(client: &Client, id: &str) -> Result<(), SnapshotError> {
    let (manifest, mark) = (format!("{id}/{}", manifest::FILE), format!("{id}/{MARK}"));
    let mut names: Vec<String> = client.list(Some(id))?.into_iter().map(|object| object.name).collect();
    for first in [&manifest, &mark] {
        let there = names.iter().position(|name| name == first);
        if let Some(at) = there {
            let name = names.remove(at);
            if *first == manifest {
                client.delete(&[name])?;
            } else {
                names.push(name);
            }
        }
    }
    if names.is_empty() { Ok(()) } else { client.delete(&names) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_silent_for_a_day_is_stale() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let object = |age: u64| Object {
            name: String::new(),
            bytes: 1,
            modified: now - Duration::from_secs(age * 3600),
        };
        let all = |ages: &[u64]| ages.iter().map(|age| (age.to_string(), object(*age))).collect();
        assert!(is_stale(&all(&[24, 30]), now));
        assert!(!is_stale(&all(&[1, 30]), now), "one object came an hour ago");
        let ahead = [("x".to_string(), Object { modified: now + STALE * 2, ..object(0) })];
        assert!(!is_stale(&BTreeMap::from(ahead), now), "a server's clock that is ahead says nothing");
    }

    #[test]
    fn a_scratch_folder_has_one_owner_and_no_other_has_the_same() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = owner(a.path()).unwrap();
        assert_eq!((first.len(), owner(a.path()).unwrap()), (32, first.clone()));
        assert_ne!(owner(b.path()).unwrap(), first);
    }
}
