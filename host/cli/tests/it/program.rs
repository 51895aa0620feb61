//! Running the program.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The program in a folder of its own, with nothing of the user's around it.
pub fn numax(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_numax"));
    command
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null());
    command
}

/// What came of a run.
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs to the end.
pub fn run(folder: &Path, args: &[&str]) -> Ended {
    run_with(folder, args, &[])
}

/// The same with variables.
pub fn run_with(folder: &Path, args: &[&str], variables: &[(&str, &str)]) -> Ended {
    numax(folder).args(args).envs(variables.iter().copied()).output().unwrap().into()
}

impl Ended {
    /// Asserts the code and words on stderr, and that no user is shown the inside of the program.
    pub fn expect(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        for word in words {
            assert!(self.err.contains(word), "{word:?} is not in:\n{}", self.err);
        }
        for inside in ["panicked", "backtrace", "RUST_BACKTRACE"] {
            assert!(!self.err.contains(inside), "{}", self.err);
        }
        self
    }
}

/// A program that runs on, with its stderr in a file.
pub struct Running {
    child: std::process::Child,
    log: std::path::PathBuf,
}

impl Running {
    pub fn start(folder: &Path, name: &str, args: &[&str]) -> Self {
        Self::with(folder, name, args, &[])
    }

    /// The same with variables.
    pub fn with(folder: &Path, name: &str, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = std::fs::File::create(&log).unwrap();
        let child = numax(folder)
            .args(args)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    /// Waits for a line on stderr that contains the words, and gives it.
    pub fn line(&mut self, words: &str) -> String {
        let start = Instant::now();
        loop {
            let log = std::fs::read_to_string(&self.log).unwrap();
            if let Some(line) = log.lines().find(|line| line.contains(words)) {
                return line.to_owned();
            }
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && start.elapsed() < Duration::from_secs(60),
                "{words:?} is not in:\n{log}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits until something is on stdout, and takes a little of it.
    pub fn out(&mut self) -> Vec<u8> {
        let mut some = vec![0; 16];
        let read = std::io::Read::read(self.child.stdout.as_mut().unwrap(), &mut some).unwrap();
        some.truncate(read);
        some
    }

    /// Waits for the end.
    pub fn end(&mut self) -> Ended {
        let status = self.child.wait().unwrap();
        let mut out = String::new();
        std::io::Read::read_to_string(self.child.stdout.as_mut().unwrap(), &mut out).unwrap();
        Ended { code: status.code(), out, err: std::fs::read_to_string(&self.log).unwrap() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
