//! The runtime: what all modules of a node share, and commands.

use crate::backend::Backend;
use crate::engine::Engine;
use crate::error::RunError;
use crate::module::Module;
use std::sync::Arc;

#[cfg(feature = "components")]
use crate::instance::{Data, Stdio, classify, metered, new_store};
#[cfg(feature = "components")]
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Runs modules. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    backend: Arc<dyn Backend>,
    /// One permit for each instance that may live.
    #[cfg(feature = "components")]
    slots: Arc<Semaphore>,
}

impl Runtime {
    /// A runtime on an engine and a node.
    pub fn new(engine: Engine, backend: Arc<dyn Backend>) -> Runtime {
        #[cfg(feature = "components")]
        let slots = Arc::new(Semaphore::new(
            usize::try_from(engine.max_instances()).unwrap_or(Semaphore::MAX_PERMITS),
        ));
        Runtime {
            inner: Arc::new(Inner {
                engine,
                backend,
                #[cfg(feature = "components")]
                slots,
            }),
        }
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    /// The node.
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.inner.backend
    }
}

/// A store with its place among the node's instances.
#[cfg(feature = "components")]
pub(crate) struct Slot {
    pub(crate) store: wasmtime::Store<Data>,
    _permit: OwnedSemaphorePermit,
}

#[cfg(feature = "components")]
impl Runtime {
    /// How many instances live now, of all modules: those that run and those that wait for their next request.
    pub fn instances(&self) -> usize {
        let all = usize::try_from(self.inner.engine.max_instances()).unwrap_or(Semaphore::MAX_PERMITS);
        all.saturating_sub(self.inner.slots.available_permits())
    }

    /// A store for an instance of a module.
    pub(crate) fn slot(&self, module: &Module, stdio: Stdio) -> Result<Slot, RunError> {
        let permit = self.inner.slots.clone().try_acquire_owned();
        let permit = permit.map_err(|_| RunError::Busy(self.inner.engine.max_instances()))?;
        Ok(Slot {
            store: new_store(&self.inner.engine, module, &self.inner.backend, stdio)?,
            _permit: permit,
        })
    }

    /// Runs a command to its end and returns its exit code. Its output is this process's own.
    ///
    /// An exit with 0 commits what the command wrote, and is reported when that is durable; any other code rolls the
    /// last turn back.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn run_command(&self, module: &Module) -> Result<i32, RunError> {
        let Some(command) = &module.exports().command else {
            return Err(RunError::NoExport { module: module.name().to_owned(), export: "wasi:cli/run" });
        };
        let mut slot = self.slot(module, Stdio::Inherit)?;
        let store = &mut slot.store;
        let (meter, gate) = (store.data().cpu.clone(), store.data().session.gate().clone());
        let run = Box::pin(async {
            let instance = command.instantiate_async(&mut *store).await?;
            match instance.wasi_cli_run().call_run(&mut *store).await? {
                Ok(()) => store.data_mut().session.commit().await.map(|()| 0).map_err(Into::into),
                Err(()) => {
                    store.data_mut().session.rollback();
                    Ok(1)
                }
            }
        });
        let ended: wasmtime::Result<i32> = metered(&meter, run).await;
        let code = match ended {
            Ok(code) => code,
            Err(e) => match RunError::exit_code(&e) {
                Some(code) => code,
                None => return Err(classify(e, &self.inner.engine)),
            },
        };
        // The exit code tells the caller that everything is safe; so it waits for that.
        if gate.wait(gate.tag()).await {
            Ok(code)
        } else {
            Err(RunError::Commit("what the command wrote did not become durable".to_owned()))
        }
    }
}

#[cfg(not(feature = "components"))]
impl Runtime {
    /// Answers that there is nothing to run: modules cannot be loaded without the `components` feature.
    ///
    /// # Errors
    /// Always.
    pub async fn run_command(&self, module: &Module) -> Result<i32, RunError> {
        Err(RunError::NoExport { module: module.name().to_owned(), export: "wasi:cli/run" })
    }
}
