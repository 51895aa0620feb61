//! Modules behind a real listener.

use crate::node::{Node, engine, soon};
use numax_runtime::{Engine, HttpConfig, HttpServer, Module, Runtime};
use std::net::SocketAddr;
use std::time::Duration;

/// A server of a test.
pub struct Server {
    pub runtime: Runtime,
    server: HttpServer,
}

/// Any free port of this machine.
const ANY: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

/// Serves one module with the default settings, on one worker.
pub async fn serve(node: &Node, module: Module) -> Server {
    serve_with(node, vec![module], |_| {}).await
}

/// Serves modules with settings changed.
pub async fn serve_with(node: &Node, modules: Vec<Module>, change: impl FnOnce(&mut HttpConfig)) -> Server {
    serve_on(engine(), node, modules, change).await
}

/// Serves modules of an engine of the test's own.
pub async fn serve_on(
    engine: Engine,
    node: &Node,
    modules: Vec<Module>,
    change: impl FnOnce(&mut HttpConfig),
) -> Server {
    let mut config = HttpConfig { workers: std::num::NonZeroUsize::new(1), ..HttpConfig::default() };
    // A test that ends takes its guests with it.
    config.drain = Duration::ZERO;
    change(&mut config);
    let runtime = Runtime::new(engine, node.backend());
    let server = HttpServer::start_with(&runtime, modules, SocketAddr::from(ANY), config).await.unwrap();
    Server { runtime, server }
}

impl Server {
    pub fn addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// Waits until no guest runs any more.
    pub async fn idle(&self) {
        let none = async {
            while self.runtime.instances() > 0 {
                tokio::task::yield_now().await;
            }
        };
        soon("the end of all guests", none).await;
    }

    /// The orderly end.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
    }
}
