//! The WIT package: embedded as it stands in the repository, every item documented, every copy alike.

use numax_guest::wit::Wit;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use wit_parser::{Docs, TypeDefKind};

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn files_below(dir: &Path, prefix: &str, into: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if ["target", "node_modules", ".numax", ".venv"].iter().any(|n| entry.file_name() == *n) {
            continue;
        }
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
    files_below(&repository().join("wit"), "", &mut there);
    let embedded: BTreeMap<String, String> = Wit.files().map(|(n, t)| (n.into(), t.into())).collect();
    assert_eq!(there.keys().collect::<Vec<_>>(), embedded.keys().collect::<Vec<_>>());
    assert!(there == embedded, "a file differs");
}

/// SDKs and examples may carry copies of the package for their language's tools; each is what `wit/` has.
#[test]
fn every_copy_is_alike() {
    let texts: BTreeMap<&str, &str> =
        Wit.files().map(|(name, text)| (name.rsplit('/').next().unwrap_or(name), text)).collect();
    let root = repository();
    let tops = fs::read_dir(&root).unwrap().map(|e| e.unwrap().path());
    for top in tops.filter(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("sdk-"))) {
        let mut copies = BTreeMap::new();
        files_below(&top, "", &mut copies);
        for (name, text) in copies {
            let original = texts.get(name.rsplit('/').next().unwrap_or(&name));
            assert!(original == Some(&text.as_str()), "{}/{name} is not as in wit/", top.display());
        }
    }
}

#[test]
fn every_item_is_documented() {
    let (resolve, package) = Wit.resolve().unwrap();
    let mut bare = Vec::new();
    let mut see = |name: String, docs: &Docs| {
        if docs.contents.as_deref().is_none_or(|d| d.trim().is_empty()) {
            bare.push(name);
        }
    };
    let package = &resolve.packages[package];
    for (world, id) in &package.worlds {
        see(format!("world {world}"), &resolve.worlds[*id].docs);
    }
    for (interface, id) in &package.interfaces {
        let body = &resolve.interfaces[*id];
        see(interface.clone(), &body.docs);
        for (name, function) in &body.functions {
            see(format!("{interface}: {name}"), &function.docs);
        }
        for (name, id) in &body.types {
            let def = &resolve.types[*id];
            let members: Vec<(&String, &Docs)> = match &def.kind {
                TypeDefKind::Record(r) => r.fields.iter().map(|f| (&f.name, &f.docs)).collect(),
                TypeDefKind::Enum(e) => e.cases.iter().map(|c| (&c.name, &c.docs)).collect(),
                TypeDefKind::Variant(v) => v.cases.iter().map(|c| (&c.name, &c.docs)).collect(),
                // What another interface defines is documented there.
                TypeDefKind::Type(wit_parser::Type::Id(_)) => continue,
                _ => Vec::new(),
            };
            see(format!("{interface}: {name}"), &def.docs);
            for (member, docs) in members {
                see(format!("{interface}: {name}.{member}"), docs);
            }
        }
    }
    assert!(bare.is_empty(), "without documentation: {bare:#?}");
}
