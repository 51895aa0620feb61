//! Generated files are what the generators would write now.

use crate::wit::repository;

#[test]
fn committed_bindings_are_up_to_date() {
    let mut lines = Vec::new();
    for generated in numax_guest::bindings::all().unwrap() {
        lines.extend(generated.differences(&repository()).unwrap());
    }
    assert!(lines.is_empty(), "run `cargo run -p numax-guest --example generate`:\n{}", lines.join("\n"));
}

#[test]
fn a_changed_a_missing_and_a_surplus_file_are_each_seen() {
    let dir = tempfile::tempdir().unwrap();
    let generated = &numax_guest::bindings::all().unwrap()[0];
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
