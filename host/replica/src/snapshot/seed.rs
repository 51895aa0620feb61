//! Writing a datastore from rows: engine and log of one that was never open.

use std::{path::Path, sync::Arc};

use numax_crdt::{NodeId, Origin};
use numax_store::{Disk, Engine, FsDisk, KvBackend, WriteBatch};

use super::{Row, StateFacts};
use crate::{
    error::OpenError,
    log,
    meta::{HostFacts, Meta},
    replica::ROWS,
};

/// Bytes that go to the engine at once.
const BATCH_BYTES: usize = 1 << 20;

/// Writes rows into a new engine, and at the end the notes and the log that make a datastore of them.
///
/// The result carries no node: whoever opens it first, with the `meta.json` of [`write_meta`], owns it.
pub struct Seeder {
    disk: FsDisk,
    engine: Arc<dyn KvBackend>,
    batch: WriteBatch,
    bytes: usize,
}

impl Seeder {
    /// Begins in a directory, which is made when it is not there and must hold no datastore. Blocks.
    ///
    /// # Errors
    /// When the system or the engine refuses.
    pub fn create(dir: &Path, engine: Engine) -> Result<Self, OpenError> {
        let disk = FsDisk::open(dir)?;
        let engine = numax_store::open(engine, &dir.join(ROWS))?;
        Ok(Self { disk, engine, batch: WriteBatch::new(), bytes: 0 })
    }

    /// The engine, as scratch room for a [`StateView`](super::StateView). It must be given back before
    /// [`finish`](Self::finish).
    pub fn engine(&self) -> Arc<dyn KvBackend> {
        self.engine.clone()
    }

    /// Adds a row. Blocks.
    ///
    /// # Errors
    /// The engine's.
    pub fn put(&mut self, (table, key, value): Row) -> Result<(), OpenError> {
        self.bytes += key.len() + value.len();
        self.batch.put(table, key, value);
        if self.bytes >= BATCH_BYTES {
            self.bytes = 0;
            self.engine.commit(std::mem::take(&mut self.batch))?;
        }
        Ok(())
    }

    /// Writes what makes of the rows those of the datastore that they came from, whose log goes on behind them: for
    /// [`repair_from`](crate::repair::repair_from). Syncs the engine and closes it; it lies in `rows`. Blocks.
    ///
    /// # Errors
    /// When something of that failed: then the directory is of no use.
    pub fn finish_rows(self, facts: &StateFacts) -> Result<(), OpenError> {
        let Self { engine, batch, .. } = self;
        engine.commit(batch)?;
        engine.commit(facts.notes(facts.position)?.plain())?;
        engine.sync()?;
        Ok(())
    }

    /// Writes what makes a datastore of the rows, syncs everything that the engine and the log have, and closes it.
    /// Blocks.
    ///
    /// # Errors
    /// When something of that failed: then the directory is of no use.
    pub fn finish(self, facts: &StateFacts) -> Result<(), OpenError> {
        let Self { disk, engine, batch, .. } = self;
        let position = log::begin(Arc::new(disk), &facts.vector)?;
        engine.commit(batch)?;
        engine.commit(facts.notes(position)?.plain())?;
        engine.sync()?;
        Ok(())
    }
}

/// Writes the `meta.json` of restored data: it belongs to `node`, and its next open begins an epoch after `epoch`.
///
/// # Errors
/// The disk's.
pub fn write_meta(disk: &dyn Disk, node: NodeId, epoch: u64) -> Result<(), OpenError> {
    let unknown = HostFacts { boot_id: String::new(), disk_id: String::new(), nonce: 0 };
    Ok(Meta::restored(Origin { node, epoch, nonce: 0 }, &unknown).store(disk)?)
}
