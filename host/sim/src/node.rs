//! One simulated machine: its disk, its clock, and the process that may run on it.

use crate::plan::{Crash, NodePlan};
use crate::trace::stream;
use crate::world::What;
use numax_cluster::{Cluster, Config, Identity, IngestOutcome, TransferState};
use numax_crdt::{Dot, NodeId, Origin};
use numax_replica::core::{FlushJob, SyncJob};
use numax_replica::{Applied, Core, CoreConfig, HostFacts, OpenError, Request};
use numax_store::mem::MemBackend;
use numax_store::{FaultPlan, Faults, MemDisk, Survives};
use rand::rngs::ChaCha8Rng;
use std::collections::VecDeque;
use std::sync::Arc;

/// What is on a machine's disk.
pub struct Storage {
    disk: MemDisk,
    engine: Arc<MemBackend>,
    /// Of disk and engine together; the fault plan is set here.
    pub faults: Faults,
    /// Something of it decayed.
    pub damaged: bool,
    /// The rows were thrown away since, to be built anew from the log.
    rebuilt: bool,
}

impl Storage {
    /// An empty disk.
    pub fn new() -> Self {
        let faults = Faults::default();
        Self {
            disk: MemDisk::with_faults(faults.clone()),
            engine: Arc::new(MemBackend::with_faults(faults.clone())),
            faults,
            damaged: false,
            rebuilt: false,
        }
    }

    /// What is found after a crash.
    pub fn crash(&self, how: Crash) -> Self {
        let survives = match how {
            Crash::Process => Survives::Everything,
            Crash::Power(choice) if choice % 4 == 0 => Survives::SyncedOnly,
            Crash::Power(choice) => Survives::Chosen(choice),
        };
        let (disk, engine) = (self.disk.crash(survives), self.engine.crash(survives));
        self.with(disk, engine)
    }

    /// A copy of everything as it stands.
    pub fn copy(&self) -> Self {
        let (disk, engine) = (self.disk.snapshot(), self.engine.snapshot());
        self.with(disk, engine)
    }

    /// The same with other contents, with the faults of one machine.
    fn with(&self, disk: MemDisk, engine: MemBackend) -> Self {
        let faults = disk.faults().clone();
        let engine = Arc::new(engine.sharing(faults.clone()));
        Self { disk, engine, faults, damaged: self.damaged, rebuilt: self.rebuilt }
    }

    /// Flips a bit of the log.
    pub fn flip(&mut self, choice: u64) {
        self.damaged |= self.disk.flip_bit("log/", choice).is_some();
    }

    /// Damages the engine's files.
    pub fn damage_rows(&mut self, choice: u64) {
        self.damaged |= self.engine.damage(choice).is_some();
        self.rebuilt = false;
    }

    /// Throws the rows away; `false` if that was done already.
    pub fn lose_rows(&mut self) -> bool {
        if !std::mem::replace(&mut self.rebuilt, true) {
            self.engine = Arc::new(MemBackend::with_faults(self.faults.clone()));
            return true;
        }
        false
    }

    /// All of it was looked at and is good.
    pub fn sound(&mut self) {
        (self.damaged, self.rebuilt) = (false, false);
    }

    /// The disk, for a mark that says it was restored.
    pub fn disk(&self) -> &MemDisk {
        &self.disk
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self::new()
    }
}

/// What the committer has to do.
pub enum Job {
    /// Commit a turn.
    Turn(u64, numax_replica::LocalBatch),
    /// Apply batches of a peer; answer to this request of the cluster.
    Ingest(u64, Vec<bytes::Bytes>),
    /// Take a page of a peer's state; answer to this request of the cluster.
    State(u64, bytes::Bytes),
    /// Merge a page of a peer's state; answer to this request of the cluster.
    Merge(u64),
    /// Settle what is held back.
    Settle,
}

