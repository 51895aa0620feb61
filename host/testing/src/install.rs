//! Programs that tests need and that are built from their Go modules.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::fs::{FlockOperation, flock};

/// The program of a Go module at a version, built once for each target folder of Cargo; none, said on standard error, when
/// this machine has no Go. Go verifies what it downloads against its checksum database.
pub(crate) fn go_program(package: &str, version: &str) -> Option<PathBuf> {
    let name = package.rsplit('/').next().unwrap_or(package);
    let tools = target_dir().join("tools").join(format!("{name}-{version}"));
    let program = tools.join(name);
    if program.is_file() {
        return Some(program);
    }
    let known = Command::new("go").arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !known.is_ok_and(|status| status.success()) {
        eprintln!("skipped: {name} is built with Go, which is not on this machine");
        return None;
    }
    fs::create_dir_all(&tools).expect("a folder for tools");
    // Test programs run beside each other: one builds, the others wait.
    let lock = File::create(tools.join(".lock")).expect("a lock for tools");
    flock(&lock, FlockOperation::LockExclusive).expect("a lock for tools");
    if !program.is_file() {
        build(package, version, &tools);
    }
    Some(program)
}

fn build(package: &str, version: &str, tools: &Path) {
    eprintln!("building {package} {version} for tests; this takes a minute or two, once");
    let made = tools.join("new");
    let done = Command::new("go")
        .args(["install", "-trimpath", "-ldflags=-s -w", &format!("{package}@{version}")])
        .current_dir(tools)
        .env("GOBIN", &made)
        .env("CGO_ENABLED", "0")
        // Not for another system, whatever the environment builds otherwise.
        .env_remove("GOOS")
        .env_remove("GOARCH")
        .stdout(Stdio::null())
        .output()
        .expect("running go");
    assert!(
        done.status.success(),
        "go install {package}@{version} failed: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    for entry in fs::read_dir(&made).expect("what go built") {
        let entry = entry.expect("what go built");
        fs::rename(entry.path(), tools.join(entry.file_name())).expect("moving what go built");
    }
}

/// Cargo's target folder: the running test lies in `<target>/<profile>/deps`. CI keeps that folder outside of the clone.
fn target_dir() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this program");
    let deps = test.ancestors().find(|path| path.ends_with("deps"));
    let target = deps.and_then(Path::parent).and_then(Path::parent);
    target.expect("a test of Cargo lies in target/<profile>/deps").to_path_buf()
}
