//! The listener and its workers.

use super::config::HttpConfig;
use super::patience::Stalled;
use super::request::Worker;
use super::router::Router;
use super::site::Site;
use crate::error::StartError;
use crate::module::Module;
use crate::runtime::Runtime;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use numax_replica::Seldom;
use socket2::{Domain, Protocol, Socket, Type};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections that wait in the kernel for a worker.
const BACKLOG: i32 = 1024;

/// A running HTTP server. Dropping it stops it without waiting for open requests.
#[derive(Debug)]
pub struct HttpServer {
    addr: SocketAddr,
    stop: CancellationToken,
    workers: Vec<oneshot::Receiver<()>>,
}

impl HttpServer {
    /// Serves modules on an address with the default settings; port 0 takes a free one.
    ///
    /// # Errors
    /// As [`HttpServer::start_with`].
    pub async fn start(
        runtime: &Runtime,
        modules: Vec<Module>,
        addr: SocketAddr,
    ) -> Result<HttpServer, StartError> {
        HttpServer::start_with(runtime, modules, addr, HttpConfig::default()).await
    }

    /// Serves modules on an address; port 0 takes a free one.
    ///
    /// # Errors
    /// If the address cannot be listened on, if two modules have one route, or if no thread can be started.
    pub async fn start_with(
        runtime: &Runtime,
        modules: Vec<Module>,
        addr: SocketAddr,
        config: HttpConfig,
    ) -> Result<HttpServer, StartError> {
        let router = Arc::new(Router::new(&modules)?);
        for module in modules.iter().filter(|m| !m.grant().policy().network_serve()) {
            module.grant().deny(numax_policy::Capability::Serve, "");
        }
        let failed = |source| StartError::Listen { addr, source };
        let addr = free(addr).map_err(failed)?;
        let count =
            config.workers.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        let listeners: Result<Vec<_>, _> = (0..count).map(|_| listen(addr)).collect();
        let listeners = listeners.map_err(failed)?;
        let stop = CancellationToken::new();
        let host = http::HeaderValue::try_from(addr.to_string())
            .map_err(|e| StartError::Engine(format!("{addr} is no host: {e}")))?;
        let busy = Arc::new(Seldom::default());
        let mut server = HttpServer { addr, stop: stop.clone(), workers: Vec::new() };
        for (n, listener) in listeners.into_iter().enumerate() {
            let worker = Worker {
                router: router.clone(),
                sites: modules.iter().map(|m| Arc::new(Site::new(runtime.clone(), m.clone()))).collect(),
                config: config.clone(),
                guests: TaskTracker::new(),
                host: host.clone(),
                busy: busy.clone(),
            };
            let (done, ended) = oneshot::channel();
            let stop = stop.clone();
            let thread = move || {
                if let Err(e) = serve(Arc::new(worker), listener, stop) {
                    tracing::error!(error = %e, "an HTTP worker ended");
                }
                // Nobody may wait: then the server was dropped.
                let _ = done.send(());
            };
            let thread = std::thread::Builder::new().name(format!("numax-http-{n}")).spawn(thread);
            thread.map_err(|e| StartError::Engine(format!("cannot start an HTTP worker: {e}")))?;
            server.workers.push(ended);
        }
        Ok(server)
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Takes no new requests, lets the open ones end within the drain time, and stops.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        for worker in self.workers.drain(..) {
            // An error means that the worker is gone already.
            let _ = worker.await;
        }
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// An address that nobody listens on. The workers' listeners share their port, and would share it with another node of
/// this user too; this one shares with nobody.
fn free(addr: SocketAddr) -> std::io::Result<SocketAddr> {
    let socket = socket(addr)?;
    socket.bind(&addr.into())?;
    socket
        .local_addr()?
        .as_socket()
        .ok_or_else(|| std::io::Error::other("the bound address is no socket address"))
}

/// A listener that shares its port with those of the other workers.
fn listen(addr: SocketAddr) -> std::io::Result<std::net::TcpListener> {
    let socket = socket(addr)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn socket(addr: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    Ok(socket)
}

/// A worker's thread.
fn serve(
    worker: Arc<Worker>,
    listener: std::net::TcpListener,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        let connections = TaskTracker::new();
        for site in &worker.sites {
            tokio::spawn(sweep(site.clone()));
        }
        accept(&worker, &listener, &connections, &stop).await;
        drop(listener);
        connections.close();
        worker.guests.close();
        let drained = async {
            connections.wait().await;
            worker.guests.wait().await;
        };
        if tokio::time::timeout(worker.config.drain, drained).await.is_err() {
            tracing::warn!(
                connections = connections.len(),
                guests = worker.guests.len(),
                "requests did not end in time and are cut off; their open turns are rolled back"
            );
        }
        Ok(())
    })
}

async fn accept(
    worker: &Arc<Worker>,
    listener: &TcpListener,
    connections: &TaskTracker,
    stop: &CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(worker.config.max_connections));
    loop {
        let next = async {
            let slot = slots.clone().acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            () = stop.cancelled() => return,
            next = next => next,
        };
        match accepted {
            Ok((stream, _)) => {
                let (worker, stop) = (worker.clone(), stop.clone());
                connections.spawn(async move {
                    connection(worker, stream, stop).await;
                    drop(slot);
                });
            }
            Err(e) => {
                // Out of file descriptors, or a client that left again. Trying at once would spin.
                tracing::warn!(error = %e, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(worker: Arc<Worker>, stream: TcpStream, stop: CancellationToken) {
    // Without it small answers wait for the client's acknowledgement; if it fails, they do.
    let _ = stream.set_nodelay(true);
    let config = &worker.config;
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(config.head_timeout)
        .max_headers(config.max_headers)
        .max_buf_size(config.max_head);
    let answering = worker.clone();
    let service = service_fn(move |request| {
        let worker = answering.clone();
        async move { Ok::<_, Infallible>(worker.answer(request).await) }
    });
    let stream = Stalled::new(stream, config.stall_timeout);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    match result {
        // The client must not take it for whole. Why, and of which module it was, was said where it happened.
        Err(e) if e.is_user() => tracing::debug!(
            error = %std::error::Error::source(&e).map_or_else(|| e.to_string(), ToString::to_string),
            "an answer was cut off, because its body ended with an error"
        ),
        Err(e) => tracing::debug!(error = %e, "a connection ended"),
        Ok(()) => {}
    }
}

/// Lets go of idle instances for as long as the worker lives.
async fn sweep(site: Arc<Site>) {
    loop {
        let pause = site.sweep(Instant::now());
        tokio::time::sleep(pause).await;
    }
}
