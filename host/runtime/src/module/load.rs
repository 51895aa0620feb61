//! Loading a component.

use super::inspect::{self, Family};
use super::{Exports, Inner, Module, ModuleOptions};
use crate::engine::Engine;
use crate::error::LoadError;
use crate::session::ModuleGrant;
use numax_policy::{Policy, WasiVersion};
use std::sync::Arc;
use std::time::Instant;

impl Module {
    pub(super) fn build(
        engine: &Engine,
        name: String,
        bytes: &[u8],
        policy: Policy,
        options: ModuleOptions,
    ) -> Result<Module, LoadError> {
        let began = Instant::now();
        let module = || name.clone();
        match inspect::family(bytes) {
            Family::Component => {}
            Family::Core => return Err(LoadError::CoreModule { module: name }),
            Family::Unknown if wasmtime::Engine::detect_precompiled(bytes).is_some() => {
                return Err(LoadError::Precompiled { module: name });
            }
            Family::Unknown => {
                let detail = "it does not begin like WebAssembly".to_owned();
                return Err(LoadError::Corrupt { module: name, detail });
            }
        }
        if let Some(line) = not_yet(&policy) {
            return Err(LoadError::NotYet { module: name, line: line.to_owned() });
        }
        for key in granted_for_later(&policy) {
            tracing::warn!(module = %name, "the policy grants {key}, which this version does not have; calls are denied");
        }
        let (component, cached) =
            engine.component(bytes).map_err(|e| not_loaded(module(), format!("{e:#}")))?;
        let imports = inspect::imports(engine.wasmtime(), &component, &policy);
        if imports.iter().any(|i| !i.links()) {
            return Err(LoadError::Imports { module: name, imports });
        }
        let mismatch = |detail| LoadError::Mismatch { module: module(), detail };
        let linker = engine.linker().map_err(|e| mismatch(format!("{e:#}")))?;
        let pre = linker.instantiate_pre(&component).map_err(|e| mismatch(format!("{e:#}")))?;
        let exports = Exports::find(engine.wasmtime(), &component, &pre).map_err(mismatch)?;
        let kind = exports.kind();
        if !(kind.command || kind.http || kind.reactive()) {
            let exports = inspect::exports(engine.wasmtime(), &component);
            return Err(LoadError::Nothing { module: name, exports });
        }
        let env = options.env.into_iter().filter(|(variable, _)| policy.env_allowed(variable)).collect();
        let grant = Arc::new(ModuleGrant::new(name, policy, engine.deterministic().cloned()));
        let inner = Inner {
            grant,
            env,
            args: options.args,
            kind,
            load_time: began.elapsed(),
            cached,
            engine: engine.clone(),
            exports,
        };
        Ok(Module { inner: Arc::new(inner) })
    }
}

/// What wasmtime says of a component that is valid and does not fit into the slots of its instances. It has no type of
/// its own for them; what it says otherwise of a component is that it is none.
const LIMITS: [&str; 2] = ["exceeds the configured maximum", "which exceeds the limit of"];

/// Why a component could not be compiled.
fn not_loaded(module: String, detail: String) -> LoadError {
    match LIMITS.iter().any(|limit| detail.contains(limit)) {
        true => LoadError::TooLarge { module, detail },
        false => LoadError::Corrupt { module, detail },
    }
}

/// Lines of a policy without which the module would do something else than its author means.
fn not_yet(policy: &Policy) -> Option<&'static str> {
    let events = policy.events();
    if policy.wasi() == WasiVersion::P3 {
        Some("wasi = \"0.3\"")
    } else if !events.cron.is_empty() {
        Some("cron under [events]")
    } else if !events.subscribe.is_empty() {
        Some("subscribe under [events]")
    } else {
        None
    }
}

/// Grants of what a later version brings: they do no harm.
fn granted_for_later(policy: &Policy) -> Vec<&'static str> {
    let all = [
        ("network.outbound", !policy.outbound().is_empty()),
        ("network.tcp", !policy.tcp().is_empty()),
        ("network.udp", !policy.udp().is_empty()),
        ("network.resolve", !policy.resolve().is_empty()),
        ("fs", !policy.fs().is_empty()),
    ];
    all.into_iter().filter(|(_, granted)| *granted).map(|(key, _)| key).collect()
}
