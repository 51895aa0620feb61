//! WebAssembly components on numax: the engine, the interfaces that a guest sees, turns, HTTP and handlers.
//!
//! - [`Engine`] compiles and places instances; [`Module::load`] checks a component and says what it is.
//! - [`Runtime`] runs commands, [`HttpServer`] answers requests, [`Reactive`] keeps a module with handlers running.
//! - [`session`] is the one place where it is decided what a guest may do; the folders `kv`, `crdt`, `cluster`,
//!   `messaging`, `changes`, `events` and `module_info` are its WIT interfaces, `wasi` the standard ones.
//! - [`Deterministic`] is what a run takes instead of the machine when it must repeat.
//! - [`turn`] is what makes a guest's writes one batch and holds its output back until that is safe.
//!
//! Without the Cargo feature `components` (on by default) nothing of wasmtime is compiled in, and loading a module
//! says so.

#![cfg_attr(
    not(feature = "components"),
    allow(dead_code, reason = "what only components use stays compiled")
)]

mod backend;
#[cfg(feature = "components")]
mod bindings;
#[cfg(feature = "components")]
mod changes;
#[cfg(feature = "components")]
mod cluster;
#[cfg(feature = "components")]
mod convert;
#[cfg(feature = "components")]
mod crdt;
mod deterministic;
#[cfg(feature = "components")]
mod engine;
mod error;
#[cfg(feature = "components")]
mod events;
#[cfg(feature = "components")]
mod http;
#[cfg(feature = "components")]
mod instance;
#[cfg(feature = "components")]
mod kv;
#[cfg(feature = "components")]
mod linker;
#[cfg(feature = "components")]
mod messaging;
mod module;
#[cfg(feature = "components")]
mod module_info;
#[cfg(feature = "components")]
mod reactive;
mod runtime;
pub mod session;
pub mod turn;
#[cfg(feature = "components")]
mod wasi;

#[cfg(not(feature = "components"))]
mod without;
#[cfg(not(feature = "components"))]
use without as engine;

pub use backend::{Backend, PeerState, PeerView, id_seed_of_machine};
pub use deterministic::Deterministic;
pub use engine::{Allocation, Engine, EngineConfig};
pub use error::{ImportReport, ImportStatus, LoadError, RunError, StartError};
#[cfg(feature = "components")]
pub use http::{HttpConfig, HttpScript, HttpServer};
pub use module::{Module, ModuleKind, ModuleOptions, Source};
#[cfg(feature = "components")]
pub use reactive::Reactive;
pub use runtime::Runtime;
#[cfg(not(feature = "components"))]
pub use without::{HttpConfig, HttpScript, HttpServer, Reactive};
