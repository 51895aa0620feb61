//! The guests: built once for all tests, and listed so that none is left without a test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A guest of `tests/guests`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guest {
    Calls,
    Command,
    Reactor,
    Turns,
    Web,
}

impl Guest {
    const ALL: [Self; 5] = [Self::Calls, Self::Command, Self::Reactor, Self::Turns, Self::Web];

    /// Its file below the folder of built guests, and the modules of this program that run it.
    fn about(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Calls => ("examples/calls.wasm", &[include_str!("denials.rs")]),
            Self::Command => {
                ("command.wasm", &[include_str!("commands.rs"), include_str!("deterministic.rs")])
            }
            Self::Reactor => ("examples/reactor.wasm", &[include_str!("handlers.rs")]),
            Self::Turns => ("examples/turns.wasm", &[include_str!("turns.rs"), include_str!("failures.rs")]),
            Self::Web => ("examples/web.wasm", &[include_str!("http.rs"), include_str!("limits.rs")]),
        }
    }

    /// Its component, built if it is not.
    pub fn path(self) -> PathBuf {
        built().join(self.about().0)
    }

    /// The component's bytes.
    pub fn bytes(self) -> Vec<u8> {
        std::fs::read(self.path()).unwrap()
    }
}

/// The sources of the guests.
fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests")
}

/// A folder for what the tests build and compile. It stays, so that the next run does not begin anew.
pub fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("test-guests")
}

/// Builds all guests at the first call and returns the folder in which they are.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let target = "wasm32-wasip2";
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command
            .args(["build", "--release", "--examples", "--bins", "--locked", "--target", target])
            .current_dir(sources())
            .env("CARGO_TARGET_DIR", cache());
        // What was set for the host's own build is not meant for the guests.
        for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTC_WRAPPER"] {
            command.env_remove(variable);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "the guests of the tests could not be built.\n{said}\nIf the target is missing: rustup target add {target}"
        );
        cache().join(target).join("release")
    })
}

/// Every source of a guest is one of [`Guest`], and every one of them is run by the tests that it names.
#[test]
fn every_guest_has_its_tests() {
    let mut names = Vec::new();
    for folder in ["examples", "src/bin"] {
        for entry in std::fs::read_dir(sources().join(folder)).unwrap() {
            names.push(entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned());
        }
    }
    names.sort();
    let listed: Vec<_> = Guest::ALL.iter().map(|guest| format!("{guest:?}").to_lowercase()).collect();
    assert_eq!(names, listed);
    for guest in Guest::ALL {
        for tests in guest.about().1 {
            assert!(tests.contains(&format!("Guest::{guest:?}")), "{guest:?} is not run where it should be");
        }
    }
}
