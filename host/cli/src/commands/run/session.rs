//! One run, in its order: node, engine, modules, listeners; then the same backwards.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use numax_node::config::{LogFormat, NodeConfig, Setting};
use numax_node::{Node, NodeError};
use numax_runtime::{
    Engine, EngineConfig, HttpServer, Module, ModuleOptions, Reactive, RunError, Runtime, StartError,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use super::modules::Wanted;
use super::print;
use super::signals::Signals;
use crate::args::PrintArgs;
use crate::exit::{DENIED, Failure, GUEST};
use crate::logging::announce;
use crate::progress::size;

/// Starts the node, runs the modules, ends the node, whatever happened between.
pub(crate) async fn run(
    config: &NodeConfig,
    wanted: Vec<Wanted>,
    wanted_values: PrintArgs,
) -> Result<(), Failure> {
    let signals = Signals::take(config.log_format.value)?;
    let node = Node::start(config).await.map_err(|error| match error {
        NodeError::Setting(_) => Failure::usage(error),
        error => Failure::failed(error),
    })?;
    if let Some(address) = node.cluster_address() {
        let text = match address.listen {
            Some(listen) => format!("cluster listening on {listen} as {}", address.node),
            None => format!("in the cluster as {}", address.node),
        };
        announce(config.log_format.value, &text);
    }
    snapshots_on_demand(node.clone(), config.log_format.value)?;
    let values = Arc::new(wanted_values);
    let result = with_node(config, &node, wanted, &values, &signals).await;
    let ended = tokio::time::timeout(config.shutdown_timeout.value, node.shutdown()).await;
    if ended.is_err() {
        tracing::error!(
            "the node did not end within {:?}; nothing acknowledged is lost",
            config.shutdown_timeout.value
        );
        return result.and(Err(Failure::failed(
            "shutdown took too long; raise --shutdown-timeout if that is normal here",
        )));
    }
    result
}

/// SIGUSR1 makes a snapshot, for scripts that have no other way to the running node.
fn snapshots_on_demand(node: Node, format: LogFormat) -> Result<(), Failure> {
    let asked = signal(SignalKind::user_defined1());
    let mut asked = asked.map_err(|error| Failure::failed(format!("cannot listen for signals: {error}")))?;
    tokio::spawn(async move {
        while asked.recv().await.is_some() {
            match node.snapshot().await {
                Ok(made) => announce(format, &format!("snapshot {}", made.id)),
                Err(error) => tracing::error!("no snapshot was made: {error}"),
            }
        }
    });
    Ok(())
}

async fn with_node(
    config: &NodeConfig,
    node: &Node,
    wanted: Vec<Wanted>,
    values: &Arc<PrintArgs>,
    signals: &Signals,
) -> Result<(), Failure> {
    if !values.is_empty() {
        // Asked for at the end; that it cannot be had is better known at once.
        node.open().await.map_err(Failure::failed)?;
    }
    let result = match wanted.is_empty() {
        true => alone(config, signals, !values.is_empty()).await,
        false => with_modules(config, node, wanted, signals).await,
    };
    print_values(node, values).await?;
    result
}

/// A node that only replicates: until a signal, or for `--settle-for` if that was given.
async fn alone(config: &NodeConfig, signals: &Signals, prints: bool) -> Result<(), Failure> {
    if config.settle_for.explicit() || (prints && config.listen.value.is_none()) {
        pause(config.settle_for.value, signals).await;
    } else {
        signals.stopped().await;
    }
    Ok(())
}

async fn with_modules(
    config: &NodeConfig,
    node: &Node,
    wanted: Vec<Wanted>,
    signals: &Signals,
) -> Result<(), Failure> {
    let engine =
        blocking(|| Engine::new(EngineConfig { cache_dir: cache_dir(), ..EngineConfig::default() })).await?;
    let engine = engine.map_err(Failure::failed)?;
    tracing::info!("{}", engine.allocation_report());
    let mut modules = Vec::new();
    for module in wanted {
        modules.push(load(&engine, module, config.log_format.value).await?);
    }
    let stays = |module: &Module| module.kind().http || module.kind().reactive();
    if modules.iter().any(|module| stays(module) && module.grant().policy().reaches_data()) {
        // A command may end without it; these would go on without what they are for.
        node.open().await.map_err(Failure::failed)?;
    }
    let runtime = Runtime::new(engine, Arc::new(node.clone()));
    pause(config.wait_before_run.value, signals).await;
    Running::start(config, runtime, modules).await?.until_done(config, signals).await
}

/// Loads a module, and says so if that takes long enough to be noticed: a large one that is compiled for the first time
/// takes many seconds.
pub(super) async fn load(engine: &Engine, wanted: Wanted, format: LogFormat) -> Result<Module, Failure> {
    let bytes = std::fs::metadata(&wanted.path).map_or(0, |file| file.len());
    let name = wanted.name.clone();
    let engine = engine.clone();
    let mut loading = tokio::task::spawn_blocking(move || {
        let options = ModuleOptions { name: wanted.name, env: wanted.env, ..ModuleOptions::default() };
        Module::load(&engine, wanted.path, wanted.policy, options)
    });
    let soon = tokio::time::timeout(Duration::from_millis(200), &mut loading).await;
    let loaded = match soon {
        Ok(loaded) => loaded,
        Err(_) => {
            announce(format, &format!("loading {name} ({})", size(bytes)));
            loading.await
        }
    };
    match loaded {
        Ok(Ok(module)) => Ok(module),
        Ok(Err(error)) => Err(Failure::failed(error)),
        Err(error) => Err(Failure::failed(format!("loading {name} did not end: {error}"))),
    }
}

/// Everything that runs for modules.
struct Running {
    http: Option<HttpServer>,
    reactive: Vec<Reactive>,
    commands: JoinSet<(String, Result<i32, RunError>)>,
}

impl Running {
    async fn start(config: &NodeConfig, runtime: Runtime, modules: Vec<Module>) -> Result<Self, Failure> {
        let mut running = Self { http: None, reactive: Vec::new(), commands: JoinSet::new() };
        let web: Vec<_> = modules.iter().filter(|module| module.kind().http).cloned().collect();
        if !web.is_empty() {
            let http = serve(&runtime, web, &config.http).await?;
            announce(config.log_format.value, &format!("listening on http://{}", http.local_addr()));
            running.http = Some(http);
        }
        for module in &modules {
            if module.kind().reactive() {
                let started = Reactive::start(&runtime, module.clone()).await;
                match started {
                    Ok(reactive) => running.reactive.push(reactive),
                    Err(error) => {
                        running.shutdown(config.shutdown_timeout.value).await;
                        return Err(guest_failure(module.name(), &error));
                    }
                }
            }
            if module.kind().command {
                let (runtime, module) = (runtime.clone(), module.clone());
                running.commands.spawn(async move {
                    let name = module.name().to_owned();
                    (name, runtime.run_command(&module).await)
                });
            }
        }
        Ok(running)
    }

    /// Waits for the commands, or for a signal; then ends what still runs, in order.
    async fn until_done(mut self, config: &NodeConfig, signals: &Signals) -> Result<(), Failure> {
        let stays = self.http.is_some() || !self.reactive.is_empty();
        let mut result = Ok(());
        loop {
            tokio::select! {
                () = signals.stopped() => break,
                ended = self.commands.join_next(), if !self.commands.is_empty() => {
                    if let Some(Err(failure)) = ended.map(command_ended) {
                        // Said now; the others go on, and the code comes at the end.
                        let code = failure.code();
                        let _ = failure.report();
                        result = Err(Failure::said(code));
                    }
                }
                () = std::future::ready(()), if self.commands.is_empty() && !stays => {
                    pause(config.settle_for.value, signals).await;
                    break;
                }
            }
        }
        self.shutdown(config.shutdown_timeout.value).await;
        result
    }

    /// HTTP first, so that nothing new comes in; then the modules' own shutdown.
    async fn shutdown(mut self, limit: Duration) {
        let ending = async {
            if let Some(http) = self.http.take() {
                http.shutdown().await;
            }
            for reactive in self.reactive.drain(..) {
                reactive.shutdown().await;
            }
            self.commands.shutdown().await;
        };
        if tokio::time::timeout(limit, ending).await.is_err() {
            tracing::warn!(
                "modules did not end within {limit:?} and were cut off; their open turns are rolled back"
            );
        }
    }
}

/// Opens the listener; a default port that is taken gives way to a free one.
async fn serve(
    runtime: &Runtime,
    modules: Vec<Module>,
    at: &Setting<std::net::SocketAddr>,
) -> Result<HttpServer, Failure> {
    match HttpServer::start(runtime, modules.clone(), at.value).await {
        Ok(server) => Ok(server),
        Err(StartError::Listen { source, .. })
            if source.kind() == std::io::ErrorKind::AddrInUse && !at.explicit() =>
        {
            eprintln!("{} is taken, so HTTP goes to a free port; --http chooses one", at.value);
            let mut free = at.value;
            free.set_port(0);
            HttpServer::start(runtime, modules, free).await.map_err(Failure::failed)
        }
        Err(error @ StartError::Listen { .. }) => Err(Failure::failed(format!(
            "{error}; choose another address with --http (it came from {})",
            at.source
        ))),
        Err(error) => Err(Failure::failed(error)),
    }
}

pub(super) fn command_ended(
    joined: Result<(String, Result<i32, RunError>), tokio::task::JoinError>,
) -> Result<(), Failure> {
    match joined {
        Ok((_, Ok(0))) => Ok(()),
        Ok((name, Ok(code))) => Err(Failure::new(GUEST, format!("{name} ended with exit code {code}"))),
        Ok((name, Err(error))) => Err(guest_failure(&name, &error)),
        Err(error) if error.is_cancelled() => Ok(()),
        Err(error) => Err(Failure::failed(format!("a command's task ended badly: {error}"))),
    }
}

fn guest_failure(name: &str, error: &RunError) -> Failure {
    let code = if matches!(error, RunError::Denied(_)) { DENIED } else { GUEST };
    Failure::new(code, format!("{name}: {error}"))
}

async fn pause(duration: Duration, signals: &Signals) {
    if !duration.is_zero() {
        let _ = tokio::time::timeout(duration, signals.stopped()).await;
    }
}

pub(super) async fn print_values(node: &Node, values: &Arc<PrintArgs>) -> Result<(), Failure> {
    if values.is_empty() {
        return Ok(());
    }
    let replica = node.open().await.map_err(Failure::failed)?;
    let values = values.clone();
    let lines = blocking(move || print::lines(replica.reader(), &values)).await?.map_err(Failure::failed)?;
    for line in lines {
        crate::commands::print(&line);
    }
    Ok(())
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Failure::failed(format!("work in the background did not end: {error}")))
}

/// The user's cache of compiled code; none if there is no home.
pub(super) fn cache_dir() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
    Some(base.join("numax").join("code"))
}
