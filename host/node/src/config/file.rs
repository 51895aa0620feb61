//! `numax.toml`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use numax_policy::toml_reader::{Section, Value};
use numax_snapshots::Location;

use super::ModuleConfig;
use super::keys::{KEYS, Key, Shape};

/// What the file says about one setting.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub words: Vec<String>,
    pub span: Range<usize>,
}

/// What the file says.
#[derive(Debug, Default)]
pub(crate) struct FileLayer {
    pub entries: BTreeMap<&'static str, Entry>,
    pub modules: Vec<ModuleConfig>,
}

/// Names of the sections, and of the modules.
pub(crate) fn sections() -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    for key in KEYS {
        if !names.contains(&key.section) {
            names.push(key.section);
        }
    }
    names.push("module");
    names
}

/// Takes everything out of the root of the file. `folder` is where its paths count from.
pub(crate) fn read(root: &Section<'_>, folder: &Path) -> FileLayer {
    let mut layer = FileLayer::default();
    for name in sections() {
        if name == "module" {
            let modules = root.get(name).and_then(|value| value.list()).unwrap_or_default();
            layer.modules = modules.iter().filter_map(|value| module(value, folder)).collect();
            continue;
        }
        let known: Vec<&str> = KEYS.iter().filter(|key| key.section == name).map(|key| key.name).collect();
        let Some(section) = root.get(name).and_then(|value| value.section(&known)) else { continue };
        for key in KEYS.iter().filter(|key| key.section == name) {
            if let Some(value) = section.get(key.name)
                && let Some(words) = words(key, &value, folder)
            {
                layer.entries.insert(key.variable, Entry { words, span: value.span() });
            }
        }
    }
    layer
}

fn words(key: &Key, value: &Value<'_>, folder: &Path) -> Option<Vec<String>> {
    if key.shape == Shape::Many {
        return Some(value.strings()?.into_iter().map(|word| word.text).collect());
    }
    if matches!(key.name, "cache_rows" | "snapshot_keep") {
        return Some(vec![value.integer(0..=u64::from(u32::MAX))?.to_string()]);
    }
    let text = value.string()?.text;
    // A URL counts from nowhere.
    let relative = key.path && !Location::is_url(&text);
    Some(vec![if relative { folder.join(text).to_string_lossy().into_owned() } else { text }])
}

fn module(value: &Value<'_>, folder: &Path) -> Option<ModuleConfig> {
    let section = value.section(&["path", "policy", "name", "build", "env"])?;
    let path = section.require("path", "the component, such as \"target/app.wasm\"")?.string()?.text;
    let text = |key: &str| section.get(key).and_then(|value| value.string()).map(|word| word.text);
    Some(ModuleConfig {
        path: folder.join(path),
        policy: text("policy").map(|policy| folder.join(policy)),
        name: text("name"),
        build: text("build").map(|project| folder.join(project)),
        env: section.get("env").map(|value| env(&value)).unwrap_or_default(),
    })
}

/// A table whose keys are the user's.
fn env(value: &Value<'_>) -> Vec<(String, String)> {
    let Some(names) = value.keys() else { return Vec::new() };
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let Some(section) = value.section(&names) else { return Vec::new() };
    section.entries().into_iter().filter_map(|(name, value)| Some((name, value.string()?.text))).collect()
}

/// Folder of a file, for the paths in it.
pub(crate) fn folder_of(file: &Path) -> PathBuf {
    file.parent().map(Path::to_path_buf).unwrap_or_default()
}
