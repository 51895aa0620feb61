//! `numax run`: a node with its modules, from the first listener to the last flush.

mod deterministic;
mod input;
mod modules;
mod print;
mod session;
mod signals;

use numax_node::config::{ConfigError, Inputs, LogLevel, NodeConfig, load, unknown_variables};

use numax_snapshots::AwsVariables;

use crate::args::RunArgs;
use crate::exit::{Failure, USAGE};
use crate::logging;

pub(crate) fn run(args: RunArgs) -> Result<(), Failure> {
    let inputs = Inputs {
        file: args.config.clone(),
        flags: args.node.flags(),
        variables: super::variables(),
        aws: AwsVariables::from_env(),
    };
    let config = load(&inputs).map_err(|error| match error {
        ConfigError::File(error) => Failure::toml(USAGE, error),
        other => Failure::usage(other),
    })?;
    logging::start(level(&args, &config), config.log_format.value);
    warn_of_unknown(&inputs);
    let modules = modules::wanted(&args, &config)?;
    let alone = config.listen.value.is_none() && config.peers.value.is_empty();
    if modules.is_empty() && alone && args.print.is_empty() {
        return Err(Failure::usage(
            "nothing to run: name a component, or list [[module]] in numax.toml; \
             `numax build DIR` makes one, `numax run --help` shows examples",
        ));
    }
    let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let threads = threads.map_err(|error| Failure::failed(format!("cannot start threads: {error}")))?;
    let result = match args.seed {
        Some(seed) => {
            threads.block_on(deterministic::run(&config, modules, args.print, seed, args.input.as_deref()))
        }
        None => threads.block_on(session::run(&config, modules, args.print)),
    };
    // Whatever still runs was given its time; a blocked thread must not keep the process.
    threads.shutdown_background();
    result
}

/// Other programs have such variables, too, so one that numax does not know is no error.
fn warn_of_unknown(inputs: &Inputs) {
    for (name, meant) in unknown_variables(inputs) {
        match meant {
            Some(meant) => {
                tracing::warn!("{name} is no setting of numax and is ignored; did you mean {meant}?")
            }
            None => tracing::warn!("{name} is no setting of numax and is ignored"),
        }
    }
}

fn level(args: &RunArgs, config: &NodeConfig) -> LogLevel {
    match args.verbose {
        0 => config.log_level.value,
        1 => LogLevel::Debug,
        _ => LogLevel::Trace,
    }
}
