//! Wrong usage: code 2 and what to write instead.

use super::program::run;
use std::fs;

#[test]
fn help_and_version_are_answers() {
    let folder = tempfile::tempdir().unwrap();
    let version = run(folder.path(), &["--version"]).expect(0, &[]);
    assert!(version.out.starts_with("numax 0.2.0"), "{}", version.out);
    for command in [&["--help"][..], &["run", "--help"], &["build", "--help"], &["ca", "issue", "--help"]] {
        let help = run(folder.path(), command).expect(0, &[]);
        assert!(help.out.contains("Usage:") && help.out.contains("Example"), "{command:?}: {}", help.out);
    }
}

#[test]
fn wrong_usage_ends_with_two() {
    let folder = tempfile::tempdir().unwrap();
    let table: &[(&[&str], &[&str])] = &[
        (&[], &["Usage:"]),
        (&["biuld"], &["unrecognized subcommand 'biuld'", "'build'"]),
        (&["run"], &["nothing to run", "numax build"]),
        (&["run", "a.wasm", "--durability", "fsinc"], &["--durability", "`fsync`"]),
        (&["run", "a.wasm", "--listen", "example.com:1"], &["--listen", "IP:PORT"]),
        (&["run", "a.wasm", "b.wasm", "--policy", "p.toml"], &["--policy is for one module"]),
        (&["run", "a.wasm", "--env", "novalue"], &["NAME=VALUE"]),
        (&["build", "."], &["not a guest project"]),
        (&["ca", "init", "x", "--valid-for", "long"], &["--valid-for", "30s"]),
    ];
    for (args, words) in table {
        run(folder.path(), args).expect(2, words);
    }
}

#[test]
fn a_wrong_configuration_shows_the_place() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("numax.toml"), "[storage]\ndurabilty = \"fsync\"\n").unwrap();
    run(folder.path(), &["run"])
        .expect(2, &["numax.toml:2:1", "^^^^^^^^^", "did you mean `storage.durability`?"]);
    run(folder.path(), &["run", "--config", "none.toml"]).expect(2, &["none.toml"]);
}

#[test]
fn both_names_are_the_same_program() {
    let nx = std::process::Command::new(env!("CARGO_BIN_EXE_nx")).arg("--version").output().unwrap();
    assert!(nx.status.success() && String::from_utf8_lossy(&nx.stdout).contains("0.2.0"));
}
