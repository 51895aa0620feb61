//! Settings of the engine.

use crate::deterministic::Deterministic;
use std::path::PathBuf;
use std::sync::Arc;

/// How instances get their memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Allocation {
    /// Slots that are reserved once and reused (fast), where the address space allows it; otherwise on demand.
    #[default]
    Auto,
    /// Fresh mappings for every instance: slower to start an instance, small in address space.
    OnDemand,
}

/// Settings of [`Engine::new`].
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Folder of the cache of compiled code; it is created for this user alone. `None` compiles at every load.
    pub cache_dir: Option<PathBuf>,
    /// How instances get their memory.
    pub allocation: Allocation,
    /// Instances that can live at the same time, over all modules. With pooled allocation each one reserves 4 GiB of
    /// address space (not memory), so a thousand needs 42 bits of it.
    pub max_instances: u32,
    /// Guests take time and randomness from here and are held to numbers of instructions. Their instances are allocated on
    /// demand then.
    pub deterministic: Option<Arc<Deterministic>>,
}

impl Default for EngineConfig {
    fn default() -> Self {
        EngineConfig {
            cache_dir: None,
            allocation: Allocation::Auto,
            max_instances: 1000,
            deterministic: None,
        }
    }
}
