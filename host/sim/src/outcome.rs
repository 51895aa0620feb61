//! What came of runs.

use crate::oracle::Violation;
use std::fmt;

/// What happened, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Simulated time of all clusters, in milliseconds.
    pub simulated_ms: u64,
    /// Operations that guests called.
    pub operations: u64,
    /// Turns submitted.
    pub turns: u64,
    /// Turns acknowledged.
    pub acknowledged: u64,
    /// Batches applied, on all nodes.
    pub applied: u64,
    /// Frames sent.
    pub frames: u64,
    /// Processes started.
    pub starts: u64,
    /// Processes ended.
    pub crashes: u64,
    /// New epochs that restarts began.
    pub epochs: u64,
    /// Transfers of state that came to an end.
    pub transfers: u64,
    /// Turns whose batch was held back for a while.
    pub held: u64,
    /// Segments of logs and tombstones that were forgotten.
    pub forgotten: u64,
    /// Frames lost, doubled, out of order, connections broken.
    pub net_faults: u64,
    /// Partitions, clock jumps, bad disks, copies put back.
    pub other_faults: u64,
    /// Datastores that were repaired or begun anew because they were damaged.
    pub repairs: u64,
}

impl Stats {
    /// Adds another run's.
    pub fn add(&mut self, other: &Self) {
        self.simulated_ms += other.simulated_ms;
        self.operations += other.operations;
        self.turns += other.turns;
        self.acknowledged += other.acknowledged;
        self.applied += other.applied;
        self.frames += other.frames;
        self.starts += other.starts;
        self.crashes += other.crashes;
        self.epochs += other.epochs;
        self.transfers += other.transfers;
        self.held += other.held;
        self.forgotten += other.forgotten;
        self.net_faults += other.net_faults;
        self.other_faults += other.other_faults;
        self.repairs += other.repairs;
    }

    /// All faults.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.crashes + self.net_faults + self.other_faults
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Tenths of an hour without floats.
        let tenths = self.simulated_ms / 360_000;
        write!(
            f,
            "{} operations in {} turns ({} acknowledged), {} batches applied, {} frames, {}.{} simulated hours, {} faults \
             ({} crashes, {} new epochs, {} repairs), {} state transfers, {} turns held back, {} segments and tombstones \
             forgotten",
            self.operations,
            self.turns,
            self.acknowledged,
            self.applied,
            self.frames,
            tenths / 10,
            tenths % 10,
            self.faults(),
            self.crashes,
            self.epochs,
            self.repairs,
            self.transfers,
            self.held,
            self.forgotten,
        )
    }
}

/// What came of one seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// A fingerprint of everything that happened.
    pub trace: u64,
    /// How many things happened.
    pub events: u64,
    /// In numbers.
    pub stats: Stats,
    /// Which promises were broken.
    pub violations: Vec<Violation>,
}
