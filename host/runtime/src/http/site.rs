//! A module as one worker thread serves it: it makes instances, and keeps those that may serve again.

use crate::error::RunError;
use crate::instance::{Stdio, classify, metered, metered_start, refuel};
use crate::module::Module;
use crate::runtime::{Runtime, Slot};
use crate::turn::{Gate, Tag};
use http::Request;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use wasmtime_wasi_http::p2::bindings::Proxy;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::{WasiBody, WasiHttpView};

/// Instances that one worker keeps waiting for one module. More come from a burst and would only hold memory.
const MAX_IDLE: usize = 64;

/// What a guest hands over as its response, with the number of the batch before it.
pub(super) struct Head {
    pub(super) tag: Tag,
    pub(super) gate: Arc<Gate>,
    pub(super) response: Result<http::Response<WasiBody>, ErrorCode>,
}

/// One module on one worker.
pub(super) struct Site {
    pub(super) module: Module,
    runtime: Runtime,
    idle: Mutex<VecDeque<Idle>>,
}

struct Idle {
    slot: Slot,
    proxy: Proxy,
    uses: u64,
    since: Instant,
}

impl Site {
    pub(super) fn new(runtime: Runtime, module: Module) -> Site {
        Site { module, runtime, idle: Mutex::default() }
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of instances that have waited too long. Returns how long none will be due.
    pub(super) fn sweep(&self, now: Instant) -> Duration {
        let keep = self.module.grant().policy().http().reuse.idle;
        let gone: Vec<Idle> = {
            let mut idle = self.idle();
            let due = idle.iter().take_while(|i| now.saturating_duration_since(i.since) >= keep).count();
            idle.drain(..due).collect()
        };
        // Outside of the lock: an instance that ends cleans up its memory.
        drop(gone);
        keep.clamp(Duration::from_millis(10), Duration::from_secs(1))
    }

    /// Runs a guest for one request; the response goes through `head` as soon as the guest has given it.
    pub(super) async fn run(
        self: Arc<Self>,
        request: Request<WasiBody>,
        head: oneshot::Sender<Head>,
    ) -> Result<(), RunError> {
        let reuse = self.module.grant().policy().http().reuse.max;
        let mut idle = match if reuse > 1 { self.waiting() } else { None } {
            Some(idle) => idle,
            None => self.fresh().await?,
        };
        refuel(&mut idle.slot.store)?;
        let meter = idle.slot.store.data().cpu.clone();
        let call = metered(&meter, Box::pin(call(&mut idle, request, head))).await;
        call.map_err(|e| match classify(e, self.module.engine()) {
            // Most guests have no better answer to a failing datastore than to stop.
            RunError::Trap(trap) if idle.slot.store.data().session.storage_failed() => {
                RunError::Unavailable(format!("storage failed, and then the guest trapped: {trap}"))
            }
            e => e,
        })?;
        idle.uses += 1;
        if idle.uses < reuse {
            idle.since = Instant::now();
            let mut waiting = self.idle();
            if waiting.len() < MAX_IDLE {
                waiting.push_back(idle);
            }
        }
        Ok(())
    }

    /// An instance that may serve again. One that has seen what the log then lost may not.
    fn waiting(&self) -> Option<Idle> {
        let mut waiting = self.idle();
        while let Some(idle) = waiting.pop_back() {
            if !idle.slot.store.data().session.gate().failed() {
                return Some(idle);
            }
        }
        None
    }

    async fn fresh(&self) -> Result<Idle, RunError> {
        let Some(http) = &self.module.exports().http else {
            let module = self.module.name().to_owned();
            return Err(RunError::NoExport { module, export: "wasi:http/incoming-handler" });
        };
        let mut slot = self.runtime.slot(&self.module, Stdio::Log)?;
        let meter = slot.store.data().cpu.clone();
        let proxy = metered_start(&meter, Box::pin(http.instantiate_async(&mut slot.store))).await;
        let proxy = proxy.map_err(|e| classify(e, self.module.engine()))?;
        Ok(Idle { slot, proxy, uses: 0, since: Instant::now() })
    }
}

async fn call(
    idle: &mut Idle,
    request: Request<WasiBody>,
    head: oneshot::Sender<Head>,
) -> wasmtime::Result<()> {
    let store = &mut idle.slot.store;
    let data = store.data_mut();
    let gate = data.session.gate().clone();
    let request = data.http().new_incoming_request(Scheme::Http, request)?;
    // Runs inside `response-outparam.set`, after that has committed: so the tag is that of the batch before the head.
    let out = data.http().new_response_outparam_from_callback(move |response| {
        let tag = gate.tag();
        // Nobody waits any more: the client has left, and the guest learns it from its body.
        let _ = head.send(Head { tag, gate, response });
    })?;
    idle.proxy.wasi_http_incoming_handler().call_handle(&mut *store, request, out).await?;
    // Returning is a commit point.
    store.data_mut().session.commit().await?;
    Ok(())
}
