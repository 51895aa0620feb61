//! `numax policy`, and what happens to modules without one.

use super::program::run;
use std::fs;

/// The smallest component there is: it imports and exports nothing.
pub const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

#[test]
fn init_writes_what_validate_takes() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("app.wasm"), EMPTY).unwrap();
    let shown = run(folder.path(), &["policy", "init", "app.wasm", "--stdout"]).expect(0, &[]);
    assert!(shown.out.contains("version = 1") && !folder.path().join("app.policy.toml").exists());
    let made = run(folder.path(), &["policy", "init", "app.wasm"]).expect(0, &[]);
    assert_eq!(made.out.trim(), "app.policy.toml");
    run(folder.path(), &["policy", "validate", "app.policy.toml"]).expect(0, &["valid, 0 grants"]);
    run(folder.path(), &["policy", "init", "app.wasm"]).expect(1, &["is there already", "--force"]);
    run(folder.path(), &["policy", "init", "app.wasm", "--force", "--grant-all"]).expect(0, &["warning"]);
}

#[test]
fn validate_tells_what_is_granted_and_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("good.toml"), "version = 1\n[capabilities]\nrandom = true\n").unwrap();
    fs::write(folder.path().join("bad.toml"), "version = 1\n[capabilities]\nradnom = true\n").unwrap();
    let good = run(folder.path(), &["policy", "validate", "--json", "good.toml"]).expect(0, &[]);
    let json: serde_json::Value = serde_json::from_str(&good.out).unwrap();
    assert_eq!(json[0]["grants"][0], "random = true");
    let both = run(folder.path(), &["policy", "validate", "good.toml", "bad.toml"])
        .expect(1, &["bad.toml:3:1", "did you mean `capabilities.random`?"]);
    assert_eq!(both.out, "random = true\n");
    let all = run(folder.path(), &["policy", "validate", "--json", "bad.toml", "good.toml"]).expect(1, &[]);
    let json: serde_json::Value = serde_json::from_str(&all.out).unwrap();
    assert_eq!((&json[0]["file"], &json[0]["valid"]), (&"bad.toml".into(), &false.into()), "{json}");
    assert!(json[0]["error"].as_str().unwrap().contains("radnom"), "{json}");
    assert_eq!((&json[1]["file"], &json[1]["valid"]), (&"good.toml".into(), &true.into()), "{json}");
    run(folder.path(), &["policy", "validate", "none.toml"]).expect(1, &["none.toml"]);
}

#[test]
fn a_module_without_a_policy_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("app.wasm"), EMPTY).unwrap();
    run(folder.path(), &["run", "app.wasm"]).expect(3, &["app.policy.toml", "numax policy init app.wasm"]);
}

#[test]
fn a_policy_with_a_typo_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("app.wasm"), EMPTY).unwrap();
    fs::write(folder.path().join("app.policy.toml"), "version = 1\n[capabilities]\ncrdt.gcountr = [\"a\"]\n")
        .unwrap();
    run(folder.path(), &["run", "app.wasm"]).expect(1, &["app.policy.toml:3:6", "^^^^^^^", "gcounter"]);
}
