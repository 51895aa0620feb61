//! The engine: one wasmtime engine for every WASI 0.2 component of a node, how it places instances in memory, the epoch
//! thread that interrupts guests, and the cache of compiled code.
//!
//! Features of WebAssembly that no guest language needs are off: each of them is code that a hostile module could reach.
//! Threads, 64-bit memories, garbage collection, exceptions and the component model's asynchronous calls are refused when
//! a module is loaded, with wasmtime's own words for it.

mod cache;
mod config;
mod pool;
mod ticker;

pub use config::{Allocation, EngineConfig};

use crate::deterministic::Deterministic;
use crate::error::StartError;
use crate::instance::Data;
use cache::CodeCache;
use std::sync::{Arc, OnceLock};
use wasmtime::component::{Component, Linker};

/// The engine that runs all components. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    engine: wasmtime::Engine,
    report: String,
    max_instances: u32,
    cache: Option<CodeCache>,
    linker: OnceLock<Linker<Data>>,
    deterministic: Option<Arc<Deterministic>>,
    // Ends its thread when the engine goes.
    _ticker: Option<ticker::Ticker>,
}

impl Engine {
    /// Makes an engine. Blocking: probes the address space and prepares the cache's folder.
    ///
    /// # Errors
    /// If this machine cannot run compiled WebAssembly, or the epoch thread cannot start.
    pub fn new(config: EngineConfig) -> Result<Engine, StartError> {
        let (engine, report) = match config.allocation {
            _ if config.deterministic.is_some() => (
                Self::with(&pool::deterministic())?,
                "on-demand instances that count instructions, for a run that repeats".to_owned(),
            ),
            Allocation::Auto => match pool::address_space(config.max_instances) {
                Ok(()) => match wasmtime::Engine::new(&pool::pooled(config.max_instances)) {
                    Ok(e) => (e, pool::pooled_report(config.max_instances)),
                    Err(e) => (
                        Self::on_demand()?,
                        format!("on-demand instances: the pool could not be made ({e:#})"),
                    ),
                },
                Err(why) => (Self::on_demand()?, format!("on-demand instances: {why}")),
            },
            Allocation::OnDemand => (Self::on_demand()?, "on-demand instances, as configured".to_owned()),
        };
        let cache = match config.cache_dir {
            None => None,
            Some(dir) => match CodeCache::open(dir, &engine) {
                Ok(cache) => Some(cache),
                Err(e) => {
                    tracing::warn!(error = %e, "compiled code is not cached");
                    None
                }
            },
        };
        let ticker = match &config.deterministic {
            None => Some(ticker::Ticker::start(&engine)?),
            Some(_) => None,
        };
        let max_instances = config.max_instances;
        Ok(Engine {
            inner: Arc::new(Inner {
                engine,
                report,
                max_instances,
                cache,
                linker: OnceLock::new(),
                deterministic: config.deterministic,
                _ticker: ticker,
            }),
        })
    }

    fn on_demand() -> Result<wasmtime::Engine, StartError> {
        Self::with(&pool::base())
    }

    fn with(config: &wasmtime::Config) -> Result<wasmtime::Engine, StartError> {
        wasmtime::Engine::new(config).map_err(|e| StartError::Engine(format!("{e:#}")))
    }

    /// One line for the start-up log: how instances get their memory here, and why.
    pub fn allocation_report(&self) -> String {
        self.inner.report.clone()
    }

    /// How many instances may live at the same time.
    pub fn max_instances(&self) -> u32 {
        self.inner.max_instances
    }

    /// What guests take instead of the machine, in a run that repeats.
    pub(crate) fn deterministic(&self) -> Option<&Arc<Deterministic>> {
        self.inner.deterministic.as_ref()
    }

    /// The wasmtime engine inside.
    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.inner.engine
    }

    /// The linker of all modules, built when the first one is loaded.
    pub(crate) fn linker(&self) -> Result<&Linker<Data>, wasmtime::Error> {
        match self.inner.linker.get() {
            Some(linker) => Ok(linker),
            None => {
                let linker = crate::linker::build(&self.inner.engine)?;
                Ok(self.inner.linker.get_or_init(|| linker))
            }
        }
    }

    /// The component in these bytes, from the cache when it has been compiled before. Blocking, and seconds long for a
    /// large module that is new. The flag says whether the cache had it.
    pub(crate) fn component(&self, wasm: &[u8]) -> Result<(Component, bool), wasmtime::Error> {
        match &self.inner.cache {
            Some(cache) => cache.component(&self.inner.engine, wasm),
            None => Ok((Component::new(&self.inner.engine, wasm)?, false)),
        }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("allocation", &self.inner.report).finish_non_exhaustive()
    }
}
