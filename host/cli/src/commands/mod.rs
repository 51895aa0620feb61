//! One file per command.

pub(crate) mod build;
pub(crate) mod ca;
pub(crate) mod migrate;
pub(crate) mod policy;
pub(crate) mod repair;
pub(crate) mod run;
pub(crate) mod snapshot;
pub(crate) mod tools;

use serde_json::Value;

/// Prints data on stdout. A reader that has left is not our failure.
pub(crate) fn print(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints JSON on stdout.
pub(crate) fn print_json(value: &Value) {
    print(&format!("{value:#}"));
}

/// `NX_` variables, lossy: a name or value that is not text fits no setting.
pub(crate) fn variables() -> std::collections::BTreeMap<String, String> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .filter(|(name, _)| name.starts_with("NX_"))
        .collect()
}
