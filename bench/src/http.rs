//! Group `http`: a component that says hello, beside a bare hyper server doing the same.

use crate::load;
use crate::product::{Product, Server, free_address};
use crate::report::Figure;
use anyhow::Result;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response, service::service_fn};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

const CONNECTIONS: usize = 32;
const ADDRESS: &str = "NUMAX_BENCH_ADDRESS";

/// Requests per second and server CPU per request, fresh and reused instances, each beside bare hyper.
pub fn run(product: &Product, rounds: usize, seconds: u64) -> Result<Vec<Figure>> {
    let wasm = product.guest("hello")?;
    let home = tempfile::tempdir()?;
    let fresh = numax(product, home.path(), &wasm, "fresh", 1)?;
    let reused = numax(product, home.path(), &wasm, "reused", 1000)?;
    let address = free_address()?;
    let bare = Product::serve(
        Command::new(std::env::current_exe()?).arg("--bare-server").env(ADDRESS, address.to_string()),
        address,
    )?;

    let servers = [&bare, &fresh, &reused];
    let mut rps = [const { Vec::new() }; 3];
    let mut cpu = [const { Vec::new() }; 3];
    for server in servers {
        load::run(server.address, CONNECTIONS, Duration::from_secs(1))?; // warm up
    }
    for _ in 0..rounds {
        for (at, server) in servers.into_iter().enumerate() {
            let before = server.cpu_micros()?;
            let load = load::run(server.address, CONNECTIONS, Duration::from_secs(seconds))?;
            let requests = load.requests as f64;
            rps[at].push(requests / load.took.as_secs_f64());
            cpu[at].push((server.cpu_micros()? - before) / requests);
        }
    }
    let names = ["hello, a fresh instance per request", "hello, instances reused 1,000 times"];
    let mut figures = Vec::new();
    for (at, name) in names.into_iter().enumerate() {
        figures.push(Figure::new("http", name, "req/s", &rps[at + 1], "bare hyper", &rps[0]));
        figures.push(Figure::new(
            "http",
            &format!("{name}: CPU"),
            "us/req",
            &cpu[at + 1],
            "bare hyper",
            &cpu[0],
        ));
    }
    Ok(figures)
}

fn numax(
    product: &Product,
    home: &std::path::Path,
    wasm: &std::path::Path,
    name: &str,
    reuse: u32,
) -> Result<Server> {
    let policy = home.join(format!("{name}.policy.toml"));
    std::fs::write(
        &policy,
        format!(
            "version = 1\n[capabilities]\nnetwork.serve = true\n[http]\nreuse = {{ max = {reuse}, idle = \"10s\" }}\n"
        ),
    )?;
    let address = free_address()?;
    let mut command = product.command();
    command.arg("run").arg(wasm).arg("--policy").arg(&policy).args([
        "--http",
        &address.to_string(),
        "--data",
    ]);
    command.arg(home.join(name)).current_dir(home);
    Product::serve(&mut command, address)
}

/// The other side: hyper and nothing else.
pub fn bare_server() -> Result<()> {
    let address: SocketAddr = std::env::var(ADDRESS)?.parse()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::bind(address).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(async move {
                let hello = service_fn(|_: Request<Incoming>| async {
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"Hello, world!"))))
                });
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), hello)
                    .await;
            });
        }
    })
}
