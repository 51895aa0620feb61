//! The one linker of a node: WASI, wasi:http and numax's own interfaces, with turns around them.
//!
//! Every module is linked against all of it; what a module may do is decided by its session and its WASI context at
//! each call. So an import list says what a module can do, and its policy what it may.

use crate::instance::Data;
use crate::{changes, cluster, crdt, events, kv, messaging, module_info, turn, wasi};
use wasmtime::Result;
use wasmtime::component::Linker;

/// Builds the linker. About half a millisecond: once per engine.
pub(crate) fn build(engine: &wasmtime::Engine) -> Result<Linker<Data>> {
    let mut l = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut l)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut l)?;
    turn::add_to_linker(&mut l)?;
    wasi::denials::add_to_linker(&mut l)?;
    kv::add_to_linker(&mut l)?;
    crdt::add_to_linker(&mut l)?;
    cluster::add_to_linker(&mut l)?;
    messaging::add_to_linker(&mut l)?;
    changes::add_to_linker(&mut l)?;
    events::add_to_linker(&mut l)?;
    module_info::add_to_linker(&mut l)?;
    Ok(l)
}
