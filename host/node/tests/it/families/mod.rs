//! Families end to end, one file each: a guest writes on one node, a guest on the other reads; the network between them
//! is cut, both write on, and when it is whole again both have the same.

mod g_counter;
mod list;
mod map;
mod pn_counter;
mod register;
mod set;
mod text;
mod wire;

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use numax_net::ca::{self, IssueOptions};
use numax_policy::Policy;
use numax_runtime::{Engine, EngineConfig, HttpServer, Module, ModuleOptions, Runtime};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use self::wire::Wire;
use crate::built;
use crate::world::{Running, World};

/// Two nodes, a wire between them, and the same guest on each.
pub struct Pair {
    pub a: Site,
    pub b: Site,
    wire: Wire,
    _world: World,
}

/// A node with its guest.
pub struct Site {
    node: Running,
    server: HttpServer,
}

/// How long nodes may take to agree. They need some milliseconds; a busy machine needs more.
const PATIENCE: Duration = Duration::from_secs(30);

impl Pair {
    pub async fn start() -> Self {
        let world = World::new();
        let a = world.node("a", &[]).await;
        let wire = Wire::to(a.address().parse().unwrap()).await;
        let datastore = world.path("b");
        let options = IssueOptions { names: vec!["localhost".into()], ..IssueOptions::default() };
        ca::issue(&world.path("ca"), &datastore, &options, None).unwrap();
        let way = wire.address().to_string();
        let b = Running::start(&datastore, &[], &[("--peer", &way)]).await.unwrap();
        Self { a: Site::on(a).await, b: Site::on(b).await, wire, _world: world }
    }

    /// Nothing goes from one node to the other until [`Self::heal`].
    pub fn cut(&self) {
        self.wire.cut(true);
    }

    pub fn heal(&self) {
        self.wire.cut(false);
    }

    /// Waits until both nodes give these answers.
    pub async fn agree(&self, calls: Value, answers: Value) {
        self.a.comes(&calls, &answers).await;
        self.b.comes(&calls, &answers).await;
    }

    /// Waits until both nodes hold the same, down to the bytes, and ends them.
    pub async fn end(self) {
        let same = async {
            while self.a.hash().await != self.b.hash().await {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, same).await.is_ok(), "the nodes hold different states");
        for site in [self.a, self.b] {
            site.server.shutdown().await;
            site.node.stop().await;
        }
    }
}

impl Site {
    async fn on(node: Running) -> Self {
        let module =
            Module::load(&engine(), built::built().join("examples/families.wasm"), policy(), named())
                .unwrap();
        let runtime = Runtime::new(engine(), Arc::new(node.node.clone()));
        let server = HttpServer::start(&runtime, vec![module], ([127, 0, 0, 1], 0).into()).await.unwrap();
        Self { node, server }
    }

    /// What the guest answers to a turn of these calls.
    pub async fn tell(&self, calls: Value) -> Value {
        let body = calls.to_string();
        let head = "POST / HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length:";
        let mut stream = TcpStream::connect(self.server.local_addr()).await.unwrap();
        stream.write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{calls}: {answer}");
        serde_json::from_str(body).unwrap()
    }

    /// Waits until the guest answers so.
    pub async fn comes(&self, calls: &Value, answers: &Value) {
        let mut last = Value::Null;
        let same = async {
            loop {
                last = self.tell(calls.clone()).await;
                if last == *answers {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, same).await.is_err() {
            panic!("{calls} gives {last}, and not {answers}");
        }
    }

    async fn hash(&self) -> [u8; 32] {
        let replica = self.node.replica.clone();
        tokio::task::spawn_blocking(move || replica.state_hash().unwrap()).await.unwrap()
    }
}

fn engine() -> Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    let new = || {
        let cache_dir = Some(built::cache().join("code"));
        Engine::new(EngineConfig { cache_dir, max_instances: 50, ..EngineConfig::default() }).unwrap()
    };
    ENGINE.get_or_init(new).clone()
}

fn policy() -> Policy {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/tests/families/rust/policy.toml");
    Policy::parse(&std::fs::read_to_string(file).unwrap(), "policy.toml").unwrap()
}

fn named() -> ModuleOptions {
    ModuleOptions { name: "families".to_owned(), ..ModuleOptions::default() }
}

/// The values of a list's entries, without their ids.
fn values(entries: &Value) -> Vec<String> {
    let entries: Vec<(String, String)> = serde_json::from_value(entries.clone()).unwrap();
    entries.into_iter().map(|(_, value)| value).collect()
}

/// Both answer alike, and what that is.
async fn alike(pair: &Pair, calls: Value) -> Value {
    let answers = pair.a.tell(calls.clone()).await;
    pair.b.comes(&calls, &answers).await;
    answers
}

/// One call, as a turn.
fn one(call: Value) -> Value {
    json!([call])
}

/// The clock of this machine, which both nodes have, goes on by a few milliseconds.
async fn later() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}
