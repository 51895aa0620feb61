//! Python guests, built with the real tools.

use numax_guest::component::surface;
use numax_guest::{BuildError, BuildOptions, Progress, Tool, build, find_tool};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Whether Python is here; says so if not.
fn python() -> bool {
    let here = find_tool(&Tool { names: &["python3", "python"], what: "", get: "" }).is_ok();
    if !here {
        eprintln!("SKIPPED: python3 is not in PATH");
    }
    here
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A project of one file, below the repository, whose installed tools it shares. Its place is always the same, so that
/// test runs leave no more than one work folder each behind.
fn project(name: &str, app: &str) -> PathBuf {
    let dir = repository().join("target/guest-tests").join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("app.py"), app).unwrap();
    dir
}

/// What the build of a module that cannot be built says: the steps, and the error.
fn failure(name: &str, app: &str) -> (String, String) {
    let dir = project(name, app);
    let steps = Arc::new(Mutex::new(String::new()));
    let heard = Arc::clone(&steps);
    let on_progress = Box::new(move |p: Progress<'_>| {
        if let Progress::Step(text) = p {
            heard.lock().unwrap().push_str(&format!("{text}\n"));
        }
    });
    let options = BuildOptions { quiet: true, on_progress: Some(on_progress), ..BuildOptions::default() };
    let error = build(&dir, options).unwrap_err();
    assert!(matches!(error, BuildError::ToolFailed { .. }), "{error}");
    let steps = steps.lock().unwrap().clone();
    (steps, error.to_string())
}

#[test]
fn the_example_imports_what_it_uses_of_numax() {
    if !python() {
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let wasm = out.path().join("visits-python.wasm");
    let options = BuildOptions { out: Some(wasm.clone()), quiet: true, ..BuildOptions::default() };
    let built = build(&repository().join("examples/visits-python"), options).unwrap();
    assert!(built.policy.is_file());

    let surface = surface(&wasm).unwrap();
    assert!(
        surface.exports.iter().any(|e| e == "wasi:http/incoming-handler@0.2.12"),
        "{:?}",
        surface.exports
    );
    let of_numax: Vec<_> = surface.imports.iter().filter(|i| i.starts_with("numax:")).collect();
    assert_eq!(of_numax, ["numax:runtime/common@0.2.0", "numax:runtime/crdt@0.2.0"]);
    assert!(
        !surface.imports.iter().any(|i| i.starts_with("wasi:http/outgoing-handler")),
        "{:?}",
        surface.imports
    );
}

#[test]
fn a_module_without_handlers_says_what_to_define() {
    if python() {
        let (_, error) = failure("py-no-handlers", "answer = 42\n");
        assert!(error.contains("def http(request)") && error.contains("on_tick"), "{error}");
    }
}

#[test]
fn a_syntax_error_is_shown_where_it_is() {
    if python() {
        let (_, error) = failure("py-syntax", "def run():\n    x = = 1\n");
        assert!(error.contains("app.py:2"), "{error}");
    }
}

#[test]
fn what_top_level_code_may_not_do_is_explained() {
    if python() {
        let app = "import random\nfrom numax import Counter\n\nseed = random.random()\nCounter('x').increment()\n\n\n\
                   def run():\n    import uuid\n";
        let (steps, error) = failure("py-top-level", app);
        assert!(steps.contains("warning: app.py:4: random.random at the top level"), "{steps}");
        assert!(steps.contains("app.py:9: uuid is imported inside of run()"), "{steps}");
        assert!(error.contains("Move what does into the handler"), "{error}");
    }
}
