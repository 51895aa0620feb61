//! Projects that cannot be built say what is wrong and what to do.

use crate::examples::there;
use numax_guest::{BuildError, BuildOptions, build};
use std::fs;
use std::path::Path;

fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn refusal(dir: &Path) -> BuildError {
    build(dir, BuildOptions::default()).unwrap_err()
}

#[test]
fn a_compilers_errors_are_shown_with_the_command() {
    let dir = project(&[
        ("Cargo.toml", "[package]\nname = \"wrong\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n"),
        ("src/main.rs", "fn main() { let x: u32 = \"text\"; }\n"),
    ]);
    let error = refusal(dir.path());
    let BuildError::ToolFailed { command, tail, hint, .. } = &error else { panic!("{error}") };
    assert!(command.starts_with("cargo build --release --target wasm32-wasip2"), "{command}");
    assert!(tail.contains("mismatched types") && !hint.is_empty(), "{error}");
}

#[test]
fn a_library_that_is_no_cdylib_is_told_what_to_write() {
    let dir = project(&[
        ("Cargo.toml", "[package]\nname = \"lib\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n"),
        ("src/lib.rs", ""),
    ]);
    let text = refusal(dir.path()).to_string();
    assert!(text.contains("Cargo.toml") && text.contains("crate-type = [\"cdylib\"]"), "{text}");
}

#[test]
fn a_component_without_handlers_is_no_guest() {
    let dir = project(&[
        (
            "Cargo.toml",
            "[package]\nname = \"idle\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n[lib]\ncrate-type = [\"cdylib\"]\n",
        ),
        ("src/lib.rs", ""),
    ]);
    let error = refusal(dir.path());
    assert!(matches!(error, BuildError::Component { .. }), "{error}");
    assert!(error.to_string().contains("wasi:http/incoming-handler"), "{error}");
}

#[test]
fn go_errors_name_what_to_do() {
    if !there("go") {
        return;
    }
    let module = ("go.mod", "module wrong\n\ngo 1.25\n");
    let dir = project(&[module, ("main.go", "package main\n\nfunc main() { var x int = \"text\" }\n")]);
    let error = refusal(dir.path());
    let BuildError::ToolFailed { command, tail, .. } = &error else { panic!("{error}") };
    assert!(command.starts_with("go build") && tail.contains("main.go:3"), "{error}");

    let dir = project(&[module, ("main.go", "package main\n\nfunc main() {}\n")]);
    let text = refusal(dir.path()).to_string();
    assert!(text.contains("exports no handler") && text.contains("onhttp"), "{text}");

    let dir = project(&[("go.mod", "modul wrong\n"), ("main.go", "package main\n")]);
    let text = refusal(dir.path()).to_string();
    assert!(text.contains("unknown directive") && text.contains("Repair the project's go.mod"), "{text}");
}

#[test]
fn a_folder_without_a_project_is_refused() {
    let dir = project(&[("notes.txt", "")]);
    assert!(matches!(refusal(dir.path()), BuildError::NotAProject { .. }));
    assert!(matches!(refusal(&dir.path().join("nowhere")), BuildError::Io { .. }));
}

#[test]
fn a_policy_is_made_from_what_a_program_uses() {
    let dir = project(&[
        ("Cargo.toml", "[package]\nname = \"plain\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n"),
        ("src/main.rs", "fn main() { println!(\"hello\"); }\n"),
    ]);
    let built = build(dir.path(), BuildOptions::default()).unwrap();
    assert!(
        !built.cached
            && built
                .wasm
                .ends_with(format!("target/{}.wasm", dir.path().file_name().unwrap().to_string_lossy()))
    );
    let policy = fs::read_to_string(&built.policy).unwrap();
    assert!(policy.contains("version = 1") && policy.contains("[capabilities]"), "{policy}");

    // Written by hand from now on: another build leaves it alone.
    fs::write(&built.policy, "version = 1\n").unwrap();
    assert!(build(dir.path(), BuildOptions::default()).unwrap().cached);
    assert_eq!(fs::read_to_string(&built.policy).unwrap(), "version = 1\n");
}
