//! The examples build, by the tools that are there.

use crate::wit::repository;
use numax_guest::wit::Handler;
use numax_guest::{BuildOptions, BuildOutput, build, component};
use std::fs;
use std::path::Path;

/// Builds `examples/NAME` into a folder of the test's own.
fn build_example(name: &str, into: &Path) -> BuildOutput {
    let out = into.join(format!("{name}.wasm"));
    build(&repository().join("examples").join(name), BuildOptions { out: Some(out), ..Default::default() })
        .unwrap_or_else(|e| panic!("{e}"))
}

/// An example that serves HTTP and uses replicated values builds, gets its own policy, and comes from the cache next.
fn visits(name: &str) {
    let dir = tempfile::tempdir().unwrap();
    let built = build_example(name, dir.path());
    let surface = component::surface(&built.wasm).unwrap();
    assert_eq!(surface.handlers(), [Handler::Http]);
    let imports = component::imported_functions(&built.wasm).unwrap();
    for function in ["[method]g-counter.increment", "[method]or-set.elements"] {
        assert!(imports.contains(&format!("numax:runtime/crdt@0.2.0#{function}")), "{imports:#?}");
    }
    let policy = fs::read_to_string(&built.policy).unwrap();
    assert!(policy.contains("\"demo:*\""), "{policy}");

    let again = build_example(name, dir.path());
    assert!(again.cached);
    eprintln!("{name}: {} bytes", fs::metadata(&built.wasm).unwrap().len());
}

#[test]
fn visits_rust() {
    visits("visits-rust");
}

#[test]
fn visits_go() {
    if !there("go") {
        return;
    }
    visits("visits-go");
}

#[test]
fn the_soak_guest_builds() {
    if !there("go") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let out = Some(dir.path().join("soak.wasm"));
    let built = build(&repository().join("sdk-go/tests/soak"), BuildOptions { out, ..Default::default() });
    let built = built.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(component::surface(&built.wasm).unwrap().handlers(), [Handler::Run]);
}

/// Whether a language's tool is on this machine; says so when it is not.
pub fn there(tool: &'static str) -> bool {
    let found =
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|d| d.join(tool).is_file());
    if !found {
        eprintln!("skipped: {tool} is not in PATH");
    }
    found
}
