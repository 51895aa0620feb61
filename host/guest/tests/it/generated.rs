//! Generated files are what the generators would write now.

use crate::examples::there;
use crate::wit::repository;
use numax_guest::bindings::{self, Generated};

#[test]
fn committed_rust_bindings_are_up_to_date() {
    up_to_date(&bindings::rust::sdk().unwrap());
}

#[test]
fn committed_go_bindings_are_up_to_date() {
    if there("gofmt") {
        up_to_date(&bindings::go::sdk().unwrap());
    }
}

fn up_to_date(generated: &Generated) {
    let lines = generated.differences(&repository()).unwrap();
    assert!(lines.is_empty(), "run `cargo run -p numax-guest --example generate`:\n{}", lines.join("\n"));
}

#[test]
fn a_changed_a_missing_and_a_surplus_file_are_each_seen() {
    let dir = tempfile::tempdir().unwrap();
    let generated = bindings::rust::sdk().unwrap();
    generated.write(dir.path()).unwrap();
    assert_eq!(generated.differences(dir.path()).unwrap(), Vec::<String>::new());
    let folder = dir.path().join(generated.folder);
    std::fs::write(folder.join(&generated.files[0].0), "x").unwrap();
    std::fs::remove_file(folder.join(&generated.files[1].0)).unwrap();
    std::fs::write(folder.join("stray"), "x").unwrap();
    let lines = generated.differences(dir.path()).unwrap();
    assert_eq!(lines.len(), 3, "{lines:?}");
    generated.write(dir.path()).unwrap();
    assert_eq!(generated.differences(dir.path()).unwrap(), Vec::<String>::new());
}
