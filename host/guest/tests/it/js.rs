//! JavaScript guests, built with the real tools.

use numax_guest::component::surface;
use numax_guest::{BuildError, BuildOptions, Tool, build, find_tool};
use std::fs;
use std::path::{Path, PathBuf};

/// Whether Node is here; says so if not.
fn node() -> bool {
    let here = find_tool(&Tool { names: &["node"], what: "", get: "" }).is_ok();
    if !here {
        eprintln!("SKIPPED: node is not in PATH");
    }
    here
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A project of these files, below the repository, whose installed tools it shares. Its place is always the same, so that
/// test runs leave no more than one work folder each behind.
fn project(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let dir = repository().join("target/guest-tests").join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    for (name, text) in files {
        fs::write(dir.join(name), text).unwrap();
    }
    dir
}

fn failure(name: &str, files: &[(&str, &str)]) -> String {
    let error =
        build(&project(name, files), BuildOptions { quiet: true, ..BuildOptions::default() }).unwrap_err();
    assert!(matches!(error, BuildError::ToolFailed { .. }), "{error}");
    error.to_string()
}

#[test]
fn the_example_imports_what_it_uses_and_nothing_else() {
    if !node() {
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let wasm = out.path().join("visits-js.wasm");
    let options = BuildOptions { out: Some(wasm.clone()), quiet: true, ..BuildOptions::default() };
    let built = build(&repository().join("examples/visits-js"), options).unwrap();
    assert!(built.policy.is_file());

    let surface = surface(&wasm).unwrap();
    assert_eq!(surface.exports, ["wasi:http/incoming-handler@0.2.12"]);
    for wanted in ["numax:runtime/crdt@0.2.0", "wasi:http/types@0.2.12"] {
        assert!(surface.imports.iter().any(|i| i == wanted), "{wanted}: {:?}", surface.imports);
    }
    // The example neither calls out, nor draws random numbers, nor reads a clock.
    for unwanted in
        ["numax:runtime/kv", "numax:runtime/module-info", "outgoing-handler", "wasi:random", "wasi:sockets"]
    {
        assert!(!surface.imports.iter().any(|i| i.contains(unwanted)), "{unwanted}: {:?}", surface.imports);
    }
}

#[test]
fn a_module_without_handlers_says_what_to_export() {
    if node() {
        let text =
            failure("js-no-handlers", &[("package.json", "{}"), ("main.js", "export const answer = 42;")]);
        assert!(text.contains("export default { fetch(request)"), "{text}");
        assert!(text.contains("onTick"), "{text}");
    }
}

#[test]
fn a_syntax_error_is_shown_where_it_is() {
    if node() {
        let text = failure(
            "js-syntax",
            &[("package.json", "{}"), ("main.ts", "export function run() {\n  let x = ;\n}\n")],
        );
        assert!(text.contains("main.ts:2"), "{text}");
    }
}

#[test]
fn what_top_level_code_may_not_do_is_explained() {
    if node() {
        let source = "const id = Math.random();\nexport function run() { console.log(id); }\n";
        let text = failure("js-top-level", &[("package.json", "{}"), ("main.js", source)]);
        assert!(text.contains("Move that code into the handler that needs it"), "{text}");
    }
}
