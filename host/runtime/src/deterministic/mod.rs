//! Runs that repeat: identity, ids, time and randomness come from a seed, and nothing is read from the machine.
//!
//! The clock is a number that only the guest moves: by a microsecond whenever it reads it, so that a loop that waits for
//! a time ends, and to the next deadline when everything waits for one ([`clock`]). Randomness comes from ChaCha8 streams
//! of the seed, one for each use and instance, so that a guest that draws one number more moves no other. Instructions
//! are counted instead of CPU time: an engine of its own stops a guest at the same place each time.
//!
//! docs/design/determinism.md says what is controlled, what is not, and how it is checked.

mod clock;
#[cfg(feature = "components")]
mod deadline;

use clock::Clock;
#[cfg(feature = "components")]
pub(crate) use clock::{GuestMonotonic, GuestWall};
#[cfg(feature = "components")]
pub(crate) use deadline::Deadline;
use numax_crdt::NodeId;
use numax_replica::{Given, HostFacts, IdSeed};
use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};
use std::sync::atomic::AtomicU64;
#[cfg(feature = "components")]
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Unix milliseconds of the earliest start: 2026-01-01, UTC. A seed adds up to [`SPAN_MS`].
const EARLIEST_MS: u64 = 1_767_225_600_000;

/// A year: different seeds begin at different times of day, month and year.
const SPAN_MS: u64 = 365 * 24 * 3_600_000;

/// Fuel, about one for each instruction, that a millisecond of `cpu_ms_per_run` stands for: what a processor of the
/// time of writing does in one, within a factor of a few.
pub(crate) const FUEL_PER_MS: u64 = 1_000_000;

/// What a stream of random numbers is for.
#[derive(Clone, Copy)]
enum Use {
    Node = 1,
    Epoch = 2,
    Start = 3,
    Ids = 4,
    #[cfg(feature = "components")]
    Secure = 5,
    #[cfg(feature = "components")]
    Insecure = 6,
    #[cfg(feature = "components")]
    HashSeed = 7,
}

/// Everything that a run would otherwise take from the machine.
#[derive(Debug)]
pub struct Deterministic {
    seed: u64,
    clock: Clock,
    ids: Mutex<ChaCha8Rng>,
    /// Instances made so far.
    instances: AtomicU64,
    /// What the clock's beginning is called where an [`Instant`] is wanted.
    base: Instant,
}

impl Deterministic {
    /// The world of a seed, at its beginning.
    #[must_use]
    pub fn new(seed: u64) -> Arc<Self> {
        let start_ms = EARLIEST_MS + stream(seed, Use::Start, 0).next_u64() % SPAN_MS;
        let ids = Mutex::new(stream(seed, Use::Ids, 0));
        let clock = Clock::new(start_ms);
        Arc::new(Self { seed, clock, ids, instances: AtomicU64::new(0), base: Instant::now() })
    }

    /// The id of the node. No key leads to it, so it can talk to no other.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        let mut id = [0; 32];
        stream(self.seed, Use::Node, 0).fill_bytes(&mut id);
        NodeId(id)
    }

    /// What the replica is given: this clock, and a machine that is always the same.
    #[must_use]
    pub fn given(self: &Arc<Self>) -> Given {
        let world = self.clone();
        let facts = HostFacts {
            boot_id: "deterministic".to_owned(),
            disk_id: "deterministic".to_owned(),
            nonce: stream(self.seed, Use::Epoch, 0).next_u64(),
        };
        Given { now_ms: Arc::new(move || world.clock.now_ms()), facts }
    }

    /// What the id of a new list element is made of.
    #[must_use]
    pub fn id_seed(&self) -> IdSeed {
        let random = self.ids.lock().unwrap_or_else(PoisonError::into_inner).next_u64();
        IdSeed { now_ms: self.clock.now_ms(), random }
    }

    /// Lets time pass, for inputs that come at a time; back it does not go.
    pub fn advance_to(&self, since_start: Duration) {
        self.clock.advance_to(u64::try_from(since_start.as_nanos()).unwrap_or(u64::MAX));
    }

    /// The clock as an [`Instant`]: for comparing with others of this world.
    pub(crate) fn instant(&self) -> Instant {
        self.base + Duration::from_nanos(self.clock.now_ns())
    }
}

#[cfg(feature = "components")]
impl Deterministic {
    /// Makes a WASI context take time and randomness from here.
    pub(crate) fn rule(self: &Arc<Self>, wasi: &mut wasmtime_wasi::WasiCtxBuilder, time: bool) {
        let instance = self.instances.fetch_add(1, Ordering::Relaxed);
        let [low, high] = [(); 2].map({
            let mut seed = stream(self.seed, Use::HashSeed, instance);
            move |()| u128::from(seed.next_u64())
        });
        wasi.secure_random(stream(self.seed, Use::Secure, instance))
            .insecure_random(stream(self.seed, Use::Insecure, instance))
            .insecure_random_seed(high << 64 | low);
        if time {
            wasi.wall_clock(GuestWall(self.clone())).monotonic_clock(GuestMonotonic(self.clone()));
        }
    }
}

/// The random numbers of a use, for one instance. Value-stable: the algorithm is fixed by its name.
fn stream(seed: u64, purpose: Use, instance: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(instance << 8 | purpose as u64);
    rng
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_world() {
        let of = |seed| {
            let world = Deterministic::new(seed);
            let given = world.given();
            (world.node_id(), given.facts, (given.now_ms)(), world.id_seed(), world.id_seed())
        };
        assert_eq!(of(7), of(7));
        let (one, other) = (of(7), of(8));
        assert!(one.0 != other.0 && one.1.nonce != other.1.nonce && one.2 != other.2 && one.3 != other.3);
        assert_ne!(one.3, one.4, "ids go on");
        // Frozen: a recorded seed must mean the same in later versions.
        assert_eq!(Deterministic::new(1).node_id().short(), "e7adf5e3");
    }

    #[test]
    fn time_passes_only_when_it_is_let() {
        let world = Deterministic::new(1);
        let began = world.instant();
        assert_eq!(world.instant(), began);
        world.advance_to(Duration::from_secs(5));
        world.advance_to(Duration::from_secs(3));
        assert_eq!(world.instant() - began, Duration::from_secs(5));
    }
}
