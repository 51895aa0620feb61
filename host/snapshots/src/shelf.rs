//! What folders and buckets of snapshots have in common: finding, listing and counting them.

use crate::{Found, Snapshot, SnapshotError};

/// Something that snapshots lie in.
pub(crate) trait Shelf {
    /// What people call it.
    fn name(&self) -> String;

    /// The ids of what is whole, oldest first.
    fn ids(&self) -> Result<Vec<String>, SnapshotError>;

    /// One of them, or why it cannot be used.
    fn load(&self, id: &str) -> Result<Snapshot, SnapshotError>;

    /// Several of them; where loading takes long, at once.
    fn load_all(&self, ids: &[String]) -> Vec<Result<Snapshot, SnapshotError>> {
        ids.iter().map(|id| self.load(id)).collect()
    }

    /// Removes one, first from the list and then its files.
    fn remove(&self, id: &str) -> Result<(), SnapshotError>;

    fn list(&self) -> Result<Vec<Found>, SnapshotError> {
        let ids = self.ids()?;
        let loaded = self.load_all(&ids);
        Ok(ids.into_iter().zip(loaded).map(|(id, snapshot)| Found { id, snapshot }).collect())
    }

    fn find(&self, id: &str) -> Result<Snapshot, SnapshotError> {
        let mut ids = self.ids()?;
        let missing = || SnapshotError::NotFound { id: id.to_string(), folder: self.name() };
        if id == "latest" {
            let mut why = None;
            for id in ids.iter().rev() {
                match self.load(id) {
                    Ok(snapshot) => return Ok(snapshot),
                    // Of the newest: the one that was meant.
                    Err(error) => why = why.or(Some(error)),
                }
            }
            return Err(why.unwrap_or_else(missing));
        }
        if ids.iter().any(|found| found == id) {
            return self.load(id);
        }
        ids.retain(|found| !id.is_empty() && found.starts_with(id));
        match &ids[..] {
            [] => Err(missing()),
            [id] => self.load(id),
            _ => Err(SnapshotError::Ambiguous { id: id.to_string(), found: ids.join(", ") }),
        }
    }

    /// Removes the oldest until `keep` are left. Only those of a node count and go, if one is named; damaged ones do
    /// neither.
    fn prune(&self, keep: usize, node: Option<&str>) -> Result<Vec<String>, SnapshotError> {
        let mut found = self.list()?;
        found.retain(|found| {
            let manifest = found.snapshot.as_ref().map(Snapshot::manifest);
            manifest.is_ok_and(|manifest| node.is_none_or(|node| manifest.node == node))
        });
        found.truncate(found.len().saturating_sub(keep));
        for found in &found {
            self.remove(&found.id)?;
        }
        Ok(found.into_iter().map(|found| found.id).collect())
    }
}
