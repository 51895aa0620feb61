//! `cargo xtask …`: everything that a contributor or CI runs.
//!
//! This crate drives the product from outside, as processes and over sockets, and links none of it: what it shows is what
//! a user gets. `demo` is the product's main job; `test` is the gate in front of every change.

mod chaos;
mod cluster;
mod demo;
mod product;
mod setup;
mod shell;
mod small_disk;
mod test;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Everything that a contributor runs.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Set up, build, and run four nodes in four languages; the exit status says whether all agreed.
    Demo(demo::Options),
    /// Format, clippy, all tests of all languages, whole-product tests.
    Test(test::Options),
    /// Real nodes under faults, with clients that check what they are told.
    Chaos(chaos::Options),
    /// Whole-product tests alone: real processes, real guests (part of `test`).
    Product(product::Options),
    /// Benchmarks, each beside its limit, as a table and JSON.
    Bench {
        /// Passed on: `cargo xtask bench --help` lists the groups; `data` as the first is the datastore's own
        /// benchmark, see `cargo xtask bench data --help`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// The simulator: `--seeds N [--first-seed S] [--nodes M] [--scenario NAME] [--schedule FILE] [--planted]`.
    Sim {
        /// Passed on to the simulator.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// Generate every binding from `wit/` again.
    Bindings,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Demo(options) => demo::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Chaos(options) => chaos::run(&options),
        Command::Product(options) => product::run(&options),
        Command::Bench { rest } => bench(&rest),
        Command::Sim { rest } => passed_on("numax-sim", &rest),
        Command::Bindings => setup::toolchain().and_then(|()| setup::bindings()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Builds a tool of the workspace and runs it with the caller's arguments.
fn passed_on(package: &str, rest: &[String]) -> anyhow::Result<()> {
    setup::toolchain()?;
    let mut command = shell::cargo();
    command.args(["run", "--quiet", "--package", package, "--"]).args(rest);
    shell::run(&mut command)
}

/// Builds the benchmarks and the program beside each other, optimised, and runs them.
fn bench(rest: &[String]) -> anyhow::Result<()> {
    setup::toolchain()?;
    if let Some((first, rest)) = rest.split_first()
        && first == "data"
    {
        shell::run(shell::cargo().args(["build", "--release", "--package", "numax-bench-data"]))?;
        return shell::run(shell::program(shell::target_dir().join("release/numax-bench-data")).args(rest));
    }
    shell::run(shell::cargo().args([
        "build",
        "--release",
        "--package",
        "numax-cli",
        "--package",
        "numax-bench",
    ]))?;
    shell::run(shell::program(shell::target_dir().join("release/numax-bench")).args(rest))
}