impl Job {
    /// The committer's request for it.
    pub fn request(&self) -> Request {
        match self {
            Self::Turn(_, batch) => Request::Commit(batch.clone()),
            Self::Ingest(_, batches) => Request::Ingest(batches.clone()),
            Self::State(_, page) => Request::Transfer(page.clone()),
            Self::Merge(_) => Request::Merge,
            Self::Settle => Request::Settle,
        }
    }
}

/// What must not leave a node before it is committed.
pub enum Waiting {
    /// A turn's answer, and its dot if it wrote something that is replicated.
    Answer(Option<Dot>),
    /// A batch for peers.
    Batch(Arc<Applied>),
    /// The answer to a request of the protocol.
    Ingested(u64, IngestOutcome),
    /// The same for a page of state.
    State(u64, Option<TransferState>),
}

/// A running process.
pub struct Life {
    /// Tells it from those before.
    pub number: u64,
    /// The datastore.
    pub core: Core,
    /// The protocol.
    pub cluster: Cluster,
    /// What waits for the committer.
    pub queue: Vec<Job>,
    /// Whether the committer will look at the queue.
    pub awake: bool,
    /// A sync that runs, and what it covers.
    pub syncing: Option<(SyncJob, numax_crdt::VersionVector)>,
    /// Whether a sync will begin, or one that runs will end, under `fsync`.
    pub sync_due: bool,
    /// A flush that runs.
    pub flushing: Option<FlushJob>,
    /// What waits until it is committed, by the log position that it waits for.
    pub waiting: VecDeque<(u64, Waiting)>,
    /// The timer that was set last.
    pub timer: u64,
    /// The sum that a reader saw of each g-counter.
    pub seen: std::collections::BTreeMap<bytes::Bytes, u64>,
}

/// A machine.
pub struct Node {
    /// Its name everywhere. A clone has another's.
    pub id: NodeId,
    /// Which of the machines it is.
    index: usize,
    /// Its disk.
    pub storage: Storage,
    /// Its process, if one runs.
    pub life: Option<Life>,
    /// How many processes have run.
    pub lives: u64,
    /// How its process will end at the storage operation that is planned, and for how long it stays down.
    pub doom: Option<(Crash, u64)>,
    /// It left, or never comes.
    pub gone: bool,
    /// Its disk may fail.
    pub bad_disk: bool,
    /// Something happened after which it may begin a new epoch.
    pub may_renew: bool,
    /// How the engine's files decay when it ends.
    pub decay: Vec<u64>,
    /// Its operator saw that something is damaged: rows are built anew before it starts again.
    pub must_repair: bool,
    /// How much longer its syncs take, and until when.
    pub slow_sync: (u64, u64),
    /// Its process stands still, and what waits for it.
    pub paused: Option<Vec<What>>,
    /// Wall clock against the true time, in milliseconds.
    pub skew: i64,
    /// The protocol that it speaks beyond this build's.
    newer: u32,
    /// Its choices.
    pub rng: ChaCha8Rng,
    /// Starts of the machine.
    boots: u64,
    /// Which disk is in it.
    disk_number: u64,
    /// An old copy of the disk and what was promised then.
    pub copy: Option<(Storage, numax_crdt::VersionVector)>,
    /// What the last process wrote under.
    pub wrote_under: Option<Origin>,
    holds_back: bool,
}

impl Node {
    /// A machine that was never started.
    #[must_use]
    pub fn new(index: usize, plan: &NodePlan, seed: u64) -> Self {
        let mut id = [0; 32];
        id.fill(u8::try_from(index + 1).unwrap_or(u8::MAX));
        Self {
            id: NodeId(id),
            index,
            storage: Storage::new(),
            life: None,
            lives: 0,
            doom: None,
            gone: plan.start.is_none(),
            bad_disk: false,
            may_renew: false,
            decay: Vec::new(),
            must_repair: false,
            slow_sync: (0, 0),
            paused: None,
            skew: plan.skew,
            newer: plan.newer,
            rng: stream(seed, 0, index as u64),
            boots: 1,
            disk_number: 1,
            copy: None,
            wrote_under: None,
            holds_back: false,
        }
    }

