//! Whole-product tests: real processes, real guests of all languages, real sockets, certificates and files.
//!
//! A case gets the program, the guests and a folder of its own, and says what is wrong by an error. It never looks
//! inside: what it needs to know it learns as a user would, over HTTP, from exit codes and from logs.

mod convergence;
mod duplicate;
mod durability;
mod families;
mod full_disk;
mod least;
mod repeat;
mod security;
mod storm;

use crate::setup::{self, Language};
use crate::shell;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// Options of `cargo xtask product`.
#[derive(clap::Args, Default)]
pub struct Options {
    /// Only the cases whose name contains this.
    #[arg(default_value = "")]
    filter: String,
}

/// What a case works with.
pub struct Bench {
    /// The program.
    pub numax: PathBuf,
    /// The guests that this machine can build.
    pub guests: Vec<(Language, PathBuf)>,
    /// A folder of this case alone.
    pub home: PathBuf,
}

impl Bench {
    /// The Rust guest, which every machine can build.
    pub fn rust(&self) -> Result<&Path> {
        match self.guests.iter().find(|(language, _)| *language == Language::Rust) {
            Some((_, wasm)) => Ok(wasm),
            None => bail!("the Rust guest was not built"),
        }
    }
}

type Case = (&'static str, fn(&Bench) -> Result<()>);

const CASES: &[Case] = &[
    ("four_languages_agree_after_kill_and_restart", convergence::four_languages),
    ("four_languages_answer_alike", convergence::same_answers),
    ("four_languages_answer_alike_for_every_family", families::every_language),
    ("yjs_editors_and_guests_hold_one_text", families::yjs_editors),
    ("late_node_that_knows_one_address_gets_everything", convergence::late_node),
    ("partition_heals", convergence::long_absence),
    ("sigkill_loses_nothing_acknowledged_interval", durability::sigkill_interval),
    ("sigkill_loses_nothing_acknowledged_fsync", durability::sigkill_fsync),
    ("sigterm_ends_in_order", durability::sigterm),
    ("second_process_on_one_datastore_is_refused", durability::second_process),
    ("full_disk_refuses_writes_and_goes_on_by_itself", full_disk::refuses_writes_and_goes_on),
    ("two_processes_under_one_origin_stop_writing", duplicate::origin),
    ("policies_of_the_examples_are_the_least", least::policies),
    ("one_seed_is_one_run", repeat::seeds),
    ("node_of_another_cluster_gets_nowhere", security::other_cluster),
    ("garbage_on_the_cluster_port_disturbs_nobody", security::garbage),
    ("a_short_storm_loses_nothing_acknowledged", storm::short),
];

/// Builds what the cases need and runs them.
pub fn run(options: &Options) -> Result<()> {
    setup::toolchain()?;
    let numax = shell::step("build numax", setup::numax)?;
    let mut guests = Vec::new();
    for language in Language::available() {
        let wasm =
            shell::step(&format!("build the {} guest", language.name()), || setup::guest(&numax, language))?;
        guests.push((language, wasm));
    }
    let (mut passed, mut failed) = (0, 0);
    for (name, case) in CASES.iter().filter(|(name, _)| name.contains(&options.filter)) {
        let home = tempfile::Builder::new().prefix("numax-product-").tempdir()?;
        let bench = Bench { numax: numax.clone(), guests: guests.clone(), home: home.path().to_path_buf() };
        match shell::step(&format!("product: {name}"), || case(&bench)) {
            Ok(()) => passed += 1,
            Err(error) => {
                failed += 1;
                eprintln!("   FAILED {error:#}");
            }
        }
    }
    println!("product: {passed} passed, {failed} failed");
    if failed > 0 {
        bail!("{failed} whole-product tests failed");
    }
    Ok(())
}
