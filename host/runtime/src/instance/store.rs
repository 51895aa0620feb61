//! Making stores, and making sense of how a call in one ended.

use super::cpu::{CpuMeter, Metered};
use super::data::{Data, Outputs};
use super::memory::MemoryLimit;
use crate::backend::Backend;
use crate::engine::Engine;
use crate::error::RunError;
use crate::module::Module;
use crate::session::Session;
use crate::wasi::{self, Hooks};
use std::sync::Arc;
use wasmtime::component::ResourceTable;
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi_http::WasiHttpCtx;

/// Host objects (streams, bodies, handles) of one instance. A guest that leaks them hits this, not the node's memory.
const MAX_RESOURCES: usize = 20_000;

/// Handles that the guest's side may hold at the same time.
const MAX_HANDLES: usize = 20_000;

/// Bytes that one call of a host function may make the host copy out of the guest. The largest argument of ours is a
/// value of 1 MiB; body chunks are smaller.
const HOSTCALL_BYTES: usize = 16 << 20;

/// Where standard output and error of an instance go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stdio {
    /// To the log, line by line, under the module's name.
    Log,
    /// To this process's own: a command's output is its result.
    Inherit,
}

/// A store for an instance of a module.
pub(crate) fn new_store(
    engine: &Engine,
    module: &Module,
    backend: &Arc<dyn Backend>,
    stdio: Stdio,
) -> Store<Data> {
    let grant = module.grant();
    let session = Session::new(grant.clone(), backend.clone());
    let quotas = grant.policy().quotas();
    let cpu = Arc::new(CpuMeter::new(quotas.cpu_ms_per_run));
    let mut table = ResourceTable::new();
    table.set_max_capacity(MAX_RESOURCES);
    let data = Data {
        table,
        wasi: wasi::context(module, stdio),
        http: WasiHttpCtx::new(),
        hooks: Hooks::new(session.gate().clone(), grant.clone()),
        session,
        outputs: Outputs::default(),
        memory: MemoryLimit::new(quotas.memory_max_mb),
        cpu: cpu.clone(),
    };
    let mut store = Store::new(engine.wasmtime(), data);
    store.limiter(|data| &mut data.memory);
    store.set_max_component_handles(MAX_HANDLES);
    store.set_hostcall_fuel(HOSTCALL_BYTES);
    // One tick from now: a larger first deadline would make a spinning guest unstoppable until then.
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| match cpu.exceeded() {
        Some(quota) => Err(RunError::CpuQuota { quota }.into()),
        None => Ok(UpdateDeadline::Yield(1)),
    });
    store
}

/// Polls the making of an instance under its CPU meter. What it uses is missing from the first call's bucket.
pub(crate) fn metered_start<F: Future + Unpin>(meter: &Arc<CpuMeter>, start: F) -> Metered<F> {
    Metered { meter: meter.clone(), call: start }
}

/// Polls a guest's call under its CPU meter. Each call but the first begins with a full bucket.
pub(crate) fn metered<F: Future + Unpin>(meter: &Arc<CpuMeter>, call: F) -> Metered<F> {
    meter.begin_call();
    Metered { meter: meter.clone(), call }
}

/// How a call ended that did not end well.
pub(crate) fn classify(error: wasmtime::Error, engine: &Engine) -> RunError {
    if error.downcast_ref::<wasmtime::PoolConcurrencyLimitError>().is_some() {
        return RunError::Busy(engine.max_instances());
    }
    match error.downcast::<RunError>() {
        Ok(ours) => ours,
        Err(error) => RunError::Trap(describe(&error)),
    }
}

/// A trap in one line: its cause first, then where the guest was.
fn describe(error: &wasmtime::Error) -> String {
    let cause = error.root_cause().to_string();
    let Some(backtrace) = error.downcast_ref::<wasmtime::WasmBacktrace>() else { return cause };
    let frames: Vec<_> = backtrace.frames().iter().filter_map(|f| f.func_name()).take(8).collect();
    if frames.is_empty() { cause } else { format!("{cause} (in {})", frames.join(" < ")) }
}
