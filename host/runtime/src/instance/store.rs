//! Making stores, and making sense of how a call in one ended.

use super::cpu::{CpuMeter, Metered};
use super::data::{Data, Outputs};
use super::memory::MemoryLimit;
use crate::backend::Backend;
use crate::deterministic::FUEL_PER_MS;
use crate::engine::Engine;
use crate::error::RunError;
use crate::module::Module;
use crate::session::Session;
use crate::wasi::{self, Hooks};
use std::sync::Arc;
use wasmtime::component::ResourceTable;
use wasmtime::{Store, Trap, UpdateDeadline};
use wasmtime_wasi_http::WasiHttpCtx;

/// Host objects (streams, bodies, handles) of one instance. A guest that leaks them hits this, not the node's memory.
const MAX_RESOURCES: usize = 20_000;

/// Handles that the guest's side may hold at the same time.
const MAX_HANDLES: usize = 20_000;

/// Bytes that one call of a host function may make the host copy out of the guest. The largest argument of ours is a
/// value of 1 MiB; body chunks are smaller.
const HOSTCALL_BYTES: usize = 16 << 20;

/// Fuel after which a guest of a deterministic run lets others go on: some milliseconds.
const FUEL_SLICE: u64 = 10_000_000;

/// Where standard output and error of an instance go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stdio {
    /// To the log, line by line, under the module's name.
    Log,
    /// To this process's own: a command's output is its result.
    Inherit,
}

/// A store for an instance of a module.
///
/// # Errors
/// [`RunError::Unavailable`] if the engine does not count fuel and should: a fault of ours.
pub(crate) fn new_store(
    engine: &Engine,
    module: &Module,
    backend: &Arc<dyn Backend>,
    stdio: Stdio,
) -> Result<Store<Data>, RunError> {
    let deterministic = engine.deterministic().cloned();
    let grant = module.grant();
    let session = Session::new(grant.clone(), backend.clone());
    let quotas = grant.policy().quotas();
    // Processor time is the machine's: where it must not matter, fuel stands for it.
    let cpu_quota = quotas.cpu_ms_per_run.filter(|_| deterministic.is_none());
    let cpu = Arc::new(CpuMeter::new(cpu_quota));
    let mut table = ResourceTable::new();
    table.set_max_capacity(MAX_RESOURCES);
    let data = Data {
        table,
        wasi: wasi::context(module, stdio, deterministic.as_ref()),
        http: WasiHttpCtx::new(),
        hooks: Hooks::new(session.gate().clone(), grant.clone()),
        session,
        outputs: Outputs::default(),
        memory: MemoryLimit::new(quotas.memory_max_mb),
        cpu: cpu.clone(),
        deterministic: deterministic.clone(),
    };
    let mut store = Store::new(engine.wasmtime(), data);
    store.limiter(|data| &mut data.memory);
    store.set_max_component_handles(MAX_HANDLES);
    store.set_hostcall_fuel(HOSTCALL_BYTES);
    if deterministic.is_some() {
        refuel(&mut store)?;
        return Ok(store);
    }
    // One tick from now: a larger first deadline would make a spinning guest unstoppable until then.
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| match cpu.exceeded() {
        Some(quota) => Err(RunError::CpuQuota { quota }.into()),
        None => Ok(UpdateDeadline::Yield(1)),
    });
    Ok(store)
}

/// Gives an instance of a deterministic run the fuel for its next call.
pub(crate) fn refuel(store: &mut Store<Data>) -> Result<(), RunError> {
    if store.data().deterministic.is_none() {
        return Ok(());
    }
    let quota = store.data().session.grant().policy().quotas().cpu_ms_per_run;
    let fuel = quota.map_or(u64::MAX, |ms| ms.saturating_mul(FUEL_PER_MS));
    let set = store.set_fuel(fuel).and_then(|()| store.fuel_async_yield_interval(Some(FUEL_SLICE)));
    set.map_err(|e| RunError::Unavailable(format!("the engine does not count instructions: {e}")))
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
    if error.downcast_ref::<Trap>() == Some(&Trap::OutOfFuel) {
        return RunError::Fuel;
    }
    // A command's exit is its end, and was looked at before.
    if let Some(code) = RunError::exit_code(&error) {
        return RunError::Exit { code };
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
