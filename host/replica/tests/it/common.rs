//! A node on simulated hardware.

use std::sync::Arc;

use bytes::Bytes;
use numax_crdt::{Key, NodeId};
use numax_replica::{
    Applied, CommitError, CommitTicket, Core, CoreConfig, Draft, Durability, GroupOutcome, HostFacts,
    Ingested, LocalBatch, OpenError, Request, Response,
};
use numax_store::{Faults, MemDisk, Survives, mem::MemBackend};

/// The wall clock of all simulated nodes, in milliseconds.
pub const NOW: u64 = 1_700_000_000_000;

pub fn key(name: &str) -> Key {
    Key::new(name.to_string()).unwrap()
}

pub fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub fn config(node: u8, durability: Durability) -> CoreConfig {
    CoreConfig { durability, ..CoreConfig::new(NodeId([node; 32])) }
}

/// A datastore on a simulated disk and engine.
pub struct Node {
    pub core: Core,
    pub disk: MemDisk,
    pub engine: Arc<MemBackend>,
    pub config: CoreConfig,
    pub facts: HostFacts,
}

pub fn facts() -> HostFacts {
    HostFacts { boot_id: "boot-1".to_string(), disk_id: "disk-1".to_string(), nonce: 1 }
}

impl Node {
    pub fn new(node: u8) -> Self {
        Self::with(config(node, Durability::Fsync))
    }

    pub fn with(config: CoreConfig) -> Self {
        Self::on(config, Faults::default()).unwrap()
    }

    /// A new datastore on hardware with faults.
    pub fn on(config: CoreConfig, faults: Faults) -> Result<Self, OpenError> {
        let disk = MemDisk::with_faults(faults.clone());
        Self::open(config, disk, MemBackend::with_faults(faults), facts())
    }

    pub fn open(
        config: CoreConfig,
        disk: MemDisk,
        engine: impl Into<Arc<MemBackend>>,
        facts: HostFacts,
    ) -> Result<Self, OpenError> {
        let engine = engine.into();
        let core = Core::open(config.clone(), Arc::new(disk.clone()), engine.clone(), &facts, NOW)?;
        Ok(Self { core, disk, engine, config, facts })
    }

    /// Crashes and opens again. The machine starts anew unless only the process ended.
    pub fn crash(&self, survives: Survives) -> Result<Self, OpenError> {
        let mut facts = self.facts.clone();
        facts.nonce += 1;
        if survives != Survives::Everything {
            facts.boot_id.push('+');
        }
        Self::open(self.config.clone(), self.disk.crash(survives), self.engine.crash(survives), facts)
    }

    pub fn draft(&self) -> Draft {
        let mut draft = Draft::new(self.core.reader(), 7);
        draft.load_inline(true);
        draft
    }

    /// A batch of what `write` does.
    pub fn batch(&self, write: impl FnOnce(&mut Draft)) -> LocalBatch {
        let mut draft = self.draft();
        write(&mut draft);
        draft.take()
    }

    /// Works off a group, and commits it at the node's durability.
    pub fn group(&mut self, requests: Vec<Request>) -> GroupOutcome {
        let outcome = self.core.run_group(requests, NOW);
        if self.config.durability == Durability::Fsync {
            // A failure shows in the datastore's health.
            let _ = self.core.sync();
        }
        outcome
    }

    pub fn try_commit(
        &mut self,
        write: impl FnOnce(&mut Draft),
    ) -> Result<(CommitTicket, Vec<Arc<Applied>>), CommitError> {
        let batch = self.batch(write);
        let mut outcome = self.group(vec![Request::Commit(batch)]);
        match outcome.results.remove(0)? {
            Response::Committed(ticket) if self.core.committed() < ticket.position => {
                Err(CommitError::ReadOnly("it was appended and could not be synced".to_string()))
            }
            Response::Committed(ticket) => Ok((ticket, outcome.applied)),
            other => panic!("{other:?}"),
        }
    }

    /// Commits and answers what goes to peers.
    pub fn commit(&mut self, write: impl FnOnce(&mut Draft)) -> Arc<Applied> {
        self.try_commit(write).unwrap().1.remove(0)
    }

    pub fn ingest(&mut self, batches: Vec<Bytes>) -> Ingested {
        match self.group(vec![Request::Ingest(batches)]).results.remove(0).unwrap() {
            Response::Ingested(ingested) => ingested,
            other => panic!("{other:?}"),
        }
    }

    pub fn counter(&self, name: &str) -> u64 {
        self.draft().g_counter_value(&key(name)).unwrap()
    }

    pub fn register(&self, name: &str) -> Option<Bytes> {
        self.draft().register_get(&key(name)).unwrap()
    }

    pub fn elements(&self, name: &str) -> Vec<Bytes> {
        self.draft().set_elements(&key(name), None, 1000).unwrap().items
    }

    /// Every batch in the log, in order.
    pub fn log(&mut self) -> Vec<Bytes> {
        let (mut batches, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.core.batches_after(&Default::default(), cursor, 1 << 20).unwrap();
            batches.extend(page.batches);
            match page.next {
                Some(next) => cursor = Some(next),
                None => return batches,
            }
        }
    }
}
