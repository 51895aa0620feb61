//! Tools for stopped datastores: `inspect`, `keys`, `get`, `diff`, `log export`, `replay`. What they do is in
//! [`numax_tools`]; here it is asked for and printed.

pub(crate) mod args;
mod diff;
mod interrupt;
mod log;
mod look;
mod replay;

pub(crate) use diff::run as diff;
pub(crate) use log::run as log;
pub(crate) use look::{get, inspect, keys};
pub(crate) use replay::run as replay;

use numax_tools::ToolError;

use crate::exit::Failure;

/// An error of a tool, with the code that it ends the command with.
fn failure(error: ToolError) -> Failure {
    match error {
        ToolError::Usage(text) => Failure::usage(text),
        other => Failure::failed(other),
    }
}
