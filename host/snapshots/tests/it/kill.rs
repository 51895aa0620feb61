//! SIGKILL of a process that restores: the old data or the new, whole.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use numax_snapshots::{Folder, quiet};
use tempfile::TempDir;

use crate::common::{Open, create, options};

const DIR: &str = "NUMAX_TEST_DIR";

/// The process that is killed: restores once.
#[test]
#[ignore = "runs in a process of its own, started by the test below"]
fn restorer() {
    let Ok(dir) = std::env::var(DIR).map(PathBuf::from) else { return };
    let snapshot = Folder::new(dir.join("snapshots")).find("latest").unwrap();
    snapshot.restore(&dir.join("data"), &options(1), &quiet).unwrap();
}

#[test]
fn sigkill_of_a_restore_leaves_the_old_data_or_the_new() {
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("data");
    let open = Open::new(&data, 1);
    open.turns(0..60);
    let snapshot = create(&Folder::new(dir.path().join("snapshots")), &open);
    let then = open.state();
    open.turns(60..90);
    let now = open.state();
    let peer = Open::new(&dir.path().join("peer"), 2);
    peer.pull(&open);
    open.close();

    let start = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["kill::restorer", "--exact", "--ignored"])
            .env(DIR, dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    // How long it takes here and now, to spread the kills over it.
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
