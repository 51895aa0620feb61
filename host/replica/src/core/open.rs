//! Opening a datastore: the engine's rows, then the log behind them.

use std::sync::Arc;

use numax_crdt::{NodeId, Origin, VersionVector};
use numax_store::{Disk, KvBackend};

use super::{
    Core, QUARANTINE, Tip, flush, held::Held, notes, notes::Notes, pending::Pending, recent::Recent,
    replay::Replay,
};
use crate::{
    config::CoreConfig,
    error::{CommitError, OpenError},
    forget::{Collector, Members, Receipts, StaticMembers},
    log::{self, End, Replayed},
    meta::{HostFacts, Meta},
    planted::{self, Planted},
    rows::{shared::Shared, staging::Staging},
    transfer::Pictures,
};

/// Rows after which a replay writes to the engine: a lost engine is rebuilt from the whole log in bounded memory.
const REPLAY_ROWS: usize = 65_536;

/// The file of a datastore that has none any more: somebody removed it, or it did not come along with a copy. Then this
/// may be any old copy. None for a new datastore, which knows of no batch.
fn lost(vector: &VersionVector, node: NodeId, facts: &HostFacts) -> Option<Meta> {
    if vector.is_empty() {
        return None;
    }
    tracing::warn!(
        "meta.json is gone, with what it knew of the last stop; the datastore is taken for a copy that was put back"
    );
    let own = vector.iter().filter(|(origin, _)| origin.node == node);
    let epoch = own.map(|(origin, _)| origin.epoch).max().unwrap_or(0);
    Some(Meta::restored(Origin { node, epoch, nonce: 0 }, facts))
}

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
        config.schemas.check(&*disk)?;
        let previous = Meta::load(&*disk, config.schemas)?;
        if let Some(meta) = &previous
            && meta.node != config.node.to_string()
        {
            // Before the log is touched.
            Meta::next(previous.as_ref(), config.node, 0, facts, config.durability, None, false)?;
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
            tip: Tip::of(&notes),
            staging: Staging::default(),
            write_at: REPLAY_ROWS,
            by_halves: config.has_bug(Planted::MergedByHalves),
            held: Held::load(&*shared.engine(), config.node)?,
            settled_at: 0,
        };
        let expect = match &previous {
            Some(_) if config.has_bug(Planted::DamageIsTorn) => End::PowerCut,
            Some(meta @ Meta { clean_end: Some(end), .. }) if meta.is_elsewhere(facts) => End::Copied(*end),
            Some(meta) if meta.is_elsewhere(facts) => End::PowerCut,
            Some(Meta { clean_end: Some(end), .. }) => End::Clean(*end),
            Some(_) => End::Killed,
            None => End::New,
        };
        let clean = matches!(expect, End::Clean(_));
        let (mut log, cut) =
            log::open(disk.clone(), config.segment_bytes, included, expect, |replayed| match replayed {
                Replayed::Segment(vector) => replay.segment(&vector),
                Replayed::Record(end, record) => replay.record(end, record),
            })?;
        let cut = cut.filter(|_| !config.has_bug(Planted::DamageIsTorn));
        let (mut tip, held, settled_at) = (replay.tip, replay.held, replay.settled_at);
        log.expose(false);

        let previous = match previous {
            Some(found) if config.has_bug(Planted::DotReuse) => Some(planted::innocent(found, facts)),
            Some(found) if config.has_bug(Planted::EpochAtEachStart) => {
                Some(Meta { restored: true, ..found })
            }
            other => other,
        };
        let previous = previous.or_else(|| lost(&tip.vector, config.node, facts));
        let (mut meta, new) = Meta::next(
            previous.as_ref(),
            config.node,
            log.end(),
            facts,
            config.durability,
            cut,
            !held.is_empty(),
        )?;
        meta.format = config.schemas.last();
        let origin = meta.origin(config.node)?;
        let new_epoch = new.map(|new| new.reason);
        if let Some(reason) = new_epoch {
            tracing::warn!(reason, epoch = meta.epoch, "the datastore goes on in a new epoch");
        }
        if tip.vector.get(&origin) == 0 {
            // A new origin's first batch depends on everything that this datastore has, also when the process ended
            // between the beginning of the epoch and that batch.
            // (Or has begun to receive: the dependencies so far may go beyond the vector.)
            for (origin, seq) in tip.vector.iter() {
                let known = tip.deps.entry(*origin).or_default();
                *known = seq.max(*known);
            }
        }
        let (quarantined, duplicate_origin) = (meta.quarantined()?, meta.duplicate_origin);
        if duplicate_origin {
            tracing::error!(%origin, "{}", CommitError::DuplicateOrigin);
        }
        for origin in &quarantined {
            tracing::warn!(%origin, "{}", QUARANTINE);
        }
        meta.store(&*disk)?;
        log.reader().set_base(tip.place.base.clone());
        let members = match notes.members {
            None => StaticMembers::new(config.node),
            Some((_, bytes)) => StaticMembers::decode(config.node, bytes).map_err(|_| notes::damaged())?,
        };
        // What the last process wrote to the engine and did not sync is there only until the power goes. So the log
        // stays as it is until the engine is synced once.
        let trusted = clean || config.has_bug(Planted::TrustedEngine);
        let durable = if trusted { included } else { log.first() };
        // What a node acknowledges never shrinks, so all that is here must be safe before it says anything.
        if log.synced() < log.end() {
            log.sync_now()?;
        }
        let received = tip.vector.clone();
        shared.vector_mut().clone_from(&tip.vector);
        shared.shows(log.end());
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
            held,
            settled_at,
            caught_up_with: VersionVector::new(),
            quarantined,
            duplicate_origin,
            remembered: true,
            taken_back: false,
            clocks: Default::default(),
            members_saved: members.changes(),
            members: Box::new(members),
            receipts: Receipts::new(received),
            acked: None,
            ack_turn: 0,
            collector: Collector::default(),
            stale_pages: true,
            stale_after: Default::default(),
            pictures: Pictures::default(),
            low: super::low::LowSpace::default(),
        })
    }
}
