//! `cargo xtask chaos`: real nodes, real guests and real faults, with clients that write down what they tried and what they were
//! told.
//!
//! Some `numax run` processes with the Rust guest form a cluster over mutual TLS on loopback. Clients increment a counter and add
//! elements of their own to a set, over HTTP, each at one node. Meanwhile processes are killed and stopped, wall clocks jump,
//! a disk is full, an old copy of a datastore is put back. Then everything is healed, the nodes must agree, and what
//! they agree on is compared with what clients were told (see [`history`]).
//!
//! What a machine does not permit is skipped and said so: clocks need a C compiler (a shim is loaded before the program; nothing in
//! the program knows of it), a small disk needs the right to mount one.

mod client;
mod clock;
mod history;
mod nemesis;
mod random;

use crate::cluster::{Node, State};
use crate::small_disk::SmallDisk;
use crate::{setup, shell};
use anyhow::{Context, Result, bail, ensure};
use client::{Shared, Target, work};
use clock::Shim;
use nemesis::{Nemesis, Victim};
use random::Random;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Clients of each node.
const CLIENTS: u64 = 2;
/// How long nodes may take to agree when all is well again.
const AGREE: Duration = Duration::from_secs(90);

/// Options of `cargo xtask chaos`.
#[derive(clap::Args)]
pub struct Options {
    /// How long; by default twenty seconds.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1440))]
    minutes: Option<u64>,
    /// How many nodes.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(3..=9))]
    nodes: u64,
    /// Which faults, and when, as far as a seed can decide that.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// When commits count on the nodes: fsync, interval or none. Under none acknowledged writes may be lost: a run that does not see
    /// that sees nothing.
    #[arg(long, default_value = "interval", value_parser = ["fsync", "interval", "none"])]
    durability: String,
    /// What keeps the rows: sled, redb or fjall.
    #[arg(long, default_value = "sled", value_parser = ["sled", "redb", "fjall"])]
    engine: String,
    /// Use this program instead of building one.
    #[arg(long, value_name = "FILE")]
    numax: Option<PathBuf>,
}

/// Builds what is needed and lets it happen.
pub fn run(options: &Options) -> Result<()> {
    let numax = match &options.numax {
        Some(numax) => numax.clone(),
        None => {
            setup::toolchain()?;
            shell::step("build numax", setup::numax)?
        }
    };
    let guest = shell::step("build the guest", || setup::guest(&numax, setup::Language::Rust))?;
    let home = tempfile::Builder::new().prefix("numax-chaos-").tempdir()?;
    let lasts = options.minutes.map_or(Duration::from_secs(20), |minutes| Duration::from_secs(60 * minutes));
    let storm = Storm {
        nodes: usize::try_from(options.nodes)?,
        seed: options.seed,
        lasts,
        durability: &options.durability,
        engine: &options.engine,
        small_disk: true,
    };
    match storm.run(&numax, &guest, home.path()) {
        Ok(line) => {
            println!("{line}");
            Ok(())
        }
        Err(error) => {
            eprintln!("   the nodes' folders are kept: {}", home.keep().display());
            Err(error)
        }
    }
}

/// What a run is.
pub struct Storm<'a> {
    /// How many nodes.
    pub nodes: usize,
    /// Which faults, and when, as far as a seed can decide that.
    pub seed: u64,
    /// For how long.
    pub lasts: Duration,
    /// When commits count.
    pub durability: &'a str,
    /// What keeps the rows.
    pub engine: &'a str,
    /// Whether the first node has a small disk, which is full now and then.
    pub small_disk: bool,
}

