//! Making a snapshot of an open datastore, while it serves.

use numax_replica::{Replica, snapshot::Seeder};
use numax_store::Engine;

use crate::{
    Folder, Progress, Snapshot, SnapshotError,
    folder::Draft,
    id,
    manifest::{Counts, Manifest},
};

/// How a snapshot is made.
#[derive(Debug, Clone, Default)]
pub struct CreateOptions {
    /// The engine to write; none: the datastore's own, which makes a restore a plain copy.
    pub engine: Option<Engine>,
    /// The cluster that the node belongs to, if that is known.
    pub cluster: Option<String>,
}

impl Folder {
    /// Writes a snapshot of a datastore: everything that was committed before the call, and nothing that comes in
    /// pieces after. Commits go on meanwhile. Blocks: not for an async worker.
    ///
    /// # Errors
    /// When rows cannot be read or written. Then there is no snapshot, and nothing is left of it.
    pub fn create(
        &self,
        replica: &Replica,
        options: &CreateOptions,
        progress: Progress<'_>,
    ) -> Result<Snapshot, SnapshotError> {
        let draft = self.draft()?;
        let manifest = write(&draft, replica, options, progress)?;
        let manifest = draft.seal(manifest, progress)?;
        let snapshot = draft.publish(manifest)?;
        told(&snapshot);
        Ok(snapshot)
    }
}

/// Writes the rows of a datastore into a draft.
pub(crate) fn write(
    draft: &Draft,
    replica: &Replica,
    options: &CreateOptions,
    progress: Progress<'_>,
) -> Result<Manifest, SnapshotError> {
    let created_ms = id::now_ms();
    let engine = options.engine.unwrap_or_else(|| replica.engine());
    let mut seeder = Seeder::create(draft.path(), engine)?;
    let mut view = replica.view(seeder.engine())?;
    let mut counts = Counts::default();
    while let Some(rows) = view.page()? {
        for row in rows {
            counts.add(&row);
            seeder.put(row)?;
        }
        progress(counts.row_bytes, 0);
    }
    let facts = view.facts().clone();
    // It holds the new engine, which must be closed before its files are hashed.
    drop(view);
    seeder.finish(&facts)?;
    let mut manifest = Manifest::new(created_ms, options.cluster.clone(), &facts, counts);
    manifest.engine = engine.name().to_string();
    Ok(manifest)
}

/// Says in the log that a snapshot was made.
pub(crate) fn told(snapshot: &Snapshot) {
    let manifest = snapshot.manifest();
    tracing::info!(
        id = manifest.id,
        rows = manifest.rows,
        bytes = manifest.bytes(),
        place = snapshot.place(),
        "a snapshot was made"
    );
}
