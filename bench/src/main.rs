//! `cargo xtask bench`: every hot path beside its limit, in the same run.

mod guest;
mod http;
mod load;
mod product;
mod report;
mod start;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use std::path::PathBuf;

/// The allocator of the program itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures numax, each figure beside its limit.
#[derive(Parser)]
#[command(bin_name = "cargo xtask bench")]
struct Cli {
    /// The groups to run; all when none is named.
    groups: Vec<Group>,
    /// Where the figures go as JSON.
    #[arg(long, default_value = "target/bench/results.json")]
    json: PathBuf,
    /// How often each side is run, in turns.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of load for each run of the HTTP group.
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// Serve hello from bare hyper until killed: the other side of the HTTP group.
    #[arg(long, hide = true)]
    bare_server: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Group {
    Guest,
    Http,
    Start,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    if cli.bare_server {
        return http::bare_server();
    }
    let wanted = |group| cli.groups.is_empty() || cli.groups.contains(&group);
    let product = product::Product::find()?;
    let mut figures = Vec::new();
    if wanted(Group::Guest) {
        figures.extend(guest::run(&product, cli.rounds).context("group guest")?);
    }
    if wanted(Group::Http) {
        figures.extend(http::run(&product, cli.rounds, cli.seconds).context("group http")?);
    }
    if wanted(Group::Start) {
        figures.extend(start::run(&product, cli.rounds).context("group start")?);
    }
    print!("{}", report::table(&figures));
    if let Some(dir) = cli.json.parent() {
        std::fs::create_dir_all(dir)?;
    }
    std::fs::write(&cli.json, serde_json::to_string_pretty(&figures)?)?;
    eprintln!("written: {}", cli.json.display());
    Ok(())
}
