//! The instance of a reactive module, and the calls to it.

use super::mailbox::Letter;
use crate::bindings::{change, lifecycle, tick};
use crate::convert;
use crate::error::RunError;
use crate::instance::{Stdio, classify, metered, metered_start};
use crate::module::Module;
use crate::runtime::{Runtime, Slot};
use crate::session::Registrations;
use numax_policy::{Capability, denial};
use numax_replica::{Mark, Replica, WriterId};
use std::time::{SystemTime, UNIX_EPOCH};

/// One instance with the handlers that it has.
pub(super) struct Instance {
    slot: Slot,
    module: Module,
    lifecycle: Option<lifecycle::WithLifecycle>,
    tick: Option<tick::WithTick>,
    change: Option<change::WithChange>,
}

/// Calls a handler under the CPU meter; returning from it is a commit point.
macro_rules! handler {
    ($self:ident, |$store:ident| $call:expr) => {{
        let meter = $self.slot.store.data().cpu.clone();
        let $store = &mut $self.slot.store;
        let call = Box::pin(async {
            let result = $call.await?;
            $store.data_mut().session.commit().await?;
            wasmtime::Result::Ok(result)
        });
        let result = metered(&meter, call).await;
        result.map_err(|e| classify(e, $self.module.engine()))
    }};
}

impl Instance {
    /// Makes an instance. Nothing of it has been called yet.
    pub(super) async fn new(runtime: &Runtime, module: &Module) -> Result<Instance, RunError> {
        let mut slot = runtime.slot(module, Stdio::Log)?;
        let exports = module.exports();
        let meter = slot.store.data().cpu.clone();
        let store = &mut slot.store;
        let make = Box::pin(async {
            let instance = exports.pre.instantiate_async(&mut *store).await?;
            let lifecycle = exports.lifecycle.as_ref().map(|i| i.load(&mut *store, &instance)).transpose()?;
            let tick = exports.tick.as_ref().map(|i| i.load(&mut *store, &instance)).transpose()?;
            let change = exports.change.as_ref().map(|i| i.load(&mut *store, &instance)).transpose()?;
            wasmtime::Result::Ok((lifecycle, tick, change))
        });
        let made = metered_start(&meter, make).await.map_err(|e| classify(e, module.engine()))?;
        let (lifecycle, tick, change) = made;
        Ok(Instance { slot, module: module.clone(), lifecycle, tick, change })
    }

    /// The mark of its batches.
    pub(super) fn writer(&self) -> WriterId {
        self.slot.store.data().session.writer()
    }

    /// Runs `init`, if there is one, and returns what the module wants to hear of: by its policy and by its `init`.
    pub(super) async fn init(&mut self) -> Result<Registrations, RunError> {
        let policy = self.module.grant().policy();
        let mut wanted = Registrations::from(policy.events());
        if !wanted.every.is_empty() && !policy.time() {
            return Err(RunError::Denied(denial::line(Capability::Time, "")));
        }
        if let Some(lifecycle) = &self.lifecycle {
            self.slot.store.data_mut().session.begin_registration();
            let done = handler!(self, |store| lifecycle.numax_runtime_lifecycle().call_init(&mut *store))?;
            done.map_err(RunError::Init)?;
            let asked = self.slot.store.data_mut().session.take_registrations();
            wanted.every.extend(asked.every);
            wanted.watch.extend(asked.watch);
        }
        for (registered, handler, export) in [
            (!wanted.every.is_empty(), self.tick.is_some(), "tick-handler"),
            (!wanted.watch.is_empty(), self.change.is_some(), "change-handler"),
        ] {
            if registered && !handler {
                tracing::warn!(
                    module = self.module.name(),
                    "it asks for events and does not export {export}"
                );
            }
        }
        Ok(wanted)
    }

    /// Whether it can be told of ticks.
    pub(super) fn takes_ticks(&self) -> bool {
        self.tick.is_some()
    }

    pub(super) async fn on_tick(&mut self, name: &str) -> Result<(), RunError> {
        let Some(tick) = &self.tick else { return Ok(()) };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        handler!(self, |store| tick.numax_runtime_tick_handler().call_on_tick(&mut *store, name, now))
    }

    /// It is told next of what was read of a replica since a mark.
    pub(super) fn saw(&self, replica: &Replica, since: Mark) {
        self.slot.store.data().session.saw(replica, since);
    }

    pub(super) async fn on_change(&mut self, letters: &[Letter]) -> Result<(), RunError> {
        let Some(change) = &self.change else { return Ok(()) };
        let told = |l: &Letter| convert::change(&l.change, l.origin.to_string(), l.remote);
        let changes: Vec<_> = letters.iter().filter_map(told).collect();
        handler!(self, |store| change.numax_runtime_change_handler().call_on_change(&mut *store, &changes))
    }

    /// Runs `shutdown`, if there is one.
    pub(super) async fn shutdown(mut self) -> Result<(), RunError> {
        let Some(lifecycle) = &self.lifecycle else { return Ok(()) };
        handler!(self, |store| lifecycle.numax_runtime_lifecycle().call_shutdown(&mut *store))
    }
}
