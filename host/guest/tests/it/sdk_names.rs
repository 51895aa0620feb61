//! The SDKs of JavaScript and Python have no generated bindings: they name functions of the WIT, and only a call finds out
//! that one is not there. Here the names in their sources are held against the WIT.

use numax_guest::wit::Wit;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use wit_parser::{FunctionKind, Resolve, TypeDefKind};

/// Functions of interfaces that they offer otherwise.
const LATER: [&str; 1] = ["subscribe"];

/// Interfaces that the SDKs wrap, and the file that does: in JavaScript and in Python.
const WRAPPED: [(&str, &str, &str); 5] = [
    ("crdt", "crdt.js", "crdt.py"),
    ("kv", "kv.js", "kv.py"),
    ("events", "events.js", "events.py"),
    ("cluster", "cluster.js", "cluster.py"),
    ("module-info", "module.js", "module.py"),
];

/// The text of a file below the repository.
fn source(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The functions of each interface of numax: `keys`, `g-counter.increment`.
fn functions(resolve: &Resolve) -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for (_, interface) in &resolve.interfaces {
        let Some(name) = &interface.name else { continue };
        let package = interface.package.map(|p| resolve.packages[p].name.name.as_str());
        if package != Some("runtime") {
            continue;
        }
        let names = interface.functions.values().map(|f| match f.kind {
            FunctionKind::Method(id) | FunctionKind::Static(id) => {
                format!("{}.{}", resolve.types[id].name.clone().unwrap_or_default(), f.item_name())
            }
            _ => f.name.clone(),
        });
        all.insert(name.clone(), names.filter(|n| !LATER.iter().any(|l| n.starts_with(l))).collect());
    }
    all
}

fn camel(name: &str) -> String {
    let mut words = name.split('-');
    let first = words.next().unwrap_or_default().to_string();
    words.fold(first, |text, w| text + &w[..1].to_uppercase() + &w[1..])
}

fn snake(name: &str) -> String {
    name.replace('-', "_")
}

fn pascal(name: &str) -> String {
    let text = camel(name);
    text[..1].to_uppercase() + &text[1..]
}

/// What stands between `before` and a character that is in no name.
fn names_after(text: &str, before: &str) -> BTreeSet<String> {
    let name = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    text.match_indices(before).map(|(at, _)| name(&text[at + before.len()..])).collect()
}

/// The method or function itself: of `g-counter.increment` it is `increment`.
fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

#[test]
fn javascript_names_what_the_wit_has() {
    let (resolve, _) = Wit.resolve().unwrap();
    let functions = functions(&resolve);
    for (interface, file, _) in WRAPPED {
        let text = source(&format!("sdk-js/src/{file}"));
        let version = numax_guest::wit::VERSION;
        assert!(
            text.contains(&format!("'numax:runtime/{interface}@{version}'")),
            "{file} imports another version"
        );
        let there: BTreeSet<String> = functions[interface].iter().map(|n| camel(last(n))).collect();
        let mut used: BTreeSet<String> =
            names_after(&text, "h.").union(&names_after(&text, "host.")).cloned().collect();
        if interface == "crdt" {
            used.extend(["open", "keys"].map(String::from)); // handles.js; `hostKeys`
        }
        used.retain(|n| !n.is_empty());
        assert_eq!(used, there, "{file}");
    }
    assert!(source("sdk-js/src/handles.js").contains("family.open("));
}

#[test]
fn python_names_what_the_wit_has() {
    let (resolve, _) = Wit.resolve().unwrap();
    let functions = functions(&resolve);
    for (interface, _, file) in WRAPPED {
        let text = source(&format!("sdk-python/numax/{file}"));
        let there: BTreeSet<String> = functions[interface].iter().map(|n| snake(last(n))).collect();
        let module = if interface == "module-info" { "_info." } else { &format!("_{interface}.") };
        let mut used: BTreeSet<String> =
            names_after(&text, "_do(\"").union(&names_after(&text, module)).cloned().collect();
        // Resource classes and enums are no functions; `_host.py` opens the handles.
        used.retain(|n| n.starts_with(char::is_lowercase));
        if interface == "crdt" {
            used.insert("open".into());
        }
        assert_eq!(used, there, "{file}");
    }
    assert!(source("sdk-python/numax/_host.py").contains("family.open"));
    assert!(source("sdk-python/numax/_kinds.py").contains("_common.CrdtKind["));
}

#[test]
fn errors_and_families_are_those_of_the_wit() {
    let (resolve, _) = Wit.resolve().unwrap();
    let cases = |name: &str| -> Vec<String> {
        let (_, found) = resolve.types.iter().find(|(_, t)| t.name.as_deref() == Some(name)).unwrap();
        match &found.kind {
            TypeDefKind::Variant(v) => v.cases.iter().map(|c| c.name.clone()).collect(),
            TypeDefKind::Enum(e) => e.cases.iter().map(|c| c.name.clone()).collect(),
            other => panic!("{name} is {other:?}"),
        }
    };
    let (_, common) = resolve.interfaces.iter().find(|(_, i)| i.name.as_deref() == Some("common")).unwrap();
    let TypeDefKind::Variant(error) = &resolve.types[common.types["error"]].kind else {
        panic!("error is no variant")
    };
    let (js, py) = (source("sdk-js/src/errors.js"), source("sdk-python/numax/errors.py"));
    let codes: Vec<String> = error.cases.iter().map(|c| format!("'{}'", c.name)).collect();
    assert!(js.contains(&format!("[{}]", codes.join(", "))), "{codes:?}");
    let classes: BTreeSet<String> = error.cases.iter().map(|c| pascal(&c.name)).collect();
    assert_eq!(names_after(&py, "\"Error_"), classes);

    let kinds = cases("crdt-kind");
    let listed =
        |quote: char| kinds.iter().map(|k| format!("{quote}{k}{quote}")).collect::<Vec<_>>().join(", ");
    assert!(source("sdk-js/src/values.js").contains(&listed('\'')));
    assert!(source("sdk-python/numax/_kinds.py").contains(&listed('"')));
    let types = source("sdk-js/src/index.d.ts");
    for (name, in_types) in [("crdt-kind", "export type Kind = "), ("op-kind", "  op: ")] {
        let union = cases(name).iter().map(|c| format!("'{c}'")).collect::<Vec<_>>().join(" | ");
        assert!(types.contains(&format!("{in_types}{union};")), "{name}: {union}");
    }
}

#[test]
fn the_build_scripts_know_the_worlds() {
    let (resolve, package) = Wit.resolve().unwrap();
    for file in ["sdk-js/tools/build.mjs", "sdk-python/tools/build.py"] {
        let text = source(file);
        for before in ["use-", "with-"] {
            for quote in ['\'', '"'] {
                for name in names_after(&text, &format!("{quote}{before}")) {
                    let end = if name == "module" { "-info" } else { "" };
                    let world = format!("{before}{name}{end}");
                    assert!(resolve.packages[package].worlds.contains_key(&world), "{file}: {world}");
                }
            }
        }
    }
}
