//! `numax run --deterministic --seed N`: commands, one after the other, then the requests of `--input`, in a world that a
//! seed makes.

use std::path::Path;
use std::sync::Arc;

use numax_node::Node;
use numax_node::config::NodeConfig;
use numax_runtime::{Deterministic, Engine, EngineConfig, HttpScript, Runtime};

use super::input;
use super::modules::Wanted;
use super::session::{blocking, cache_dir, command_ended, load, print_values};
use super::signals::Signals;
use crate::args::PrintArgs;
use crate::exit::Failure;

/// Starts the node, runs the commands, ends the node, whatever happened between.
pub(crate) async fn run(
    config: &NodeConfig,
    wanted: Vec<Wanted>,
    values: PrintArgs,
    seed: u64,
    requests: Option<&Path>,
) -> Result<(), Failure> {
    refuse_listeners(config)?;
    if wanted.is_empty() {
        return Err(Failure::usage("--deterministic: name the modules to run"));
    }
    let inputs = requests.map(input::read).transpose()?;
    let signals = Signals::take(config.log_format.value)?;
    let world = Deterministic::new(seed);
    let node = Node::deterministic(config, world.clone()).map_err(Failure::failed)?;
    let result = modules(config, &node, wanted, world, inputs, &signals).await;
    let printed = print_values(&node, &Arc::new(values)).await;
    node.shutdown().await;
    result.and(printed)
}

/// What would let the outside in has no place in a run that repeats.
fn refuse_listeners(config: &NodeConfig) -> Result<(), Failure> {
    let refuse = |source: &dyn std::fmt::Display| {
        Err(Failure::usage(format!(
            "--deterministic: such a node has no listener and no peer; take out {source}"
        )))
    };
    if config.listen.value.is_some() {
        return refuse(&config.listen.source);
    }
    if !config.peers.value.is_empty() {
        return refuse(&config.peers.source);
    }
    if config.http.explicit() {
        return refuse(&config.http.source);
    }
    Ok(())
}

async fn modules(
    config: &NodeConfig,
    node: &Node,
    wanted: Vec<Wanted>,
    world: Arc<Deterministic>,
    inputs: Option<Vec<input::Input>>,
    signals: &Signals,
) -> Result<(), Failure> {
    let deterministic = Some(world.clone());
    let settings = EngineConfig { cache_dir: cache_dir(), deterministic, ..EngineConfig::default() };
    let engine = blocking(|| Engine::new(settings)).await?.map_err(Failure::failed)?;
    let mut modules = Vec::new();
    for module in wanted {
        let module = load(&engine, module, config.log_format.value).await?;
        let kind = module.kind();
        if kind.reactive() {
            return Err(Failure::usage(format!(
                "{}: --deterministic runs commands, and modules that serve HTTP; not those that react to events",
                module.name()
            )));
        }
        if kind.http && inputs.is_none() {
            return Err(Failure::usage(format!(
                "{} serves HTTP: write the requests into a file and name it with --input",
                module.name()
            )));
        }
        modules.push(module);
    }
    let runtime = Runtime::new(engine, Arc::new(node.clone()));
    for module in modules.iter().filter(|module| module.kind().command) {
        let ended = tokio::select! {
            ended = runtime.run_command(module) => ended,
            () = signals.stopped() => return Err(stopped(module.name())),
        };
        command_ended(Ok((module.name().to_owned(), ended)))?;
    }
    modules.retain(|module| module.kind().http);
    let script = HttpScript::new(&runtime, &modules).map_err(Failure::failed)?;
    tokio::select! {
        () = input::play(&script, &world, inputs.unwrap_or_default()) => Ok(()),
        () = signals.stopped() => Err(stopped("the run")),
    }
}

fn stopped(what: &str) -> Failure {
    Failure::failed(format!("{what} was stopped; the open turn is rolled back"))
}
