//! Nodes as processes: `numax run` started, asked over HTTP, killed and started again.

use anyhow::{Context, Result, bail};
use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a node may take from its start to its first answer. The first start compiles its component, which takes
/// a minute for the interpreters inside JavaScript and Python guests.
const START: Duration = Duration::from_secs(300);
/// How long nodes may take to agree. They need about a second; a busy machine needs more.
pub const AGREE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// One node: its folder, its addresses, and its process while it runs.
pub struct Node {
    /// What it is called in tables and in its own log.
    pub name: String,
    /// Where it answers HTTP.
    pub http: SocketAddr,
    /// Where it talks to other nodes.
    pub cluster: SocketAddr,
    /// Its datastore.
    pub data: PathBuf,
    log: PathBuf,
    command: Vec<String>,
    environment: Vec<(String, PathBuf)>,
    home: PathBuf,
    numax: PathBuf,
    child: Option<Child>,
}

/// An answer as it came.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its content type without parameters; empty if it has none.
    pub kind: String,
    /// Its body.
    pub body: String,
}

/// What the example guests answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The counter.
    pub visits: u64,
    /// The set, sorted.
    pub languages: Vec<String>,
}

impl Node {
    /// A node that is not started yet. `home` stands for the user's data folder, so that a run leaves nothing behind.
    pub fn new(numax: &Path, home: &Path, name: &str, module: &Path) -> Result<Self> {
        let dir = home.join(name);
        std::fs::create_dir_all(&dir)?;
        let (http, cluster) = (free_address()?, free_address()?);
        let mut node = Self {
            name: name.into(),
            http,
            cluster,
            data: dir.join("data"),
            log: dir.join("log.txt"),
            command: vec!["run".into(), module.display().to_string()],
            environment: Vec::new(),
            home: home.into(),
            numax: numax.into(),
            child: None,
        };
        let data = node.data.display().to_string();
        node.flag("--data", data);
        node.flag("--http", http);
        node.flag("--node-name", name);
        Ok(node)
    }

    /// Adds a flag with its value.
    pub fn flag(&mut self, flag: &str, value: impl std::fmt::Display) {
        self.command.extend([flag.into(), value.to_string()]);
    }

    /// Adds a variable to its environment.
    pub fn variable(&mut self, name: &str, value: &Path) {
        self.environment.push((name.into(), value.into()));
    }

    /// Makes it listen for other nodes and gives it the addresses it dials.
    pub fn join(&mut self, peers: &[SocketAddr]) {
        let own = self.cluster;
        self.flag("--listen", own);
        for peer in peers {
            self.flag("--peer", peer);
        }
    }