    /// How much longer a sync takes at a time.
    #[must_use]
    pub fn sync_delay(&self, now: u64) -> u64 {
        if now < self.slow_sync.1 { self.slow_sync.0 } else { 0 }
    }

    /// What the machine's wall clock says at a time of the simulation.
    pub fn wall(&self, now: u64) -> u64 {
        // Some day in 2026.
        const START: u64 = 1_780_000_000_000;
        (START + now).saturating_add_signed(self.skew)
    }

    /// Whether what its process wrote is held back, or was when it ended. Nobody copies a disk then: both copies would
    /// let it go, each in its own form.
    #[must_use]
    pub fn holds_back(&self) -> bool {
        self.life.as_ref().map_or(self.holds_back, |life| life.core.held_back() > 0)
    }

    /// Ends the process, if one runs.
    pub fn crash(&mut self, how: Crash) {
        if matches!(how, Crash::Power(_)) {
            self.boots += 1;
            self.may_renew = true;
        }
        self.holds_back = self.holds_back();
        self.wrote_under = self.life.take().map(|life| life.core.origin());
        self.doom = None;
        self.bad_disk = false;
        self.paused = None;
        self.storage = self.storage.crash(how);
        for choice in std::mem::take(&mut self.decay) {
            self.storage.damage_rows(choice);
        }
    }

    /// Puts another disk into the machine; `known` if nothing but what is on it says that it is another one.
    pub fn replace_disk(&mut self, disk: Storage, known: bool) {
        if !known {
            self.disk_number += 1;
        }
        self.storage = disk;
        self.may_renew = true;
        self.decay.clear();
        self.must_repair = false;
        self.holds_back = false;
        self.wrote_under = None;
    }

    /// The facts by which a process knows its machine and disk are those of another from now on.
    pub fn pass_for(&mut self, other: (usize, u64, u64)) {
        (self.index, self.boots, self.disk_number) = other;
    }

    /// What a process knows its machine and disk by.
    #[must_use]
    pub fn identity(&self) -> (usize, u64, u64) {
        (self.index, self.boots, self.disk_number)
    }

    /// Starts a process. `nonce` and `seed` are its randomness.
    ///
    /// # Errors
    /// When the datastore cannot be opened.
    pub fn start(
        &mut self,
        config: CoreConfig,
        mut protocol: Config,
        now: u64,
        nonce: u64,
        seed: u64,
    ) -> Result<(), OpenError> {
        let facts = HostFacts {
            boot_id: format!("machine {}, boot {}", self.index, self.boots),
            disk_id: format!("machine {}, disk {}", self.index, self.disk_number),
            nonce,
        };
        let disk = Arc::new(self.storage.disk.clone());
        let core = Core::open(config, disk, self.storage.engine.clone(), &facts, self.wall(now))?;
        self.lives += 1;
        protocol.protocol.max += self.newer;
        let identity = Identity {
            node: self.id,
            origin: core.origin(),
            cluster_id: [7; 32],
            name: format!("node {}", self.id.short()),
            listen: None,
        };
        self.life = Some(Life {
            number: self.lives,
            core,
            cluster: Cluster::new(protocol, identity, seed),
            queue: Vec::new(),
            awake: false,
            syncing: None,
            sync_due: false,
            flushing: None,
            waiting: VecDeque::new(),
            timer: 0,
            seen: std::collections::BTreeMap::new(),
        });
        Ok(())
    }

    /// Plans the process's end at its n-th storage operation from now.
    pub fn plan_crash(&mut self, how: Crash, after: u64, down: u64) {
        let at = self.storage.faults.operations() + after;
        self.storage.faults.set_plan(FaultPlan { crash_at: Some(at), ..FaultPlan::default() });
        self.doom = Some((how, down));
    }
}
