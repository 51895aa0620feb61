//! Opening a datastore: the engine's rows, then the log behind them.

use std::sync::Arc;

use bytes::Bytes;
use numax_crdt::{Batch, HlcClock, NodeId, VersionVector};
use numax_store::{Disk, KvBackend};

use super::{Core, Tip, flush, group, notes, notes::Notes, pending::Pending, recent::Recent};
use crate::{
    config::CoreConfig,
    error::{CoreError, OpenError},
    forget::{Collector, Members, Receipts, StaticMembers},
    log::{self, End, Record, Replayed},
    meta::{HostFacts, Meta},
    planted::{self, Planted},
    rows::{name, shared::Shared, staging::Staging},
    transfer::{Page, Pictures, merge_page},
};

/// Rows after which a replay writes to the engine: a lost engine is rebuilt from the whole log in bounded memory.
const REPLAY_ROWS: usize = 65_536;

impl Core {
    /// Opens a datastore, or makes it: `disk` for the log and `meta.json`, `engine` for rows. `now_ms` is Unix time in
    /// milliseconds.
    ///
    /// Afterwards everything that was synced is there, and the origin is one under which no batch can be elsewhere
    /// that is not here.
    ///
    /// # Errors
    /// When the datastore is damaged, of another node or a newer program, or cannot be read.
    pub fn open(
        config: CoreConfig,
        disk: Arc<dyn Disk>,
        engine: Arc<dyn KvBackend>,
        facts: &HostFacts,
        now_ms: u64,
    ) -> Result<Self, OpenError> {
        let disk = planted::disk(disk, &config);
        let previous = Meta::load(&*disk)?;
        if let Some(meta) = &previous
            && meta.node != config.node.to_string()
        {
            // Before the log is touched.
            Meta::next(previous.as_ref(), config.node, 0, facts, config.durability, None)?;
        }
        let notes = Notes::load(&*engine, config.node)?;
        let shared = Arc::new(Shared::new(engine, config.cache_rows, config.cache_bytes));
        shared.state_mut().origins = notes::load_origins(&*shared.engine())?;
        let included = notes.position;
        shared.engine_side().moved(notes.engine_at());
        let mut replay = Replay {
            shared: &shared,
            node: config.node,
            max_skew_ms: config.max_skew_ms,
            now_ms,
            own: previous.as_ref().map(|meta| meta.origin(config.node)).transpose()?,
            tip: Tip {
                vector: notes.vector,
                deps: notes.deps,
                clock: HlcClock::starting_after(notes.clock),
                place: notes.place,
            },
            staging: Staging::default(),
        };
        let expect = match &previous {
            Some(_) if config.has_bug(Planted::DamageIsTorn) => End::PowerCut,
            Some(meta) if meta.is_elsewhere(facts) => End::PowerCut,
            Some(Meta { clean_end: Some(end), .. }) => End::Clean(*end),
            Some(_) => End::Killed,
            None => End::New,
        };
        let clean = matches!(expect, End::Clean(_));
        let (log, cut) =
            log::open(disk.clone(), config.segment_bytes, included, expect, |replayed| match replayed {
                Replayed::Segment(vector) => replay.segment(&vector),
                Replayed::Record(end, record) => replay.record(end, record),
            })?;
        let cut = cut.filter(|_| !config.has_bug(Planted::DamageIsTorn));
        let mut tip = replay.tip;
        log.expose();

        let previous = match previous {
            Some(found) if config.has_bug(Planted::DotReuse) => Some(planted::innocent(found, facts)),
            Some(found) if config.has_bug(Planted::EpochAtEachStart) => {
                Some(Meta { restored: true, ..found })
            }
            other => other,
        };
        let (meta, new_epoch) =
            Meta::next(previous.as_ref(), config.node, log.end(), facts, config.durability, cut)?;
        let origin = meta.origin(config.node)?;
        if let Some(reason) = new_epoch {
            tracing::warn!(reason, epoch = meta.epoch, "the datastore goes on in a new epoch");
        }
        if new_epoch.is_some() {
            // The new origin's first batch depends on everything that this datastore has.
            // (Or has begun to receive: the dependencies so far may go beyond the vector.)
            for (origin, seq) in tip.vector.iter() {
                let known = tip.deps.entry(*origin).or_default();
                *known = seq.max(*known);
            }
        }
        meta.store(&*disk)?;
        log.reader().set_base(tip.place.base.clone());
        let members = match notes.members {
            None => StaticMembers::new(config.node),
            Some((_, bytes)) => StaticMembers::decode(config.node, bytes).map_err(|_| notes::damaged())?,
        };
        // What was replayed may have been lost again by now, unless all of it is synced.
        // The same goes for the engine: what the last process wrote there and did not sync is there only until the power
        // goes. So the log stays as it is until the engine is synced once.
        let trusted = clean || config.has_bug(Planted::TrustedEngine);
        let durable = if trusted { included } else { log.first() };
        let received = if log.synced() == log.end() { tip.vector.clone() } else { Default::default() };
        shared.vector_mut().clone_from(&tip.vector);
        Ok(Self {
            pending: Pending::new(config.pending_bytes),
            recent: Recent::new(config.recent_bytes),
            flush: flush::State::new(included, durable),
            config,
            disk,
            shared,
            log,
            meta,
            origin,
            new_epoch,
            tip,
            staging: Staging::default(),
            quarantined: std::collections::BTreeSet::new(),
            duplicate_origin: false,
            members_saved: members.changes(),
            members: Box::new(members),
            receipts: Receipts::new(received),
            ack_turn: 0,
            collector: Collector::default(),
            pictures: Pictures::default(),
        })
    }
}

