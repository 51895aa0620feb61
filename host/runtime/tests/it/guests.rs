//! The guests: built once for all tests, and listed so that none is left without a test.

use crate::built::{built, sources};
use std::path::PathBuf;

/// A guest of `tests/guests`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guest {
    Calls,
    Command,
    Families,
    Reactor,
    Turns,
    Web,
}

impl Guest {
    const ALL: [Self; 6] =
        [Self::Calls, Self::Command, Self::Families, Self::Reactor, Self::Turns, Self::Web];

    /// Its file below the folder of built guests, and the modules of this program that run it.
    fn about(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Calls => ("examples/calls.wasm", &[include_str!("denials.rs")]),
            Self::Command => {
                ("command.wasm", &[include_str!("commands.rs"), include_str!("deterministic.rs")])
            }
            Self::Families => {
                ("examples/families.wasm", &[include_str!("families.rs"), include_str!("texts.rs")])
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