    /// Starts the process; [`Node::ready`] waits for its first answer.
    pub fn start(&mut self) -> Result<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let child = Command::new(&self.numax)
            .args(&self.command)
            .current_dir(&self.home)
            .env("XDG_DATA_HOME", self.home.join("user-data"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", self.numax.display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// Waits until it answers HTTP.
    pub fn ready(&mut self) -> Result<()> {
        let start = Instant::now();
        loop {
            if self.ask("GET", "/").is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            if let Some(status) = self.ended()? {
                bail!("node {} ended with {status} before it answered; its log:\n{}", self.name, self.tail());
            }
            if start.elapsed() > START {
                bail!("node {} did not answer within {START:?}; its log:\n{}", self.name, self.tail());
            }
            sleep(POLL);
        }
    }

    /// How it ended, if it did by itself.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(match &mut self.child {
            Some(child) => child.try_wait()?,
            None => None,
        })
    }

    /// Waits until the process ends.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if start.elapsed() > limit {
                bail!("node {} did not end within {limit:?}; its log:\n{}", self.name, self.tail());
            }
            sleep(POLL);
        }
    }

    /// SIGKILL: nothing of the process runs afterwards.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill(); // it may have ended by itself
            child.wait()?;
        }
        Ok(())
    }

    /// SIGTERM.
    pub fn terminate(&self) -> Result<()> {
        self.signal("-TERM")
    }

    /// SIGKILL while others still use the node; [`Node::kill`] then takes the process away.
    pub fn signal_kill(&self) -> Result<()> {
        self.signal("-KILL")
    }

    /// A signal by its name, with a hyphen before it.
    pub fn signal(&self, signal: &str) -> Result<()> {
        let Some(child) = &self.child else { bail!("node {} does not run", self.name) };
        crate::shell::run(Command::new("kill").args([signal, &child.id().to_string()]))
    }

    /// Increments the counter and gives the state that the node answered with.
    pub fn visit(&self, by: u64) -> Result<State> {
        let url = format!("http://{}/visits?by={by}", self.http);
        let answer = agent().post(&url).send_empty().with_context(|| format!("POST {url}"))?;
        State::read(answer)
    }

    /// The state as the node sees it now.
    pub fn state(&self) -> Result<State> {
        let url = format!("http://{}/", self.http);
        State::read(agent().get(&url).call().with_context(|| format!("GET {url}"))?)
    }

    /// A request without a body; any status is an answer. The target goes out as it is.
    pub fn ask(&self, method: &str, target: &str) -> Result<Answer> {
        let request =
            ureq::http::Request::builder().method(method).uri(format!("http://{}{target}", self.http));
        let agent = agent();
        let request = agent.configure_request(request.body(())?).http_status_as_error(false).build();
        let mut answer = agent.run(request).with_context(|| format!("{method} {target}"))?;
        let kind =
            answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        Ok(Answer {
            status: answer.status().as_u16(),
            kind: kind.split(';').next().unwrap_or_default().into(),
            body: answer.body_mut().read_to_string()?,
        })
    }

    /// A request with a body; any status is an answer.
    pub fn post(&self, target: &str, body: &str) -> Result<Answer> {
        let url = format!("http://{}{target}", self.http);
        let request = agent().post(&url).config().http_status_as_error(false).build();
        let mut answer = request.send(body).with_context(|| format!("POST {url}"))?;
        Ok(Answer {
            status: answer.status().as_u16(),
            kind: String::new(),
            body: answer.body_mut().read_to_string()?,
        })
    }

    /// The end of its log, for messages.
    pub fn tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(30)).map(|line| format!("  | {line}\n")).collect()
    }

    /// The whole log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

impl State {
    /// Reads an answer of a guest.
    pub fn read(mut answer: ureq::http::Response<ureq::Body>) -> Result<Self> {
        let text = answer.body_mut().read_to_string()?;
        let json: serde_json::Value =
            serde_json::from_str(&text).with_context(|| format!("not JSON: {text:?}"))?;
        let visits = json["visits"].as_u64().with_context(|| format!("no visits in {text:?}"))?;
        let languages = json["languages"].as_array().with_context(|| format!("no languages in {text:?}"))?;
        let languages = languages.iter().filter_map(|l| l.as_str()).map(str::to_string).collect();
        Ok(Self { visits, languages })
    }
}

/// Waits until every node answers with the same state, and that state is `wanted`.
pub fn agree(nodes: &[&Node], wanted: &State) -> Result<Duration> {
    let start = Instant::now();
    loop {
        let states: Vec<_> = nodes.iter().map(|node| node.state()).collect();
        if states.iter().all(|state| state.as_ref().is_ok_and(|state| state == wanted)) {
            return Ok(start.elapsed());
        }
        if start.elapsed() > AGREE {
            let seen: String = nodes
                .iter()
                .zip(&states)
                .map(|(node, state)| match state {
                    Ok(state) => format!("  {}: {state:?}\n", node.name),
                    Err(error) => format!("  {}: {error:#}\n{}", node.name, node.tail()),
                })
                .collect();
            bail!("the nodes do not agree on {wanted:?} after {AGREE:?}:\n{seen}");
        }
        sleep(POLL);
    }
}

/// A loopback address that was free a moment ago.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(20))).build().into()
}
