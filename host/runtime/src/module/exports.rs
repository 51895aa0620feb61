//! The exports that numax calls: each optional, each with bindings of its own.

use super::ModuleKind;
use super::inspect::{self, Named};
use crate::bindings::{CommandPre, ProxyPre, change, lifecycle, tick};
use crate::instance::Data;
use wasmtime::component::{Component, InstancePre};

/// What was found.
pub(crate) struct Exports {
    pub(crate) pre: InstancePre<Data>,
    pub(crate) command: Option<CommandPre<Data>>,
    pub(crate) http: Option<ProxyPre<Data>>,
    pub(crate) lifecycle: Option<lifecycle::WithLifecycleIndices>,
    pub(crate) tick: Option<tick::WithTickIndices>,
    pub(crate) change: Option<change::WithChangeIndices>,
}

/// Handlers that a later version calls.
const LATER: &[&str] = &["numax:runtime/message-handler", "numax:runtime/peer-handler"];

impl Exports {
    /// Looks for each of them. An export that is there under the right name with the wrong type is an error and not an
    /// absence.
    pub(crate) fn find(
        engine: &wasmtime::Engine,
        component: &Component,
        pre: &InstancePre<Data>,
    ) -> Result<Exports, String> {
        let names = inspect::exports(engine, component);
        for name in names.iter().filter(|n| LATER.contains(&Named::parse(n).interface)) {
            tracing::warn!(export = %name, "this version does not call it");
        }
        let has = |interface: &str| names.iter().find(|n| Named::parse(n).interface == interface);
        fn optional<P>(
            name: Option<&String>,
            make: impl FnOnce() -> wasmtime::Result<P>,
        ) -> Result<Option<P>, String> {
            match name {
                None => Ok(None),
                Some(name) => match make() {
                    Ok(found) => Ok(Some(found)),
                    Err(e) => Err(format!("its export {name} is not what this node calls: {e:#}")),
                },
            }
        }
        Ok(Exports {
            command: optional(has("wasi:cli/run"), || CommandPre::new(pre.clone()))?,
            http: optional(has("wasi:http/incoming-handler"), || ProxyPre::new(pre.clone()))?,
            lifecycle: optional(has("numax:runtime/lifecycle"), || {
                lifecycle::WithLifecycleIndices::new(pre)
            })?,
            tick: optional(has("numax:runtime/tick-handler"), || tick::WithTickIndices::new(pre))?,
            change: optional(has("numax:runtime/change-handler"), || change::WithChangeIndices::new(pre))?,
            pre: pre.clone(),
        })
    }

    pub(crate) fn kind(&self) -> ModuleKind {
        ModuleKind {
            command: self.command.is_some(),
            http: self.http.is_some(),
            lifecycle: self.lifecycle.is_some(),
            tick: self.tick.is_some(),
            change: self.change.is_some(),
        }
    }
}