/// Applies the log's records behind the engine's position.
struct Replay<'a> {
    shared: &'a Arc<Shared>,
    node: NodeId,
    max_skew_ms: u64,
    now_ms: u64,
    /// The origin of the last epoch.
    own: Option<numax_crdt::Origin>,
    tip: Tip,
    staging: Staging,
}

impl Replay<'_> {
    /// The log holds everything that was applied before a segment, unless rows came in another way (a transfer of
    /// state) and the engine has lost them.
    fn segment(&self, vector: &VersionVector) -> Result<(), CoreError> {
        if self.tip.vector.covers_vector(vector) {
            return Ok(());
        }
        Err(CoreError::RowsLost("some came by a transfer of state, and are not in the log".to_string()))
    }

    fn record(&mut self, end: u64, record: Record) -> Result<(), CoreError> {
        if let Some(bytes) = record.batch {
            let batch = Batch::decode(bytes)?;
            let known = self.tip.vector.get(&batch.origin);
            // Known ones cannot be there: the engine's notes and the log are one sequence.
            if !self.tip.vector.advance(batch.dot()) {
                return Err(CoreError::Invalid(format!(
                    "the log has batch {} where the {} of this origin are known",
                    batch.dot(),
                    known
                )));
            }
            if self.own == Some(batch.origin) {
                self.tip.deps.clear();
                self.tip.clock = HlcClock::starting_after(self.tip.clock.last().max(batch.hlc));
            } else {
                self.tip.deps.insert(batch.origin, batch.seq);
                self.tip.clock.observe(batch.hlc, self.now_ms, self.max_skew_ms);
            }
            self.tip.place.applied(batch.dot());
            group::apply_ops(self.shared, &mut self.staging, batch.dot(), &batch.ops)?;
        }
        if let Some(bytes) = record.page {
            self.page(end, bytes)?;
        }
        for (key, value) in record.local {
            self.staging.put(&name::local(&key), value);
        }
        self.staging.publish(self.shared);
        if self.shared.state().active.len() >= REPLAY_ROWS {
            self.write(end)?;
        }
        Ok(())
    }

    /// Merges a page of transferred state.
    fn page(&mut self, end: u64, bytes: Bytes) -> Result<(), CoreError> {
        let page = Page::decode(bytes).map_err(|error| CoreError::Invalid(error.to_string()))?;
        let tip = &mut self.tip;
        tip.clock.observe(page.clock, self.now_ms, self.max_skew_ms);
        merge_page(self.shared, &mut self.staging, tip.merging(self.own), &page, end)?;
        Ok(())
    }

    /// Writes what was replayed to the engine. The log is synced as far as it is read.
    fn write(&mut self, end: u64) -> Result<(), CoreError> {
        let Some(frozen) = self.shared.freeze() else { return Ok(()) };
        let notes = Notes {
            position: end,
            vector: self.tip.vector.clone(),
            deps: self.tip.deps.clone(),
            clock: self.tip.clock.last(),
            place: self.tip.place.clone(),
            members: None,
        };
        self.shared.engine().commit(notes.batch(&frozen, self.node))?;
        self.shared.engine_side().moved(notes.engine_at());
        self.shared.settle();
        Ok(())
    }
}
