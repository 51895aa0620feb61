//! What stands in for the engine in a build without components: the same names, and an answer that says what is
//! missing.

#[path = "../engine/config.rs"]
mod engine_config;
#[path = "../http/config.rs"]
mod http_config;

pub use engine_config::{Allocation, EngineConfig};
pub use http_config::HttpConfig;

use crate::error::{RunError, StartError};
use crate::module::Module;
use crate::runtime::Runtime;
use std::convert::Infallible;
use std::net::SocketAddr;

/// Stands in for the engine; it loads nothing.
#[derive(Clone, Debug)]
pub struct Engine(());

impl Engine {
    /// An engine that loads nothing, so that a node without modules runs.
    ///
    /// # Errors
    /// None; the signature is that of a build with components.
    pub fn new(_: EngineConfig) -> Result<Engine, StartError> {
        Ok(Engine(()))
    }

    /// Says what is missing.
    pub fn allocation_report(&self) -> String {
        "no modules: built without the `components` feature".to_owned()
    }

    /// None.
    pub fn max_instances(&self) -> u32 {
        0
    }
}

/// Cannot be made.
#[derive(Debug)]
pub struct HttpScript(Infallible);

impl HttpScript {
    /// Says what is missing.
    ///
    /// # Errors
    /// Always.
    pub fn new(_: &Runtime, _: &[Module]) -> Result<HttpScript, StartError> {
        Err(StartError::NoComponents)
    }

    /// Cannot be called.
    pub async fn answer(&self, _: http::Request<bytes::Bytes>) -> http::Response<bytes::Bytes> {
        match self.0 {}
    }
}

/// Cannot be made.
#[derive(Debug)]
pub struct HttpServer(Infallible);

impl HttpServer {
    /// Says what is missing.
    ///
    /// # Errors
    /// Always.
    pub async fn start(_: &Runtime, _: Vec<Module>, _: SocketAddr) -> Result<HttpServer, StartError> {
        Err(StartError::NoComponents)
    }

    /// Cannot be called.
    pub fn local_addr(&self) -> SocketAddr {
        match self.0 {}
    }

    /// Cannot be called.
    pub async fn shutdown(self) {
        match self.0 {}
    }
}

/// Cannot be made.
#[derive(Debug)]
pub struct Reactive(Infallible);

impl Reactive {
    /// Says what is missing.
    ///
    /// # Errors
    /// Always.
    pub async fn start(_: &Runtime, module: Module) -> Result<Reactive, RunError> {
        Err(RunError::NoExport { module: module.name().to_owned(), export: "a handler" })
    }

    /// Cannot be called.
    pub fn name(&self) -> &str {
        match self.0 {}
    }

    /// Cannot be called.
    pub async fn shutdown(self) {
        match self.0 {}
    }
}
