//! One file per command.

pub(crate) mod build;
pub(crate) mod ca;
pub(crate) mod policy;
pub(crate) mod run;

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
