//! `cargo xtask test`: the gate in front of every change.

use crate::setup::{self, Language};
use crate::{product, shell};
use anyhow::Result;

/// Options of `cargo xtask test`.
#[derive(clap::Args)]
pub struct Options {
    /// Stop before the whole-product tests.
    #[arg(long)]
    no_product: bool,
}

/// Runs all of it; the first step that fails ends it.
pub fn run(options: &Options) -> Result<()> {
    shell::step("toolchain", setup::toolchain)?;
    shell::step("format", || shell::run(shell::cargo().args(["fmt", "--all", "--check"])))?;
    shell::step("clippy", || {
        let all = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
        shell::run(shell::cargo().args(all))
    })?;
    // The simulator switches a feature of the replica on; apart, it does not make everything above the replica
    // compile twice.
    shell::step("cargo test, all but the simulator", || {
        shell::run(shell::cargo().args(["test", "--workspace", "--exclude", "numax-sim"]))
    })?;
    shell::step("cargo test, the simulator", || {
        shell::run(shell::cargo().args(["test", "--package", "numax-sim"]))
    })?;
    languages()?;
    if !options.no_product {
        product::run(&product::Options::default())?;
    }
    eprintln!("\nall green");
    Ok(())
}

/// The tests that the SDKs have in their own languages.
fn languages() -> Result<()> {
    let available = Language::available();
    shell::step("rust: sdk-rust", || {
        shell::run(shell::cargo().args(["test", "--manifest-path", "sdk-rust/Cargo.toml"]))
    })?;
    if available.contains(&Language::Go) {
        shell::step("go: sdk-go", || {
            shell::run(shell::program("go").args(["test", "-C", "sdk-go", "./..."]))
        })?;
    }
    if available.contains(&Language::JavaScript) {
        shell::step("node: sdk-js", || {
            shell::run(shell::program("npm").args(["--prefix", "sdk-js", "test"]))
        })?;
    }
    if available.contains(&Language::Python) {
        shell::step("python: sdk-python", || {
            let unittest = ["-m", "unittest", "discover", "-q", "-s", "sdk-python/tests", "-t", "sdk-python"];
            shell::run(shell::program("python3").args(unittest))
        })?;
    }
    Ok(())
}
