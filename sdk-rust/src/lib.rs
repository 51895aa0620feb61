//! Write numax guests in Rust.
//!
//! A guest exports the handlers that it registers and nothing else:
//!
//! ```no_run
//! use numax_sdk::{Result, crdt::GCounter, http::{Request, Response}};
//!
//! numax_sdk::on_http!(handle);
//!
//! fn handle(request: Request) -> Result<Response> {
//!     let visits = GCounter::open("visits")?;
//!     if request.method() == "POST" {
//!         visits.increment(1)?;
//!     }
//!     Ok(Response::text(format!("{}\n", visits.value()?)))
//! }
//! # fn main() {}
//! ```
//!
//! Such a guest is a library (`crate-type = ["cdylib"]`), built by `numax build`. A guest that does one thing and ends
//! is an ordinary program with `fn main()`; it may use everything here but the handlers.
//!
//! # Turns
//! What a guest writes is committed as one batch when it blocks, answers or returns: all of it, here and on every other
//! node, or none of it. A panic undoes what the turn wrote. See [`crdt`].
//!
//! # Errors
//! Every call can fail with an [`Error`], for example because the module's policy does not grant it. The error's text
//! then is the line that the policy lacks.

// The generated bindings name this crate by its name.
extern crate self as numax_sdk;

#[doc(hidden)]
#[allow(missing_docs, clippy::all, clippy::unwrap_used, rustdoc::all)]
#[rustfmt::skip]
pub mod bindings {
    pub mod export_change;
    pub mod export_http;
    pub mod export_lifecycle;
    pub mod export_message;
    pub mod export_peer;
    pub mod export_tick;
    pub mod imports;
}

#[doc(hidden)]
pub use wit_bindgen::rt;

pub mod changes;
pub mod cluster;
pub mod crdt;
mod error;
pub mod events;
mod handlers;
pub mod http;
pub mod json;
pub mod kv;
pub mod messaging;
pub mod module;
mod pages;

pub use bindings::imports::numax::runtime::common::{Change, CrdtKind as Kind, NodeId, OpKind};
pub use error::{Error, Result};
#[doc(hidden)]
pub use handlers::{HandlerResult, InitResult};
pub use messaging::Message;
pub use pages::Pages;
