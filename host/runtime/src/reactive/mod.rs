//! Reactive modules: one long-lived instance that is told of its start and end, of the clock and of changes.
//!
//! Calls to the instance never overlap. A call that fails ends the instance, not the node: its supervisor makes a new
//! one, with growing pauses, and the changes that it was being told of are told again. Ticks are not repeated.

mod backoff;
mod changes;
mod instance;
mod mailbox;
mod schedule;
mod supervisor;

use crate::error::RunError;
use crate::module::Module;
use crate::runtime::Runtime;
use supervisor::Supervisor;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A running reactive module. Dropping it cuts it off in the middle of whatever it does.
#[derive(Debug)]
pub struct Reactive {
    name: String,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Reactive {
    /// Makes the instance, runs its `init`, and keeps it running.
    ///
    /// # Errors
    /// If the first instance cannot be made or its `init` fails. Later ones are tried again and again.
    pub async fn start(runtime: &Runtime, module: Module) -> Result<Reactive, RunError> {
        let name = module.name().to_owned();
        let stop = CancellationToken::new();
        let supervisor = Supervisor::start(runtime.clone(), module).await?;
        let task = tokio::spawn(supervisor.run(stop.clone()));
        Ok(Reactive { name, stop, task: Some(task) })
    }

    /// The module's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Lets the running call end, calls `shutdown`, and ends the instance.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        if let Some(task) = &mut self.task
            && let Err(e) = task.await
        {
            tracing::error!(module = %self.name, error = %e, "a module's supervisor ended badly");
        }
    }
}

impl Drop for Reactive {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
