//! HTTP for modules: an own server on hyper, one thread with its own event loop per core, all listening on one port.
//!
//! A guest is polled inside its connection's task, so a request that never waits costs no task and no wake-up; one that
//! waits after its response head has gone moves to a task of its own. By default every request gets a fresh instance; a
//! policy with `http.reuse.max` above one lets an instance serve several, one after the other.

mod body;
mod config;
mod patience;
mod reply;
mod request;
mod router;
mod script;
mod server;
mod site;

pub use config::HttpConfig;
pub use script::HttpScript;
pub use server::HttpServer;
