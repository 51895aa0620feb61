//! Damaged rows of a datastore from one of its own snapshots and the log behind it.

use std::fs;

use numax_replica::{
    OpenError, ReplicaConfig,
    repair::{Report, repair_from, rows_are_whole},
    snapshot::Seeder,
};

use crate::{Progress, Repository, SnapshotError, error::failed, restore::remove_dir};

/// The directory, in the datastore's, in which the new rows are made.
const DRAFT: &str = "rows.base";

impl Repository {
    /// Builds the rows of a datastore that nobody has open from the newest of its own snapshots here from which its log
    /// leads on, if they are damaged. Nothing is lost with that. None when the rows are whole, or no snapshot fits: then
    /// nothing was changed. Blocks, long.
    ///
    /// # Errors
    /// When the datastore is in use or another node's, or the system refuses.
    pub fn rebuild_rows(
        &self,
        config: &ReplicaConfig,
        progress: Progress<'_>,
    ) -> Result<Option<Report>, SnapshotError> {
        if rows_are_whole(config)? {
            return Ok(None);
        }
        let own = config.core.node.to_string();
        let draft = config.dir.join(DRAFT);
        for found in self.list()?.into_iter().rev() {
            let Ok(snapshot) = found.snapshot else { continue };
            if snapshot.manifest().node != own {
                continue;
            }
            remove_dir(&draft)?;
            fs::create_dir_all(&draft).map_err(failed("creating", &draft))?;
            let built = (|| {
                let rows = snapshot.rows(&draft, progress)?;
                let facts = rows.facts().clone();
                let mut seeder = Seeder::create(&draft.join("new"), config.engine)?;
                for row in rows {
                    seeder.put(row?)?;
                }
                seeder.finish_rows(&facts)?;
                Ok::<_, SnapshotError>(repair_from(config, &draft.join("new").join("rows"))?)
            })();
            remove_dir(&draft)?;
            match built {
                Ok(mut report) => {
                    report.found.push(format!("snapshot {}: fits", found.id));
                    return Ok(Some(report));
                }
                // Another one may do.
                Err(
                    error @ (SnapshotError::Damaged { .. }
                    | SnapshotError::Newer { .. }
                    | SnapshotError::Older { .. }),
                ) => {
                    tracing::warn!(snapshot = found.id, %error, "a snapshot cannot be used");
                }
                Err(SnapshotError::Datastore(
                    error @ (OpenError::RowsLost { .. } | OpenError::Corrupt { .. } | OpenError::Log(_)),
                )) => tracing::info!(snapshot = found.id, %error, "the log does not lead on from a snapshot"),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}
