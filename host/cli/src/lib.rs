//! The command line: `numax`, and `nx`, the same program.
//!
//! Data goes to stdout, everything else to stderr. A command ends with one of the codes of
//! [`exit::Failure`], and an error says what to do next.

mod args;
mod commands;
mod exit;
mod logging;
mod progress;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use numax_node::config::keys::KEYS;

use crate::args::{Cli, Command};

/// The commit path allocates and frees small buffers on different threads, which this allocator is made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Parses the arguments. The help of `run` says which variable stands for a flag, from the table of all settings.
fn parse() -> Result<Cli, clap::Error> {
    let named = |arg: clap::Arg| {
        let flag = arg.get_long().map(|long| format!("--{long}")).unwrap_or_default();
        let Some(key) = KEYS.iter().find(|key| key.flag == flag) else { return arg };
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        arg.help(format!("{help} [{}]", key.variable))
    };
    let command = Cli::command().mut_subcommand("run", |run| run.mut_args(named));
    Cli::from_arg_matches(&command.try_get_matches()?)
}

/// Parses the arguments and runs the command.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not errors; printing can only fail on a closed pipe.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(exit::USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let result = match cli.command {
        Command::Run(args) => commands::run::run(*args),
        Command::Build(args) => commands::build::run(&args),
        Command::Policy(args) => commands::policy::run(&args),
        Command::Ca(args) => commands::ca::run(&args),
        Command::Snapshot(args) => commands::snapshot::run(&args),
        Command::Migrate(args) => commands::migrate::run(&args),
        Command::Repair(args) => commands::repair::run(&args),
        Command::Inspect(args) => commands::tools::inspect(&args),
        Command::Keys(args) => commands::tools::keys(&args),
        Command::Get(args) => commands::tools::get(&args),
        Command::Diff(args) => commands::tools::diff(&args),
        Command::Log(args) => commands::tools::log(&args),
        Command::Replay(args) => commands::tools::replay(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
