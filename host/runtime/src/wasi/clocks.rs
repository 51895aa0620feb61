//! The clocks of a module that may not know the time.

use crate::session::ModuleGrant;
use numax_policy::Capability;
use std::sync::Arc;
use std::time::Duration;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

/// Stands still at zero, and notes the denial when it is read.
pub(super) struct Stopped(pub(super) Arc<ModuleGrant>);

impl HostWallClock for Stopped {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        self.0.deny(Capability::Time, "");
        Duration::ZERO
    }
}

impl HostMonotonicClock for Stopped {
    fn resolution(&self) -> u64 {
        1_000_000_000
    }

    fn now(&self) -> u64 {
        self.0.deny(Capability::Time, "");
        0
    }
}
