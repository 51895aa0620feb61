//! WASI for guests: always linked, because a program of any language imports more than it uses, over a context that has
//! nothing to give but what the policy grants.
//!
//! | interface | without a grant |
//! |---|---|
//! | environment, arguments | what the policy and the node's options give, nothing of the process |
//! | filesystem | no preopened folders |
//! | sockets, name lookup | refused with the interface's own `access-denied` |
//! | outgoing HTTP | `HTTP-request-denied` |
//! | random | the secure generator traps (it has no error, and a weak number in its place would be worse); the insecure one and the seed for hash tables need no grant |
//! | clocks | stand still at zero; waiting for one traps. Standard libraries read clocks without being asked to, so reading must work; a wait that never ends must not |
//! | standard output and error | granted: to the log |

mod clocks;
pub(crate) mod denials;
mod hooks;
mod stdio;

pub(crate) use hooks::Hooks;
pub(crate) use stdio::LineLog;

use crate::deterministic::Deterministic;
use crate::instance::Stdio;
use crate::module::Module;
use clocks::Stopped;
use std::sync::Arc;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder};

/// Random bytes that one call may ask for: enough for a key or a buffer, too few to hold a thread.
const MAX_RANDOM: u64 = 1 << 20;

/// A context for one instance of a module; in a run that repeats, with that run's time and randomness.
pub(crate) fn context(module: &Module, stdio: Stdio, deterministic: Option<&Arc<Deterministic>>) -> WasiCtx {
    let grant = module.grant();
    let mut b = WasiCtxBuilder::new();
    b.max_random_size(MAX_RANDOM).envs(module.env()).args(module.args());
    if let Some(world) = deterministic {
        world.rule(&mut b, grant.policy().time());
    }
    if !grant.policy().time() {
        b.wall_clock(Stopped(grant.clone())).monotonic_clock(Stopped(grant.clone()));
    }
    match stdio {
        Stdio::Log => {
            b.stdout(LineLog::new(grant.clone(), "stdout")).stderr(LineLog::new(grant.clone(), "stderr"));
        }
        Stdio::Inherit => {
            b.inherit_stdout().inherit_stderr();
        }
    }
    b.build()
}
