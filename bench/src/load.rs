//! The load generator: a fixed number of connections, each asking again as soon as it has its answer.

use anyhow::{Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// What a load found.
pub struct Load {
    /// Answers received.
    pub requests: u64,
    /// How long it ran.
    pub took: Duration,
}

/// Keeps `connections` busy for `time`. Any answer but 200 with a body is an error.
pub fn run(address: SocketAddr, connections: usize, time: Duration) -> Result<Load> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let start = Instant::now();
        let tasks: Vec<_> =
            (0..connections).map(|_| tokio::spawn(connection(address, start + time))).collect();
        let mut requests = 0;
        for task in tasks {
            requests += task.await??;
        }
        Ok(Load { requests, took: start.elapsed() })
    })
}

async fn connection(address: SocketAddr, end: Instant) -> Result<u64> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(driver);
    let mut requests = 0;
    while Instant::now() < end {
        let request = Request::get("/").header("host", "bench").body(Empty::<Bytes>::new())?;
        let answer = sender.send_request(request).await?;
        ensure!(answer.status() == 200, "the server answered {}", answer.status());
        ensure!(!answer.into_body().collect().await?.to_bytes().is_empty(), "the body is empty");
        requests += 1;
    }
    Ok(requests)
}