impl Storm<'_> {
    /// Runs nodes, clients and faults for some time, and says what came of it in a line; an error if a promise was broken.
    pub fn run(&self, numax: &Path, guest: &Path, home: &Path) -> Result<String> {
        let &Storm { nodes: count, seed, lasts, .. } = self;
        let &Storm { durability, engine, .. } = self;
        let mut victims = self.cluster(numax, guest, home)?;
        let targets: Vec<Target> = victims.iter().map(|victim| Target::new(victim.node.http)).collect();
        let shared = Shared::new();
        let mut random = Random::new(seed);
        let start = Instant::now();
        let suffered = std::thread::scope(|scope| {
            for target in &targets {
                for _ in 0..CLIENTS {
                    let (shared, random) = (&shared, Random::new(random.next()));
                    scope.spawn(move || work(shared, target, random));
                }
            }
            let suffered = torment(&mut victims, &targets, &mut random, lasts);
            shared.stop.store(true, Ordering::SeqCst);
            suffered
        })?;
        let state = agreed(&victims)?;
        let history = shared.history();
        // The guest adds its own language with each increment.
        let elements: BTreeSet<String> =
            state.languages.iter().filter(|name| *name != "rust").cloned().collect();
        let verdict = history.check(state.visits, &elements);
        let faults: Vec<String> =
            suffered.iter().map(|(nemesis, times)| format!("{times} {nemesis}")).collect();
        let broken = verdict.broken() + history.wrong.len();
        let line = format!(
            "chaos: {count} nodes, {:.0} s, seed {seed}, {durability}, {engine}; {}; {verdict}; {broken} violations",
            start.elapsed().as_secs_f64(),
            faults.join(", "),
        );
        if broken > 0 {
            for wrong in history.wrong.iter().take(5) {
                eprintln!("   {wrong}");
            }
            for (what, names) in [
                ("lost", &verdict.lost),
                ("unexpected", &verdict.unexpected),
                ("resurrected", &verdict.resurrected),
            ] {
                if !names.is_empty() {
                    eprintln!("   {what}: {}", names.join(" "));
                }
            }
            bail!("{line}");
        }
        ensure!(verdict.ok > 0 && history.acknowledged() > 0, "nothing was acknowledged: {line}");
        Ok(line)
    }

    /// Starts nodes that all know all. The first has a small disk, where that is permitted.
    fn cluster(&self, numax: &Path, guest: &Path, home: &Path) -> Result<Vec<Victim>> {
        let shim = skipped("clock jumps", Shim::compile(home));
        let mut victims = Vec::new();
        for index in 0..self.nodes {
            let mut node = Node::new(numax, home, &format!("n{index}"), guest)?;
            node.flag("--durability", self.durability);
            node.flag("--storage", self.engine);
            let disk = if self.small_disk && index == 0 {
                skipped("full disks", SmallDisk::mount(&node.data))
            } else {
                None
            };
            let clock = match &shim {
                Some(shim) => Some(shim.clock(home.join(format!("n{index}/clock")))?),
                None => None,
            };
            if let Some(clock) = &clock {
                clock.environment().iter().for_each(|(name, value)| node.variable(name, value));
            }
            victims.push(Victim::new(node, clock, disk));
        }
        let addresses: Vec<SocketAddr> = victims.iter().map(|victim| victim.node.cluster).collect();
        for victim in &mut victims {
            let own = victim.node.cluster;
            let others: Vec<SocketAddr> =
                addresses.iter().copied().filter(|address| *address != own).collect();
            victim.node.join(&others);
            victim.node.start()?;
        }
        victims.iter_mut().try_for_each(|victim| victim.node.ready())?;
        Ok(victims)
    }
}

/// What this machine can do, or a line that says why not.
fn skipped<T>(what: &str, done: Result<T>) -> Option<T> {
    done.map_err(|error| eprintln!("   skipped: {what} ({error:#})")).ok()
}

/// Does one thing after the other to one node after the other.
fn torment(
    victims: &mut [Victim],
    targets: &[Target],
    random: &mut Random,
    lasts: Duration,
) -> Result<BTreeMap<Nemesis, u64>> {
    let start = Instant::now();
    let mut suffered = BTreeMap::new();
    let mut open: Vec<(usize, Nemesis)> = Vec::new();
    while start.elapsed() < lasts {
        sleep(Duration::from_millis(200 + random.up_to(800)));
        if open.is_empty() {
            // Everything once before anything comes again, in some order.
            open = victims
                .iter()
                .enumerate()
                .flat_map(|(index, victim)| {
                    victim.possible().into_iter().map(move |nemesis| (index, nemesis))
                })
                .collect();
        }
        let next = usize::try_from(random.up_to(open.len() as u64 - 1))?;
        let (index, nemesis) = open.swap_remove(next);
        let others: Vec<SocketAddr> = targets
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != index)
            .map(|(_, other)| other.http)
            .collect();
        let (Some(victim), Some(target)) = (victims.get_mut(index), targets.get(index)) else { continue };
        victim
            .suffer(nemesis, target, &others, random)
            .with_context(|| format!("{nemesis}, node {}", victim.node.name))?;
        *suffered.entry(nemesis).or_default() += 1;
    }
    Ok(suffered)
}

/// Waits until all nodes answer the same, twice in a row, and gives it.
fn agreed(victims: &[Victim]) -> Result<State> {
    let start = Instant::now();
    let mut before = None;
    loop {
        let states: Vec<Result<State>> = victims.iter().map(|victim| victim.node.state()).collect();
        let first = states.first().and_then(|state| state.as_ref().ok());
        let same = first
            .filter(|first| states.iter().all(|state| state.as_ref().is_ok_and(|state| state == *first)));
        if let Some(state) = same
            && before.as_ref() == Some(state)
        {
            return Ok(state.clone());
        }
        before = same.cloned();
        if start.elapsed() > AGREE {
            let show = |(victim, state): (&Victim, &Result<State>)| match state {
                Ok(state) => format!(
                    "  {}: {} and {} elements\n",
                    victim.node.name,
                    state.visits,
                    state.languages.len()
                ),
                Err(error) => format!("  {}: {error:#}\n{}", victim.node.name, victim.node.tail()),
            };
            let seen: String = victims.iter().zip(&states).map(show).collect();
            bail!("the nodes do not agree {AGREE:?} after all faults ended:\n{seen}");
        }
        sleep(Duration::from_millis(200));
    }
}
