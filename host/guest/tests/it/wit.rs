//! The embedded WIT package is the repository's.

use numax_guest::wit::Wit;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

fn files_below(dir: &Path, prefix: &str, into: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            files_below(&entry.path(), &format!("{name}/"), into);
        } else if name.ends_with(".wit") {
            into.insert(name, fs::read_to_string(entry.path()).unwrap());
        }
    }
}

#[test]
fn every_file_of_the_wit_folder_is_embedded() {
    let mut there = BTreeMap::new();
    files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit"), "", &mut there);
    let embedded: BTreeMap<String, String> = Wit.files().map(|(n, t)| (n.into(), t.into())).collect();
    assert_eq!(there.keys().collect::<Vec<_>>(), embedded.keys().collect::<Vec<_>>());
    assert!(there == embedded, "a file differs");
}
