//! Settings of the HTTP server.

use std::num::NonZeroUsize;
use std::time::Duration;

/// Settings of an [`HttpServer`](crate::HttpServer).
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Threads that serve. None: one for each core.
    pub workers: Option<NonZeroUsize>,
    /// Bytes of a request's body. A longer one is refused with 413, or cut off with an error if its length was not
    /// announced.
    pub max_body: usize,
    /// Bytes of a request's line and headers.
    pub max_head: usize,
    /// Header lines of a request.
    pub max_headers: usize,
    /// Time for a client to send its request's head.
    pub head_timeout: Duration,
    /// Time without a byte after which a client is given up that is in the middle of its request's body, or that does
    /// not take its answer: such a client holds an instance.
    pub stall_timeout: Duration,
    /// Connections that are open at the same time, for each worker. More wait in the kernel.
    pub max_connections: usize,
    /// How long requests may go on after [`HttpServer::shutdown`](crate::HttpServer::shutdown) was called.
    pub drain: Duration,
}

impl Default for HttpConfig {
    fn default() -> Self {
        HttpConfig {
            workers: None,
            max_body: 16 << 20,
            max_head: 64 << 10,
            max_headers: 100,
            head_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(30),
            max_connections: 10_000,
            drain: Duration::from_secs(10),
        }
    }
}
