//! What is done to nodes while clients work.

use super::client::{Target, ask};
use super::clock::Clock;
use super::random::Random;
use crate::cluster::Node;
use crate::shell;
use crate::small_disk::SmallDisk;
use anyhow::{Result, bail, ensure};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long something may take that a node does in a second when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

/// One kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nemesis {
    /// SIGKILL, and a new start.
    Kill,
    /// SIGSTOP, and SIGCONT later.
    Pause,
    /// The wall clock jumps, for good.
    Clock,
    /// The disk is full, and later it is not.
    Full,
    /// An old copy of the datastore is put back.
    Restore,
}

impl fmt::Display for Nemesis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "kills",
            Self::Pause => "pauses",
            Self::Clock => "clock jumps",
            Self::Full => "full disks",
            Self::Restore => "restores",
        })
    }
}

/// A node with what can be done to it.
pub struct Victim {
    /// The node.
    pub node: Node,
    /// Its wall clock, if it can be changed.
    pub clock: Option<Clock>,
    /// Where its small disk is, if it has one.
    pub small_disk: Option<SmallDisk>,
    /// An old copy of its datastore.
    copy: Option<PathBuf>,
}

impl Victim {
    /// A node that nothing was done to.
    pub fn new(node: Node, clock: Option<Clock>, small_disk: Option<SmallDisk>) -> Self {
        Self { node, clock, small_disk, copy: None }
    }

    /// What can be done to it.
    pub fn possible(&self) -> Vec<Nemesis> {
        let mut all = vec![Nemesis::Kill, Nemesis::Pause];
        all.extend(self.clock.is_some().then_some(Nemesis::Clock));
        all.push(if self.small_disk.is_some() { Nemesis::Full } else { Nemesis::Restore });
        all
    }

    /// Does it, and gives the node back when it runs again. `others` answer for what must not be lost.
    pub fn suffer(
        &mut self,
        nemesis: Nemesis,
        target: &Target,
        others: &[std::net::SocketAddr],
        random: &mut Random,
    ) -> Result<()> {
        match nemesis {
            Nemesis::Kill => {
                self.node.kill()?;
                sleep(Duration::from_millis(random.up_to(1_500)));
                self.start()
            }
            Nemesis::Pause => {
                self.node.signal("-STOP")?;
                let longest = if random.up_to(4) == 0 { 18_000 } else { 4_000 };
                sleep(Duration::from_millis(200 + random.up_to(longest)));
                self.node.signal("-CONT")
            }
            Nemesis::Clock => self.jump(random),
            Nemesis::Full => self.fill(target, random),
            Nemesis::Restore => self.restore(target, others, random),
        }
    }

    fn start(&mut self) -> Result<()> {
        self.node.start()?;
        self.node.ready()
    }

    /// Forward by up to an hour or back by up to three minutes: certificates that were made today must still be valid.
    fn jump(&mut self, random: &mut Random) -> Result<()> {
        let Some(clock) = &mut self.clock else { bail!("the clock of {} is the machine's", self.node.name) };
        let far = if random.up_to(3) == 0 { 3_600_000 } else { 180_000 };
        let to = i64::try_from(random.up_to(far + 180_000))? - 180_000;
        clock.set(to)
    }

    /// While the disk is full every read is answered; when there is room again writes are taken without a restart. Others
    /// take at once whatever the node gives up.
    fn fill(&mut self, target: &Target, random: &mut Random) -> Result<()> {
        let Some(disk) = &self.small_disk else { bail!("{} has the machine's disk", self.node.name) };
        let lasts = Duration::from_millis(1_000 + random.up_to(5_000));
        let start = Instant::now();
        let (mut answered, mut silent) = (0_u64, None);
        while start.elapsed() < lasts && silent.is_none() {
            disk.fill()?;
            match self.node.ask("GET", "/") {
                Ok(answer) if answer.status == 200 => answered += 1,
                other => silent = Some((start.elapsed(), format!("{other:?}"))),
            }
            sleep(Duration::from_millis(20));
        }
        let wrong = silent.map(|(after, answer)| {
            format!(
                "{} does not answer reads, {after:?} after its disk was full (after {answered} reads): {answer}; its log:\n{}",
                self.node.name,
                self.node.tail()
            )
        });
        disk.free()?;
        if let Some(wrong) = wrong {
            bail!("{wrong}");
        }
        let wrote = until(|| ask(target.http, "PUT", "/languages/rust").is_some());
        ensure!(
            wrote,
            "{} takes no writes after its disk was full; its log:\n{}",
            self.node.name,
            self.node.tail()
        );
        Ok(())
    }

    /// The first time a copy is made of the stopped datastore; the next time it is put back, once others have everything that
    /// the node acknowledged.
    fn restore(
        &mut self,
        target: &Target,
        others: &[std::net::SocketAddr],
        random: &mut Random,
    ) -> Result<()> {
        let Some(copy) = self.copy.take() else {
            self.node.terminate()?;
            self.node.wait(PATIENCE)?;
            let copy = self.node.data.with_extension("copy");
            copy_folder(&self.node.data, &copy)?;
            self.copy = Some(copy);
            return self.start();
        };
        target.hold.store(true, Ordering::SeqCst);
        // Requests that are under way end.
        sleep(Duration::from_millis(3_200));
        let done = self.put_back(&copy, target, others, random);
        target.seen.store(0, Ordering::SeqCst);
        target.restores.fetch_add(1, Ordering::SeqCst);
        target.hold.store(false, Ordering::SeqCst);
        done
    }

    fn put_back(
        &mut self,
        copy: &Path,
        target: &Target,
        others: &[std::net::SocketAddr],
        random: &mut Random,
    ) -> Result<()> {
        // Batches of a node arrive in order: who has the last has all.
        let marker = format!("marker{}", random.next());
        let path = format!("/languages/{marker}");
        ensure!(until(|| ask(target.http, "PUT", &path).is_some()), "{} takes no writes", self.node.name);
        let there = |other: &std::net::SocketAddr| {
            ask(*other, "GET", "/").is_some_and(|state| state.languages.contains(&marker))
        };
        ensure!(until(|| others.iter().any(there)), "nobody gets what {} wrote", self.node.name);
        ensure!(until(|| ask(target.http, "DELETE", &path).is_some()), "{} takes no writes", self.node.name);
        let gone = |other: &std::net::SocketAddr| {
            ask(*other, "GET", "/").is_some_and(|state| !state.languages.contains(&marker))
        };
        ensure!(until(|| others.iter().any(gone)), "nobody gets what {} removed", self.node.name);
        self.node.kill()?;
        std::fs::remove_dir_all(&self.node.data)?;
        copy_folder(copy, &self.node.data)?;
        std::fs::remove_dir_all(copy)?;
        self.start()
    }
}

/// Waits until something is so; `false` if it takes too long.
fn until(mut so: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !so() {
        if start.elapsed() > PATIENCE {
            return false;
        }
        sleep(Duration::from_millis(50));
    }
    true
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    shell::run(Command::new("cp").arg("-r").arg(from).arg(to))
}
