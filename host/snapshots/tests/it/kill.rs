//! SIGKILL of a process that restores or uploads: what was there before, or what was to be, whole.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use numax_snapshots::{AwsVariables, Folder, Repository, Snapshot, quiet};
use tempfile::TempDir;

use crate::common::{Open, State, create, options};

const DIR: &str = "NUMAX_TEST_DIR";
const PLACE: &str = "NUMAX_TEST_PLACE";

/// What a process of its own is told: its folder, and where the snapshots are.
fn told() -> Option<(PathBuf, Repository)> {
    let dir = PathBuf::from(std::env::var(DIR).ok()?);
    let place = std::env::var(PLACE).ok()?.parse().unwrap();
    let repository = Repository::open(&place, &AwsVariables::from_env(), &dir.join("scratch")).unwrap();
    Some((dir, repository))
}

/// A test of this program in a process of its own.
fn process(test: &str, dir: &Path, place: &str, variables: &[(&str, &str)]) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--ignored"]).env(DIR, dir).env(PLACE, place);
    command.envs(variables.iter().copied()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The process that is killed: restores once.
#[test]
#[ignore = "runs in a process of its own, started by the tests below"]
fn restorer() {
    let Some((dir, repository)) = told() else { return };
    repository.find("latest").unwrap().restore(&dir.join("data"), &options(1), &quiet).unwrap();
}

/// The process that is killed: makes one snapshot.
#[cfg(feature = "object-store")]
#[test]
#[ignore = "runs in a process of its own, started by a test below"]
fn uploader() {
    let Some((dir, repository)) = told() else { return };
    let open = Open::new(&dir.join("data"), 1);
    repository.create(&open.replica, &numax_snapshots::CreateOptions::default(), &quiet).unwrap();
    open.close();
}

/// A datastore that went on after a snapshot, and a peer that has all of it.
struct World {
    dir: TempDir,
    snapshot: Snapshot,
    then: State,
    now: State,
    peer: Open,
}

impl World {
    fn new(make: impl FnOnce(&Open) -> Snapshot) -> Self {
        let dir = TempDir::new().unwrap();
        let open = Open::new(&dir.path().join("data"), 1);
        open.turns(0..60);
        let snapshot = make(&open);
        let then = open.state();
        open.turns(60..90);
        let now = open.state();
        let peer = Open::new(&dir.path().join("peer"), 2);
        peer.pull(&open);
        open.close();
        Self { dir, snapshot, then, now, peer }
    }

    /// Restores again and again, and kills it at moments spread over the time that it takes.
    fn kill_restores(self, place: &str, variables: &[(&str, &str)]) {
        let Self { dir, snapshot, then, now, peer } = self;
        let data = dir.path().join("data");
        let start = || process("kill::restorer", dir.path(), place, variables);
        let began = Instant::now();
        assert!(start().wait().unwrap().success());
        let whole = began.elapsed();
        let mut seen = [0; 2];
        for round in 0..12 {
            let open = Open::new(&data, 1);
            open.pull(&peer);
            assert_eq!(open.state().turns, now.turns);
            open.close();
            let mut child = start();
            thread::sleep(whole.mul_f64(f64::from(round) / 11.0).min(Duration::from_secs(2)));
            let _ = child.kill();
            child.wait().unwrap();
            let open = Open::new(&data, 1);
            let state = open.state();
            assert!(state.turns == then.turns || state.turns == now.turns, "{state:?}");
            assert_eq!(state.size, state.listed);
            seen[usize::from(state.turns == now.turns)] += 1;
            open.close();
        }
        // Killed at once it has not restored; killed at the end of the time it may have.
        assert!(seen[1] > 0, "{seen:?}");
        snapshot.verify(&quiet).unwrap();
        peer.close();
    }
}

#[test]
fn sigkill_of_a_restore_leaves_the_old_data_or_the_new() {
    let folder = TempDir::new().unwrap();
    let world = World::new(|open| create(&Folder::new(folder.path()), open));
    world.kill_restores(folder.path().to_str().unwrap(), &[]);
}

#[cfg(feature = "object-store")]
mod bucket {
    use numax_snapshots::CreateOptions;
    use numax_testing::S3Server;

    use super::*;

    fn open(server: &S3Server, scratch: &Path) -> Repository {
        let variables = S3Server::variables().into_iter().collect();
        Repository::open(&server.url("kill").parse().unwrap(), &variables, scratch).unwrap()
    }

    #[test]
    fn sigkill_of_a_restore_from_a_bucket_leaves_the_old_data_or_the_new() {
        let Some(server) = S3Server::start() else { return };
        let scratch = TempDir::new().unwrap();
        let repository = open(&server, scratch.path());
        let make = |open: &Open| repository.create(&open.replica, &CreateOptions::default(), &quiet).unwrap();
        World::new(make).kill_restores(&server.url("kill"), &S3Server::variables());
    }

    #[test]
    fn sigkill_of_an_upload_leaves_a_whole_snapshot_or_none() {
        let Some(server) = S3Server::start() else { return };
        let dir = TempDir::new().unwrap();
        let open_data = || Open::new(&dir.path().join("data"), 1);
        let data = open_data();
        data.turns(0..30);
        // More than one part.
        for number in 0..12_u8 {
            data.write(|draft| {
                let key = crate::common::key(&format!("large {number}"));
                draft.register_set(&key, vec![number; 1 << 20].into()).unwrap();
            });
        }
        data.close();
        let repository = open(&server, &dir.path().join("scratch"));
        let start = || process("kill::uploader", dir.path(), &server.url("kill"), &S3Server::variables());
        let began = Instant::now();
        assert!(start().wait().unwrap().success());
        let whole = began.elapsed();
        let mut before = repository.list().unwrap().len();
        assert_eq!(before, 1);
        let mut broken = 0;
        for round in 0..12 {
            let mut child = start();
            thread::sleep(whole.mul_f64(f64::from(round) / 11.0).min(Duration::from_secs(3)));
            let _ = child.kill();
            child.wait().unwrap();
            let found = repository.list().unwrap();
            assert!((before..=before + 1).contains(&found.len()), "{found:?}");
            broken += usize::from(found.len() == before);
            before = found.len();
            let newest = found.into_iter().next_back().unwrap().snapshot.unwrap();
            newest.verify(&quiet).unwrap();
        }
        assert!(broken > 0, "no upload was interrupted");
        // The next one removes all that the others left.
        let data = open_data();
        repository.create(&data.replica, &CreateOptions::default(), &quiet).unwrap();
        data.close();
        let whole: Vec<String> = repository.list().unwrap().into_iter().map(|found| found.id).collect();
        let mut there: Vec<String> = std::fs::read_dir(server.objects().join("kill"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        there.sort_unstable();
        assert_eq!((there, server.open_uploads()), (whole, 0));
    }
}
