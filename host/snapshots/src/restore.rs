//! Putting a snapshot back: a checked copy beside the data, and the exchange of both.

use std::{fs, path::Path};

use numax_crdt::NodeId;
use numax_replica::engine_of;
use numax_replica::snapshot::{Seeder, owner, remove_local, seed, swap};
use numax_store::{Engine, FsDisk};

use crate::{Progress, Snapshot, SnapshotError, error::failed, files};

/// Room that is left beside what a restore needs.
const SPARE: u64 = 16 << 20;

/// How a snapshot is put back.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// The node whose datastore it goes to. A datastore keeps its identity, whatever is restored into it.
    pub node: NodeId,
    /// The engine that the datastore is to use; none: its own, or the snapshot's if it is new. Another one than the
    /// snapshot's is written row by row.
    pub engine: Option<Engine>,
    /// The cluster that the node belongs to, if that is known.
    pub cluster: Option<String>,
    /// Takes a snapshot of another cluster, too.
    pub other_cluster: bool,
}

/// What came of a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The datastore had data before, which is gone now.
    pub replaced: bool,
    /// The snapshot is another node's: its node-local rows were left out.
    pub other_node: bool,
}

impl Snapshot {
    /// Puts the snapshot into a datastore that is not open, or makes one of it. The next open begins a new epoch, and
    /// what the snapshot lacks comes back from the peers. Blocks.
    ///
    /// # Errors
    /// Whatever happens before the exchange, a damaged file or a full disk, leaves the datastore as it was, and so does
    /// the end of the process; once the exchange has begun, the next open completes it.
    pub fn restore(
        &self,
        datastore: &Path,
        options: &RestoreOptions,
        progress: Progress<'_>,
    ) -> Result<Restored, SnapshotError> {
        let manifest = &self.manifest;
        manifest.check_schema()?;
        if let (Some(found), Some(want)) = (&manifest.cluster, &options.cluster)
            && found != want
            && !options.other_cluster
        {
            return Err(SnapshotError::OtherCluster { found: found.clone(), want: want.clone() });
        }
        let other_node = manifest.facts()?.origin.node != options.node;

        let _lock = numax_replica::lock(datastore)?;
        let staging = swap::staging(datastore)?;
        let previous = owner(&FsDisk::open(datastore).map_err(numax_replica::OpenError::from)?)?;
        if let Some((node, _)) = previous
            && node != options.node
        {
            return Err(SnapshotError::Foreign {
                file: datastore.display().to_string(),
                detail: format!("its data belongs to node {node}, its key to node {}", options.node),
            });
        }
        let engine = match options.engine {
            Some(engine) => engine,
            None => engine_of(datastore)?.map_or_else(|| manifest.engine(), Ok)?,
        };
        let put = || {
            self.put_together(
                &staging,
                options.node,
                engine,
                previous.map_or(0, |(_, epoch)| epoch),
                progress,
            )
        };
        if let Err(error) = put() {
            // What is left would go with the next open; but it may be much.
            let _ = fs::remove_dir_all(&staging);
            return Err(error);
        }
        swap::exchange(datastore)?;
        tracing::info!(
            id = manifest.id,
            datastore = %datastore.display(),
            engine = engine.name(),
            "a snapshot was restored"
        );
        Ok(Restored { replaced: previous.is_some(), other_node })
    }

    /// Writes the data that is to count, complete and synced, into a directory. `epoch` is the datastore's.
    fn put_together(
        &self,
        staging: &Path,
        node: NodeId,
        engine: Engine,
        epoch: u64,
        progress: Progress<'_>,
    ) -> Result<(), SnapshotError> {
        let manifest = &self.manifest;
        let facts = manifest.facts()?;
        let convert = manifest.engine()? != engine;
        let other_node = facts.origin.node != node;
        // Converted rows take about as much again.
        let need = manifest.bytes().saturating_mul(if convert { 2 } else { 1 }).saturating_add(SPARE);
        files::check_room(staging, need)?;
        if convert {
            let rows = self.rows_in(&staging.join("source"), progress)?;
            let mut seeder = Seeder::create(staging, engine)?;
            for row in rows {
                seeder.put(row?)?;
            }
            seeder.finish(&facts)?;
        } else {
            files::copy(manifest, &*self.source, staging, progress)?;
        }
        if other_node {
            let engine = numax_store::open(engine, &staging.join("rows"))?;
            remove_local(&*engine)?;
        }
        // An epoch is never used twice on one node.
        let epoch = epoch.max(if other_node { 0 } else { manifest.epoch });
        let disk = FsDisk::open(staging).map_err(numax_replica::OpenError::from)?;
        seed::write_meta(&disk, node, epoch)?;
        if convert || other_node {
            files::sync_all(staging)?;
        }
        Ok(())
    }
}

/// Removes a directory that may not be there.
pub(crate) fn remove_dir(path: &Path) -> Result<(), SnapshotError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed("removing", path)(error)),
        _ => Ok(()),
    }
}
