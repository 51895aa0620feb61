//! `tests/bad/NAME.policy.toml` fails with the text of `NAME.txt`; `tests/good/NAME.policy.toml`
//! grants the lines of `NAME.grants.txt`. `NUMAX_BLESS=1` writes the expected texts anew.

use std::fs;
use std::path::{Path, PathBuf};

use numax_policy::Policy;

fn cases(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "toml"))
        .collect();
    found.sort();
    found
        .into_iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (path, name)
        })
        .collect()
}

fn compare(expected: &Path, got: &str) {
    if std::env::var_os("NUMAX_BLESS").is_some() {
        fs::write(expected, got).unwrap();
    }
    let wanted = fs::read_to_string(expected).unwrap_or_default();
    assert_eq!(got, wanted, "{} differs", expected.display());
}

#[test]
fn bad_files_are_told_apart() {
    let cases = cases("bad");
    assert!(cases.len() >= 10);
    for (path, name) in cases {
        let text = fs::read_to_string(&path).unwrap();
        let error = Policy::parse(&text, &name).expect_err(&name);
        compare(&path.with_file_name(name.replace(".policy.toml", ".txt")), &format!("{error}\n"));
    }
}

#[test]
fn good_files_grant_what_they_list() {
    let cases = cases("good");
    assert!(cases.len() >= 2);
    for (path, name) in cases {
        let text = fs::read_to_string(&path).unwrap();
        let policy = Policy::parse(&text, &name).unwrap_or_else(|error| panic!("{error}"));
        let grants: String = policy.grants().iter().map(|line| format!("{line}\n")).collect();
        compare(&path.with_file_name(name.replace(".policy.toml", ".grants.txt")), &grants);
    }
}
